//! `citations`: an answer quotes its documents word for word, and says where.

use super::files::ReadFile;
use crate::api::error::ApiError;
use crate::api::fields::Fields;
use crate::api::limits;
use crate::api::parameters::{self, CITATIONS, Ignored};
use crate::api::state::ApiState;
use crate::document::checks::{Language, Surveyed, survey};
use crate::generation::{Caller, Citations, closing_tag, opening_tag};
use crate::privacy::{Applied, Mode};
use crate::text::ChatMessage;
use crate::text::quotation::Source;
use std::ops::Range;
use std::sync::Arc;

const FIELD: &str = "citations";

/// A quotation that says nothing may be a word; one that is asked for is one at least.
const MIN_CHARS: usize = 1;

/// What a body asks for, before its documents are read.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    min_chars: usize,
    first: bool,
}

/// What an answer may quote, and whose words they are. Clones share it.
#[derive(Debug, Clone)]
pub struct Cited {
    pub citations: Arc<Citations>,
    pub documents: Arc<[CitedDocument]>,
    /// What the model is told.
    explanation: Arc<str>,
}

/// Of a document, what an annotation says.
#[derive(Debug)]
pub struct CitedDocument {
    pub name: String,
    pub text_sha256: String,
    /// Numbers, and ranges of bytes.
    pub pages: Vec<(u32, Range<usize>)>,
    pub words: Words,
}

/// Whose words a quotation of a document has, in the end.
#[derive(Debug)]
pub enum Words {
    /// The text's that the model was shown, which is the document's.
    Shown,
    /// The document's own, in which values stand that the model was not shown.
    Original(Source),
    /// The text's that the model was shown, with labels in the place of values.
    Labelled(Box<Labelled>),
}

/// A document's own text, and how it became the one that the model was shown.
#[derive(Debug)]
pub struct Labelled {
    pub text: String,
    pub applied: Applied,
}

pub fn asked(body: &Fields<'_>, ignored: &mut Ignored) -> Result<Option<Asked>, ApiError> {
    let Some(field) = body.get(FIELD) else {
        return Ok(None);
    };
    let fields = field.object()?;
    parameters::check(CITATIONS, &fields, ignored)?;
    let mode = fields.require("mode")?;
    if mode.string()? != "verbatim" {
        return Err(mode.must("be `verbatim`"));
    }
    let min_chars = (fields.get("min_chars"))
        .map(|field| field.count(limits::MAX_MIN_QUOTED_CHARS))
        .transpose()?;
    Ok(Some(Asked {
        min_chars: min_chars.unwrap_or(MIN_CHARS),
        first: fields.flag("first")?.unwrap_or(false),
    }))
}

impl Asked {
    /// Makes the documents ready to be quoted, beside the threads of connections. `mode` is what
    /// became of the personal data in them.
    pub async fn read(
        self,
        state: &ApiState,
        caller: Caller,
        files: &[ReadFile],
        mode: Option<Mode>,
    ) -> Result<Cited, ApiError> {
        if files.is_empty() {
            return Err(must("be left out where a request has no documents"));
        }
        let num_bytes: usize = files.iter().map(|file| file.shown_text().len()).sum();
        let max = limits::MAX_QUOTED_BYTES;
        if num_bytes > max {
            return Err(must(format_args!(
                "be left out where the documents' text is longer than {max} bytes together; it has {num_bytes}"
            )));
        }
        let documents: Vec<CitedDocument> = files.iter().map(CitedDocument::new).collect();
        let texts: Vec<Arc<str>> = files.iter().map(|file| file.shown_text().into()).collect();
        let comes_back = mode == Some(Mode::Pseudonymize);
        let index = move || {
            let mut documents = documents;
            // The model is told in the language of the longest.
            let mut longest = (0, Language::English);
            let mut sources = Vec::with_capacity(texts.len());
            for (text, document) in texts.into_iter().zip(&mut documents) {
                let surveyed = survey(&text);
                if text.len() >= longest.0 {
                    longest = (text.len(), surveyed.language);
                }
                sources.push(document.index(text, surveyed, comes_back));
            }
            let citations = Citations::new(sources, self.min_chars).with_first(self.first);
            (citations, documents, explanation(longest.1))
        };
        let (citations, documents, explanation) = state.beside_connections(caller, index).await?;
        if !citations.is_quotable() {
            return Err(must("be left out where the documents hold no words"));
        }
        Ok(Cited {
            citations: Arc::new(citations),
            documents: documents.into(),
            explanation: explanation.into(),
        })
    }
}

impl CitedDocument {
    fn new(file: &ReadFile) -> Self {
        let pages = file.document.pages.iter();
        let text = || file.document.text.clone();
        Self {
            name: file.name.clone(),
            text_sha256: file.document.text_sha256.clone(),
            pages: pages
                .map(|page| (page.number, page.range.clone()))
                .collect(),
            words: match &file.shown {
                Some(shown) if !shown.text.replacements.is_empty() => {
                    Words::Labelled(Box::new(Labelled {
                        text: text(),
                        applied: shown.text.clone(),
                    }))
                }
                _ => Words::Shown,
            },
        }
    }

    /// The text that the model is shown, ready to be quoted: values and what stands for them are
    /// not cut.
    fn index(&mut self, shown: Arc<str>, surveyed: Surveyed, comes_back: bool) -> Source {
        let mut whole = surveyed.values;
        if let Words::Labelled(labelled) = &self.words {
            let replaced = labelled.applied.replacements.iter();
            whole.extend(replaced.map(|replacement| replacement.replaced.clone()));
            if comes_back {
                let mut whole = survey(&labelled.text).values;
                let values = labelled.applied.replacements.iter();
                whole.extend(values.map(|replacement| replacement.original.clone()));
                let text = labelled.text.as_str().into();
                self.words = Words::Original(Source::new(text, &whole));
            }
        }
        Source::new(shown, &whole)
    }
}

impl Cited {
    /// Tells the model how to quote, at the end of what the user said last.
    pub fn explain(&self, messages: &mut Vec<ChatMessage>) {
        match messages.iter_mut().rfind(|message| message.role == "user") {
            Some(last) => {
                last.content.push_str("\n\n");
                last.content.push_str(&self.explanation);
            }
            None => messages.push(ChatMessage {
                role: "user".to_owned(),
                content: self.explanation.to_string().into(),
                ..ChatMessage::default()
            }),
        }
    }

    pub fn explanation(&self) -> &str {
        &self.explanation
    }

    /// Refuses what leaves no room for quotations.
    pub fn check_format(&self, has_format: bool) -> Result<(), ApiError> {
        match has_format {
            true => Err(must(
                "be left out where the answer has a form of its own, such as JSON or the call of a function",
            )),
            false => Ok(()),
        }
    }
}

fn must(must: impl std::fmt::Display) -> ApiError {
    ApiError::invalid(FIELD, format!("`{FIELD}` must {must}."))
}

fn explanation(language: Language) -> String {
    let (open, close) = (opening_tag(1), closing_tag());
    match language {
        Language::French => format!(
            "Pour citer un document, écrivez ses mots exacts entre {open} et {close}, où 1 est le numéro du document. \
             Citez le passage sur lequel repose chaque affirmation."
        ),
        Language::German => format!(
            "Wenn Sie ein Dokument zitieren, schreiben Sie seine genauen Worte zwischen {open} und {close}; 1 ist die \
             Nummer des Dokuments. Zitieren Sie zu jeder Aussage die Stelle, auf der sie beruht."
        ),
        Language::English => format!(
            "To quote a document, write its exact words between {open} and {close}, where 1 is the document's number. \
             Quote the passage that each statement rests on."
        ),
    }
}
