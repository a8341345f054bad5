//! Finds the values of a text.
//!
//! Each recogniser offers candidates and none looks at another's. Where they overlap, the longest
//! one stands; of two of one length, the one whose kind stands first in [`Kind`]. Time is linear
//! in the text: a number is read for no more than a bounded length from where it begins, and
//! patterns are of the crate `regex`.

mod births;
mod check_digits;
mod contacts;
mod folded;
mod french;
mod german;
mod iban;
mod labels;
mod payment_cards;
mod phones;
mod phrases;
mod plates;
mod run;
mod surroundings;
mod vat;
mod words;

pub use words::WordList;

use super::kind::Kind;
use folded::Folded;
use labels::Labels;
use std::ops::Range;

/// Finds values of all kinds. Made once: it holds the agency's words, ready to be searched for.
#[derive(Debug, Default)]
pub struct Recogniser {
    words: WordList,
}

/// A value where it stands. The range is UTF-8 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub kind: Kind,
    pub range: Range<usize>,
}

/// What may be a value.
pub struct Candidate {
    pub kind: Kind,
    pub range: Range<usize>,
    /// What all spellings of the value share.
    pub key: String,
    /// Whether its form or what stands around it says enough. If not, it is a value only where
    /// the same one is sure elsewhere in the request.
    pub is_sure: bool,
}

impl Candidate {
    pub fn value(&self) -> (Kind, &str) {
        (self.kind, &self.key)
    }
}

/// A text, what is known about it before any recogniser has run, and what they offer.
struct Search<'a> {
    text: &'a str,
    folded: Folded<'a>,
    labels: Labels,
    candidates: Vec<Candidate>,
}

impl Recogniser {
    #[must_use]
    pub fn new(words: WordList) -> Self {
        Self { words }
    }

    /// The values of a text, in its order and without overlaps.
    #[must_use]
    pub fn find(&self, text: &str) -> Vec<Finding> {
        resolved(&self.candidates(text), |candidate| candidate.is_sure)
            .into_iter()
            .map(|candidate| Finding {
                kind: candidate.kind,
                range: candidate.range.clone(),
            })
            .collect()
    }

    pub(super) fn candidates(&self, text: &str) -> Vec<Candidate> {
        let folded = Folded::of(text);
        let labels = Labels::of(&folded);
        let mut search = Search {
            text,
            folded,
            labels,
            candidates: Vec::new(),
        };
        run::find(&mut search);
        contacts::find(&mut search);
        births::find(&mut search);
        plates::find(&mut search);
        phones::find(&mut search);
        self.words.find(&mut search);
        search.candidates
    }
}

/// The candidates that are kept and that stand after the overlap rule, in the order of the text.
pub fn resolved(candidates: &[Candidate], keep: impl Fn(&Candidate) -> bool) -> Vec<&Candidate> {
    let mut ranked: Vec<&Candidate> = candidates.iter().filter(|one| keep(one)).collect();
    ranked.sort_by_key(|one| {
        (
            std::cmp::Reverse(one.range.len()),
            one.kind,
            one.range.start,
        )
    });
    let mut standing = std::collections::BTreeMap::<usize, &Candidate>::new();
    for candidate in ranked {
        let before = standing.range(..candidate.range.end).next_back();
        if before.is_none_or(|(_, other)| other.range.end <= candidate.range.start) {
            standing.insert(candidate.range.start, candidate);
        }
    }
    standing.into_values().collect()
}

/// A pattern that stands in this source, so that a mistake in it shows in the first test.
macro_rules! pattern {
    ($name:ident, $($part:expr),+ $(,)?) => {
        static $name: std::sync::LazyLock<regex::Regex> = std::sync::LazyLock::new(|| {
            super::compiled(concat!($($part),+))
        });
    };
}
use pattern;

/// ASCII digits and ASCII word boundaries are all that these patterns need. Those of Unicode
/// would keep the fastest automata from being used.
fn compiled(pattern: &str) -> regex::Regex {
    let ascii = pattern
        .replace(r"\b", r"(?-u:\b)")
        .replace(r"\d", "[0-9]")
        .replace(r"\s", r"[ \x{a0}\x{202f}\x{2009}]");
    regex::Regex::new(&ascii).expect("a pattern of this source compiles")
}

/// What a text holds of values.
#[cfg(test)]
fn found(text: &str) -> Vec<&str> {
    let findings = Recogniser::default().find(text);
    findings
        .iter()
        .map(|finding| &text[finding.range.clone()])
        .collect()
}
