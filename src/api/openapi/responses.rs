//! Stored things and their lists, which are built as JSON: their schemas by hand.

use super::{named, object, or_null};
use serde_json::{Map, Value, json};

pub fn schemas() -> Map<String, Value> {
    named([
        ("Response", response()),
        ("ResponseItemList", item_list()),
        ("DeletedResponse", deleted()),
    ])
}

fn text() -> Value {
    json!({"type": "string"})
}

fn word(words: &[&str]) -> Value {
    json!({"type": "string", "enum": words})
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

/// What a request said, given back.
fn repeated() -> Value {
    json!({"type": "object"})
}

fn response() -> Value {
    let usage = object(json!({
        "input_tokens": count(),
        "input_tokens_details": object(json!({"cached_tokens": count(), "cache_write_tokens": count()})),
        "output_tokens": count(),
        "output_tokens_details": object(json!({"reasoning_tokens": count()})),
        "total_tokens": count(),
    }));
    let mut response = object(json!({
        "id": text(),
        "object": word(&["response"]),
        "created_at": count(),
        "status": word(&["in_progress", "completed", "incomplete", "failed", "cancelled"]),
        "completed_at": or_null(count()),
        "error": or_null(object(json!({
            "code": word(&["server_error", "rate_limit_exceeded", "invalid_prompt"]),
            "message": text(),
        }))),
        "incomplete_details": or_null(object(json!({"reason": word(&["max_output_tokens"])}))),
        "model": text(),
        "output": list(output_item()),
        "background": {"type": "boolean"},
        "instructions": or_null(text()),
        "max_output_tokens": or_null(count()),
        "metadata": {"type": "object", "additionalProperties": text()},
        "parallel_tool_calls": {"type": "boolean"},
        "previous_response_id": or_null(text()),
        "prompt": or_null(repeated()),
        "reasoning": object(json!({"effort": or_null(text()), "summary": {"type": "null"}})),
        "service_tier": word(&["default", "flex"]),
        "store": {"type": "boolean"},
        "temperature": {"type": "number"},
        "text": object(json!({"format": repeated()})),
        "tool_choice": {"anyOf": [text(), repeated()]},
        "tools": list(repeated()),
        "top_logprobs": count(),
        "top_p": {"type": "number"},
        "truncation": word(&["disabled"]),
    }));
    // Not there before its end.
    response["properties"]["usage"] = usage;
    response
}

fn output_item() -> Value {
    let status = || word(&["in_progress", "completed", "incomplete"]);
    json!({"anyOf": [
        object(json!({
            "id": text(), "type": word(&["message"]), "status": status(), "role": word(&["assistant"]),
            "content": list(object(json!({
                "type": word(&["output_text"]), "text": text(), "annotations": list(json!({"$ref": "#/components/schemas/Annotation"})),
                "logprobs": list(logprob()),
            }))),
        })),
        object(json!({
            "id": text(), "type": word(&["reasoning"]), "status": status(),
            "summary": {"type": "array", "maxItems": 0},
            "content": list(object(json!({"type": word(&["reasoning_text"]), "text": text()}))),
        })),
        object(json!({
            "id": text(), "type": word(&["function_call"]), "status": status(), "call_id": text(),
            "name": text(), "arguments": text(),
        })),
    ]})
}

fn logprob() -> Value {
    let token = || json!({"token": text(), "logprob": {"type": "number"}, "bytes": list(count())});
    let mut full = token();
    full["top_logprobs"] = list(object(token()));
    object(full)
}

fn item_list() -> Value {
    object(json!({
        "object": word(&["list"]),
        "first_id": or_null(text()),
        "last_id": or_null(text()),
        "has_more": {"type": "boolean"},
        "data": list(json!({"type": "object", "required": ["id", "type"]})),
    }))
}

fn deleted() -> Value {
    object(json!({
        "id": text(), "object": word(&["response"]), "deleted": {"const": true},
    }))
}
