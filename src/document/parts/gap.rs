//! Cuts where a text has no structure: between words, or between characters where there are none.

use std::ops::Range;
use unicode_normalization::char::is_combining_mark;

/// What white space parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    Words,
    /// A number from a word that is none of it, or an abbreviation from what it goes with.
    BesideNumber,
    /// Digits from digits, or from the unit, month, currency or sign that makes them a value.
    InNumber,
}

/// Bytes of a word that are looked at.
const MAX_WORD_BYTES: usize = 64;

/// Where words begin after white space, from one end of `places` to the other.
pub fn gaps(text: &str, places: Range<usize>) -> impl Iterator<Item = (usize, Gap)> {
    // The white space before the first place is looked at too.
    let space_before = text
        .get(..places.start)
        .is_some_and(|before| before.ends_with(char::is_whitespace));
    let mut after_space = space_before;
    let through = text.get(places.start..).unwrap_or_default().char_indices();
    through
        .map(move |(offset, character)| (places.start + offset, character))
        .take_while(move |(at, _)| *at <= places.end)
        .filter(move |(_, character)| {
            let is_space = character.is_whitespace();
            let begins = after_space && !is_space;
            after_space = is_space;
            begins
        })
        .map(move |(at, _)| (at, between(word_before(text, at), word_after(text, at))))
}

fn between(before: &str, after: &str) -> Gap {
    let has_digit = |word: &str| word.chars().any(char::is_numeric);
    let (left, right) = (has_digit(before), has_digit(after));
    if left && (right || goes_after_number(after)) || right && goes_before_number(before) {
        Gap::InNumber
    } else if left || right || before.ends_with('.') {
        Gap::BesideNumber
    } else {
        Gap::Words
    }
}

const CURRENCIES: &[&str] = &[
    "eur", "euro", "euros", "chf", "usd", "gbp", "francs", "franken", "cents", "centimes",
    "dollars",
];
const MONTHS: &[&str] = &[
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
    "januar",
    "jänner",
    "februar",
    "märz",
    "april",
    "juni",
    "juli",
    "august",
    "september",
    "oktober",
    "november",
    "dezember",
    "january",
    "february",
    "march",
    "may",
    "june",
    "july",
    "october",
    "december",
];
const UNITS: &[&str] = &[
    "h",
    "min",
    "s",
    "km",
    "m",
    "cm",
    "mm",
    "m²",
    "m³",
    "ha",
    "kg",
    "g",
    "t",
    "l",
    "kwh",
    "uhr",
    "heures",
    "jours",
    "mois",
    "ans",
    "semaines",
    "tage",
    "tagen",
    "monate",
    "monaten",
    "jahre",
    "jahren",
    "wochen",
    "days",
    "months",
    "years",
    "weeks",
    "hours",
    "am",
    "pm",
    "millions",
    "million",
    "milliards",
    "millionen",
    "mio",
    "mrd",
    "milliarden",
    "prozent",
    "percent",
];
/// Words that a number follows.
const LEADS: &[&str] = &[
    "article", "articles", "art", "artikel", "section", "sections", "n°", "nº", "no", "nr",
    "nummer", "numéro", "number", "abs", "absatz", "satz", "alinéa", "al", "p", "page", "pages",
    "s", "seite", "az", "tel", "tél", "iban", "buchst", "ziff", "ziffer", "rn",
];

fn goes_after_number(word: &str) -> bool {
    let bare = bare(word);
    word.starts_with(['%', '€', '$', '£', '‰', '°'])
        || [CURRENCIES, MONTHS, UNITS]
            .iter()
            .any(|words| words.contains(&bare.as_str()))
}

fn goes_before_number(word: &str) -> bool {
    let bare = bare(word);
    word.ends_with(['€', '$', '£', '§', '+', '±', '−'])
        || [CURRENCIES, MONTHS, LEADS]
            .iter()
            .any(|words| words.contains(&bare.as_str()))
}

/// In small letters, without the punctuation around it.
fn bare(word: &str) -> String {
    word.trim_matches(|character: char| !character.is_alphanumeric() && character != '°')
        .to_lowercase()
}

/// The word that ends before the white space before `at`, or its end.
pub fn word_before(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or_default().trim_end();
    let first = before.ceil_char_boundary(before.len().saturating_sub(MAX_WORD_BYTES));
    let end = before.get(first..).unwrap_or_default();
    end.rsplit(char::is_whitespace).next().unwrap_or_default()
}

/// The word that begins at `at`, or its beginning.
pub fn word_after(text: &str, at: usize) -> &str {
    let after = text.get(at..).unwrap_or_default();
    let after = &after[..after.floor_char_boundary(MAX_WORD_BYTES)];
    after.split(char::is_whitespace).next().unwrap_or_default()
}

/// The last of `places` that is between two characters as a reader sees them.
pub fn last_break(text: &str, places: Range<usize>) -> Option<usize> {
    breaks(text, places).next().map(|(at, ..)| at)
}

/// The last such place that is not between the digits and signs of a number either.
pub fn last_break_outside_numbers(text: &str, places: Range<usize>) -> Option<usize> {
    let is_sign = |character: char| matches!(character, '.' | ',' | '\'' | '’' | '/' | '-' | ':');
    let in_number = |before: char, after: char| {
        let of_number = |character: char| character.is_numeric() || is_sign(character);
        of_number(before) && of_number(after) && (before.is_numeric() || after.is_numeric())
    };
    breaks(text, places)
        .find(|(_, before, after)| !in_number(*before, *after))
        .map(|(at, ..)| at)
}

/// From the last, with the characters on both sides.
fn breaks(text: &str, places: Range<usize>) -> impl Iterator<Item = (usize, char, char)> {
    let first = text.floor_char_boundary(places.start.saturating_sub(1));
    let last = text.get(places.end..).and_then(|rest| rest.chars().next());
    let inside = text.get(first..places.end).unwrap_or_default();
    let mut after = last;
    inside
        .char_indices()
        .rev()
        .filter_map(move |(offset, before)| {
            let at = first + offset + before.len_utf8();
            Some((at, before, after.replace(before)?))
        })
        .take_while(move |(at, ..)| *at >= places.start)
        .filter(|(_, before, after)| is_break(*before, *after))
}

/// What belongs to the character before it: marks, joiners, skin tones, the later letters of a
/// syllable in conjoining Hangul, and flags, whose halves are not counted.
fn is_break(before: char, after: char) -> bool {
    const JOINER: char = '\u{200d}';
    let continues = |character: char| {
        is_combining_mark(character)
            || matches!(character,
                JOINER | '\u{200c}' | '\u{1160}'..='\u{11ff}' | '\u{fe00}'..='\u{fe0f}'
                | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}')
    };
    let is_flag = |character: char| matches!(character, '\u{1f1e6}'..='\u{1f1ff}');
    !(continues(after) || before == JOINER || is_flag(before) && is_flag(after))
}
