use super::identifiers::{Identifiers, Lead, escaped};
use super::keywords::TYPES;
use super::limits::MAX_REFERENCES;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

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

    /// What a schema says of its values. Of lists that are longer than what is left to compare
    /// nothing is known.
    pub fn traits(self, place: &Place<'a>, num_left: &mut usize) -> Traits<'a> {
        let types = types(place.schema);
        let mut tags = HashMap::new();
        if types == Some(type_bit("object")) {
            for name in required(place.schema) {
                if !take(num_left, 1) {
                    break;
                }
                if let Some(values) = self.tag(place, name, num_left) {
                    tags.insert(name, values);
                }
            }
        }
        Traits {
            types,
            values: distinct_values(place.schema, num_left),
            tags,
        }
    }

    /// The values that a property may have.
    fn tag(
        self,
        place: &Place<'a>,
        name: &str,
        num_left: &mut usize,
    ) -> Option<HashSet<Scalar<'a>>> {
        let property = place.schema.get("properties")?.get(name)?;
        let pointer = format!("{}/properties/{}", place.pointer, escaped(name));
        distinct_values(self.resolved(pointer, property)?.schema, num_left)
    }
}

/// What is known of the values of a schema.
pub struct Traits<'a> {
    /// One bit for each type.
    types: Option<u8>,
    values: Option<HashSet<Scalar<'a>>>,
    /// The values of properties that are required, where nothing but objects is accepted: a
    /// property that only objects have keeps only objects apart.
    tags: HashMap<&'a str, HashSet<Scalar<'a>>>,
}

impl Traits<'_> {
    /// Whether no value can be of both. That is how tagged unions look: each member requires a
    /// property whose values are its own.
    pub fn exclude(&self, other: &Self) -> bool {
        if let (Some(types), Some(others)) = (self.types, other.types)
            && types & others == 0
        {
            return true;
        }
        if let (Some(values), Some(others)) = (&self.values, &other.values) {
            return values.is_disjoint(others);
        }
        let mut tags = self.tags.iter();
        tags.any(|(name, tags)| {
            let others = other.tags.get(name);
            others.is_some_and(|others| tags.is_disjoint(others))
        })
    }
}

/// A value without parts: equal ones are equal as JSON Schema means it.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Scalar<'a> {
    Null,
    Bool(bool),
    /// The bits of a number.
    Number(u64),
    Text(&'a str),
}

impl<'a> Scalar<'a> {
    fn of(value: &'a Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::Null),
            Value::Bool(value) => Some(Self::Bool(*value)),
            // Of the two zeros there is one.
            Value::Number(number) => Some(Self::Number((number.as_f64()? + 0.0).to_bits())),
            Value::String(text) => Some(Self::Text(text)),
            Value::Array(_) | Value::Object(_) => None,
        }
    }
}

fn distinct_values<'a>(
    schema: &'a Map<String, Value>,
    num_left: &mut usize,
) -> Option<HashSet<Scalar<'a>>> {
    let values = match (schema.get("const"), schema.get("enum")) {
        (Some(value), _) => std::slice::from_ref(value),
        (None, Some(Value::Array(values))) => values.as_slice(),
        _ => return None,
    };
    if !take(num_left, values.len()) {
        return None;
    }
    values.iter().map(Scalar::of).collect()
}

fn take(num_left: &mut usize, count: usize) -> bool {
    let left = num_left.checked_sub(count);
    *num_left = left.unwrap_or(0);
    left.is_some()
}

fn type_bit(name: &str) -> u8 {
    // An integer is a number.
    let name = if name == "integer" { "number" } else { name };
    let position = TYPES.iter().position(|known| *known == name);
    position.map_or(0, |position| 1 << position)
}

fn types(schema: &Map<String, Value>) -> Option<u8> {
    let types = match schema.get("type")? {
        Value::Array(types) => types.as_slice(),
        one => std::slice::from_ref(one),
    };
    types.iter().try_fold(0, |bits, name| {
        let bit = type_bit(name.as_str()?);
        (bit != 0).then_some(bits | bit)
    })
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
        let identifiers = Identifiers::of(&root).unwrap();
        let document = Document {
            root: &root,
            identifiers: &identifiers,
        };
        let [one, other] = [0, 1].map(|index| {
            let place = document.resolved(String::new(), &schemas[index])?;
            Some(document.traits(&place, &mut 100))
        });
        let is_excluded = one.zip(other).map(|(one, other)| one.exclude(&other));
        is_excluded.unwrap_or(false)
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
