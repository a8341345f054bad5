//! Parts of messages that are files.

use super::privacy::Shown;
use super::{Conversation, object, text};
use crate::api::documents::SentFile;
use crate::api::error::ApiError;
use crate::api::fields::{Field, Fields};
use crate::api::json::Json;
use crate::api::limits;
use crate::api::parameters::{self, FILE_PART, Ignored, RESPONSE_FILE};
use crate::document::Document;
use crate::prompt::{PromptDocument, marked};
use std::ops::Range;

/// A message of a conversation and a part of its content, each by its number.
pub type Place = (usize, usize);

/// A part before its file is read.
pub struct FilePart {
    pub place: Place,
    pub file: SentFile,
}

/// The same afterwards.
pub struct ReadFile {
    pub place: Place,
    pub name: String,
    pub document: Document,
    /// Where the model is shown something else.
    pub shown: Option<Shown>,
}

impl ReadFile {
    pub fn shown_name(&self) -> &str {
        self.shown.as_ref().map_or(&self.name, |shown| &shown.name)
    }

    /// The document with the text that the model is shown, and everything where it stands there.
    pub fn shown_document(&self) -> Document {
        let mut document = self.document.clone();
        if let Some(Shown { text, .. }) = &self.shown {
            let ranges = document.pages.iter_mut().map(|page| &mut page.range);
            let blocks = document.blocks.iter_mut().map(|block| &mut block.range);
            for range in ranges.chain(blocks) {
                *range = text.replaced_range(range.clone());
            }
            document.text.clone_from(&text.text);
        }
        document
    }

    /// Where a range of that text stands in the document's own.
    pub fn original_range(&self, shown: Range<usize>) -> Range<usize> {
        match &self.shown {
            Some(Shown { text, .. }) => text.original_range(shown),
            None => shown,
        }
    }

    pub fn shown_text(&self) -> &str {
        let text = &self.document.text;
        self.shown.as_ref().map_or(text, |shown| &shown.text.text)
    }
}

/// As a prompt shows them, numbered in their order.
pub fn for_prompt(files: &[ReadFile]) -> Vec<PromptDocument> {
    let numbered = (1..).zip(files);
    let documents = numbered.map(|(number, file)| PromptDocument {
        number,
        name: file.shown_name().to_owned(),
        pages: Some(file.document.pages.len()),
        text: file.shown_text().to_owned(),
    });
    documents.collect()
}

/// The files in the messages of a conversation, in order. What else is in them, and whether it
/// may be, is looked at when the messages are read.
pub fn find(
    body: &Fields<'_>,
    conversation: Conversation,
    ignored: &mut Ignored,
) -> Result<Vec<FilePart>, ApiError> {
    let mut files = Vec::new();
    let list = body.get(conversation.list);
    for (message, item) in list.iter().flat_map(Field::elements).enumerate() {
        let Json::Object(_) = item.value() else {
            continue;
        };
        let content = item.object()?.get("content");
        for (part, item) in content.iter().flat_map(Field::elements).enumerate() {
            let Json::Object(_) = item.value() else {
                continue;
            };
            let fields = item.object()?;
            let kind = fields.get("type");
            let is_file = |field: &Field<'_>| match field.value() {
                Json::String(kind) => kind == conversation.file_type,
                _ => false,
            };
            if !kind.as_ref().is_some_and(is_file) {
                continue;
            }
            if files.len() == limits::MAX_FILES {
                return Err(item.must(format_args!(
                    "not be here: a request holds at most {} files",
                    limits::MAX_FILES
                )));
            }
            let holder = match conversation.file_object {
                None => {
                    parameters::check(RESPONSE_FILE, &fields, ignored)?;
                    fields
                }
                Some(name) => {
                    parameters::check(FILE_PART, &fields, ignored)?;
                    let file = fields.require(name)?.object()?;
                    parameters::check(parameters::FILE, &file, ignored)?;
                    file
                }
            };
            files.push(FilePart {
                place: (message, part),
                file: SentFile::parse(&holder)?,
            });
        }
    }
    Ok(files)
}

/// Puts the text of each file, between marks that it cannot forge, in the place of its part.
pub fn write(
    body: &mut Json,
    conversation: Conversation,
    files: &[ReadFile],
) -> Result<(), ApiError> {
    if files.is_empty() {
        return Ok(());
    }
    let blocks = marked(&for_prompt(files))
        .ok_or_else(|| ApiError::internal("the documents hold every mark that was tried"))?;
    for (file, block) in files.iter().zip(blocks) {
        if let Some(part) = part_mut(body, conversation, file.place) {
            *part = text_part(conversation, block);
        }
    }
    let mut messages: Vec<usize> = files.iter().map(|file| file.place.0).collect();
    messages.dedup();
    for message in messages {
        join_texts(body, conversation, message);
    }
    Ok(())
}

/// Makes one text of what a message with documents says: a chat template that takes parts puts
/// nothing between them. Where a part is no text, all stay, and it is refused where it stands.
fn join_texts(body: &mut Json, conversation: Conversation, message: usize) {
    let Some(parts) = parts_mut(body, conversation, message) else {
        return;
    };
    let text_of = |part: &Json| match (part, part.entry("type"), part.entry("text")) {
        (Json::Object(entries), Some(Json::String(kind)), Some(Json::String(text)))
            if entries.len() == 2 && kind == conversation.text_type =>
        {
            Some(text.clone())
        }
        _ => None,
    };
    if let Some(texts) = parts.iter().map(text_of).collect::<Option<Vec<_>>>() {
        *parts = vec![text_part(conversation, texts.join("\n"))];
    }
}

fn text_part(conversation: Conversation, says: String) -> Json {
    object([("type", text(conversation.text_type)), ("text", text(says))])
}

/// Takes the parts away, and messages of which nothing is left.
pub fn remove(body: &mut Json, conversation: Conversation, files: &[ReadFile]) {
    let Some(Json::Array(messages)) = body.entry_mut(conversation.list) else {
        return;
    };
    for (index, message) in messages.iter_mut().enumerate() {
        let Some(Json::Array(parts)) = message.entry_mut("content") else {
            continue;
        };
        let mut part = 0;
        parts.retain(|_| {
            part += 1;
            !files.iter().any(|file| file.place == (index, part - 1))
        });
    }
    let emptied = |index: usize, message: &mut Json| {
        files.iter().any(|file| file.place.0 == index)
            && matches!(message.entry_mut("content"), Some(Json::Array(parts)) if parts.is_empty())
    };
    let mut index = 0;
    messages.retain_mut(|message| {
        index += 1;
        !emptied(index - 1, message)
    });
}

fn part_mut(
    body: &mut Json,
    conversation: Conversation,
    (message, part): Place,
) -> Option<&mut Json> {
    parts_mut(body, conversation, message)?.get_mut(part)
}

fn parts_mut(
    body: &mut Json,
    conversation: Conversation,
    message: usize,
) -> Option<&mut Vec<Json>> {
    let Json::Array(messages) = body.entry_mut(conversation.list)? else {
        return None;
    };
    match messages.get_mut(message)?.entry_mut("content")? {
        Json::Array(parts) => Some(parts),
        _ => None,
    }
}
