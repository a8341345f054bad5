//! Telephone numbers of France, of Germany and with the code of a country. They have no check
//! digits: their form tells them, or a label.

use super::super::kind::Kind;
use super::labels::{Hit, Label};
use super::run::is_space;
use super::surroundings::{is_amount, is_joined_after, is_joined_before};
use super::{Candidate, Search, pattern};

/// How far before a number its label stands, in bytes.
const LABEL_BEFORE: usize = 40;

pattern!(
    ABROAD,
    r"(?:\+[1-9]\d{0,2}|\b00(?:3[0-9]|4[0-9]|35[0-9]|1))(?:[\s./()‑-]{0,3}\d){6,13}\b",
);
pattern!(FRENCH, r"\b0[1-9](?:[\s.‑-]?\d{2}){4}\b");
// Area code and subscriber apart: `030 9025-1234`, `(0228) 99 12 34`, `0171/1234567`.
pattern!(
    GERMAN,
    r"(?:\(0[1-9]\d{1,4}\)\s?|\b0(?:30|40|69|89|[1-9]\d{2,3})(?:\s?[/–‑-]\s?|\s))\d{2,9}(?:[\s-]\d{2,6}){0,4}(?:-\d)?\b",
);
// Mobile telephones, which are often written without a space.
pattern!(GERMAN_MOBILE, r"\b01[5-7]\d{8,9}\b");
// Where a label stands before it.
pattern!(
    LABELLED,
    r"(?:\(0[1-9]\d{0,4}\)|\b0[1-9])(?:[\s./()–‑-]{0,3}\d){4,13}\b"
);

pub fn find(search: &mut Search) {
    for (pattern, needs_label) in [
        (&*ABROAD, false),
        (&*FRENCH, false),
        (&*GERMAN, false),
        (&*GERMAN_MOBILE, false),
        (&*LABELLED, true),
    ] {
        for hit in pattern.find_iter(search.text) {
            let written = cut_behind_last_pair(hit.as_str());
            offer(hit.start(), written, needs_label, search);
        }
    }
}

fn offer(start: usize, written: &str, needs_label: bool, search: &mut Search) {
    let text = search.text;
    let end = start + written.len();
    let digits = written.bytes().filter(u8::is_ascii_digit).count();
    let has_spaces = written.contains(is_space);
    let label = search.labels.before(text, start, LABEL_BEFORE);
    let is_own = |hit: Hit| hit.label == Label::Of(Kind::Phone);
    let is_labelled = label.is_some_and(is_own);
    let is_other = label.is_some_and(|hit| !is_own(hit) && hit.names(text, start));
    let before = text.get(..start).unwrap_or_default();
    let is_part = before.ends_with(|c: char| c.is_alphanumeric())
        || is_joined_before(text, start, has_spaces)
        || is_joined_after(text, end, has_spaces && !is_labelled)
        || !is_labelled && follows_code(before);
    if is_part || is_other || is_amount(text, start, end) || is_date(written) {
        return;
    }
    if is_labelled || !needs_label && digits >= 8 {
        search.candidates.push(Candidate {
            kind: Kind::Phone,
            range: start..end,
            key: key(written),
            is_sure: true,
        });
    }
}

/// Whether a number goes on from letters: `BE 0499 839 211`, `GB30 DWFK 0510 2387`.
fn follows_code(before: &str) -> bool {
    let code = before.trim_end_matches(|c: char| is_space(c) || matches!(c, '-' | '.'));
    let word = code.rsplit(|c: char| !c.is_alphanumeric()).next();
    code.len() < before.len()
        && word.is_some_and(|word| {
            (2..=4).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_uppercase())
        })
}

/// A French number ends with its tenth digit, whatever number stands behind it.
fn cut_behind_last_pair(written: &str) -> &str {
    let with_code = written.starts_with("+33") || written.starts_with("0033");
    let mut national = 0;
    let mut code = match (with_code, written.starts_with('+')) {
        (true, true) => 2,
        (true, false) => 4,
        (false, _) => 0,
    };
    let mut in_zero = false;
    let mut groups = vec![0];
    for (at, character) in written.char_indices() {
        match character {
            '(' => in_zero = with_code,
            ')' => in_zero = false,
            _ if character.is_ascii_digit() && code > 0 => code -= 1,
            _ if character.is_ascii_digit() && !in_zero => {
                national += 1;
                if let Some(group) = groups.last_mut() {
                    *group += 1;
                }
            }
            _ if groups.last() != Some(&0) => groups.push(0),
            _ => {}
        }
        let is_whole = if with_code {
            national == 9
        } else {
            groups == [2, 2, 2, 2, 2] && written.starts_with('0')
        };
        if is_whole {
            return written.get(..=at).unwrap_or(written);
        }
    }
    written
}

/// `05.03.2026` and `05 03 2026`.
fn is_date(written: &str) -> bool {
    let groups: Vec<&str> = written
        .split(|c: char| !c.is_ascii_digit())
        .filter(|group| !group.is_empty())
        .collect();
    let below = |group: &str, most: u32| group.parse().is_ok_and(|value: u32| value <= most);
    matches!(*groups, [day, month, year, ..]
        if day.len() <= 2 && month.len() <= 2 && year.len() == 4
            && below(day, 31) && below(month, 12))
}

/// With the code of its country, so that a number is the same from abroad and at home. Pairs are
/// French, and all other numbers without a code are taken for German.
fn key(written: &str) -> String {
    let digits: String = written
        .replacen("(0)", "", 1)
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    if written.starts_with('+') {
        return digits;
    }
    if let Some(digits) = digits.strip_prefix("00") {
        return digits.to_owned();
    }
    let is_french = FRENCH
        .find(written)
        .is_some_and(|hit| hit.as_str() == written);
    let code = if is_french { "33" } else { "49" };
    format!("{code}{}", digits.strip_prefix('0').unwrap_or(&digits))
}

#[cfg(test)]
mod tests {
    use super::super::Recogniser;
    use super::*;

    #[test]
    fn numbers_are_found_as_letters_write_them() {
        let recogniser = Recogniser::default();
        for written in [
            "05 56 43 12 98",
            "05.56.43.12.98",
            "0556431298",
            "+33 5 56 43 12 98",
            "+33 (0)5 56 43 12 98",
            "(030) 90 25 12 34",
            "030/9025-1234",
            "030 9025-0",
            "0228 99 123-4567",
            "0171 1234567",
            "01711234567",
            "+49 30 9025-1234",
            "+32 2 123 45 67",
            "0033 5 56 43 12 98",
        ] {
            let text = format!("Vous pouvez nous écrire ou composer le {written}, merci.");
            let found = recogniser.find(&text);
            assert_eq!(found.len(), 1, "{written}");
            assert_eq!(&text[found[0].range.clone()], written);
        }
        let text = "Telefon: 03090251234. Termin am 05.03.2026 um 08.30-12.30 Uhr, 01067 Dresden";
        let found = recogniser.find(text);
        assert_eq!(found.len(), 1);
        assert_eq!(&text[found[0].range.clone()], "03090251234");
    }

    #[test]
    fn a_number_from_abroad_and_at_home_is_one() {
        for written in [
            "05 56 43 12 98",
            "+33 5 56 43 12 98",
            "+33 (0)5.56.43.12.98",
        ] {
            assert_eq!(key(written), "33556431298");
        }
        for written in ["(030) 90 25 12 34", "030/90251234", "+49 30 9025-1234"] {
            assert_eq!(key(written), "493090251234");
        }
    }

    #[test]
    fn a_number_of_somebody_is_no_number_of_a_file() {
        let recogniser = Recogniser::default();
        for text in [
            "joindre le client au 05 56 43 12 98",
            "unsere Kunden unter 0171 1234567",
            "Der Antragsteller nannte 0171 1234567",
        ] {
            assert_eq!(recogniser.find(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn files_and_amounts_are_no_telephone_numbers() {
        let recogniser = Recogniser::default();
        for text in [
            "Rechnung Nr. 0171 1234567",
            "dossier n° 0556431298",
            "0171 1234567 €",
            "le 05 03 2026 12 rue",
            "Az. 0228 99-1234",
        ] {
            assert!(recogniser.find(text).is_empty(), "{text}");
        }
    }
}
