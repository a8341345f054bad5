//! Who may ask: API keys, in their simplest form.
//!
//! Owns what a key looks like, which keys are valid and whose they are. Refuses to know HTTP, and never
//! keeps a key, only its hash.

mod keys;

pub use keys::{ApiKey, KeyConfig, KeyError, KeyHash, KeyRing, Tenant};
