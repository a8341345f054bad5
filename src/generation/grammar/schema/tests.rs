use super::*;

#[track_caller]
pub(super) fn check_refused(schema: Value, pointer: &str, reason: &str) {
    match prepare(&schema) {
        Err(FormatError::Schema {
            pointer: at,
            reason: why,
        }) => {
            assert_eq!(at, pointer);
            assert!(why.contains(reason), "{why}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_enforced_is_refused_where_it_stands() {
    let object =
        |name: &str, schema: Value| json!({"type": "object", "properties": {name: schema}});
    check_refused(
        object("a/b~c", json!({"dependencies": {}})),
        "/properties/a~1b~0c/dependencies",
        "cannot be enforced",
    );
    check_refused(
        json!({"anyOf": [true, {"items": {"uniqueItems": true}}]}),
        "/anyOf/1/items/uniqueItems",
        "listed",
    );
    check_refused(json!({"minlength": 3}), "/minlength", "cannot be enforced");
    check_refused(
        json!({"x-guidance": {}}),
        "/x-guidance",
        "cannot be enforced",
    );
    check_refused(json!({"maxLength": -1}), "/maxLength", "0 to 65536");
    assert_eq!(prepare(&json!({"maxLength": 2.0})).unwrap()["maxLength"], 2);
    check_refused(json!({"format": "regex"}), "/format", "one of date");
    check_refused(json!({"items": 3}), "/items", "must be an object");
    check_refused(json!(false), "", "allows nothing");
}

#[test]
fn what_the_compiler_would_take_otherwise_is_refused() {
    check_refused(json!({"const": [9007199254740993u64]}), "/const", "2^53");
    check_refused(json!({"minimum": -1e300}), "/minimum", "2^53");
    check_refused(
        json!({"exclusiveMinimum": true}),
        "/exclusiveMinimum",
        "a number",
    );
    check_refused(json!({"multipleOf": 1000000007}), "/multipleOf", "8 digits");
    check_refused(json!({"multipleOf": 0}), "/multipleOf", "above 0");
    check_refused(
        json!({"allOf": [{"multipleOf": 100003}, {"multipleOf": 100019}]}),
        "",
        "multipleOf",
    );
    check_refused(
        json!({"allOf": [{"exclusiveMinimum": 0, "type": "number"}, {"maximum": 0.5}]}),
        "/allOf/0/exclusiveMinimum",
        "less than 1",
    );
    check_refused(
        json!({"minimum": -0.5, "exclusiveMaximum": 0}),
        "/exclusiveMaximum",
        "less than 1",
    );
    check_refused(
        json!({"minProperties": 2, "required": []}),
        "/minProperties",
        "may repeat",
    );
    check_refused(
        json!({"maxProperties": 2, "properties": {"a": true}}),
        "/maxProperties",
        "to be required",
    );
    check_refused(json!({"pattern": "a(?=b)"}), "/pattern", "look-around");
    check_refused(json!({"pattern": "(?<stop>b)"}), "/pattern", "names");
    check_refused(
        json!({"patternProperties": {"(": true}}),
        "/patternProperties/(",
        "enforced",
    );
    let overlapping: Vec<Value> = (0..9).map(|n| json!({ "minimum": n })).collect();
    check_refused(
        json!({ "oneOf": overlapping }),
        "/oneOf",
        "exclude each other",
    );
    check_refused(json!({"type": "text"}), "/type", "one or some of null");
    check_refused(json!({"enum": []}), "/enum", "not empty");
    check_refused(json!({"required": "a"}), "/required", "strings");
    let many: Map<String, Value> = (0..17).map(|n| (format!("^{n}"), true.into())).collect();
    check_refused(
        json!({"patternProperties": many}),
        "/patternProperties",
        "at most 16",
    );
}

#[test]
fn what_could_only_be_written_as_a_code_is_refused() {
    for schema in [json!({"const": "a\0"}), json!({"enum": [{"\u{1}": 1}]})] {
        assert!(
            prepare(&schema)
                .unwrap_err()
                .to_string()
                .contains("control character")
        );
    }
    check_refused(
        json!({"properties": {"\u{1f}": true}}),
        "/properties/\u{1f}",
        "control character",
    );
    assert!(prepare(&json!({"const": "a\n\u{8}\u{7f}"})).is_ok());
}

#[test]
fn what_nothing_else_evaluates_is_additional() {
    let prepared = prepare(&json!({"properties": {"a": true}, "unevaluatedProperties": false}));
    assert_eq!(prepared.unwrap()["additionalProperties"], json!(false));
    let evaluated = prepare(&json!({"items": true, "unevaluatedItems": false})).unwrap();
    assert_eq!(evaluated["items"], json!(true));
    let older = prepare(&json!({"items": [true], "unevaluatedItems": false})).unwrap();
    assert_eq!(
        (&older["prefixItems"], &older["items"]),
        (&json!([true]), &json!(false))
    );
    check_refused(
        json!({"contains": true, "unevaluatedItems": false}),
        "/contains",
        "beside unevaluatedItems",
    );
    let many: Vec<Value> = (0..7)
        .map(|n| json!({"properties": {n.to_string(): true}}))
        .collect();
    check_refused(
        json!({"anyOf": many, "unevaluatedProperties": false}),
        "",
        "more than 64 cases",
    );
}

#[test]
fn what_no_schema_accepts_just_so_is_refused() {
    for (schema, reason) in [
        (json!({"type": "integer"}), "not whole"),
        (json!({"multipleOf": 2}), "`multipleOf`"),
        (json!({"pattern": "a"}), "`pattern`"),
        (json!({"format": "email"}), "`format`"),
        (json!({"items": {"const": 1}}), "maxItems"),
        (
            json!({"patternProperties": {"^a": {"const": 1}}}),
            "`patternProperties`",
        ),
        (
            json!({"additionalProperties": {"const": 1}}),
            "`additionalProperties`",
        ),
        (json!({"maxProperties": 1}), "`maxProperties`"),
    ] {
        check_refused(json!({ "not": schema }), "/not", reason);
        check_refused(
            json!({"if": schema, "then": {"type": "null"}, "else": false}),
            "/if",
            reason,
        );
    }
    // Where it does not matter, nothing is refused.
    assert!(prepare(&json!({"if": {"type": "integer"}, "else": {"type": "string"}})).is_ok());
    assert!(prepare(&json!({"not": {"not": {"type": "integer"}}})).is_ok());
    check_refused(json!({"not": {}}), "", "allows nothing");
    check_refused(json!({"oneOf": [true, true]}), "", "allows nothing");
}

#[test]
fn what_would_have_to_be_written_out_for_too_long_is_refused() {
    check_refused(json!({"contains": {"const": 1}}), "/contains", "maxItems");
    check_refused(
        json!({"contains": {"const": 1}, "minContains": 8, "maxItems": 16}),
        "/contains",
        "choices",
    );
    check_refused(
        json!({"contains": {"const": 1}, "maxContains": 1, "maxItems": 3}),
        "/maxContains",
        "only be 0",
    );
    check_refused(
        json!({"items": {"enum": [1, 2, 3, 4, 5, 6]}, "uniqueItems": true}),
        "/uniqueItems",
        "fewer values",
    );
    check_refused(
        json!({"propertyNames": {"pattern": "a", "maxLength": 3}}),
        "/propertyNames",
        "only hold",
    );
}

#[test]
fn references_lead_to_what_was_looked_at() {
    check_refused(json!({"$ref": "#/$defs/a"}), "/$ref", "lead to a part");
    check_refused(json!({"$ref": "other.json"}), "/$ref", "lead to a part");
    check_refused(
        json!({"properties": {"a": {"const": {"dependencies": 1}}, "b": {"$ref": "#/properties/a/const"}}}),
        "/properties/a/const/dependencies",
        "cannot be enforced",
    );
    check_refused(
        json!({"$ref": "#/$defs/a%25~1b", "$defs": {"a%/b": {"dependencies": true}}}),
        "/$defs/a%~1b/dependencies",
        "cannot be enforced",
    );
    check_refused(
        json!({"$ref": "#a", "items": {"$anchor": "a", "dependencies": true}}),
        "/items/dependencies",
        "cannot be enforced",
    );
    check_refused(
        json!({"$dynamicAnchor": "a", "items": {"$dynamicRef": "#a"}, "$defs": {"b": {"$id": "b", "$dynamicAnchor": "a"}}}),
        "/items/$dynamicRef",
        "more than one",
    );
    // What none leads to changes nothing.
    let unused = json!({"type": "null", "$defs": {"a": {"dependencies": {}}}});
    assert!(prepare(&unused).is_ok());
    let around = json!({"items": {"$ref": "#"}, "anyOf": [{"$ref": "#/items"}, true]});
    let prepared = prepare(&around).unwrap();
    assert_eq!(prepared["items"]["$ref"], "#/$defs/r0");
    assert_eq!(prepared["anyOf"][0]["$ref"], "#/$defs/r1");
    assert_eq!(prepared["$defs"]["r1"]["$ref"], "#/$defs/r0");
}

#[test]
fn older_arrays_are_written_as_newer_ones() {
    let prepared = prepare(&json!({"items": [true], "additionalItems": false})).unwrap();
    assert_eq!(prepared["prefixItems"], json!([true]));
    assert_eq!(prepared["items"], json!(false));
    let prepared = prepare(&json!({"prefixItems": [true], "additionalItems": false})).unwrap();
    assert_eq!(prepared["prefixItems"], json!([true]));
    assert_eq!(prepared.get("items"), None);
}

#[test]
fn what_asks_for_nothing_is_left_out() {
    let prepared = prepare(&json!({
        "$schema": "http://json-schema.org/draft-04/schema#", "type": "string", "title": "T", "x-note": 1,
        "uniqueItems": false, "propertyNames": {"type": "string"}, "contentMediaType": "text/plain"
    }));
    let prepared = prepared.unwrap();
    let names: Vec<&String> = prepared.as_object().unwrap().keys().collect();
    assert_eq!(names, ["type", "x-guidance"]);
}

#[test]
fn names_of_properties_are_no_keywords() {
    assert!(prepare(&json!({"properties": {"not": {"type": "null"}, "if": true}})).is_ok());
    assert!(
        prepare(&json!({"enum": [{"not": 1}], "const": {"if": 2}, "default": {"then": 3}})).is_ok()
    );
}
