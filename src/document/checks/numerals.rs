//! Numbers in digits, as the three languages and the Swiss group them.

use super::language::Language;
use super::prepared::Prepared;
use super::value::{Micro, ONE, Reading};

/// A number in digits or words, before anything is known of its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numeral {
    pub start: usize,
    pub end: usize,
    pub reading: Reading,
    /// In words.
    pub spelled: bool,
}

/// More digits than these are no quantity.
const MAX_DIGITS: usize = 18;

const GROUPING: [char; 7] = [' ', '\u{a0}', '\u{202f}', '.', ',', '\'', '’'];

/// All numbers in digits of a text. Digits inside words are none: `CO2`.
pub fn numerals(text: &Prepared) -> Vec<Numeral> {
    let bytes = text.text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let (end, reading) = numeral_at(text, at);
        let before = text.text[..at].chars().next_back();
        let inside =
            before.is_some_and(|c| c.is_alphabetic() || c == '_') || !ends_well(&text.text[end..]);
        if let Some(reading) = reading.filter(|_| !inside) {
            found.push(Numeral {
                start: at,
                end,
                reading,
                spelled: false,
            });
        }
        at = end;
    }
    found
}

/// Whether letters right behind digits are an ordinal's ending or a unit.
fn ends_well(rest: &str) -> bool {
    let suffix: &str = &rest[..rest.len() - rest.trim_start_matches(char::is_alphabetic).len()];
    const SUFFIXES: [&str; 27] = [
        "", "er", "re", "ère", "e", "è", "ème", "eme", "nd", "nde", "st", "rd", "th", "km", "m",
        "cm", "mm", "kg", "g", "l", "h", "ha", "min", "k", "EUR", "CHF", "kWh",
    ];
    SUFFIXES.contains(&suffix)
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// The number at a digit: where it ends, and how it may be read. None for too many digits.
fn numeral_at(text: &Prepared, start: usize) -> (usize, Option<Reading>) {
    let all = &text.text[start..];
    let first = digits(all);
    let mut end = first;
    let mut whole = all[..first].to_owned();
    let mut separator = None;
    if first <= 3 {
        while let Some(next) = all[end..].chars().next().filter(|c| GROUPING.contains(c)) {
            let group = &all[end + next.len_utf8()..];
            let is_same = separator.is_none_or(|before: char| {
                before == next || before.is_whitespace() && next.is_whitespace()
            });
            if digits(group) != 3 || !is_same || whole.len() > MAX_DIGITS {
                break;
            }
            whole.push_str(&group[..3]);
            separator = Some(next);
            end += next.len_utf8() + 3;
        }
    }
    let groups = (whole.len() - first) / 3;
    let mut decimals = String::new();
    if let Some(point) = all[end..]
        .chars()
        .next()
        .filter(|c| matches!(c, '.' | ',') && Some(*c) != separator)
    {
        let count = digits(&all[end + 1..]);
        if (1..=6).contains(&count) {
            decimals.push_str(&all[end + 1..end + 1 + count]);
            end += 1 + count;
        } else if count == 0 {
            // `1.200,-` and `1'200.–`.
            let dash = all[end + 1..]
                .chars()
                .next()
                .filter(|c| matches!(c, '-' | '–' | '—'));
            if let Some(dash) =
                dash.filter(|_| point == ',' || separator == Some('\'') || separator == Some('’'))
            {
                end += 1 + dash.len_utf8();
            }
        }
    }
    if whole.len() > MAX_DIGITS {
        return (start + end, None);
    }
    let reading = micro(&whole, &decimals).map(|likely| {
        // One group behind a point or comma may as well be decimals.
        let lone = groups == 1 && decimals.is_empty() && first <= 3;
        match separator.filter(|s| lone && matches!(s, '.' | ',')) {
            Some(separator) => ambiguous(
                text,
                separator,
                likely,
                micro(&whole[..first], &whole[first..]),
            ),
            None => Reading::sure(likely),
        }
    });
    (start + end, reading)
}

fn ambiguous(text: &Prepared, separator: char, grouped: Micro, decimal: Option<Micro>) -> Reading {
    let decimal_point = if text.languages.first() == Some(&Language::English) {
        '.'
    } else {
        ','
    };
    match decimal {
        Some(decimal) if separator == decimal_point => Reading {
            likely: decimal,
            other: Some(grouped),
        },
        decimal => Reading {
            likely: grouped,
            other: decimal,
        },
    }
}

fn micro(whole: &str, decimals: &str) -> Option<Micro> {
    let whole: Micro = whole.parse().ok()?;
    let mut part: Micro = 0;
    for place in 0..6 {
        part = part * 10
            + decimals
                .as_bytes()
                .get(place)
                .map_or(0, |digit| Micro::from(digit - b'0'));
    }
    whole.checked_mul(ONE)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, language: Language) -> Vec<f64> {
        let numerals = numerals(&Prepared::new(text, &[language]));
        numerals
            .iter()
            .map(|numeral| numeral.reading.likely as f64 / ONE as f64)
            .collect()
    }

    #[test]
    fn each_language_groups_digits_its_own_way() {
        for text in [
            "1 234,56",
            "1\u{202f}234,56",
            "1.234,56",
            "1'234.56",
            "1’234.56",
            "1234,56",
            "1234.56",
            "1,234.56",
        ] {
            assert_eq!(read(text, Language::French), [1234.56], "{text}");
        }
        assert_eq!(read("1.234", Language::German), [1234.0]);
        assert_eq!(read("1.234", Language::English), [1.234]);
        assert_eq!(
            read("1.200,- Euro und 5 %", Language::German),
            [1200.0, 5.0]
        );
    }

    #[test]
    fn digits_inside_words_are_no_numbers() {
        assert_eq!(
            read("CO2, A4, F16x und 5a", Language::German),
            Vec::<f64>::new()
        );
        assert_eq!(read("30km et 2ème", Language::French), [30.0, 2.0]);
    }
}
