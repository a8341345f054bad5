//! Where a quotation may begin and end: at words, and never within a number, an amount, a date or
//! a reference, nor between a character and what combines with it.

use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation as _;

/// Bytes of a text at which quotations may begin and end.
pub(super) struct Boundaries {
    /// In ascending order.
    pub starts: Vec<u32>,
    pub ends: Places,
}

/// A set of places in a text, from 0 to its length.
#[derive(Default)]
pub(super) struct Places {
    words: Vec<u64>,
}

impl Places {
    fn of(len: usize) -> Self {
        Self {
            words: vec![0; len / 64 + 1],
        }
    }

    pub fn insert(&mut self, at: usize) {
        if let Some(word) = self.words.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    fn remove(&mut self, at: usize) {
        if let Some(word) = self.words.get_mut(at / 64) {
            *word &= !(1 << (at % 64));
        }
    }

    pub fn contains(&self, at: usize) -> bool {
        self.words
            .get(at / 64)
            .is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    pub fn num_bytes(&self) -> usize {
        self.words.len() * size_of::<u64>()
    }
}

/// `whole` are ranges of the text that no quotation may cut, in any order.
pub(super) fn boundaries(text: &str, whole: &[Range<usize>]) -> Boundaries {
    let mut places = Places::of(text.len());
    for (at, _) in text.split_word_bound_indices() {
        places.insert(at);
    }
    // An elided word is one of its own.
    for (at, apostrophe) in text.match_indices(['\'', '’']) {
        places.insert(at + apostrophe.len());
    }
    places.insert(text.len());
    for range in whole {
        // A text that is cut by none of its own bounds is left as it is.
        for at in range.start + 1..range.end.min(text.len() + 1) {
            places.remove(at);
        }
    }
    let mut starts = Vec::new();
    let mut ends = Places::of(text.len());
    for at in (0..=text.len()).filter(|at| places.contains(*at)) {
        let (before, after) = text.split_at(at);
        if may_begin(before, after) {
            starts.push(u32::try_from(at).unwrap_or(u32::MAX));
        }
        if may_end(before, after) {
            ends.insert(at);
        }
    }
    Boundaries { starts, ends }
}

fn may_begin(before: &str, after: &str) -> bool {
    let Some(first) = after.chars().next() else {
        return false;
    };
    let mut back = before.chars().rev();
    let last = back.next();
    let is_open = last.is_none_or(|last| last.is_whitespace() || is_opening(last));
    if first.is_numeric() {
        // What stands before may be its thousands, or the first of two numbers.
        let is_grouped = last.is_some_and(|last| last.is_whitespace() && last != '\n')
            && back.next().is_some_and(char::is_numeric);
        return is_open && !is_grouped && !matches!(last, Some('–' | '—'));
    }
    if first.is_alphabetic() {
        // `l'article`, and Markdown's marks.
        return is_open || matches!(last, Some('\'' | '’' | '*' | '#' | '_'));
    }
    is_open && (is_opening(first) || matches!(first, '§' | '€' | '$' | '£' | '-' | '−' | '+' | '±'))
}

fn may_end(before: &str, after: &str) -> bool {
    let Some(last) = before.chars().next_back() else {
        return false;
    };
    if last.is_whitespace() || is_opening(last) && !is_closing(last) {
        return false;
    }
    let mut ahead = after.chars();
    let Some(next) = ahead.next() else {
        return true;
    };
    let beyond = ahead.next();
    if next.is_whitespace() {
        // Not between a number and its other digits or its unit.
        let goes_on = |next: char| next.is_numeric() || is_unit(next);
        return !(last.is_numeric() && next != '\n' && beyond.is_some_and(goes_on));
    }
    match next {
        next if is_unit(next) => false,
        // `12,5`, `l'an` and `a.b` go on, a sentence does not.
        '.' | ',' | ';' | ':' | '!' | '?' | '…' | '\'' | '’' => {
            !beyond.is_some_and(char::is_alphanumeric)
        }
        next => {
            let is_range = last.is_numeric() && beyond.is_some_and(char::is_numeric);
            (is_closing(next) || is_opening(next)) && !is_range
        }
    }
}

fn is_opening(character: char) -> bool {
    matches!(
        character,
        '(' | '['
            | '{'
            | '«'
            | '»'
            | '"'
            | '“'
            | '„'
            | '”'
            | '‘'
            | '‚'
            | '‹'
            | '›'
            | '|'
            | '—'
            | '–'
            | '>'
            | '•'
    )
}

fn is_closing(character: char) -> bool {
    matches!(
        character,
        ')' | ']' | '}' | '«' | '»' | '"' | '“' | '”' | '’' | '‹' | '›' | '|' | '*' | '<'
    )
}

/// What belongs to the number before it.
fn is_unit(character: char) -> bool {
    matches!(character, '%' | '‰' | '€' | '$' | '£' | '°' | 'º')
}
