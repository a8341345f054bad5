//! E-mail and web addresses, IBANs and telephone numbers.

use super::{Found, pattern};
use crate::document::checks::value::Value;

pattern!(
    EMAIL,
    r"[\p{L}\d._%+-]{1,64}@[\p{L}\d.-]{1,120}\.\p{L}{2,24}"
);
pattern!(WEB, r#"(?:https?://|www\.)[^\s<>"()]{1,500}"#);
pattern!(
    IBAN,
    r"\b[A-Z]{2}\d{2}(?:[ \u{a0}\u{202f}-]?[A-Z\d]{4}){2,7}(?:[ \u{a0}\u{202f}-]?[A-Z\d]{1,3})?\b",
);
pattern!(
    PHONE,
    r"(?:\+\d{1,3}|\b00\d{2}|\(0\d{1,5}\)|\b0\d)(?:[ \u{a0}\u{202f}./()-]{0,3}\d){6,13}\b",
);

/// Lengths of IBANs, so that words behind one are not taken for its end.
const IBAN_LENGTHS: [(&str, usize); 20] = [
    ("AT", 20),
    ("BE", 16),
    ("BG", 22),
    ("CH", 21),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("ES", 24),
    ("FI", 18),
    ("FR", 27),
    ("GB", 22),
    ("IE", 22),
    ("IT", 27),
    ("LI", 21),
    ("LU", 20),
    ("MC", 27),
    ("NL", 18),
    ("PL", 28),
    ("PT", 25),
    ("SE", 24),
];

pub fn find(found: &mut Found) {
    for hit in EMAIL.find_iter(found.text.text) {
        found.add(
            hit.start(),
            hit.end(),
            Value::Email(hit.as_str().to_lowercase()),
        );
    }
    for hit in WEB.find_iter(found.text.text) {
        if found.is_free(hit.start(), hit.end()) {
            found.take(hit.start(), hit.end());
        }
    }
    for hit in IBAN.find_iter(found.text.text) {
        let (text, end) = cut_to_length(hit.as_str());
        if found.is_free(hit.start(), hit.start() + end) {
            found.add(hit.start(), hit.start() + end, Value::Iban(text));
        }
    }
}

/// An IBAN without spaces, no longer than its country has them, and where it ends.
fn cut_to_length(written: &str) -> (String, usize) {
    let country = written.get(..2).unwrap_or_default();
    let most = IBAN_LENGTHS
        .iter()
        .find(|(name, _)| *name == country)
        .map_or(34, |(_, length)| *length);
    let mut text = String::new();
    let mut end = 0;
    for (at, character) in written
        .char_indices()
        .filter(|(_, c)| c.is_ascii_alphanumeric())
        .take(most)
    {
        text.push(character);
        end = at + 1;
    }
    (text, end)
}

pub fn find_phones(found: &mut Found) {
    for hit in PHONE.find_iter(found.text.text) {
        let before = found.text.text[..hit.start()].chars().next_back();
        let inside =
            before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '-' | '/' | '.' | ','));
        let written = cut_behind_last_pair(hit.as_str());
        let end = hit.start() + written.len();
        if !inside && found.is_free(hit.start(), end) {
            found.add(hit.start(), end, Value::Phone(subscriber(written)));
        }
    }
}

/// A French number ends with its tenth digit, whatever number stands behind it.
fn cut_behind_last_pair(written: &str) -> &str {
    let french = |digits: usize, groups: &[usize]| {
        let pairs = groups == [2, 2, 2, 2, 2] || groups == [10];
        let abroad =
            written.starts_with("+33") && digits == if written.contains("(0)") { 12 } else { 11 };
        pairs || abroad
    };
    let (mut digits, mut groups, mut last) = (0, vec![0], 0);
    for (at, character) in written.char_indices() {
        if character.is_ascii_digit() {
            digits += 1;
            last = at + 1;
            if let Some(group) = groups.last_mut() {
                *group += 1;
            }
        } else {
            if french(digits, &groups) {
                return &written[..last];
            }
            if groups.last().is_some_and(|group| *group > 0) {
                groups.push(0);
            }
        }
    }
    written
}

/// Country codes of fewer than, or more than, two digits that letters in these languages hold.
const COUNTRIES: [&str; 9] = ["1", "7", "351", "352", "353", "354", "356", "358", "420"];

/// The digits after the country's code and the leading 0, which both forms share.
fn subscriber(written: &str) -> String {
    let national = written.replacen("(0)", "", 1);
    let digits: String = national.chars().filter(char::is_ascii_digit).collect();
    let abroad = if written.starts_with('+') {
        Some(digits.as_str())
    } else {
        digits.strip_prefix("00")
    };
    match abroad {
        Some(digits) => {
            let country = COUNTRIES
                .iter()
                .find(|country| digits.starts_with(**country))
                .map_or(2, |country| country.len());
            digits
                .get(country..)
                .unwrap_or_default()
                .trim_start_matches('0')
                .to_owned()
        }
        None => digits.trim_start_matches('0').to_owned(),
    }
}

/// Whether the check digits of an IBAN without spaces are right.
pub fn is_valid_iban(iban: &str) -> bool {
    let (Some(head), Some(tail)) = (iban.get(..4), iban.get(4..)) else {
        return false;
    };
    let digits = tail
        .chars()
        .chain(head.chars())
        .filter_map(|c| c.to_digit(36));
    digits.fold(0, |rest, digit| {
        (rest * if digit > 9 { 100 } else { 10 } + digit) % 97
    }) == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_from_abroad_and_at_home_is_one() {
        for written in [
            "05 56 43 12 98",
            "05.56.43.12.98",
            "+33 5 56 43 12 98",
            "+33 (0)5 56 43 12 98",
            "0033556431298",
        ] {
            assert_eq!(subscriber(written), "556431298", "{written}");
        }
        for written in ["(030) 90 25 12 34", "030/90251234", "+49 30 9025-1234"] {
            assert_eq!(subscriber(written), "3090251234", "{written}");
        }
    }

    #[test]
    fn check_digits_of_an_iban_are_computed() {
        assert!(is_valid_iban("DE89370400440532013000"));
        assert!(is_valid_iban("GB29NWBK60161331926819"));
        assert!(!is_valid_iban("DE89370400440532013001"));
    }
}
