use super::Source;
use std::ops::Range;

fn source(text: &str, whole: &[Range<usize>]) -> Source {
    Source::new(text.into(), whole)
}

/// Whether the words can be quoted from beginning to end.
fn can_quote(text: &str, quoted: &str) -> bool {
    !source(text, &[]).occurrences(quoted).is_empty()
}

#[test]
fn whole_words_can_be_quoted_and_parts_of_them_cannot() {
    let text = "Le présent arrêté entre en vigueur le 12 mars.";
    for quoted in [
        "Le",
        "présent arrêté",
        "arrêté entre en vigueur le 12 mars.",
        text,
    ] {
        assert!(can_quote(text, quoted), "{quoted}");
    }
    for quoted in [
        "",
        "L",
        "e présent",
        "présen",
        " présent",
        "présent ",
        "12 mars. Et",
    ] {
        assert!(!can_quote(text, quoted), "{quoted}");
    }
}

#[test]
fn numbers_amounts_and_references_are_quoted_whole() {
    let text = "Montant : 1 234,56 €, soit 12,5 % ; art. L. 311-3-1, 10–12 jours, n° 2026/0417-B.";
    for quoted in [
        "1 234,56 €",
        "12,5 %",
        "L. 311-3-1",
        "10–12 jours",
        "n° 2026/0417-B",
    ] {
        assert!(can_quote(text, quoted), "{quoted}");
    }
    for quoted in [
        "1 234",
        "234,56 €",
        "1 234,56",
        "56 €",
        "12,5",
        "5 %",
        "12",
        "311-3",
        "3-1",
        "311",
        "10",
        "12 jours",
        "n° 2026",
        "0417-B",
        "2026/0417",
        "n",
    ] {
        assert!(!can_quote(text, quoted), "{quoted}");
    }
}

#[test]
fn what_the_caller_calls_whole_is_not_cut() {
    let text = "Frist: 12. März 2026 um 9 Uhr";
    let date = text.find("12").unwrap()..text.find(" um").unwrap();
    let source = source(text, &[date]);
    assert_eq!(source.occurrences("12. März 2026").len(), 1);
    assert!(source.occurrences("März 2026").is_empty());
    assert!(source.occurrences("Frist: 12").is_empty());
    assert_eq!(source.occurrences("Frist").len(), 1);
}

#[test]
fn elided_words_and_compounds() {
    let text = "l’article de l'avis, peut-être à Saint-Denis";
    assert!(can_quote(text, "article de l'avis"));
    assert!(can_quote(text, "l’article"));
    assert!(can_quote(text, "peut-être"));
    for quoted in ["l", "être", "Saint", "Denis", "peut"] {
        assert!(!can_quote(text, quoted), "{quoted}");
    }
}

#[test]
fn combining_characters_stay_with_their_letters() {
    let text = "re\u{301}ponse a\u{300} la question";
    assert!(can_quote(text, "re\u{301}ponse"));
    assert!(!can_quote(text, "re"));
    assert!(!can_quote(text, "a"));
    assert!(can_quote(text, "a\u{300} la"));
}

#[test]
fn all_places_of_repeated_words_are_found() {
    let text = "die Frist und die Fristen und die Frist";
    let found = source(text, &[]).occurrences("die Frist");
    assert_eq!(found, [0..9, 30..39]);
}

#[test]
fn a_short_quotation_may_end_where_the_text_does() {
    let source = source("ab cd", &[]);
    let words = |quoted: &str| {
        let bytes = quoted.bytes();
        bytes.fold(source.nothing(), |words, byte| {
            source.followed_by(&words, byte).unwrap()
        })
    };
    assert!(!source.may_end(&words("ab"), 40));
    assert!(source.may_end(&words("ab"), 2));
    assert!(source.may_end(&words("cd"), 40));
    assert!(!source.may_end(&source.nothing(), 1));
}

#[test]
fn words_beyond_the_order_can_still_be_followed() {
    let text = "a ".repeat(5000) + "end";
    let source = source(&text, &[]);
    let found = source.occurrences(&text);
    assert_eq!((found.len(), found[0].clone()), (1, 0..text.len()));
}

#[test]
fn every_step_agrees_with_a_search() {
    // Few letters, so that much repeats.
    let mut state = 7u64;
    let text: String = (0..600)
        .map(|_| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            ["a", "b", " ", "é", "1", ","][(state >> 33) as usize % 6]
        })
        .collect();
    let source = source(&text, &[]);
    let starts: Vec<usize> = (0..text.len()).filter(|at| source.starts_at(*at)).collect();
    for start in starts.iter().take(60) {
        let mut words = source.nothing();
        for (num, byte) in text.as_bytes()[*start..].iter().take(12).enumerate() {
            let so_far = &text.as_bytes()[*start..*start + num];
            for other in [b'a', b'b', b' ', 0xc3, 0xa9, b'1', b',', b'x'] {
                let wanted = [so_far, &[other]].concat();
                let stands = starts
                    .iter()
                    .any(|at| text.as_bytes()[*at..].starts_with(&wanted));
                assert_eq!(source.followed_by(&words, other).is_some(), stands);
            }
            words = source.followed_by(&words, *byte).unwrap();
        }
    }
}

#[test]
fn a_quotation_stays_within_its_paragraph() {
    let text = "one\ntwo\n\nthree\0four";
    assert!(can_quote(text, "one\ntwo"));
    assert!(!can_quote(text, "two\n\nthree"));
    let source = source("ab\n\ncd ef", &[]);
    let words = |quoted: &str| {
        quoted.bytes().fold(source.nothing(), |words, byte| {
            source.followed_by(&words, byte).unwrap()
        })
    };
    assert!(source.may_end(&words("ab"), 40));
    assert_eq!(source.followed_by(&words("ab"), b'\n'), None);
    assert_eq!(source.followed_by(&words("ab"), 0), None);
}

#[test]
fn every_quotation_that_begins_can_end() {
    let text = "Siehe (\n\n am 12. \n\n März 2026 «\n\n5\n\n%  \n \n\nl'\n\nab\u{301} 1 234,5 ";
    let date = text.find("12").unwrap()..text.find(" «").unwrap();
    for whole in [vec![], vec![date]] {
        let source = source(text, &whole);
        for start in (0..text.len()).filter(|at| source.starts_at(*at)) {
            let mut words = source.nothing();
            for byte in text.as_bytes()[start..].iter() {
                match source.followed_by(&words, *byte) {
                    Some(more) => words = more,
                    None => break,
                }
            }
            assert!(source.may_end(&words, 1), "{:?}", &text[start..]);
        }
    }
}
