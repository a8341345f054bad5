//! Documents and prompts, whose types are those of the layers below: their schemas by hand.

use super::{named, object, or_null};
use serde_json::{Map, Value, json};

pub fn schemas() -> Map<String, Value> {
    named([
        ("ParsedDocument", parsed()),
        ("Prompt", prompt()),
        (
            "PromptList",
            object(
                json!({"object": {"const": "list"}, "data": {"type": "array", "items": prompt()}}),
            ),
        ),
    ])
}

fn text() -> Value {
    json!({"type": "string"})
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

/// UTF-8 bytes of the text.
fn range() -> Value {
    object(json!({"start": count(), "end": count()}))
}

/// An object that may lack some of its properties.
fn partly(required: Value, optional: &Value) -> Value {
    let mut schema = object(required);
    if let (Some(all), Some(more)) = (schema["properties"].as_object_mut(), optional.as_object()) {
        all.extend(more.clone());
    }
    schema
}

fn parsed() -> Value {
    let page = partly(
        json!({"number": count(), "range": range(), "is_unreadable": {"type": "boolean"}}),
        &json!({"name": text()}),
    );
    let block = object(json!({
        "kind": partly(json!({"type": text()}), &json!({"level": count()})),
        "page": count(),
        "range": range(),
    }));
    let left_out = partly(
        json!({"what": text(), "count": count(), "note": text()}),
        &json!({"page": count()}),
    );
    let attachment = partly(
        json!({"name": text(), "num_bytes": count(), "sha256": text()}),
        &json!({"format": text(), "range": range()}),
    );
    let list = |items: Value| json!({"type": "array", "items": items});
    partly(
        json!({
            "object": {"const": "document"},
            "name": text(),
            "format": text(),
            "text_sha256": text(),
            "pages": list(page),
            "blocks": list(block),
            "left_out": list(left_out),
            "attachments": list(attachment),
            "text": text(),
        }),
        &json!({"title": text()}),
    )
}

fn prompt() -> Value {
    let words = || json!({"type": "object", "additionalProperties": text()});
    object(json!({
        "id": text(),
        "version": text(),
        "versions": {"type": "array", "items": object(json!({"version": text(), "digest": text()}))},
        "title": words(),
        "description": words(),
        "languages": {"type": "array", "items": text()},
        "variables": {"type": "array", "items": {"type": "object"}},
        "documents": or_null(object(json!({"min": count(), "max": count()}))),
        "long_documents": or_null(text()),
        "schema": or_null(json!({"type": "object"})),
        "sampling": {"type": "object"},
        "checks": {"type": "object"},
        "digest": text(),
    }))
}
