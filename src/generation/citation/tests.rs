use super::*;
use crate::engine::{TokenConstraint as _, TokenMask};
use crate::text::quotation::Source;
use std::sync::Arc;

const LETTER: &str = "Décision no 2026/0417 du 12 mars 2026.\n\nVous devez rembourser 1 234,56 € avant le 30 avril 2026. \
    L’article L. 311-3-1 s’applique. Vous devez répondre.";
const BRIEF: &str = "Die Frist endet am 12. März 2026. Die Frist beginnt am 1. März 2026.";

/// Every byte, and tokens that cross the borders of words, tags and quotations.
fn vocabulary() -> Vec<Vec<u8>> {
    let mut tokens: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).collect();
    let more = [
        "<quote",
        "<quote doc=\"",
        "1\">",
        "2\">",
        "\">Vous",
        "\">",
        "</",
        "</quote>",
        "</quote>.",
        "quote>",
        "te doc=\"",
        "Vous",
        " devez",
        " Frist",
        "Die",
        " 1",
        "1 234",
        ",56 €",
        " €",
        "2026",
        " mars",
        ".\n\n",
        "é",
        "quote doc=\"3\">x",
        "x <quote doc=\"1\">Vous devez",
    ];
    tokens.extend(more.iter().map(|token| token.as_bytes().to_vec()));
    tokens
}

fn citations(min_chars: usize) -> Arc<Citations> {
    let sources = [LETTER, BRIEF].map(|text| Source::new(text.into(), &[]));
    Arc::new(Citations::new(sources.into(), min_chars))
}

fn quoting(min_chars: usize) -> Arc<Quoting> {
    let citations = citations(min_chars);
    let tokens = vocabulary();
    let num_tokens = tokens.len();
    let tokens = (0..).zip(tokens);
    Arc::new(Quoting::new(
        citations,
        Arc::new(WalkedTokens::new(tokens)),
        num_tokens,
    ))
}

fn ids(text: &str) -> Vec<u32> {
    text.bytes().map(u32::from).collect()
}

/// Tokens that may follow a text.
fn next(quoting: &Arc<Quoting>, text: &str) -> Result<Vec<String>, crate::engine::ConstraintError> {
    let constraint = QuotingConstraint::new(Arc::clone(quoting));
    let tokens = vocabulary();
    let mut mask = TokenMask::all(tokens.len());
    constraint.restrict(&ids(text), &mut mask)?;
    let allowed = (0..).zip(&tokens).filter(|(id, _)| mask.allows(*id));
    Ok(allowed
        .map(|(_, token)| String::from_utf8_lossy(token).into_owned())
        .collect())
}

fn may_follow(text: &str, token: &str) -> bool {
    next(&quoting(1), text).is_ok_and(|next| next.iter().any(|next| next == token))
}

#[test]
fn all_may_be_written_outside_but_quotations_of_no_document() {
    assert_eq!(
        next(&quoting(1), "Bonjour").unwrap().len(),
        vocabulary().len()
    );
    assert!(!may_follow("Bonjour <", "quote doc=\"3\">x"));
    assert!(may_follow("Bonjour <quo", "te doc=\""));
}

#[test]
fn an_answer_may_have_to_begin_with_a_quotation() {
    let sources = vec![Source::new(LETTER.into(), &[])];
    let citations = Citations::new(sources, 1).with_first(true);
    let after = |text: &str| citations.after_all(&citations.start(), text.as_bytes());
    assert_eq!(after("Bonjour"), None);
    assert!(
        after("<quote doc=\"1\">Vous devez</quote> Bonjour")
            .is_some_and(|state| state.is_outside())
    );
    let none = Citations::new(vec![Source::new("".into(), &[])], 1).with_first(true);
    assert!(none.after_all(&none.start(), b"Bonjour").is_some());
}

#[test]
fn a_quotation_names_a_document_that_there_is() {
    assert_eq!(
        next(&quoting(1), "<quote doc=\"").unwrap(),
        ["1", "2", "1\">", "2\">"]
    );
    assert_eq!(next(&quoting(1), "<quote").unwrap(), [" "]);
}

#[test]
fn an_amount_in_a_quotation_cannot_be_changed() {
    let quote = "<quote doc=\"1\">Vous devez rembourser 1";
    assert_eq!(next(&quoting(1), quote).unwrap(), [" "]);
    assert_eq!(next(&quoting(1), &format!("{quote} 2")).unwrap(), ["3"]);
    assert!(next(&quoting(1), &format!("{quote} 3")).is_err());
    // Nor be left without its unit.
    assert!(!may_follow(&format!("{quote} 234,56"), "</"));
    assert!(may_follow(&format!("{quote} 234,56 €"), "</"));
}

#[test]
fn a_quotation_is_of_the_document_that_it_names() {
    assert!(may_follow("<quote doc=\"1\">", "Vous"));
    assert!(!may_follow("<quote doc=\"2\">", "Vous"));
    assert!(may_follow("<quote doc=\"2\">", "Die"));
    assert!(may_follow("<quote doc=\"", "1\">"));
    assert!(!may_follow("<quote doc=\"2", "\">Vous"));
    assert!(may_follow("<quote doc=\"1", "\">Vous"));
}

#[test]
fn a_quotation_is_never_empty_and_as_long_as_it_must_be() {
    assert!(!may_follow("<quote doc=\"2\">", "</quote>"));
    let quote = "<quote doc=\"2\">Die Frist endet am";
    assert!(
        next(&quoting(1), quote)
            .unwrap()
            .contains(&"</quote>".to_owned())
    );
    assert!(
        !next(&quoting(40), quote)
            .unwrap()
            .contains(&"</quote>".to_owned())
    );
    // Its document ends before.
    let quote = "<quote doc=\"2\">Die Frist beginnt am 1. März 2026.";
    assert_eq!(
        next(&quoting(60), quote).unwrap(),
        ["<", "</", "</quote>", "</quote>."]
    );
}

#[test]
fn a_document_that_holds_the_closing_tag_cannot_prolong_a_quotation() {
    let source = Source::new("see one</quote> two".into(), &[]);
    let citations = Citations::new(vec![source], 1);
    let is_outside = |text: &str| {
        let state = citations.after_all(&state::State::default(), text.as_bytes());
        state.map(|state| state.is_outside())
    };
    assert_eq!(
        is_outside("<quote doc=\"1\">see one</quote> three"),
        Some(true)
    );
    assert_eq!(is_outside("<quote doc=\"1\">see one</quote"), Some(false));
    // Where it may not end, the document's own tag cannot be written either.
    let source = Source::new("see one</quote> two three".into(), &[]);
    let citations = Citations::new(vec![source], 20);
    let follows = |text: &str| citations.after_all(&state::State::default(), text.as_bytes());
    assert!(follows("<quote doc=\"1\">see one</quote").is_some());
    assert_eq!(follows("<quote doc=\"1\">see one</quote>"), None);
}

#[test]
fn tags_are_no_part_of_what_is_said() {
    let said = "a <quote doc=\"12\">é 3</quote>, 1 < 2, <quote doc=\"x";
    let blank = without_tags(said);
    assert_eq!(blank.len(), said.len());
    assert_eq!(blank.find("é 3"), said.find("é 3"));
    assert!(!blank.contains("12") && blank.ends_with(", 1 < 2, <quote doc=\"x"));
}

#[test]
fn documents_without_words_are_not_quoted() {
    let sources = vec![
        Source::new("  \n".into(), &[]),
        Source::new("word".into(), &[]),
    ];
    let citations = Citations::new(sources, 1);
    let can = |text: &str| {
        citations
            .after_all(&state::State::default(), text.as_bytes())
            .is_some()
    };
    assert!(!can("<quote doc=\"1") && can("<quote doc=\"2"));
    let none = Citations::new(vec![Source::new("".into(), &[])], 1);
    assert!(
        none.after_all(&state::State::default(), b"<quote")
            .is_none()
    );
    assert!(none.after_all(&state::State::default(), b"<quot").is_some());
}

#[test]
fn what_cannot_be_written_is_an_error_and_what_was_taken_back_is_forgotten() {
    let constraint = QuotingConstraint::new(quoting(1));
    let mut mask = TokenMask::all(vocabulary().len());
    assert!(
        constraint
            .restrict(&ids("<quote doc=\"1\">xyz"), &mut mask)
            .is_err()
    );
    assert!(
        constraint
            .restrict(&ids("<quote doc=\"1\">Vous"), &mut mask)
            .is_ok()
    );
    // Working ahead, and asking late, changes nothing.
    constraint.prepare(&ids("<quote doc=\"1\">Vous "));
    constraint.prepare(&ids("<quote"));
    let mut mask = TokenMask::all(vocabulary().len());
    constraint
        .restrict(&ids("<quote doc=\"1\">Vous "), &mut mask)
        .unwrap();
    assert!(mask.allows(u32::from(b'd')) && !mask.allows(u32::from(b'x')));
}

/// Draws as a model of random weights does.
#[test]
fn whatever_is_drawn_quotations_are_exact() {
    let quoting = quoting(1);
    let tokens = vocabulary();
    let mut random = 1u64;
    let mut draw = |below: usize| {
        random = random
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (random >> 33) as usize % below
    };
    let citations = citations(1);
    let mut num_quotations = 0;
    for _ in 0..60 {
        let constraint = QuotingConstraint::new(Arc::clone(&quoting));
        let mut generated = Vec::new();
        let mut bytes = Vec::new();
        let (mut whole, mut cut) = (Scanner::default(), Scanner::default());
        let mut found = Vec::new();
        for _ in 0..120 {
            let mut mask = TokenMask::all(tokens.len());
            constraint.restrict(&generated, &mut mask).unwrap();
            let allowed: Vec<u32> = (0..tokens.len() as u32)
                .filter(|id| mask.allows(*id))
                .collect();
            // Half of the time a tag, where one is allowed.
            let tags: Vec<u32> = allowed.iter().copied().filter(|id| *id >= 256).collect();
            let from = if tags.is_empty() || draw(2) == 0 {
                &allowed
            } else {
                &tags
            };
            let id = from[draw(from.len())];
            generated.push(id);
            bytes.extend(&tokens[id as usize]);
        }
        let answer = String::from_utf8_lossy(&bytes).into_owned();
        for character in answer.chars() {
            found.extend(cut.push(character.encode_utf8(&mut [0; 4])));
        }
        assert_eq!(found, whole.push(&answer));
        for Quotation {
            document,
            words,
            chars,
        } in found
        {
            let source = &citations.sources()[document - 1];
            assert!(
                !words.is_empty() && !source.occurrences(&words).is_empty(),
                "{words:?}"
            );
            let said: String = answer.chars().skip(chars.start).take(chars.len()).collect();
            assert_eq!(said, words);
            num_quotations += 1;
        }
    }
    assert!(num_quotations > 100, "{num_quotations}");
}
