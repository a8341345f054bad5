//! What an answer says, against what it was made from.

use super::files::ReadFile;
use crate::api::json::Json;
use crate::document::checks::{CheckOptions, Report, SourceText, check};
use crate::generation::without_tags;
use std::sync::Arc;
use tokio::runtime::{Handle, RuntimeFlavor};

/// What the caller wrote counts as a source, too: a reply may grant what it is told to.
const REQUEST: &str = "request";

/// The sources of an answer, and what is looked for in it. Clones share them.
#[derive(Debug, Clone)]
pub struct Checker(Arc<Checked>);

#[derive(Debug)]
struct Checked {
    /// Names and texts.
    sources: Vec<(String, String)>,
    options: CheckOptions,
}

impl Checker {
    /// `None` where there is no document to compare with.
    pub fn new(files: Vec<ReadFile>, request: String, options: CheckOptions) -> Option<Self> {
        if files.is_empty() {
            return None;
        }
        let documents = files.into_iter();
        let mut sources: Vec<_> = documents
            .map(|file| (file.name, file.document.text))
            .collect();
        sources.push((REQUEST.to_owned(), request));
        Some(Self(Arc::new(Checked { sources, options })))
    }

    /// Takes a second for a long document; other connections go on meanwhile.
    pub fn check(&self, answer: &str) -> Report {
        let work = || {
            let sources = self.0.sources.iter();
            let sources: Vec<_> = sources
                .map(|(name, text)| SourceText { name, text })
                .collect();
            // A document's number is none that is said.
            check(&sources, &without_tags(answer), &self.0.options)
        };
        match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
            _ => work(),
        }
    }
}

/// All that the messages of a conversation say, a line each.
pub fn said(messages: Option<&Json>) -> String {
    let mut said = String::new();
    if let Some(messages) = messages {
        collect(messages, &mut said);
    }
    said
}

fn collect(value: &Json, said: &mut String) {
    match value {
        Json::String(text) => {
            said.push_str(text);
            said.push('\n');
        }
        Json::Array(items) => items.iter().for_each(|item| collect(item, said)),
        Json::Object(entries) => entries
            .iter()
            .filter(|(name, _)| ["content", "text"].contains(&name.as_str()))
            .for_each(|(_, value)| collect(value, said)),
        _ => {}
    }
}
