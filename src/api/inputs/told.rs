use super::checker::Checker;
use super::citations::Cited;
use super::files::ReadFile;
use crate::api::annotations::Annotator;
use crate::api::error::ApiError;
use crate::api::long::Read;
use crate::api::request::Ask;
use crate::document::{Format, LeftOut};
use crate::privacy::{Report, Session};
use crate::text::ChatPrompt;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use utoipa::ToSchema;

/// What an answer says of the documents and the prompt that it was made from.
#[derive(Debug, Clone, Default)]
pub struct Told {
    pub documents: Vec<DocumentTold>,
    pub prompt: Option<PromptTold>,
    /// There where there are documents.
    pub checker: Option<Checker>,
    /// There where the documents were longer than the context.
    pub read: Option<Read>,
    /// What stands for the personal data of the request, where it was asked for.
    pub private: Option<Arc<Session>>,
    /// There where the answer is to quote them.
    pub cited: Option<Cited>,
}

/// A document as it was read; nothing of its content.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DocumentTold {
    name: String,
    #[schema(value_type = String)]
    format: Format,
    pages: usize,
    /// Of the text that was read, as `/v1/documents/parse` returns it.
    text_sha256: String,
    /// In bytes.
    text_bytes: usize,
    /// Those that show something of which no text could be read.
    unreadable_pages: Vec<u32>,
    /// What the file holds and the text does not.
    #[schema(value_type = Vec<Object>)]
    left_out: Vec<LeftOut>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PromptTold {
    pub id: String,
    pub version: String,
    /// SHA-256 of the prompt's file.
    pub digest: String,
    /// That the answer is asked for in.
    pub language: String,
}

impl Told {
    /// Adds to a conversation what the model must know beside.
    pub fn explain(&self, prompt: &mut ChatPrompt) {
        if let Some(cited) = &self.cited {
            cited.explain(&mut prompt.messages);
        }
    }

    /// Has the answer quote the documents, if it was asked for.
    pub fn ask(&self, prompt: &mut ChatPrompt, ask: &mut Ask) -> Result<(), ApiError> {
        self.explain(prompt);
        if let Some(cited) = &self.cited {
            cited.check_format(ask.format.is_some())?;
            ask.params.citations = Some(Arc::clone(&cited.citations));
        }
        ask.private = self.private.clone();
        ask.said = (self.read.as_ref()).and_then(|read| read.said.clone());
        Ok(())
    }

    /// What was found of personal data: kinds and counts.
    pub fn privacy(&self) -> Option<Report> {
        self.private
            .as_ref()
            .map(|session| session.report().clone())
    }

    /// For one answer, if it quotes.
    pub fn annotator(&self) -> Option<Annotator> {
        self.cited.clone().map(Annotator::new)
    }

    /// Adds what there is to tell to a response object.
    pub fn write(&self, response: &mut Map<String, Value>) {
        if !self.documents.is_empty() {
            response.insert("documents".to_owned(), json!(self.documents));
        }
        if let Some(read) = &self.read {
            response.insert("long_documents".to_owned(), json!(read.told));
        }
        if let Some(report) = self.privacy() {
            response.insert("privacy".to_owned(), json!(report));
        }
        if let (Some(told), Some(Value::Object(prompt))) =
            (&self.prompt, response.get_mut("prompt"))
        {
            for (name, value) in [
                ("version", &told.version),
                ("digest", &told.digest),
                ("language", &told.language),
            ] {
                prompt.insert(name.to_owned(), value.as_str().into());
            }
        }
    }
}

impl DocumentTold {
    pub fn new(file: &ReadFile) -> Self {
        let document = &file.document;
        let unreadable = document.pages.iter().filter(|page| page.is_unreadable);
        Self {
            name: file.name.clone(),
            format: document.format,
            pages: document.pages.len(),
            unreadable_pages: unreadable.map(|page| page.number).collect(),
            text_bytes: document.text.len(),
            text_sha256: document.text_sha256.clone(),
            left_out: document.left_out.clone(),
        }
    }
}
