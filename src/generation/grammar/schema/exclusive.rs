use super::reference::resolved;
use serde_json::{Map, Value};

/// Whether no value can be of two of these schemas, so that "exactly one of them" and "any of
/// them" mean the same. That is how tagged unions look: each member requires a property whose
/// values are its own.
pub fn exclude_each_other(root: &Value, schemas: &Value) -> bool {
    let Value::Array(schemas) = schemas else {
        return false;
    };
    let Some(schemas) = schemas
        .iter()
        .map(|schema| resolved(root, schema))
        .collect::<Option<Vec<_>>>()
    else {
        return false;
    };
    schemas.iter().enumerate().all(|(index, one)| {
        schemas[index + 1..]
            .iter()
            .all(|other| excludes(root, one, other))
    })
}

fn excludes(root: &Value, one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let (types, others) = (types(one), types(other));
    if let (Some(types), Some(others)) = (&types, &others)
        && types.iter().all(|name| !others.contains(name))
    {
        return true;
    }
    if let (Some(values), Some(others)) = (values(one), values(other)) {
        return values
            .iter()
            .all(|value| !others.iter().any(|other| equal(value, other)));
    }
    // A property that only objects have keeps only objects apart.
    types.as_deref() == Some(&["object"])
        && others.as_deref() == Some(&["object"])
        && required(one).any(|name| {
            required(other).any(|also| also == name)
                && match (tag(root, one, name), tag(root, other, name)) {
                    (Some(tags), Some(others)) => tags
                        .iter()
                        .all(|tag| !others.iter().any(|other| equal(tag, other))),
                    _ => false,
                }
        })
}

/// The types of a schema by their names; an integer is a number.
fn types(schema: &Map<String, Value>) -> Option<Vec<&str>> {
    let name = |value: &Value| match value.as_str()? {
        "integer" => Some("number"),
        "null" => Some("null"),
        "boolean" => Some("boolean"),
        "number" => Some("number"),
        "string" => Some("string"),
        "array" => Some("array"),
        "object" => Some("object"),
        _ => None,
    };
    match schema.get("type")? {
        Value::Array(types) => types.iter().map(name).collect(),
        one => Some(vec![name(one)?]),
    }
}

/// As JSON Schema means it: 1 is 1.0.
fn equal(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// All values of a schema, where it lists them and none has parts.
fn values(schema: &Map<String, Value>) -> Option<Vec<&Value>> {
    let values = match (schema.get("const"), schema.get("enum")) {
        (Some(value), _) => vec![value],
        (None, Some(Value::Array(values))) => values.iter().collect(),
        _ => return None,
    };
    let has_parts = |value: &&Value| value.is_array() || value.is_object();
    (!values.iter().any(has_parts)).then_some(values)
}

fn required(schema: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let names = schema.get("required").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str)
}

/// The values that a property may have.
fn tag<'a>(root: &'a Value, schema: &'a Map<String, Value>, name: &str) -> Option<Vec<&'a Value>> {
    values(resolved(root, schema.get("properties")?.get(name)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(schemas: Value) -> bool {
        let root = json!({"$defs": {
            "cat": {"type": "object", "properties": {"kind": {"const": "cat"}}, "required": ["kind"]},
            "dog": {"type": "object", "properties": {"kind": {"$ref": "#/$defs/dogs"}}, "required": ["kind"]},
            "dogs": {"enum": ["dog", "hound"]},
            "loop": {"$ref": "#/$defs/loop"}
        }});
        exclude_each_other(&root, &schemas)
    }

    #[test]
    fn tagged_unions_and_different_types_exclude_each_other() {
        assert!(check(
            json!([{"$ref": "#/$defs/cat"}, {"$ref": "#/$defs/dog"}])
        ));
        assert!(check(
            json!([{"type": "string"}, {"type": ["integer", "null"]}])
        ));
        assert!(check(json!([{"const": "a"}, {"enum": ["b", null]}])));
        assert!(check(json!([{"const": 1, "title": "One"}, {"const": 2}])));
    }

    #[test]
    fn what_may_overlap_does_not() {
        assert!(!check(json!([{"type": "integer"}, {"type": "number"}])));
        assert!(!check(json!([{"const": 1}, {"const": 1.0}])));
        assert!(!check(
            json!([{"$ref": "#/$defs/cat"}, {"$ref": "#/$defs/cat"}])
        ));
        // Without a type the property binds objects alone, and a string is of both.
        let untyped =
            |kind: &str| json!({"properties": {"kind": {"const": kind}}, "required": ["kind"]});
        assert!(!check(json!([untyped("a"), untyped("b")])));
        // Nobody has to have the property.
        let optional =
            |kind: &str| json!({"type": "object", "properties": {"kind": {"const": kind}}});
        assert!(!check(json!([optional("a"), optional("b")])));
        assert!(!check(
            json!([{"$ref": "#/$defs/loop"}, {"type": "string"}])
        ));
        assert!(!check(json!([true, {"type": "string"}])));
    }
}
