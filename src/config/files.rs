//! Section `[files]`.

use super::ConfigError;
use crate::store::FileLimits;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Section `[files]`: files that callers keep, where responses are stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilesConfig {
    /// Unless an upload says otherwise.
    pub retention_hours: u64,
    /// Of one caller.
    pub max_store_mib: u64,
    /// Of one caller.
    pub max_files: u64,
}

impl Default for FilesConfig {
    fn default() -> Self {
        let limits = FileLimits::default();
        Self {
            retention_hours: limits.time.as_secs() / 3600,
            max_store_mib: limits.max_bytes >> 20,
            max_files: limits.max_files,
        }
    }
}

impl FilesConfig {
    pub fn limits(&self) -> FileLimits {
        FileLimits {
            time: Duration::from_secs(self.retention_hours.saturating_mul(3600)),
            max_bytes: self.max_store_mib << 20,
            max_files: self.max_files,
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (key, value, max) in [
            ("files.retention_hours", self.retention_hours, 1 << 20),
            ("files.max_store_mib", self.max_store_mib, 1 << 24),
            ("files.max_files", self.max_files, 1 << 20),
        ] {
            if value == 0 || value > max {
                return Err(ConfigError::Value {
                    key,
                    must: "at least 1, and no larger than anybody needs",
                });
            }
        }
        Ok(())
    }
}
