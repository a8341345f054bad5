//! Where the quotations of an answer stand in its documents.

use super::inputs::{Cited, CitedDocument, Words};
use crate::generation::{Quotation, Scanner};
use serde::Serialize;
use std::ops::Range;
use utoipa::ToSchema;

/// Places of repeated words that an annotation lists. Those beyond are counted.
const MAX_OCCURRENCES: usize = 100;

/// Annotates one answer as it comes.
#[derive(Debug)]
pub struct Annotator {
    cited: Cited,
    scanner: Scanner,
}

/// A quotation of an answer: the words between its tags, and where they stand.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Annotation {
    r#type: &'static str,
    /// The number of the document in its request, from 1.
    document: usize,
    name: String,
    /// Of the text that was read, as `/v1/documents/parse` returns it.
    text_sha256: String,
    /// The words' place in the answer, in code points.
    start_index: usize,
    end_index: usize,
    /// Every place of the same words in the document's text.
    occurrences: Vec<Occurrence>,
    /// Also of those that are not listed.
    num_occurrences: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Occurrence {
    /// The number of the page that it begins on, and of the one that it ends on.
    page: u32,
    last_page: u32,
    start_byte: usize,
    end_byte: usize,
    start_code_point: usize,
    end_code_point: usize,
}

impl Annotator {
    pub fn new(cited: Cited) -> Self {
        Self {
            cited,
            scanner: Scanner::default(),
        }
    }

    /// Another answer begins.
    pub fn restart(&mut self) {
        self.scanner = Scanner::default();
    }

    /// Those of the quotations that end in this piece of the answer.
    pub fn push(&mut self, text: &str) -> Vec<Annotation> {
        let quotations = self.scanner.push(text).into_iter();
        quotations
            .filter_map(|quotation| annotation(&self.cited, &quotation))
            .collect()
    }
}

/// `None` where the markup was none of ours, which cannot be written.
fn annotation(cited: &Cited, quotation: &Quotation) -> Option<Annotation> {
    let index = quotation.document.checked_sub(1)?;
    let shown = cited.citations.sources().get(index)?;
    let document = cited.documents.get(index)?;
    let words = quotation.words.as_str();
    let (text, places) = match &document.words {
        Words::Shown => (shown.text(), shown.occurrences(words)),
        Words::Original(source) => {
            // Where a value stands the borders are others than around what stood for it.
            let places = match source.occurrences(words) {
                none if none.is_empty() => plain(source.text(), words),
                places => places,
            };
            (source.text(), places)
        }
        Words::Labelled(labelled) => {
            let places = shown.occurrences(words).into_iter();
            let original = places.map(|place| labelled.applied.original_range(place));
            (labelled.text.as_str(), original.collect())
        }
    };
    (!places.is_empty()).then(|| Annotation {
        r#type: "quotation",
        document: quotation.document,
        name: document.name.clone(),
        text_sha256: document.text_sha256.clone(),
        start_index: quotation.chars.start,
        end_index: quotation.chars.end,
        num_occurrences: places.len(),
        occurrences: occurrences(text, document, &places),
    })
}

fn plain(text: &str, words: &str) -> Vec<Range<usize>> {
    let found = text.match_indices(words);
    found.map(|(at, _)| at..at + words.len()).collect()
}

/// `places` are in ascending order.
fn occurrences(text: &str, document: &CitedDocument, places: &[Range<usize>]) -> Vec<Occurrence> {
    let (mut byte, mut code_point) = (0, 0);
    let listed = places.iter().take(MAX_OCCURRENCES);
    listed
        .map(|place| {
            code_point += text[byte..place.start].chars().count();
            byte = place.start;
            Occurrence {
                page: document.page(place.start),
                last_page: document.page(place.end - 1),
                start_byte: place.start,
                end_byte: place.end,
                start_code_point: code_point,
                end_code_point: code_point + text[place.clone()].chars().count(),
            }
        })
        .collect()
}

impl CitedDocument {
    /// The number of the page on which a byte stands.
    fn page(&self, byte: usize) -> u32 {
        let after = self.pages.partition_point(|(_, range)| range.start <= byte);
        let page = self.pages.get(after.saturating_sub(1));
        page.map_or(1, |(number, _)| *number)
    }
}
