use serde_json::{Map, Value};

/// References that are followed one after another before a schema counts as unknown.
const MAX_REFERENCES: usize = 16;

/// Where a reference within the schema leads, as a JSON pointer: `#/$defs/a`, or `#a` to what has
/// that as its `$anchor`.
pub fn pointer(root: &Value, reference: &str) -> Option<String> {
    let fragment = reference.strip_prefix('#')?;
    if !fragment.is_empty() && !fragment.starts_with('/') {
        return anchored(root, fragment, &mut String::new());
    }
    let decoded = percent_encoding::percent_decode_str(fragment);
    let pointer = decoded.decode_utf8().ok()?.into_owned();
    root.pointer(&pointer).is_some().then_some(pointer)
}

fn anchored(value: &Value, anchor: &str, pointer: &mut String) -> Option<String> {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => {
            if members.get("$anchor").and_then(Value::as_str) == Some(anchor) {
                return Some(pointer.clone());
            }
            // What stands there is a value and no schema.
            let schemas = members
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "const" | "enum"));
            schemas
                .map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value))
                .collect()
        }
        Value::Array(items) => (0..).map(|n: usize| n.to_string()).zip(items).collect(),
        _ => return None,
    };
    for (name, value) in members {
        let len = pointer.len();
        pointer.push('/');
        pointer.push_str(&name);
        if let Some(found) = anchored(value, anchor, pointer) {
            return Some(found);
        }
        pointer.truncate(len);
    }
    None
}

/// The schema that a reference leads to. A neighbour of a reference only narrows it down.
pub fn resolved<'a>(root: &'a Value, schema: &'a Value) -> Option<&'a Map<String, Value>> {
    let mut schema = schema.as_object()?;
    for _ in 0..MAX_REFERENCES {
        let Some(reference) = schema.get("$ref") else {
            return Some(schema);
        };
        schema = root
            .pointer(&pointer(root, reference.as_str()?)?)?
            .as_object()?;
    }
    None
}
