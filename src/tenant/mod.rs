//! Who may ask: API keys, in their simplest form.
//!
//! Owns what a key looks like and which keys are valid. Refuses to know HTTP, and never
//! keeps a key, only its hash.

mod keys;

pub use keys::{ApiKey, KeyConfig, KeyError, KeyHash, KeyRing};
