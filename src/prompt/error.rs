use std::path::PathBuf;

/// Why the prompts of a server cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    /// Its name, its size or where it stands is wrong.
    #[error("{file}: {message}")]
    File { file: String, message: String },
    /// Something in it is wrong; lines count from 1.
    #[error("{file}:{line}: {message}")]
    Line {
        file: String,
        line: usize,
        message: String,
    },
    #[error(
        "{second}: version {version} of the prompt `{id}` stands in {first} already; give it another version"
    )]
    Duplicate {
        id: String,
        version: String,
        first: String,
        second: String,
    },
}

/// No prompt has this id, or no such version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    #[error("there is no prompt `{id}`; there are {}", known.join(", "))]
    Id { id: String, known: Vec<String> },
    #[error("the prompt `{id}` has no version `{version}`; it has {}", known.join(", "))]
    Version {
        id: String,
        version: String,
        known: Vec<String>,
    },
}

/// Why a prompt cannot be rendered with what a request gives.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    #[error("the prompt has no variable `{name}`; it has {}", known.join(", "))]
    UnknownVariable { name: String, known: Vec<String> },
    #[error("the prompt needs the variable `{name}`")]
    Missing { name: String },
    #[error("the variable `{name}` must be {expected}")]
    WrongType {
        name: String,
        expected: &'static str,
    },
    #[error("the variable `{name}` must be one of {}", choices.join(", "))]
    NotAChoice { name: String, choices: Vec<String> },
    #[error("the variable `{name}` must be a number from {min} to {max}")]
    OutOfRange { name: String, min: i64, max: i64 },
    #[error(
        "the variable `{name}` has {num_chars} characters in one text, and {max_chars} are allowed"
    )]
    TooLong {
        name: String,
        num_chars: usize,
        max_chars: usize,
    },
    #[error("the variable `{name}` has {num_items} items, and {max_items} are allowed")]
    TooManyItems {
        name: String,
        num_items: usize,
        max_items: usize,
    },
    #[error("the prompt needs at least {min} documents, and the request has {num_documents}")]
    DocumentsMissing { min: usize, num_documents: usize },
    #[error("the prompt takes at most {max} documents, and the request has {num_documents}")]
    TooManyDocuments { max: usize, num_documents: usize },
    /// It says nothing of long documents, or goes about them in another way.
    #[error("the prompt has no messages for a document in parts: `{0}`")]
    NoStep(&'static str),
    /// Checked with samples when it was loaded, and yet.
    #[error("the prompt failed on what was given: {0}")]
    Template(String),
}

/// A mistake in a file whose name is known further up.
#[derive(Debug)]
pub(super) struct Mistake {
    /// From 1.
    pub line: usize,
    pub message: String,
}

impl RenderError {
    /// The variable that is to blame, if one is.
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::UnknownVariable { name, .. }
            | Self::Missing { name }
            | Self::WrongType { name, .. }
            | Self::NotAChoice { name, .. }
            | Self::OutOfRange { name, .. }
            | Self::TooLong { name, .. }
            | Self::TooManyItems { name, .. } => Some(name),
            Self::DocumentsMissing { .. }
            | Self::TooManyDocuments { .. }
            | Self::NoStep(_)
            | Self::Template(_) => None,
        }
    }
}

impl Mistake {
    pub fn new(line: usize, message: impl Into<String>) -> Self {
        Self {
            line,
            message: message.into(),
        }
    }

    pub fn in_file(self, file: &str) -> PromptError {
        PromptError::Line {
            file: file.to_owned(),
            line: self.line,
            message: self.message,
        }
    }
}
