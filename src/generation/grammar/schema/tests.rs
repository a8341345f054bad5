use super::*;

#[track_caller]
fn check_refused(schema: Value, pointer: &str, reason: &str) {
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
        object("a/b~c", json!({"not": {}})),
        "/properties/a~1b~0c/not",
        "cannot be enforced",
    );
    check_refused(
        json!({"anyOf": [true, {"items": {"uniqueItems": true}}]}),
        "/anyOf/1/items/uniqueItems",
        "only be false",
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
    check_refused(json!({"items": {"$id": "a"}}), "/items/$id", "at the top");
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
    check_refused(
        json!({"oneOf": [{"minimum": 1}, {"maximum": 3}]}),
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
        json!({"allOf": [true], "unevaluatedProperties": false}),
        "/unevaluatedProperties",
        "beside allOf",
    );
    check_refused(json!({"if": true, "then": false}), "/if", "beside then");
    assert!(prepare(&json!({"then": {"not": 1}, "else": false})).is_ok());
}

#[test]
fn references_lead_to_what_was_looked_at() {
    check_refused(json!({"$ref": "#/$defs/a"}), "/$ref", "lead to a part");
    check_refused(json!({"$ref": "other.json"}), "/$ref", "lead to a part");
    check_refused(
        json!({"properties": {"a": {"const": {"not": 1}}, "b": {"$ref": "#/properties/a/const"}}}),
        "/properties/a/const/not",
        "cannot be enforced",
    );
    check_refused(
        json!({"$ref": "#/$defs/a%25~1b", "$defs": {"a%/b": {"contains": true}}}),
        "/$defs/a%~1b/contains",
        "cannot be enforced",
    );
    check_refused(
        json!({"$ref": "#a", "items": {"$anchor": "a", "contains": true}}),
        "/items/contains",
        "cannot be enforced",
    );
    // What none leads to changes nothing.
    let unused = json!({"type": "null", "$defs": {"a": {"not": {}}}});
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
