//! Number plates of France and Germany. Words and codes look like them, so that all but the
//! hyphenated French form need a word about vehicles near them.

use super::super::kind::Kind;
use super::folded::belongs_to_word;
use super::surroundings::{is_joined_after, is_joined_before};
use super::{Candidate, Search, pattern};

/// How far from a plate such a word stands, in bytes.
const WORD_BEFORE: usize = 120;
const WORD_AFTER: usize = 60;

/// What stands before the number of a standard, as in `DIN EN 1090`, and is hardly a district.
const STANDARDS: [&str; 4] = ["DIN", "ISO", "IEC", "VDE"];

// Letters without I, O and U, as they are given since 2009.
pattern!(
    FRENCH,
    r"\b[A-HJ-NP-TV-Z]{2}[-‑]\d{3}[-‑][A-HJ-NP-TV-Z]{2}\b",
);
pattern!(
    FRENCH_LOOSE,
    r"\b[A-HJ-NP-TV-Z]{2}\s?\d{3}\s?[A-HJ-NP-TV-Z]{2}\b",
);
pattern!(
    FRENCH_OLD,
    r"\b\d{1,4}\s?[A-HJ-NP-TV-Z]{2,3}\s?(?:\d{2}|2[AB]|97[1-6])\b",
);
pattern!(
    GERMAN,
    r"[A-ZÄÖÜ]{1,3}[\s‑-][A-Z]{1,2}[\s‑-]?[1-9]\d{0,3}[EH]?\b",
);

pub fn find(search: &mut Search) {
    for (pattern, is_strict, is_german) in [
        (&*FRENCH, true, false),
        (&*FRENCH_LOOSE, false, false),
        (&*FRENCH_OLD, false, false),
        (&*GERMAN, false, true),
    ] {
        for hit in pattern.find_iter(search.text) {
            let (start, end) = (hit.start(), hit.end());
            let text = search.text;
            let before = text.get(..start).unwrap_or_default();
            let after = text.get(end..).unwrap_or_default();
            let district = hit.as_str().split(|c: char| !c.is_alphabetic()).next();
            if before.ends_with(belongs_to_word)
                || before.ends_with(['-', '/'])
                || after.starts_with(belongs_to_word)
                || after.starts_with(['-', '/'])
                || is_joined_before(text, start, false)
                || is_joined_after(text, end, false)
                || is_german && district.is_some_and(|district| STANDARDS.contains(&district))
            {
                continue;
            }
            let is_near = || {
                let reach = start.saturating_sub(WORD_BEFORE)..end + WORD_AFTER;
                let mut words = search.labels.ending_in(Kind::NumberPlate, reach);
                words.next().is_some()
            };
            let is_sure = is_strict || is_near();
            search.candidates.push(Candidate {
                kind: Kind::NumberPlate,
                range: start..end,
                key: hit
                    .as_str()
                    .chars()
                    .filter(|c| c.is_alphanumeric())
                    .collect(),
                is_sure,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::found;

    #[test]
    fn plates_are_found_by_their_form_or_by_the_words_near_them() {
        assert_eq!(found("La plaque est AB-123-CD."), ["AB-123-CD"]);
        assert_eq!(found("AB-123-CD stationnait là."), ["AB-123-CD"]);
        assert_eq!(found("véhicule immatriculé AB 123 CD"), ["AB 123 CD"]);
        assert_eq!(found("la voiture 1234 AB 75"), ["1234 AB 75"]);
        assert_eq!(found("Der Pkw B-AB 1234 parkte"), ["B-AB 1234"]);
        assert_eq!(found("Kennzeichen: TÜ-XY 12E"), ["TÜ-XY 12E"]);
        assert_eq!(found("the car M AB 123 was towed"), ["M AB 123"]);
    }

    #[test]
    fn codes_are_no_plates() {
        for text in [
            "nach DIN EN 1090 und EN ISO 9001",
            "das Formular A-B 12",
            "La salle AB 123 CD",
            "Fahrzeuge nach DIN-EN 1090",
            "véhicule, dossier 2026-AB-123-CD-7",
            "AI-123-CD",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }
}
