//! Quotations of a text: where they may begin and end, and which bytes may follow in them.

mod boundaries;
mod source;
#[cfg(test)]
mod tests;

pub use source::{Source, Words};
