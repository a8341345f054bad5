//! What small schemas may cost. Tests run on stacks of 2 MiB, as requests are checked on.

use super::limits::*;
use super::prepare;
use super::tests::check_refused;
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

fn nested(levels: usize, innermost: Value, level: impl Fn(Value) -> Value) -> Value {
    (0..levels).fold(innermost, |inner, _| level(inner))
}

/// Prepares it within the time that a check may take, whether or not it is accepted.
#[track_caller]
fn check_ends(schema: &Value) {
    let began = Instant::now();
    let is_ok = prepare(schema).is_ok();
    let took = began.elapsed();
    assert!(
        took < Duration::from_secs(20),
        "{took:?}, accepted: {is_ok}"
    );
}

#[test]
fn a_long_text_is_not_turned_round() {
    let text = |len: usize| "a".repeat(len);
    check_refused(
        json!({"items": {"not": {"const": text(250_000)}}}),
        "/items/not",
        "at most 200 characters",
    );
    check_refused(
        json!({"not": {"enum": ["b", "ä".repeat(MAX_REFUSED_CHARS + 1)]}}),
        "/not",
        "at most 200 characters",
    );
    // Those that are as long as they may be are a pattern that the compiler reads.
    assert!(prepare(&json!({"not": {"const": "ä".repeat(MAX_REFUSED_CHARS)}})).is_ok());
    assert!(prepare(&json!({"const": text(100_000)})).is_ok());
}

#[test]
fn copies_within_copies_are_counted() {
    let contains = nested(
        8,
        json!({"const": 1}),
        |inner| json!({"contains": inner, "minContains": 5, "maxItems": 10}),
    );
    check_refused(contains, &"/contains".repeat(7), "300000 values");
    let unevaluated = nested(8, json!({"const": 1}), |inner| {
        let mut all = vec![json!({"anyOf": [{"properties": {"x": inner}}]})];
        all.extend((1..6).map(|n| json!({"anyOf": [{"properties": {format!("b{n}"): true}}]})));
        json!({"allOf": all, "unevaluatedProperties": false})
    });
    assert!(
        prepare(&unevaluated)
            .unwrap_err()
            .to_string()
            .contains("300000 values")
    );
    let listed = json!({"enum": (0..400).collect::<Vec<_>>()});
    let items = nested(3, listed, |inner| json!({"items": inner, "maxItems": 16}));
    assert!(
        prepare(&json!({"not": items}))
            .unwrap_err()
            .to_string()
            .contains("300000 values")
    );
    // A long pattern that is looked at for each reference to it.
    let refs = vec![json!({"$ref": "#/const"}); 250];
    let pattern = json!({"patternProperties": {"a".repeat(100_000): true}});
    let looked_at = json!({"allOf": refs, "const": pattern, "unevaluatedProperties": false});
    assert!(
        prepare(&looked_at)
            .unwrap_err()
            .to_string()
            .contains("300000 values")
    );
    let long = "x".repeat(200_000);
    check_refused(
        json!({"uniqueItems": true, "items": {"enum": [1, 2, 3, 4, long]}}),
        "/uniqueItems",
        "300000 values",
    );
    let listed = json!({"enum": (0..20_000).collect::<Vec<_>>()});
    check_refused(
        json!({"uniqueItems": true, "prefixItems": vec![json!({"$ref": "#/$defs/a"}); 900], "items": false, "$defs": {"a": listed}}),
        "/uniqueItems",
        "300000 values",
    );
}

#[test]
fn schemas_within_one_another_are_counted() {
    // As deep as a request may be.
    for level in [
        |inner: Value| json!({ "not": inner }),
        |inner: Value| json!({"not": {"items": inner}}),
        |inner: Value| json!({"contains": inner, "maxItems": 2}),
        |inner: Value| json!({"unevaluatedItems": inner}),
        |inner: Value| json!({"if": inner, "then": {"minLength": 1}}),
    ] {
        check_ends(&nested(60, json!({"const": [1, {"a": "b"}]}), level));
    }
    for level in [
        |inner: Value| json!({"anyOf": [inner, {"properties": {"a": true}}], "unevaluatedProperties": false}),
        |inner: Value| json!({"not": {"properties": {"a": inner}}}),
        |inner: Value| json!({"oneOf": [inner, {"minLength": 1}]}),
        |inner: Value| json!({"prefixItems": [inner]}),
    ] {
        check_ends(&nested(30, json!({"type": "object"}), level));
    }
    let listed = nested(60, json!(1), |inner| json!([inner]));
    assert!(prepare(&json!({"not": {"const": listed}})).is_ok());
    assert!(prepare(&nested(60, json!(true), |inner| json!({ "items": inner }))).is_ok());
    // References are followed, each to the bottom of another.
    let link = |n: usize| {
        let next = json!({"$ref": format!("#/$defs/{}", n + 1)});
        nested(
            12,
            next,
            |inner| json!({"anyOf": [inner, {"properties": {"a": true}}]}),
        )
    };
    let mut links: Map<String, Value> = (0..15).map(|n| (n.to_string(), link(n))).collect();
    links.insert("15".to_owned(), json!({"properties": {"b": true}}));
    let chain = json!({"$ref": "#/$defs/0", "unevaluatedProperties": false, "$defs": links});
    assert!(
        prepare(&chain)
            .unwrap_err()
            .to_string()
            .contains("within one another")
    );
    // What is followed has no end.
    let around = json!({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [
        {"$ref": "#/$defs/a", "properties": {"b": true}, "unevaluatedProperties": false}
    ]}}, "unevaluatedProperties": false});
    assert!(prepare(&around).is_err());
    check_refused(
        nested(
            MAX_DEPTH + 1,
            json!(true),
            |inner| json!({ "items": inner }),
        ),
        &"/items".repeat(MAX_DEPTH),
        "within one another",
    );
}

#[test]
fn members_of_one_of_are_compared_within_bounds() {
    let listed =
        |from: usize, count: usize| json!({"enum": (from..from + count).collect::<Vec<_>>()});
    let refs: Vec<Value> = (0..256)
        .map(|n| json!({"$ref": format!("#/$defs/{}", n % 2)}))
        .collect();
    let schema = |members: &[Value], count: usize| json!({"oneOf": members, "$defs": {"0": listed(0, count), "1": listed(count, count)}});
    check_ends(&schema(&refs, 20_000));
    check_refused(schema(&refs, 20_000), "/oneOf", "more than 8");
    assert!(prepare(&schema(&refs[..2], 20_000)).is_ok());
    let apart: Vec<Value> = (0..256).map(|n| listed(n * 100, 100)).collect();
    assert!(prepare(&json!({ "oneOf": apart })).is_ok());
    let names: Vec<String> = (0..20_000).map(|n| format!("n{n}")).collect();
    let required = json!({"type": "object", "required": names, "properties": {"n1": {"const": 1}}});
    check_ends(
        &json!({"oneOf": vec![json!({"$ref": "#/$defs/a"}); 256], "$defs": {"a": required}}),
    );
    let types = json!({"type": vec!["string"; 20_000]});
    check_ends(&json!({"oneOf": [types, {"type": vec!["null"; 20_000]}]}));
}

#[test]
fn many_numbers_are_turned_round_in_no_time() {
    let numbers: Vec<usize> = (0..43_000).collect();
    check_ends(&json!({"not": {"enum": numbers}}));
    let name = "n".repeat(MAX_POINTER_BYTES - 100);
    check_ends(&json!({"properties": {name: {"not": {"enum": numbers}}}}));
}

#[test]
fn names_of_parts_are_short_and_few() {
    let long = "a".repeat(MAX_IDENTIFIER_BYTES);
    assert!(prepare(&json!({"$id": long})).is_ok());
    for keyword in ["$id", "$anchor", "$dynamicAnchor"] {
        check_refused(
            json!({"items": {keyword: format!("{long}b")}}),
            &format!("/items/{keyword}"),
            "at most 1024 bytes",
        );
    }
    // Each begins as the one that it stands in.
    let within = |inner: Value| json!({"$id": format!("{}/", "a".repeat(200)), "items": inner});
    let pointer = format!("{}/$id", "/items".repeat(5));
    check_refused(
        nested(10, json!(true), within),
        &pointer,
        "at most 1024 bytes",
    );
    let anchors: Map<String, Value> = (0..=MAX_IDENTIFIERS)
        .map(|n| (n.to_string(), json!({"$anchor": format!("a{n}")})))
        .collect();
    check_refused(
        json!({ "$defs": anchors }),
        &format!("/$defs/{MAX_IDENTIFIERS}/$anchor"),
        "more than 1000",
    );
    check_refused(
        json!({"properties": {"a".repeat(MAX_POINTER_BYTES): {"type": "null"}}}),
        "",
        "4096 bytes",
    );
}
