//! What a chat says by reference: documents in its messages become text, and a prompt that it
//! names becomes messages, before anything else is read of it.

mod checker;
mod citations;
mod files;
mod privacy;
mod prompts;
mod told;

pub use checker::Checker;
pub use citations::{Cited, CitedDocument, Words};
pub use files::{ReadFile, for_prompt};
pub use prompts::{Named, messages_of};
pub use told::{DocumentTold, PromptTold, Told};

use super::documents::Reading;
use super::error::ApiError;
use super::fields::Fields;
use super::json::Json;
use super::limits;
use super::long::{Reader, Subject};
use super::parameters::Ignored;
use crate::document::checks::CheckOptions;
use files::FilePart;
use std::sync::Arc;

/// Where a route's conversation stands, and what its parts are called.
#[derive(Debug, Clone, Copy)]
pub struct Conversation {
    /// `messages` or `input`.
    pub list: &'static str,
    /// The type of a part that is a file, and the object in it that holds the file, if there is one.
    file_type: &'static str,
    file_object: Option<&'static str>,
    text_type: &'static str,
    /// Names of the most tokens of an answer, the first of them ours.
    pub max_tokens: &'static [&'static str],
    /// Names under which a request may say what form its answer must have.
    pub formats: &'static [&'static str],
    format: fn(Json) -> (&'static str, Json),
}

pub const CHAT: Conversation = Conversation {
    list: "messages",
    file_type: "file",
    file_object: Some("file"),
    text_type: "text",
    max_tokens: &["max_completion_tokens", "max_tokens"],
    formats: &[
        "response_format",
        "structured_outputs",
        "guided_json",
        "guided_regex",
        "guided_choice",
        "guided_grammar",
    ],
    format: |schema| {
        let json_schema = object([("name", text("answer")), ("schema", schema)]);
        let format = object([("type", text("json_schema")), ("json_schema", json_schema)]);
        ("response_format", format)
    },
};

pub const RESPONSE: Conversation = Conversation {
    list: "input",
    file_type: "input_file",
    file_object: None,
    text_type: "input_text",
    max_tokens: &["max_output_tokens"],
    formats: &["text"],
    format: |schema| {
        let format = object([
            ("type", text("json_schema")),
            ("name", text("answer")),
            ("schema", schema),
        ]);
        ("text", object([("format", format)]))
    },
};

/// Reads the documents of a body and renders its prompt. The body is then one that holds neither.
/// `long` reads what does not fit the context, where its prompt says how.
pub async fn resolve(
    reading: Reading<'_>,
    long: Option<Reader<'_>>,
    body: &mut Json,
    conversation: Conversation,
    ignored: &mut Ignored,
) -> Result<Told, ApiError> {
    let fields = Fields::root(body)?;
    let allow_unreadable = fields.flag("allow_unreadable_pages")?.unwrap_or(false);
    let parts = files::find(&fields, conversation, ignored)?;
    let prompt = prompts::named(reading.state, &fields, ignored)?;
    let asked = citations::asked(&fields, ignored)?;
    let mode = privacy::asked(&fields, ignored)?;
    let (mut files, mut num_bytes) = (Vec::with_capacity(parts.len()), 0);
    for FilePart { place, file } in parts {
        let (name, document) = reading.document(file, allow_unreadable).await?;
        num_bytes += document.text.len();
        if num_bytes > limits::MAX_DOCUMENTS_BYTES {
            let max = limits::MAX_DOCUMENTS_BYTES;
            let message = format!(
                "`{}` must hold documents with at most {max} bytes of text together.",
                conversation.list
            );
            return Err(ApiError::invalid(conversation.list, message));
        }
        files.push(ReadFile {
            place,
            name,
            document,
            shown: None,
        });
    }
    // What is checked is what the caller said, and what the answer says in the end.
    let mut request = checker::said(body.entry(conversation.list));
    if let Some(prompt) = &prompt {
        request.push_str(&prompt.values());
    }
    let (mut prompt, mut private) = (prompt, None);
    if let Some(mode) = mode {
        let (state, caller) = (reading.state, reading.caller);
        let protected = privacy::protect(state, caller, mode, body, conversation, &mut files);
        private = Some(protected.await?);
        prompt = prompts::named(state, &Fields::root(body)?, &mut Ignored::default())?;
    }
    let cited = match asked {
        Some(asked) => Some(
            asked
                .read(reading.state, reading.caller, &files, mode)
                .await?,
        ),
        None => None,
    };
    let mut options = CheckOptions::default();
    let (mut read, mut told_prompt) = (None, None);
    match prompt.map(Arc::new) {
        Some(named) => {
            options = named.check_options()?;
            let expanded = named.expand(body, conversation, &files)?;
            told_prompt = Some(expanded.told);
            if let (Some(reader), Some(strategy)) = (long, named.long_documents()?) {
                let subject = Subject {
                    named: &named,
                    strategy,
                    files: &files,
                    num_rendered: expanded.num_messages,
                    conversation,
                    cited: cited.as_ref(),
                };
                read = reader.read(body, subject).await?;
            }
        }
        None => {
            files::write(body, conversation, &files)?;
        }
    }
    Ok(Told {
        documents: files.iter().map(DocumentTold::new).collect(),
        prompt: told_prompt,
        checker: Checker::new(files, request, options),
        read,
        private,
        cited,
    })
}

/// Whether a body may be answered by a stream that tells how far the reading of documents is.
pub fn may_tell_progress(body: &Json) -> bool {
    let is_stream = matches!(body.entry("stream"), Some(Json::Bool(true)));
    is_stream && matches!(body.entry("prompt"), Some(Json::Object(_)))
}

fn text(text: impl Into<String>) -> Json {
    Json::String(text.into())
}

fn object<const N: usize>(entries: [(&str, Json); N]) -> Json {
    let entries = entries.map(|(name, value)| (name.to_owned(), value));
    Json::Object(entries.into())
}
