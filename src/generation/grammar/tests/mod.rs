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

/// For each schema what it accepts and what it does not.
#[tokio::test]
async fn schemas_are_enforced() {
    let grammars = grammars(&[id("<|im_end|>")]);
    let cases = [
        (
            json!({"type": "integer"}),
            &["0", "-12"][..],
            &["1.5", "01", "\"1\"", ""][..],
        ),
        (
            json!({"type": "number", "exclusiveMinimum": 0}),
            &["0.5", "1", "20.25"],
            &["0", "-1", "0.0", "-0.5"],
        ),
        (
            json!({"type": "number", "minimum": 0.5, "maximum": 1.5}),
            &["0.5", "1", "1.25"],
            &["0.4", "1.6", "2"],
        ),
        (
            json!({"type": "integer", "multipleOf": 7}),
            &["0", "14", "7007"],
            &["1", "15"],
        ),
        (
            json!({"type": "string", "minLength": 2, "maxLength": 3}),
            &[r#""ab""#, r#""abc""#],
            &[r#""a""#, r#""abcd""#],
        ),
        (
            json!({"type": "string", "pattern": "^a+$"}),
            &[r#""aa""#],
            &[r#""ab""#, r#""""#],
        ),
        (
            json!({"type": "string", "format": "date"}),
            &[r#""2024-02-29""#, r#""2000-02-29""#, r#""1999-12-31""#],
            &[
                r#""2023-02-29""#,
                r#""1900-02-29""#,
                r#""2024-04-31""#,
                r#""0000-01-01""#,
                r#""2024-13-01""#,
            ],
        ),
        (
            json!({"type": "string", "format": "date-time"}),
            &[
                r#""2024-02-29T23:59:59Z""#,
                r#""2024-01-01T00:00:00.123+01:00""#,
            ],
            &[
                r#""2024-02-29T24:00:00Z""#,
                r#""2024-02-29 10:00:00Z""#,
                r#""2024-02-29T10:00:00""#,
            ],
        ),
        (
            json!({"type": "string", "format": "time"}),
            &[r#""10:00:00Z""#],
            &[r#""10:00:60Z""#, r#""10:00:00""#],
        ),
        (
            json!({"properties": {"a": {"type": "integer"}}, "type": "object"}),
            &[r#"{"a": 1}"#, r#"{}"#, r#"{"b": null}"#, "{\n  \"a\": 1\n}"],
            // The same name by another spelling.
            &[
                r#"{"a": "x"}"#,
                r#"{"a": 1, "a": 2}"#,
                r#"{"a": 1, "\u0061": "x"}"#,
            ],
        ),
        (
            json!({"type": "object", "patternProperties": {"^x": {"type": "null"}}, "additionalProperties": {"type": "boolean"}}),
            &[r#"{"xy": null, "y": true}"#],
            &[r#"{"xy": true}"#, r#"{"y": null}"#, r#"{"\u0078": true}"#],
        ),
        (
            json!({"type": "array", "items": [{"type": "integer"}], "additionalItems": {"type": "null"}}),
            &["[1, null]", "[]", "[1]"],
            &["[null]", "[1, 2]"],
        ),
        (
            json!({"prefixItems": [{"const": 1}], "additionalItems": true, "type": "array"}),
            &["[1, 2]"],
            &["[2]"],
        ),
        (
            json!({"$schema": "http://json-schema.org/draft-04/schema#", "const": 5}),
            &["5"],
            &["6"],
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
                "dependentRequired": {"a": ["b"]}, "additionalProperties": false}),
            &[r#"{"a": 1, "b": 2}"#, r#"{"b": 2}"#, "{}"],
            &[r#"{"a": 1}"#],
        ),
        (
            json!({"type": "object", "minProperties": 1}),
            &[r#"{"a": 1}"#],
            &["{}"],
        ),
        (
            json!({"oneOf": [{"const": 1}, {"const": 2, "title": "two"}]}),
            &["1", "2"],
            &["3", "12"],
        ),
        (
            json!({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "array", "items": {"$ref": "#"}}}}),
            &["[]", "[[], [[]]]"],
            &["[1]"],
        ),
    ];
    for (schema, good, bad) in cases {
        let grammar = grammars
            .compile(Format::JsonSchema(schema.clone()), ready(()))
            .await;
        let grammar = grammar.unwrap();
        for text in good {
            assert!(accepts(&grammar, text), "{schema} refuses {text}");
        }
        for text in bad {
            assert!(!accepts(&grammar, text), "{schema} accepts {text}");
        }
    }
}
