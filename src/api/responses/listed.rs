//! The items of a response's input as they are listed: as whole as OpenAI's, however short they
//! were when they came.

use serde_json::{Map, Value, json};

/// `index` is its place in the input.
pub fn listed(index: usize, item: Value) -> Value {
    let Value::Object(mut item) = item else {
        return item;
    };
    // What a client calls an item is ignored, so it may be anything.
    let mut lacking = |name: &str, value: Value| {
        if !item.get(name).is_some_and(Value::is_string) {
            item.insert(name.to_owned(), value);
        }
    };
    lacking("type", "message".into());
    lacking("id", format!("item_{index}").into());
    lacking("status", "completed".into());
    if item["type"] == "message" {
        content(&mut item);
    } else if item["type"] == "reasoning" {
        item.entry("summary").or_insert(json!([]));
    }
    item.into()
}

/// A text is a list of one part, and what a part is called follows from who wrote it.
fn content(message: &mut Map<String, Value>) {
    let is_answer = message.get("role").is_some_and(|role| role == "assistant");
    let parts = match message.remove("content") {
        Some(Value::Array(parts)) => parts,
        Some(text) => vec![json!({"text": text})],
        None => Vec::new(),
    };
    let parts = parts.into_iter().map(|part| {
        let text = part["text"].clone();
        if is_answer {
            let logprobs = part.get("logprobs").cloned().unwrap_or(json!([]));
            let annotations = part.get("annotations").cloned().unwrap_or(json!([]));
            json!({"type": "output_text", "text": text, "annotations": annotations, "logprobs": logprobs})
        } else {
            json!({"type": "input_text", "text": text})
        }
    });
    message.insert("content".to_owned(), parts.collect());
}
