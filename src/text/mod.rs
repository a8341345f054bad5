//! Messages to token ids, token ids to text.
//!
//! Owns the tokenizer, chat templates, the guard that keeps callers from writing control
//! tokens, the detokenizer and stop strings. Refuses to know tensors and HTTP; does no I/O
//! after loading and nothing asynchronous.

mod callers_values;
mod chat_template;
mod checkpoint;
mod compiled_template;
mod content;
mod decoder;
mod detokenizer;
mod guard;
mod guarded_encoding;
mod json;
mod message;
mod open_end;
mod pair_tokenizer;
mod python_methods;
mod python_text;
pub mod quotation;
mod relevance_tokenizer;
mod reserved;
mod stop;
mod template_environment;
mod template_sources;
mod token_bytes;
mod tokenizer;

#[cfg(test)]
mod chat_template_tests;
#[cfg(test)]
mod content_tests;
#[cfg(test)]
mod detokenizer_tests;
#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod guard_tests;
#[cfg(test)]
mod template_choice_tests;
#[cfg(test)]
mod template_environment_tests;
#[cfg(test)]
mod tokenizer_tests;

pub use chat_template::ChatTemplate;
pub use content::Content;
pub use detokenizer::Detokenizer;
pub use guard::GuardedText;
pub use message::{ChatMessage, ChatPrompt, Ending, ToolCall};
pub use pair_tokenizer::{Cut, PairTokenizer, Tokenized};
pub use relevance_tokenizer::RelevanceTokenizer;
pub use stop::{Scan, StopStrings};
pub use tokenizer::Tokenizer;

#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// A file of the checkpoint cannot be used.
    #[error("{path}: {message}")]
    File {
        path: std::path::PathBuf,
        message: String,
    },
    /// The template refused the messages (`raise_exception`), failed on them or ran too long.
    #[error("{0}")]
    Template(String),
    #[error("the text cannot be tokenized: {0}")]
    Tokenize(String),
}
