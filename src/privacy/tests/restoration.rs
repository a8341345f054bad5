//! Whatever a text is and however it is cut, what has been replaced comes back.

use super::super::{Mode, Restorer, Session};
use super::recogniser;
use proptest::prelude::*;

/// What texts are made of here: values in several spellings, and what looks like surrogates.
const PIECES: [&str; 26] = [
    "DE89370400440532013000",
    "DE89 3704 0044 0532 0130 00",
    "FR14 2004 1010 0505 0001 3M02 606",
    "FR14 2004 1010 0505\n0001 3M02 606",
    "a@b.fr",
    "A@B.fr",
    "Jean Dupont",
    "JEAN\u{a0}DUPONT",
    "Nguyễn",
    "05 56 43 12 98",
    "+33 5 56 43 12 98",
    "née le 12 mars 1985",
    "12/03/1985",
    "SIREN 732 829 320",
    "732829320",
    "[IBAN1]",
    "[IBAN1b]",
    "[iban1",
    "[NAME",
    "[",
    "]",
    "[[",
    "1]",
    " é😀 ",
    ", ",
    "\n",
];

fn restored(restorer: &mut Restorer, chunks: &[&str]) -> String {
    let mut out: String = chunks.iter().map(|chunk| restorer.push(chunk)).collect();
    out.push_str(&restorer.finish());
    out
}

fn session(text: &str) -> (Session, String) {
    let (session, applied) = Session::new(&recogniser(), Mode::Pseudonymize, &[text]).unwrap();
    let replaced = applied.into_iter().next().unwrap().text;
    (session, replaced)
}

/// All ways to cut a text in two.
fn check_two_chunks(text: &str) {
    let (session, replaced) = session(text);
    for (at, _) in replaced.char_indices() {
        let (head, tail) = replaced.split_at(at);
        assert_eq!(restored(&mut session.restorer(), &[head, tail]), text);
    }
}

fn pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(0..PIECES.len(), 0..14).prop_map(|chosen| {
        let chosen = chosen.into_iter().map(|place| PIECES[place]);
        chosen.collect::<Vec<_>>().join(" ").replace("[ ", "[")
    })
}

proptest! {
    #[test]
    fn a_text_in_two_chunks_comes_back(text in pieces()) {
        check_two_chunks(&text);
    }

    #[test]
    fn a_text_in_any_chunks_comes_back(text in pieces(), sizes in prop::collection::vec(1..9_usize, 1..40)) {
        let (session, replaced) = session(&text);
        let characters: Vec<char> = replaced.chars().collect();
        let mut sizes = sizes.into_iter().cycle();
        let mut rest = &characters[..];
        let mut chunks = Vec::new();
        while let Some(size) = sizes.next().filter(|_| !rest.is_empty()) {
            let (chunk, after) = rest.split_at(size.min(rest.len()));
            chunks.push(chunk.iter().collect::<String>());
            rest = after;
        }
        let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
        prop_assert_eq!(restored(&mut session.restorer(), &chunks), text);
    }

    #[test]
    fn any_text_around_values_comes_back(before in any::<String>(), after in any::<String>()) {
        let text = format!("{before} DE89370400440532013000 {after}");
        let (session, replaced) = session(&text);
        prop_assert!(!replaced.contains("DE89370400440532013000"));
        prop_assert_eq!(session.restore(&replaced), text);
    }
}

#[test]
fn no_more_is_held_back_than_may_become_a_surrogate() {
    let (session, _) = session("DE89370400440532013000");
    let mut restorer = session.restorer();
    assert_eq!(restorer.push("a ["), "a ");
    assert_eq!(restorer.push("I"), "");
    assert_eq!(restorer.push("B!"), "[IB!");
    assert_eq!(restorer.push("[NAME"), "[NAME");
    assert_eq!(restorer.push("[[IBAN1"), "[");
    assert_eq!(restorer.push("] b"), "DE89370400440532013000 b");
    assert_eq!(
        restorer.push("[iban1][IBAN2]"),
        "DE89370400440532013000[IBAN2]"
    );
    assert_eq!(restorer.push("[IB"), "");
    assert_eq!(restorer.finish(), "[IB");
    assert_eq!(restorer.finish(), "");
}

#[test]
fn a_value_over_the_end_of_a_line_can_stand_in_json() {
    let text = "FR14 2004 1010 0505\n0001 3M02 606";
    let (session, replaced) = session(text);
    let json = format!("{{\"iban\": \"{replaced}\"}}");
    let answer = restored(&mut session.restorer().escaping_json(), &[&json]);
    let read: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(read["iban"], text);
}
