//! What answers of schemas may hold, character by character.

use super::{accepts, grammars, id};
use crate::generation::{Format, FormatError};
use serde_json::{Value, json};
use std::future::ready;

/// A schema, what it accepts and what it does not.
pub type Case<'a> = (Value, &'a [&'a str], &'a [&'a str]);

pub async fn check(cases: &[Case<'_>]) {
    let grammars = grammars(&[id("<|im_end|>")]);
    for (schema, good, bad) in cases {
        let grammar = grammars
            .compile(Format::JsonSchema(schema.clone()), ready(()))
            .await
            .unwrap_or_else(|error| panic!("{schema}: {error}"));
        for text in *good {
            assert!(accepts(&grammar, text), "{schema} refuses {text}");
        }
        for text in *bad {
            assert!(!accepts(&grammar, text), "{schema} accepts {text}");
        }
    }
}

#[tokio::test]
async fn schemas_are_enforced() {
    check(&[
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
    ])
    .await;
}

#[tokio::test]
async fn what_a_schema_does_not_accept_is_accepted_by_its_complement() {
    check(&[
        (
            json!({"type": "string", "not": {"const": "long".repeat(50)}}),
            &[r#""longl""#, &format!("\"{}longs\"", "long".repeat(49))],
            &[&format!("\"{}\"", "long".repeat(50))],
        ),
        (
            json!({"type": "string", "not": {"enum": ["ja", "j", "nein", "\"", "\\\\"]}}),
            &[r#""""#, r#""jawohl""#, r#""n""#, r#""x""#, r#""\n""#, r#""\"\"""#, r#""ä""#],
            &[r#""ja""#, r#""j""#, r#""nein""#, r#""\"""#, r#""\\\\""#, "1"],
        ),
        (
            json!({"not": {"enum": [null, true, 1, 2.5, "a", [1], {"b": null}]}}),
            &[
                "false", "0", "-1", "2", "3", "2.4", r#""b""#, "[]", "[2]", "[1, 1]", "{}",
                r#"{"b": 1}"#, r#"{"c": null}"#, r#"{"b": null, "c": 1}"#,
            ],
            &["null", "true", "1", "1.0", "2.5", "2.50", r#""a""#, "[1]", r#"{"b": null}"#],
        ),
        (
            json!({"type": "array", "maxItems": 3, "not": {"items": {"type": "null"}, "maxItems": 3}}),
            &["[1]", "[null, 1]", "[null, null, 1]", "[1, null]"],
            &["[]", "[null]", "[null, null, null]", "[1, 1, 1, 1]"],
        ),
        (
            json!({"not": {"prefixItems": [{"const": 1}, {"type": "string"}], "items": false}}),
            &["[2]", "[1, 1]", r#"[1, "a", 1]"#],
            &["1", "[]", "[1]", r#"[1, "a"]"#],
        ),
        (
            json!({"not": {"type": "object", "properties": {"a": {"const": 1}, "b": true}, "required": ["a"],
                "additionalProperties": false}}),
            &["1", "{}", r#"{"a": 2}"#, r#"{"b": 1}"#, r#"{"a": 1, "c": 1}"#, r#"{"a": 1, "b": 1, "c": 1}"#],
            &[r#"{"a": 1}"#, r#"{"a": 1, "b": 1}"#],
        ),
        (
            json!({"not": {"dependentRequired": {"a": ["b"]}}}),
            &[r#"{"a": 1}"#, r#"{"a": 1, "c": 1}"#],
            &["{}", "1", r#"{"b": 1}"#, r#"{"a": 1, "b": 1}"#],
        ),
        (
            // Lists in which something is not null, however deep.
            json!({"not": {"$ref": "#/$defs/nulls"}, "type": ["object", "null"], "$defs": {"nulls": {
                "properties": {"next": {"$ref": "#/$defs/nulls"}, "value": {"type": "null"}}
            }}}),
            &[r#"{"value": 1}"#, r#"{"next": {"next": {"value": 1}}}"#],
            &["null", "{}", r#"{"value": null}"#, r#"{"next": {"next": {"value": null}}}"#],
        ),
        (
            json!({"type": "string", "not": {"minLength": 2, "maxLength": 3}}),
            &[r#""""#, r#""a""#, r#""abcd""#],
            &[r#""ab""#, r#""abc""#],
        ),
    ])
    .await;
}

#[tokio::test]
async fn conditions_hold_or_do_not() {
    check(&[
        (
            json!({
                "type": "object", "properties": {"kind": {"enum": ["a", "b", "c"]}, "n": {"type": "integer"}},
                "required": ["kind"], "additionalProperties": false,
                "if": {"properties": {"kind": {"const": "a"}}},
                "then": {"required": ["n"]}, "else": {"properties": {"n": {"maximum": 3}}}
            }),
            &[r#"{"kind": "a", "n": 9}"#, r#"{"kind": "b"}"#, r#"{"kind": "c", "n": 3}"#],
            &[r#"{"kind": "a"}"#, r#"{"kind": "b", "n": 4}"#, r#"{"n": 1}"#],
        ),
        (
            json!({"if": {"pattern": "^a"}, "else": {"maxLength": 1}}),
            &[r#""b""#, r#""abb""#, "1"],
            &[r#""bb""#],
        ),
        (
            json!({"oneOf": [{"multipleOf": 5, "type": "integer", "minimum": 0}, {"type": "null"}]}),
            &["0", "15", "null"],
            &["3", "-5"],
        ),
        (
            json!({"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}, {"required": ["c"]}]}),
            &[r#"{"a": 1}"#, r#"{"b": 1}"#, r#"{"c": 1, "d": 1}"#],
            &["{}", r#"{"a": 1, "b": 1}"#, r#"{"b": 1, "c": 1}"#],
        ),
        (
            json!({"oneOf": [{"minimum": 1}, {"maximum": 3}, {"const": 0.5}]}),
            &["0", "4", "0.25", "100000"],
            &["1", "2.5", "3", "0.5", r#""a""#],
        ),
        (
            json!({"dependentSchemas": {"a": {"properties": {"b": {"type": "null"}}, "required": ["b"]}}}),
            &["{}", r#"{"a": 1, "b": null}"#, r#"{"b": 2}"#],
            &[r#"{"a": 1}"#, r#"{"a": 1, "b": 2}"#],
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_was_not_evaluated_is_bound() {
    check(&[
        (
            json!({
                "properties": {"a": {"type": "integer"}}, "type": "object",
                "anyOf": [
                    {"properties": {"b": {"type": "null"}}, "required": ["b"]},
                    {"properties": {"c": {"type": "null"}}, "required": ["c"]}
                ],
                "unevaluatedProperties": {"type": "boolean"}
            }),
            &[
                r#"{"a": 1, "b": null}"#, r#"{"b": null, "c": null}"#, r#"{"b": null, "c": true}"#,
                r#"{"a": 1, "c": null, "x": false}"#,
            ],
            &[r#"{"a": 1}"#, r#"{"b": null, "c": 1}"#, r#"{"b": null, "x": 1}"#],
        ),
        (
            json!({
                "if": {"prefixItems": [{"const": 1}], "minItems": 1, "type": "array"},
                "else": {"prefixItems": [true, {"const": 2}]}, "unevaluatedItems": false
            }),
            &["[1]", "[]", "[3]", "[3, 2]", "4"],
            &["[1, 2]", "[1, 1]", "[3, 3]", "[3, 2, 1]"],
        ),
        (
            json!({"type": "object", "$ref": "#/$defs/a", "properties": {"b": true}, "unevaluatedProperties": false,
                "$defs": {"a": {"properties": {"a": true}, "patternProperties": {"^x": true}}}}),
            &["{}", r#"{"a": 1, "b": 1}"#, r#"{"b": 1, "xy": 2}"#],
            &[r#"{"c": 1}"#],
        ),
    ])
    .await;
}

#[tokio::test]
async fn short_arrays_are_written_out() {
    check(&[
        (
            json!({"type": "array", "contains": {"const": 1}, "maxItems": 3}),
            &["[1]", "[2, 1]", "[1, 1, 2]", "[0, 0, 1]"],
            &["[]", "[2]", "[2, 2, 2]", "[1, 1, 1, 1]"],
        ),
        (
            json!({"contains": {"const": 1}, "minContains": 2, "maxItems": 3}),
            &["[1, 1]", "[1, 2, 1]", "7"],
            &["[1]", "[1, 2, 2]", "[]"],
        ),
        (
            json!({"type": "array", "uniqueItems": true, "minItems": 1, "items": {"enum": ["a", "b", 1, 1.0]}}),
            &[r#"["a"]"#, r#"["b", "a"]"#, r#"[1, "b", "a"]"#],
            &["[]", r#"["a", "a"]"#, r#"["a", "b", "a"]"#, r#"["c"]"#],
        ),
        (
            json!({"type": "object", "propertyNames": {"maxLength": 2}, "additionalProperties": {"type": "integer"}}),
            &["{}", r#"{"ab": 1, "ä": 2}"#],
            &[r#"{"abc": 1}"#, r#"{"ab": true}"#],
        ),
        (
            json!({"type": "object", "propertyNames": {"enum": ["a", "b"]}, "properties": {"a": {"type": "null"}}}),
            &["{}", r#"{"a": null, "b": 2}"#],
            &[r#"{"c": 1}"#, r#"{"a": 1}"#],
        ),
    ])
    .await;
}

/// How often, and what is written around the schema within.
type Level = (usize, fn(Value) -> Value);

#[tokio::test]
async fn schemas_as_deep_as_requests_may_be_are_compiled() {
    let grammars = grammars(&[id("<|im_end|>")]);
    let levels: [Level; 5] = [
        (60, |inner| json!({ "items": inner })),
        (60, |inner| json!({"not": {"items": inner, "maxItems": 1}})),
        (60, |inner| json!({"if": inner, "else": {"minLength": 1}})),
        (
            30,
            |inner| json!({"properties": {"a": inner}, "unevaluatedProperties": false}),
        ),
        (
            30,
            |inner| json!({"allOf": [inner, {"items": {"type": "null"}}]}),
        ),
    ];
    for (count, level) in levels {
        let schema = (0..count).fold(json!({"type": "array", "maxItems": 1}), |inner, _| {
            level(inner)
        });
        let compiled = grammars
            .compile(Format::JsonSchema(schema), ready(()))
            .await;
        // It may be refused, but ends nothing else.
        assert!(
            !matches!(compiled, Err(FormatError::Stopped)),
            "{compiled:?}"
        );
    }
}
