use super::identifiers::{Identifiers, Lead, escaped};
use serde_json::{Map, Value};

/// References that are followed one after another before a schema counts as unknown.
const MAX_REFERENCES: usize = 16;

/// A schema as it was sent, with all that its references lead to.
#[derive(Clone, Copy)]
pub struct Document<'a> {
    pub root: &'a Value,
    pub identifiers: &'a Identifiers,
}

/// A schema in it, and where it stands.
pub struct Place<'a> {
    pointer: String,
    pub schema: &'a Map<String, Value>,
}

impl<'a> Document<'a> {
    /// The schema that the references of this one lead to. A neighbour of a reference only
    /// narrows it down.
    pub fn resolved(self, pointer: String, schema: &'a Value) -> Option<Place<'a>> {
        let mut place = Place {
            pointer,
            schema: schema.as_object()?,
        };
        for _ in 0..MAX_REFERENCES {
            let Some(reference) = place.schema.get("$ref") else {
                return Some(place);
            };
            let target = self
                .identifiers
                .target(self.root, &place.pointer, reference.as_str()?);
            let Lead::At(pointer) = target else {
                return None;
            };
            let schema = self.root.pointer(&pointer)?.as_object()?;
            place = Place { pointer, schema };
        }
        None
    }

    /// Whether no value can be of both. That is how tagged unions look: each member requires a
    /// property whose values are its own.
    pub fn exclude_each_other(self, one: &Place<'a>, other: &Place<'a>) -> bool {
        let (types, others) = (types(one.schema), types(other.schema));
        if let (Some(types), Some(others)) = (&types, &others)
            && types.iter().all(|name| !others.contains(name))
        {
            return true;
        }
        if let (Some(values), Some(others)) = (values(one.schema), values(other.schema)) {
            return values
                .iter()
                .all(|value| !others.iter().any(|other| equal(value, other)));
        }
        // A property that only objects have keeps only objects apart.
        types.as_deref() == Some(&["object"])
            && others.as_deref() == Some(&["object"])
            && required(one.schema).any(|name| {
                required(other.schema).any(|also| also == name)
                    && match (self.tag(one, name), self.tag(other, name)) {
                        (Some(tags), Some(others)) => tags
                            .iter()
                            .all(|tag| !others.iter().any(|other| equal(tag, other))),
                        _ => false,
                    }
            })
    }

    /// The values that a property may have.
    fn tag(self, place: &Place<'a>, name: &str) -> Option<Vec<&'a Value>> {
        let property = place.schema.get("properties")?.get(name)?;
        let pointer = format!("{}/properties/{}", place.pointer, escaped(name));
        values(self.resolved(pointer, property)?.schema)
    }
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
pub fn equal(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// All values of a schema, where it lists them and none has parts.
pub fn values(schema: &Map<String, Value>) -> Option<Vec<&Value>> {
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
        let identifiers = Identifiers::of(&root);
        let document = Document {
            root: &root,
            identifiers: &identifiers,
        };
        let [one, other] = [0, 1].map(|index| document.resolved(String::new(), &schemas[index]));
        one.zip(other)
            .is_some_and(|(one, other)| document.exclude_each_other(&one, &other))
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
