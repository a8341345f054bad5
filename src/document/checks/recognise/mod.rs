//! Finds the values of a text. Each recogniser takes what it knows and leaves the rest to those
//! after it, from the most telling form to the least: a date is no three numbers.
//!
//! Patterns are of the crate `regex`, whose time is linear, and repeat a bounded number of times.

mod addresses;
mod bounds;
mod contacts;
mod dates;
mod discourse;
mod file_numbers;
mod laws;
mod people;
mod quantities;
mod references;
mod relative_dates;
mod structure;
mod times;
mod units;

use super::prepared::Prepared;
use super::value::Value;
use aho_corasick::AhoCorasick;

/// Which side of a date or period is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// `by`, `within`.
    Latest,
    /// `from`, `after`.
    Earliest,
}

/// Where a letter names somebody outside its sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apart {
    Greeted,
    /// Alone on a line: an address, a signature.
    Alone,
}

/// A value where it stands.
#[derive(Debug, Clone)]
pub struct Fact {
    pub start: usize,
    pub end: usize,
    pub value: Value,
    /// In words, and small: it may count what only the answer has.
    pub spelled: bool,
    /// Supports what an answer says, and is itself not compared: the number of an article's
    /// heading, `the third`.
    pub structural: bool,
    pub bound: Option<Bound>,
    /// Stands where a letter greets or signs, which says nothing of its place in another text.
    pub apart: Option<Apart>,
    /// `un` or `ein`, which are hardly ever numbers.
    pub article: bool,
}

impl Fact {
    fn new(start: usize, end: usize, value: Value) -> Self {
        Self {
            start,
            end,
            value,
            spelled: false,
            structural: false,
            bound: None,
            apart: None,
            article: false,
        }
    }
}

/// The values of a text that have been found so far, and the bytes that they take.
pub struct Found<'a> {
    pub text: &'a Prepared<'a>,
    pub facts: Vec<Fact>,
    taken: Vec<bool>,
}

impl Found<'_> {
    /// Whether a range is nobody's, and neither begins nor ends inside a word: the boundaries of
    /// the patterns know no accents.
    fn is_free(&self, start: usize, end: usize) -> bool {
        let text = self.text.text;
        let (Some(head), Some(inner), Some(tail)) =
            (text.get(..start), text.get(start..end), text.get(end..))
        else {
            return false;
        };
        let accented = |c: char| !c.is_ascii() && c.is_alphanumeric();
        let ends_before = head.chars().next_back().is_some_and(accented)
            && inner.starts_with(char::is_alphanumeric);
        let goes_on = tail.starts_with(accented) && inner.ends_with(char::is_alphanumeric);
        !ends_before
            && !goes_on
            && self
                .taken
                .get(start..end)
                .is_some_and(|range| !range.contains(&true))
    }

    /// Keeps others off a range that holds no value.
    fn take(&mut self, start: usize, end: usize) {
        if let Some(range) = self.taken.get_mut(start..end) {
            range.fill(true);
        }
    }

    fn add(&mut self, start: usize, end: usize, value: Value) {
        self.add_fact(Fact::new(start, end, value));
    }

    fn add_fact(&mut self, fact: Fact) {
        self.take(fact.start, fact.end);
        self.facts.push(fact);
    }
}

/// The values of a text, in its order. `listed` finds the names of the agency's word list.
pub fn facts<'a>(
    text: &'a Prepared<'a>,
    names: &[String],
    listed: Option<&AhoCorasick>,
) -> Vec<Fact> {
    let mut found = Found {
        text,
        facts: Vec::new(),
        taken: vec![false; text.text.len()],
    };
    contacts::find(&mut found);
    if let Some(listed) = listed {
        people::find_listed(&mut found, names, listed);
    }
    references::find(&mut found);
    file_numbers::find_labelled(&mut found);
    dates::find(&mut found);
    times::find(&mut found);
    contacts::find_phones(&mut found);
    addresses::find(&mut found);
    file_numbers::find(&mut found);
    structure::find(&mut found);
    relative_dates::find(&mut found);
    quantities::find(&mut found);
    people::find(&mut found);
    let mut facts = found.facts;
    facts.sort_by_key(|fact| (fact.start, fact.end));
    facts
}

/// A pattern that stands in this source, so that a mistake in it shows in the first test.
macro_rules! pattern {
    ($name:ident, $($part:expr),+ $(,)?) => {
        static $name: std::sync::LazyLock<regex::Regex> = std::sync::LazyLock::new(|| {
            $crate::document::checks::recognise::compiled(concat!($($part),+))
        });
    };
}
use pattern;

pub use contacts::is_valid_iban;

/// Latin letters, ASCII digits and ASCII word boundaries are all that these languages need. All
/// of Unicode would make the automata large, and its boundaries keep them from being used at all.
fn compiled(pattern: &str) -> regex::Regex {
    let latin = pattern
        .replace(r"\b", r"(?-u:\b)")
        .replace(r"\d", "[0-9]")
        .replace(r"\p{Lu}", "[A-ZÀ-ÖØ-ÞĆČĘĞİŁŃŒŚŞŠŻŽ]")
        .replace(r"\p{L}", "[A-Za-zÀ-ɏ]");
    regex::Regex::new(&latin).expect("a pattern of this source compiles")
}
