//! Personal data in the texts of a request: found, replaced before a model reads them, and put
//! back into what it answers.
//!
//! A [`Recogniser`] finds values, a [`Session`] replaces those of one request, and a [`Restorer`]
//! puts them back while an answer streams. What leaves here for a log, a metric or a client is a
//! [`Report`], which counts kinds: nothing prints a value, neither an error nor `Debug`.
//!
//! This is pseudonymisation and never anonymisation: who reads a text without its values may
//! still know whom it is about. The module knows no HTTP, no JSON of requests, no tokens and no
//! models.

mod applied;
mod error;
mod kind;
mod recognise;
mod report;
mod restorer;
mod session;
mod surrogate;
#[cfg(test)]
mod tests;

pub use applied::{Applied, Replacement};
pub use error::{PrivacyError, WordListError};
pub use kind::{Kind, Mode};
pub use recognise::{Finding, Recogniser, WordList};
pub use report::{Count, Report};
pub use restorer::Restorer;
pub use session::Session;
