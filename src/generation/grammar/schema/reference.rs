use serde_json::{Map, Value};

/// References that are followed one after another before a schema counts as unknown.
const MAX_REFERENCES: usize = 16;

/// The JSON pointer of a reference within the schema: `#/$defs/a`.
pub fn pointer(reference: &str) -> Option<String> {
    let fragment = reference.strip_prefix('#')?;
    if !fragment.is_empty() && !fragment.starts_with('/') {
        return None;
    }
    let decoded = percent_encoding::percent_decode_str(fragment);
    Some(decoded.decode_utf8().ok()?.into_owned())
}

/// The schema that a reference leads to. A neighbour of a reference only narrows it down.
pub fn resolved<'a>(root: &'a Value, schema: &'a Value) -> Option<&'a Map<String, Value>> {
    let mut schema = schema.as_object()?;
    for _ in 0..MAX_REFERENCES {
        let Some(reference) = schema.get("$ref") else {
            return Some(schema);
        };
        schema = root.pointer(&pointer(reference.as_str()?)?)?.as_object()?;
    }
    None
}
