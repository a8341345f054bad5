//! What stands beside a number: more of it, or a unit that makes it an amount.

use super::run::is_space;

const SIGNS: [char; 6] = ['€', '$', '£', '%', '‰', '°'];

/// Words that count or measure what stands before them.
const UNITS: [&str; 30] = [
    "eur",
    "euro",
    "euros",
    "usd",
    "chf",
    "gbp",
    "francs",
    "franken",
    "dollars",
    "dollar",
    "livres",
    "pounds",
    "keur",
    "teur",
    "mio",
    "mrd",
    "millions",
    "milliards",
    "millionen",
    "milliarden",
    "km",
    "m²",
    "m2",
    "m³",
    "m3",
    "ha",
    "kg",
    "kwh",
    "mwh",
    "kw",
];
const COUNTED: [&str; 10] = [
    "habitants",
    "einwohner",
    "einwohnern",
    "inhabitants",
    "personnes",
    "personen",
    "people",
    "stück",
    "exemplaires",
    "prozent",
];

fn joins(character: char) -> bool {
    matches!(
        character,
        '.' | ',' | ':' | '/' | '-' | '_' | '+' | '\u{2010}' | '\u{2011}' | '\u{2013}'
    )
}

/// Whether a number goes on before `start`: `12.` or, in one that has spaces itself, `12 `.
pub fn is_joined_before(text: &str, start: usize, has_spaces: bool) -> bool {
    let mut before = text.get(..start).unwrap_or_default().chars().rev();
    let separator = before.next();
    separator.is_some_and(|c| joins(c) || has_spaces && is_space(c))
        && before.next().is_some_and(|c| c.is_ascii_digit())
}

/// Whether a number goes on after `end`.
pub fn is_joined_after(text: &str, end: usize, has_spaces: bool) -> bool {
    let mut after = text.get(end..).unwrap_or_default().chars();
    let separator = after.next();
    separator.is_some_and(|c| joins(c) || has_spaces && is_space(c))
        && after.next().is_some_and(|c| c.is_ascii_digit())
}

/// Whether a number counts or measures something.
pub fn is_amount(text: &str, start: usize, end: usize) -> bool {
    let before = text
        .get(..start)
        .unwrap_or_default()
        .trim_end_matches(is_space);
    let after = text.get(end..).unwrap_or_default();
    let unit = after.trim_start_matches(is_space);
    if before.ends_with(['€', '$', '£']) || before.ends_with("EUR") || unit.starts_with(SIGNS) {
        return true;
    }
    let is_apart = unit.len() < after.len();
    let word: String = unit
        .chars()
        .take_while(|c| c.is_alphanumeric())
        .take(12)
        .flat_map(char::to_lowercase)
        .collect();
    is_apart && (UNITS.contains(&&*word) || COUNTED.contains(&&*word))
}
