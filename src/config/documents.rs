//! Sections `[documents]`, `[prompts]` and `[privacy]`.

use super::ConfigError;
use crate::document::ParseLimits;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Section `[documents]`: what one document may cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DocumentsConfig {
    pub max_file_mib: u64,
    pub max_pages: u64,
    /// Of processor time; twice as many may pass.
    pub max_seconds: u64,
    pub max_memory_mib: u64,
}

/// Section `[prompts]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PromptsConfig {
    /// Directories with prompts of one's own, beside those that are built in.
    pub dirs: Vec<PathBuf>,
}

/// Section `[privacy]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrivacyConfig {
    /// A file with words to replace beside what has a form, one a line.
    pub words: Option<PathBuf>,
}

impl Default for DocumentsConfig {
    fn default() -> Self {
        let limits = ParseLimits::default();
        Self {
            max_file_mib: 32,
            max_pages: limits.max_pages,
            max_seconds: limits.max_cpu_seconds,
            max_memory_mib: limits.max_memory_bytes >> 20,
        }
    }
}

impl DocumentsConfig {
    pub fn limits(&self) -> ParseLimits {
        ParseLimits {
            max_input_bytes: self.max_file_mib << 20,
            max_pages: self.max_pages,
            max_cpu_seconds: self.max_seconds,
            max_wall_seconds: self.max_seconds * 2,
            max_memory_bytes: self.max_memory_mib << 20,
            ..ParseLimits::default()
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (key, value, max) in [
            ("documents.max_file_mib", self.max_file_mib, 1 << 10),
            ("documents.max_pages", self.max_pages, 1 << 20),
            ("documents.max_seconds", self.max_seconds, 3600),
            ("documents.max_memory_mib", self.max_memory_mib, 1 << 20),
        ] {
            if value == 0 || value > max {
                return Err(ConfigError::Value {
                    key,
                    must: "at least 1, and at most 1024 MiB of a file, 1048576 pages, 3600 seconds and \
                           1048576 MiB of memory",
                });
            }
        }
        Ok(())
    }
}
