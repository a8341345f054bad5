//! What a checkpoint is called, and what tells it from another.

use crate::config::ModelConfig;
use crate::hub::lock::Lock;
use sha2::{Digest as _, Sha256};
use std::fs::Metadata;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Read whole for the fingerprint of a checkpoint without a lock.
const SMALL_FILES: [&str; 5] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
];

/// The id that clients use.
pub fn model_id(dir: &Path, config: &ModelConfig) -> String {
    if let Some(id) = &config.id {
        return id.clone();
    }
    // `.` and a symbolic link have the name of what they lead to.
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    dir.file_name().map_or_else(
        || "model".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// Unix seconds of the newest file.
pub fn created(dir: &Path) -> u64 {
    files(dir)
        .filter_map(|(_, metadata)| metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok())
        .map(|since| since.as_secs())
        .max()
        .unwrap_or(0)
}

/// Digest of this program, so that two builds of one version are told apart.
fn build() -> Vec<u8> {
    let program = std::env::current_exe().and_then(std::fs::File::open);
    let mut digest = Sha256::new();
    match program.and_then(|mut program| std::io::copy(&mut program, &mut digest)) {
        Ok(_) => digest.finalize().to_vec(),
        // A program that was replaced while it starts still has its version.
        Err(_) => env!("CARGO_PKG_VERSION").as_bytes().to_vec(),
    }
}

/// Changes with the build, with what `numerics` names, and with the checkpoint: with every byte of it where there is a lock, else with its small
/// files and the names and sizes of its weights.
pub fn fingerprint(dir: &Path, lock: Option<&Lock>, numerics: &str) -> String {
    let mut digest = Sha256::new();
    let mut add = |part: &[u8]| {
        // With its length, so that parts cannot run into each other.
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    };
    add(&build());
    add(numerics.as_bytes());
    if let Some(lock) = lock {
        for file in &lock.files {
            add(file.path.as_bytes());
            add(file.sha256.as_bytes());
        }
    } else {
        for name in SMALL_FILES {
            add(&std::fs::read(dir.join(name)).unwrap_or_default());
        }
        let mut weights: Vec<_> = files(dir)
            .filter(|(name, _)| name.ends_with(".safetensors"))
            .map(|(name, metadata)| (name, metadata.len()))
            .collect();
        weights.sort();
        for (name, size) in weights {
            add(name.as_bytes());
            add(&size.to_le_bytes());
        }
    }
    let digest = digest.finalize();
    let hex: String = digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("fp_{hex}")
}

fn files(dir: &Path) -> impl Iterator<Item = (String, Metadata)> {
    std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let metadata = std::fs::metadata(entry.path()).ok()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            metadata.is_file().then_some((name, metadata))
        })
}
