use super::source::Source;
use crate::document::parts::Pages;
use crate::prompt::StepName;
use serde::Serialize;
use std::ops::Range;

/// What an answer was drawn from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// All that was read, in order.
    pub sources: Vec<Source>,
    pub steps: Vec<StepProvenance>,
}

/// What one step saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepProvenance {
    pub kind: StepName,
    pub level: usize,
    /// Sources whose text was in its prompt, from 0.
    #[serde(skip)]
    pub reads: Range<usize>,
    /// Sources that its text is drawn from, by itself or through other steps.
    #[serde(skip)]
    pub covers: Range<usize>,
    /// The same by pages: a document's place in the request, and pages of it.
    pub pages: Vec<DocumentPages>,
    /// Its text was longer than a later step could read, and was cut at its end.
    pub was_shortened: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DocumentPages {
    pub document: usize,
    #[serde(flatten)]
    pub pages: Pages,
}

/// The pages of sources that follow one another, once for each document.
pub fn pages_of(sources: &[Source]) -> Vec<DocumentPages> {
    let mut found: Vec<DocumentPages> = Vec::new();
    for source in sources {
        match found.last_mut() {
            Some(last) if last.document == source.document => {
                last.pages.last = last.pages.last.max(source.pages.last);
            }
            _ => found.push(DocumentPages {
                document: source.document,
                pages: source.pages,
            }),
        }
    }
    found
}
