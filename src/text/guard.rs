//! Keeps what a caller wrote from becoming a control token.
//!
//! Before a template is rendered, each reserved string in a caller's text becomes a
//! placeholder: one private-use character that neither the request nor the template holds. So
//! does the start or end of a caller's text that could form a reserved string together with
//! what the template, or another caller's text, puts next to it. After rendering, the
//! placeholders are undone, and where they stood the text is known to be literal.

use super::reserved::ReservedStrings;
use super::{TextError, Tokenizer};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// A rendered chat, and where it is literal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuardedText {
    text: String,
    /// In order, apart from each other. No control token may overlap one.
    literals: Vec<Range<usize>>,
}

pub(super) struct Guard<'t> {
    tokenizer: &'t Tokenizer,
    /// Private-use characters that the request or the template holds already.
    taken: HashSet<char>,
    next: Box<dyn Iterator<Item = char>>,
    placeholders: HashMap<String, char>,
    fragments: HashMap<char, String>,
}

impl GuardedText {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Adds what we wrote, or the model's makers.
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds what a caller wrote, behind something that none did.
    pub(super) fn push_literal(&mut self, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        if start < self.text.len() {
            self.literals.push(start..self.text.len());
        }
    }

    /// The byte ranges that hold no control token, whatever they look like.
    pub fn literals(&self) -> &[Range<usize>] {
        &self.literals
    }
}

impl<'t> Guard<'t> {
    /// `texts` is everything that can turn up in the rendered text.
    pub(super) fn new<'a>(tokenizer: &'t Tokenizer, texts: impl Iterator<Item = &'a str>) -> Self {
        let reserved = tokenizer.reserved.characters();
        let characters = texts.flat_map(str::chars).chain(reserved.chars());
        Self {
            tokenizer,
            taken: characters
                .filter(|character| is_placeholder(*character))
                .collect(),
            next: Box::new(('\u{F0000}'..='\u{FFFFD}').chain('\u{100000}'..='\u{10FFFD}')),
            placeholders: HashMap::new(),
            fragments: HashMap::new(),
        }
    }

    /// A caller's text as the template may see it.
    pub(super) fn protect(&mut self, text: &str) -> Result<String, TextError> {
        let mut protected = String::with_capacity(text.len());
        let mut done = 0;
        for range in self.dangerous_ranges(text) {
            protected.push_str(&text[done..range.start]);
            protected.push(self.placeholder(&text[range.clone()])?);
            done = range.end;
        }
        protected.push_str(&text[done..]);
        Ok(protected)
    }

    /// Undoes the placeholders in what the template made of protected texts.
    pub(super) fn restore(&self, rendered: &str) -> GuardedText {
        let mut text = String::with_capacity(rendered.len());
        let mut literals: Vec<Range<usize>> = Vec::new();
        let mut done = 0;
        for (index, character) in rendered.char_indices() {
            let Some(fragment) = is_placeholder(character)
                .then(|| self.fragments.get(&character))
                .flatten()
            else {
                continue;
            };
            text.push_str(&rendered[done..index]);
            let start = text.len();
            text.push_str(fragment);
            match literals.last_mut() {
                Some(last) if last.end == start => last.end = text.len(),
                _ => literals.push(start..text.len()),
            }
            done = index + character.len_utf8();
        }
        text.push_str(&rendered[done..]);
        GuardedText { text, literals }
    }

    fn dangerous_ranges(&self, text: &str) -> Vec<Range<usize>> {
        let reserved = &self.tokenizer.reserved;
        let mut ranges = reserved.occurrences(text);
        if reserved.any_normalized() {
            ranges.extend(self.tokenizer.control_tokens_in(text));
        }
        ranges.extend(dangling_ranges(reserved, text, &ranges));
        merge(ranges)
    }

    /// A character that stands nowhere, and that [`Self::restore`] leaves alone.
    pub(super) fn mark(&mut self) -> Result<char, TextError> {
        let mark = self
            .next
            .by_ref()
            .find(|character| !self.taken.contains(character));
        mark.ok_or_else(|| {
            TextError::Template(
                "the messages use every private-use character of Unicode".to_owned(),
            )
        })
    }

    fn placeholder(&mut self, fragment: &str) -> Result<char, TextError> {
        if let Some(placeholder) = self.placeholders.get(fragment) {
            return Ok(*placeholder);
        }
        let placeholder = self.mark()?;
        self.placeholders.insert(fragment.to_owned(), placeholder);
        self.fragments.insert(placeholder, fragment.to_owned());
        Ok(placeholder)
    }
}

/// The start and the end of a text, white space aside (templates trim), that could be part of
/// a reserved string across the text's edge.
fn dangling_ranges(
    reserved: &ReservedStrings,
    text: &str,
    whole: &[Range<usize>],
) -> Vec<Range<usize>> {
    let start = text.len() - text.trim_start().len();
    let end = text.trim_end().len();
    let first = whole.iter().map(|range| range.start).min().unwrap_or(end);
    let last = whole.iter().map(|range| range.end).max().unwrap_or(start);
    let mut ranges = Vec::new();
    if whole.is_empty() && start < end && reserved.may_be_middle(&text[start..end]) {
        ranges.push(start..end);
    }
    if start < first {
        ranges.push(start..start + reserved.dangling_start(&text[start..first]));
    }
    if last < end {
        ranges.push(end - reserved.dangling_end(&text[last..end])..end);
    }
    ranges.retain(|range| !range.is_empty());
    ranges
}

/// The union of some ranges, in order; those that only touch stay apart.
fn merge(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

fn is_placeholder(character: char) -> bool {
    matches!(character, '\u{F0000}'..='\u{FFFFD}' | '\u{100000}'..='\u{10FFFD}')
}
