//! Texts that nobody has thought of.

use super::super::{Mode, Session};
use super::{Random, recogniser};
use proptest::prelude::*;

/// Characters that mean something to some recogniser, and such as are hard to cut.
const ALPHABET: &str =
    "0123456789012345678901234567890ABDEFRLTU@.+-/()[] \n\u{a0}\u{202f}\u{301}\u{ad}éßİǅ😀né";

fn check(text: &str) {
    let recogniser = recogniser();
    let mut end = 0;
    for finding in recogniser.find(text) {
        assert!(finding.range.start >= end, "{text:?}");
        assert!(finding.range.start < finding.range.end, "{text:?}");
        assert!(text.get(finding.range.clone()).is_some(), "{text:?}");
        end = finding.range.end;
    }
    let (session, applied) = Session::new(&recogniser, Mode::Pseudonymize, &[text]).unwrap();
    assert_eq!(session.restore(&applied[0].text), text);
    for at in 0..=applied[0].text.len() {
        let range = applied[0].original_range(at..at);
        assert!(range.start <= range.end && range.end <= text.len());
        if applied[0].text.is_char_boundary(at) {
            assert!(text.get(range).is_some(), "{text:?}");
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_searched(text in any::<String>()) {
        check(&text);
    }
}

#[test]
fn noise_of_telling_characters_is_searched() {
    let mut random = Random(1);
    for _ in 0..1_000 {
        let len = random.below(120);
        let noise = random.drawn_from(ALPHABET, len);
        check(&noise);
    }
}

#[test]
fn made_sentences_with_noise_inside_are_searched() {
    let mut random = Random(2);
    for _ in 0..500 {
        let mut text = super::made::sentence(&mut random).text;
        for _ in 0..random.below(6) {
            let at = text.floor_char_boundary(random.below(text.len()));
            let len = random.below(3);
            text.insert_str(at, &random.drawn_from(ALPHABET, len));
        }
        check(&text);
    }
}
