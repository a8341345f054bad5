//! Prompts as data: the files of `prompts/` and of an agency's own directories, read and checked
//! once at start, and rendered into messages for each request.
//!
//! Owns the format of these files (`docs/prompts.md`), what a request may say about them, and the
//! marks around a document that its text cannot forge. Knows no HTTP, no tokens and no model:
//! what is sampled, enforced or checked with what a prompt says here is others' work.

mod block;
mod builtin;
mod checks;
mod definition;
mod description;
mod error;
mod file;
mod front_matter;
mod library;
mod limits;
mod parse;
mod rehearsal;
mod sampling;
mod schema;
mod step;
mod template;
mod variable;
mod version;

pub use block::{PromptDocument, marked};
pub use builtin::BUILT_IN;
pub use checks::{CheckKind, Checks, PlainLanguage};
pub use definition::{DocumentCount, LongDocuments, Prompt, Rendered, Role};
pub use description::{PromptDescription, PromptVersion};
pub use error::{LookupError, PromptError, RenderError};
pub use library::PromptLibrary;
pub use sampling::Sampling;
pub use step::{Step, StepName};
pub use variable::{LANGUAGE, Variable, VariableType};
pub use version::Version;

#[cfg(test)]
mod tests;
