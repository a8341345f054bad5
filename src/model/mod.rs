//! The decoder and what loads it.

pub mod import;
