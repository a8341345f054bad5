//! Documents in parts: where a text is cut that is longer than what reads it can hold.
//!
//! - [`split`] cuts a document before titles, articles and numbered paragraphs where it can, else
//!   between paragraphs, rows, sentences or words, and inside a number only where there is no
//!   other place;
//! - a [`Part`] knows its pages, the titles that stand above it, and how many tokens it takes;
//! - [`fit`] shortens a text that has no structure to speak of.
//!
//! Tokens are what a caller counts: nothing here knows a tokenizer, a model or a prompt.

mod boundary;
mod budget;
mod context;
mod cutter;
mod gap;
mod marker;
mod measure;
mod numeral;
mod pages;
mod segment;
mod sentence;
mod shorten;
mod structure;
mod title;

pub use budget::Budget;
pub use pages::Pages;
pub use shorten::fit;

use crate::document::Document;
use context::{Context, Contexts};
use cutter::Cutter;
use measure::Measure;
use segment::segments;
use std::ops::Range;
use structure::Structure;

/// A piece of a document's text that is read by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// UTF-8 bytes of the document's text, without white space at either end.
    pub range: Range<usize>,
    /// The pages that it is of. A page without text belongs to the part before it, so that the
    /// parts of a document are of all its pages.
    pub pages: Pages,
    /// The titles that stand above it, from the outermost. Those that it begins with are in its
    /// text and not here.
    pub titles: Vec<String>,
    /// Where the head of the table stands whose rows it begins with.
    pub table_head: Option<Range<usize>>,
    /// What it takes as it is shown.
    pub num_tokens: usize,
}

impl Part {
    /// The text for a model: what stands above it, and then its own. Offsets of the document's
    /// text are none of this one's; its own text is the last `range.len()` bytes.
    pub fn shown(&self, document: &Document) -> String {
        let head = self.table_head.as_ref().map(|head| document.slice(head));
        let mut shown = context::written(&self.titles, head);
        shown.push_str(document.slice(&self.range));
        shown
    }
}

/// Cuts a document into parts, in order: everything but white space between them is in one of
/// them, and at least one there is.
///
/// `count` tells the tokens of a text, without those that begin or end a prompt. It is asked for
/// each block (or some kilobytes of one), then about twice for each part. Each part is within the
/// budget as `count` counts it whole; the one exception is a single character that is not.
///
/// The same document, budget and counts make the same parts.
pub fn split(
    document: &Document,
    budget: Budget,
    count: &mut dyn FnMut(&str) -> usize,
) -> Vec<Part> {
    let text = document.text.as_str();
    let segments = segments(document);
    let structure = Structure::read(text, &segments);
    let measure = Measure::take(text, &segments, count);
    let cutter = Cutter {
        text,
        boundaries: &structure.boundaries,
        measure: &measure,
    };
    let mut contexts = Contexts::new(text, &structure, budget);
    let mut parts = Vec::new();
    let mut start = segments.first().map_or(0, |first| first.range.start);
    while start < measure.end() {
        let context = contexts.at(start, count);
        let part = longest(document, &cutter, budget, start, context, count);
        // A part holds at least one character, so this ends.
        let next = part.range.end.max(start + 1);
        let rest = text.get(next..).unwrap_or_default();
        start = text.len() - rest.trim_start().len();
        parts.push(part);
    }
    if parts.is_empty() {
        parts.push(Part::empty());
    }
    pages::assign(&mut parts, &document.pages);
    parts
}

/// Attempts to meet the budget by what the last one took over it, before it is halved.
const PATIENCE: usize = 4;

/// The part that begins at `start`: as the cutter would have it by what it estimates, and shorter
/// while it is counted to be over the budget.
fn longest(
    document: &Document,
    cutter: &Cutter<'_>,
    budget: Budget,
    start: usize,
    context: Context,
    count: &mut dyn FnMut(&str) -> usize,
) -> Part {
    let max = budget.max_tokens() as u64;
    let mut part = Part {
        range: start..start,
        pages: Pages { first: 1, last: 1 },
        titles: context.titles,
        table_head: context.table_head,
        num_tokens: 0,
    };
    let mut room = max.saturating_sub(context.num_tokens as u64) * measure::UNIT;
    let mut attempts = 0;
    loop {
        part.range.end = cutter.cut(start, room);
        part.num_tokens = count(&part.shown(document));
        let tokens = part.num_tokens as u64;
        if tokens <= max || part.is_one_character(document) {
            return part;
        }
        attempts += 1;
        let taken = room.min(cutter.measure.between(&part.range));
        room = match attempts > PATIENCE {
            true => taken / 2,
            false => taken * max / tokens * 49 / 50,
        };
    }
}

impl Part {
    fn empty() -> Self {
        Self {
            range: 0..0,
            pages: Pages { first: 1, last: 1 },
            titles: Vec::new(),
            table_head: None,
            num_tokens: 0,
        }
    }

    fn is_one_character(&self, document: &Document) -> bool {
        document.slice(&self.range).chars().nth(1).is_none()
    }
}

#[cfg(test)]
pub(crate) mod tests;
