mod exactness;
mod schemas;
mod suite;

use super::compiler::key;
use super::{Format, FormatError, Grammar, Grammars};
use crate::engine::TokenMask;
use crate::text::Tokenizer;
use crate::text::fixtures::{byte_level_json, tokenizer};
use serde_json::json;
use std::future::ready;
use std::sync::{Arc, LazyLock};

static TOKENIZER: LazyLock<Arc<Tokenizer>> = LazyLock::new(|| tokenizer(&byte_level_json()));

fn id(token: &str) -> u32 {
    TOKENIZER.token_to_id(token).unwrap()
}

fn ids(text: &str) -> Vec<u32> {
    text.chars().map(|c| id(&c.to_string())).collect()
}

fn grammars(stop: &[u32]) -> Grammars {
    let tokenizer = Arc::clone(&TOKENIZER);
    // A model may have more rows than its tokenizer has tokens.
    let vocab_size = tokenizer.vocab_size() + 3;
    Grammars::start(tokenizer, vocab_size, stop.into()).unwrap()
}

async fn compiled(format: Format) -> Result<Grammar, FormatError> {
    grammars(&[id("<|im_end|>")])
        .compile(format, ready(()))
        .await
}

async fn regex(regex: &str) -> Grammar {
    compiled(Format::Regex(regex.to_owned())).await.unwrap()
}

/// What may follow, in a constraint that reads all of it at once.
fn allowed(grammar: &Grammar, generated: &[u32]) -> Vec<u32> {
    let mut mask = TokenMask::all(TOKENIZER.vocab_size() + 3);
    let constraint = grammar.constraint();
    constraint.restrict(generated, &mut mask).unwrap();
    (0..mask_len()).filter(|id| mask.allows(*id)).collect()
}

fn mask_len() -> u32 {
    TOKENIZER.vocab_size() as u32 + 64
}

#[tokio::test]
async fn only_what_can_still_match_may_follow() {
    let grammar = regex("[ab]{2}c?").await;
    assert_eq!(allowed(&grammar, &[]), ids("ab"));
    assert_eq!(allowed(&grammar, &ids("a")), ids("ab"));
    let mut after_two = [ids("c"), vec![id("<|im_end|>")]].concat();
    after_two.sort_unstable();
    assert_eq!(allowed(&grammar, &ids("ab")), after_two);
    assert_eq!(allowed(&grammar, &ids("abc")), [id("<|im_end|>")]);
}

#[tokio::test]
async fn no_text_of_a_form_is_a_control_token() {
    let grammar = compiled(Format::JsonSchema(json!({"type": "string"})))
        .await
        .unwrap();
    let inside = allowed(&grammar, &ids("\""));
    let is_special = |id: &u32| TOKENIZER.is_special_id(*id);
    assert!(
        inside.len() > 50 && !inside.iter().any(is_special),
        "{inside:?}"
    );
    assert!(
        inside
            .iter()
            .all(|id| (*id as usize) < TOKENIZER.vocab_size())
    );
}

#[tokio::test]
async fn what_may_follow_depends_on_the_answer_alone() {
    let grammar = regex("(ab|ba)*").await;
    let answer = ids("abbaab");
    let walking = grammar.constraint();
    let asked = |constraint: &dyn crate::engine::TokenConstraint, generated: &[u32]| {
        let mut mask = TokenMask::all(TOKENIZER.vocab_size() + 3);
        constraint.restrict(generated, &mut mask).unwrap();
        mask
    };
    // Forth, prepared or not, back and elsewhere.
    for len in [0, 1, 2, 2, 3, 6, 4, 0, 5] {
        if len % 2 == 0 {
            walking.prepare(&answer[..len]);
        }
        // Late, for an answer that has gone on.
        walking.prepare(&answer[..len / 2]);
        let fresh = grammar.constraint();
        assert_eq!(
            asked(&*walking, &answer[..len]),
            asked(&*fresh, &answer[..len]),
            "{len}"
        );
    }
    assert_eq!(
        asked(&*walking, &ids("ba")),
        asked(&*grammar.constraint(), &ids("ba"))
    );
}

#[tokio::test]
async fn what_breaks_the_form_is_an_error_and_stays_one() {
    let constraint = regex("ab").await.constraint();
    let mut mask = TokenMask::all(TOKENIZER.vocab_size() + 3);
    for _ in 0..2 {
        let error = constraint.restrict(&ids("b"), &mut mask).unwrap_err();
        assert!(!error.to_string().is_empty());
    }
    assert!(constraint.restrict(&ids("a"), &mut mask).is_ok());
}

#[tokio::test]
async fn equal_forms_are_compiled_once_and_others_are_not_mixed_up() {
    let grammars = grammars(&[id("<|im_end|>")]);
    // One text, which is an expression and a grammar.
    let text = || "start: \"a\"".to_owned();
    let regex = Format::Regex(text());
    assert!(grammars.cached(&key(&regex)).is_none());
    let one = grammars.compile(regex.clone(), ready(())).await.unwrap();
    let same = grammars.compile(regex.clone(), ready(())).await.unwrap();
    let other = grammars
        .compile(Format::Lark(text()), ready(()))
        .await
        .unwrap();
    assert_eq!(one, same);
    assert_eq!(grammars.cached(&key(&regex)), Some(Ok(one.clone())));
    assert_ne!(one, other);
}

#[tokio::test]
async fn a_place_is_given_back_when_its_turn_is_over_though_nobody_waits() {
    let grammars = grammars(&[id("<|im_end|>")]);
    let place = Arc::new(());
    let left = grammars.compile(Format::JsonObject, ready(Arc::clone(&place)));
    // The client leaves.
    drop(futures_util::FutureExt::now_or_never(left));
    grammars
        .compile(Format::JsonObject, ready(()))
        .await
        .unwrap();
    assert_eq!(Arc::strong_count(&place), 1);
}

#[tokio::test]
async fn without_a_stop_token_there_is_no_form() {
    let error = grammars(&[])
        .compile(Format::JsonObject, ready(()))
        .await
        .unwrap_err();
    assert_eq!(error, FormatError::NoStopToken);
}

#[tokio::test]
async fn nothing_ends_an_answer_before_its_form_is_complete() {
    // A model's own end that a grammar names, and one that is spelt as text.
    let (end, letter) = (id("<|im_end|>"), id("b"));
    let grammars = grammars(&[end, letter]);
    let lark = Format::Lark("start: \"a\" <|im_end|> \"c\" | \"abc\" | \"ac\"".to_owned());
    let grammar = grammars.compile(lark, ready(())).await.unwrap();
    assert_eq!(allowed(&grammar, &ids("a")), ids("c"));
    let mut ends = vec![end, letter];
    ends.sort_unstable();
    assert_eq!(allowed(&grammar, &ids("ac")), ends);
}

#[tokio::test]
async fn a_grammar_of_a_client_says_nothing_but_a_grammar() {
    for lark in [
        "start: %json {\"not\": {}}",
        "%llguidance {\"allow_invalid_utf8\": true}\nstart: \"a\"",
        "start[temperature=0.5]: /a/",
    ] {
        let error = compiled(Format::Lark(lark.to_owned())).await.unwrap_err();
        assert!(error.to_string().contains("cannot hold"), "{error}");
    }
}

/// Whether an answer that is written character by character would be allowed, and allowed to
/// end.
fn accepts(grammar: &Grammar, text: &str) -> bool {
    let constraint = grammar.constraint();
    let mut generated = Vec::new();
    let end = [id("<|im_end|>")];
    let characters = text.chars().map(String::from);
    let ids = characters.flat_map(|character| TOKENIZER.encode_prompt(&character).unwrap());
    for next in ids.chain(end) {
        let mut mask = TokenMask::all(TOKENIZER.vocab_size() + 3);
        if constraint.restrict(&generated, &mut mask).is_err() || !mask.allows(next) {
            return false;
        }
        generated.push(next);
    }
    true
}
