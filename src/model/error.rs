use std::path::PathBuf;

/// Why a checkpoint cannot be loaded or computed, in one sentence that names the file.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error("{path}: {message}", path = .path.display())]
    File { path: PathBuf, message: String },
    /// Something the files agree on but this server cannot do.
    #[error("{0}")]
    Unsupported(String),
    #[error("a kernel failed: {0}")]
    Kernel(#[from] candle_core::Error),
}

impl ModelError {
    pub(super) fn file(path: impl Into<PathBuf>, message: impl ToString) -> Self {
        Self::File {
            path: path.into(),
            message: message.to_string(),
        }
    }
}
