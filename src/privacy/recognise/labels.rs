//! Words that say what a number beside them is.

use super::super::kind::Kind;
use super::folded::{Folded, belongs_to_word, folded};
use super::phrases::{JOINING, PHRASES};
use aho_corasick::AhoCorasick;
use std::ops::Range;
use std::sync::LazyLock;

/// How far behind a number its label begins, in bytes.
const LABEL_BEHIND: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    Of(Kind),
    /// Of a number that is no value: an invoice, a file.
    Other,
}

struct Searched {
    search: AhoCorasick,
    phrases: Vec<Phrase>,
}

struct Phrase {
    label: Label,
    /// Whether its last word may go on.
    is_open: bool,
}

static SEARCHED: LazyLock<Searched> = LazyLock::new(|| {
    let mut words = Vec::new();
    let mut phrases = Vec::new();
    for (label, listed) in PHRASES {
        for phrase in listed {
            let open = phrase.strip_suffix('*');
            words.push(folded(open.unwrap_or(phrase)));
            phrases.push(Phrase {
                label,
                is_open: open.is_some(),
            });
        }
    }
    let search = AhoCorasick::new(words).expect("the phrases of this source can be searched for");
    Searched { search, phrases }
});

/// A label where it stands, in bytes of the text.
#[derive(Debug, Clone, Copy)]
pub struct Hit {
    pub start: usize,
    pub end: usize,
    pub label: Label,
}

/// The labels of a text, by their ends.
pub struct Labels {
    hits: Vec<Hit>,
}

impl Labels {
    pub fn of(text: &Folded) -> Self {
        let mut hits = Vec::new();
        for hit in SEARCHED.search.find_overlapping_iter(&text.text) {
            let Some(phrase) = SEARCHED.phrases.get(hit.pattern().as_usize()) else {
                continue;
            };
            let is_whole = phrase.is_open || text.ends_word(hit.end());
            if !text.begins_word(hit.start()) || !is_whole {
                continue;
            }
            // An open one goes to the end of its word: `Rechnungsnummer`.
            let rest = text.text.get(hit.end()..).unwrap_or_default();
            let end = rest.find(|c| !belongs_to_word(c)).unwrap_or(rest.len());
            let end = hit.end() + if phrase.is_open { end } else { 0 };
            hits.push(Hit {
                start: text.original(hit.start()),
                end: text.original(end),
                label: phrase.label,
            });
        }
        // Of two that end together the longer says more, and stands last.
        hits.sort_by_key(|hit| (hit.end, std::cmp::Reverse(hit.start)));
        Self { hits }
    }

    /// The nearest label of a number before `at`, in no more than `within` bytes and without
    /// another number between them.
    pub fn before(&self, text: &str, at: usize, within: usize) -> Option<Hit> {
        let ended = self.hits.partition_point(|hit| hit.end <= at);
        let hit = self.hits[..ended]
            .iter()
            .rev()
            .take_while(|hit| at - hit.end <= within)
            .find(|hit| hit.is_of_number())?;
        let between = text.get(hit.end..at)?;
        (!between.contains(|c: char| c.is_ascii_digit())).then_some(*hit)
    }

    /// A label right behind a number that ends at `at`, unless a number of its own follows it.
    pub fn behind(&self, text: &str, at: usize) -> Option<Hit> {
        let ended = self.hits.partition_point(|hit| hit.end <= at);
        let hit = self.hits[ended..]
            .iter()
            .take_while(|hit| hit.start <= at + LABEL_BEHIND)
            .find(|hit| hit.start >= at && hit.is_of_number())?;
        let after = text.get(hit.end..)?;
        let next = after.trim_start_matches(|c: char| !c.is_alphanumeric());
        let has_own = after.trim_start().starts_with([':', 'n', '°'])
            || next.starts_with(|c: char| c.is_ascii_digit());
        let between = text.get(at..hit.start)?;
        let between = between.strip_prefix(" au ").unwrap_or(between);
        (joins(between) && !has_own).then_some(*hit)
    }

    /// The labels of one kind that end in a range.
    pub fn ending_in(&self, kind: Kind, range: Range<usize>) -> impl Iterator<Item = &Hit> {
        let from = self.hits.partition_point(|hit| hit.end < range.start);
        self.hits[from..]
            .iter()
            .take_while(move |hit| hit.end <= range.end)
            .filter(move |hit| hit.label == Label::Of(kind))
    }
}

impl Hit {
    /// Whether it stands right before a number that begins at `at`: only words that join the two
    /// are between them.
    pub fn names(&self, text: &str, at: usize) -> bool {
        text.get(self.end..at).is_some_and(joins)
    }

    /// Vehicles and births say nothing about a number that has check digits.
    fn is_of_number(&self) -> bool {
        !matches!(self.label, Label::Of(Kind::NumberPlate | Kind::DateOfBirth))
    }
}

/// Whether a label and a number are one: only words that say so stand between them, as in
/// `facture n° `.
fn joins(between: &str) -> bool {
    between
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .all(|word| JOINING.contains(&&*word.to_lowercase()))
}
