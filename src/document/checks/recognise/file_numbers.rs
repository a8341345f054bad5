//! Numbers of files, cases, contracts and accounts.

use super::{Found, pattern};
use crate::document::checks::value::Value;

// Words after which a number with spaces is one: `Az. 50 II 3 – 124/25`.
pattern!(
    LABELLED,
    r"\b(?i:aktenzeichen|geschäftszeichen|kassenzeichen|az\.?:?|gz\.?:?|dossier|référence|réf\.|n/réf\.?|v/réf\.?|file|case|our ref\.?|your ref\.?|reference|ref\.)",
    r"[ \u{a0}]?(?:n°|nº|Nr\.|no\.|number|numéro)?[ \u{a0}]?:?[ \u{a0}](?P<number>[A-Z\d][A-Za-z\d]{0,11}(?:(?: ?[-/–] ?|\.| )[A-Z\d][A-Za-z\d]{0,11}){1,6})\b",
);
pattern!(
    JOINED,
    r"\b[\p{L}\d]{1,12}(?:[-/._–][\p{L}\d]{1,12}){1,7}\b"
);
pattern!(MIXED, r"\b[A-Z\d]{5,20}\b");

pub fn find_labelled(found: &mut Found) {
    for hit in LABELLED.captures_iter(found.text.text) {
        let Some(number) = hit.name("number") else {
            continue;
        };
        let written = cut(number.as_str());
        let end = number.start() + written.len();
        if written.contains(' ')
            && !is_grouped(written)
            && digits(written) > 1
            && found.is_free(number.start(), end)
        {
            found.add(number.start(), end, Value::FileNumber(normalised(written)));
        }
    }
}

/// Whether a number only has its digits in groups: `15 367`.
fn is_grouped(written: &str) -> bool {
    let numeric = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    written.split(' ').all(numeric) && written.split(' ').skip(1).all(|group| group.len() == 3)
}

/// Without the words that only stand behind it.
fn cut(written: &str) -> &str {
    let is_word = |chunk: &str| {
        let roman = chunk.chars().all(|c| "IVXLC".contains(c)) && chunk.len() < 5;
        !chunk.contains(|c: char| c.is_ascii_digit()) && !roman && chunk.len() > 1 && chunk != "–"
    };
    let mut end = 0;
    for chunk in written.split(' ') {
        if is_word(chunk) && end > 0 {
            break;
        }
        end += chunk.len() + usize::from(end > 0);
    }
    written[..end].trim_end_matches([' ', '-', '–', '/', '.'])
}

pub fn find(found: &mut Found) {
    for hit in JOINED.find_iter(found.text.text) {
        let written = hit.as_str();
        if digits(written) >= 3
            && !is_quantity(written)
            && !is_ordinary(written)
            && found.is_free(hit.start(), hit.end())
        {
            found.add(
                hit.start(),
                hit.end(),
                Value::FileNumber(normalised(written)),
            );
        }
    }
    for hit in MIXED.find_iter(found.text.text) {
        let written = hit.as_str();
        let mixed = written.contains(|c: char| c.is_ascii_uppercase()) && digits(written) >= 2;
        let continues = found.text.text[hit.end()..]
            .starts_with([',', '.', ' ', '\u{a0}', '\u{202f}'])
            && found.text.text[hit.end()..]
                .chars()
                .nth(1)
                .is_some_and(|c| c.is_ascii_digit());
        let long = digits(written) >= 7 && !continues;
        if (mixed || long) && found.is_free(hit.start(), hit.end()) {
            found.add(
                hit.start(),
                hit.end(),
                Value::FileNumber(normalised(written)),
            );
        }
    }
}

fn digits(written: &str) -> usize {
    written.bytes().filter(u8::is_ascii_digit).count()
}

fn normalised(written: &str) -> String {
    written
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_uppercase)
        .collect()
}

/// `1.234.567` and `1.234` are quantities; so are two years, and a number with decimals.
fn is_quantity(written: &str) -> bool {
    let groups: Vec<&str> = written.split(['.', '-', '/', '–', '_']).collect();
    let numeric = groups
        .iter()
        .all(|group| group.bytes().all(|b| b.is_ascii_digit()));
    let pointed = !written.contains(['-', '/', '–', '_']);
    let grouped = groups.iter().skip(1).all(|group| group.len() == 3)
        && groups.first().is_some_and(|first| first.len() < 4);
    let range = groups.len() == 2
        && !pointed
        && !written.contains('/')
        && groups.iter().all(|group| group.len() < 5);
    let years = groups.len() == 2
        && groups
            .iter()
            .all(|group| group.len() == 4 && group.starts_with(['1', '2']));
    numeric && (years || pointed && (grouped || groups.len() == 2) || range)
}

/// `30-day` and `Covid-19` are words with a number.
fn is_ordinary(written: &str) -> bool {
    let lower = written.chars().filter(|c| c.is_lowercase()).count();
    lower > 2 && digits(written) < 4
}
