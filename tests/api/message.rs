//! The message of an answer, as a client reads it.

use crate::server::Answer;
use crate::transcripts::fixtures::Message;
use serde_json::Value;
use std::collections::BTreeSet;

pub fn plain(answer: &Answer) -> Message {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let choice = &answer.json()["choices"][0];
    let message = &choice["message"];
    let calls = message["tool_calls"].as_array().into_iter().flatten();
    let calls: Vec<_> = calls
        .map(|call| {
            assert_eq!(call["type"], "function");
            let function = &call["function"];
            (text(&function["name"]), text(&function["arguments"]))
        })
        .collect();
    let content = message["content"].as_str();
    // Null only where something else is there.
    assert_eq!(
        content.is_none_or(str::is_empty) && !calls.is_empty(),
        content.is_none(),
        "{message}"
    );
    assert_eq!(message["reasoning"], message["reasoning_content"]);
    Message {
        content: content.unwrap_or_default().to_owned(),
        reasoning: message["reasoning_content"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        calls,
        reason: text(&choice["finish_reason"]),
    }
}

/// What chunks add up to, as clients add them.
pub fn folded(answer: &Answer) -> Message {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let mut message = Message::default();
    let mut ids = BTreeSet::new();
    let chunks = answer.chunks();
    for (number, chunk) in chunks.iter().enumerate() {
        let choice = &chunk["choices"][0];
        let delta = &choice["delta"];
        assert_eq!(delta["role"].is_string(), number == 0, "{chunk}");
        message.content += delta["content"].as_str().unwrap_or_default();
        assert_eq!(delta["reasoning"], delta["reasoning_content"]);
        message.reasoning += delta["reasoning_content"].as_str().unwrap_or_default();
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let function = &call["function"];
            if call["index"] == message.calls.len() {
                assert_eq!(call["type"], "function");
                assert!(text(&call["id"]).len() >= 9, "{call}");
                assert!(ids.insert(text(&call["id"])), "{call}");
                message.calls.push((text(&function["name"]), String::new()));
            } else {
                assert!(
                    call.get("id").is_none() && function.get("name").is_none(),
                    "{call}"
                );
            }
            // One after the other, though clients would take them in any order.
            assert_eq!(call["index"], message.calls.len() - 1, "{call}");
            if let Some((_, arguments)) = message.calls.last_mut() {
                *arguments += &text(&function["arguments"]);
            }
        }
        let is_last = number + 1 == chunks.len();
        assert_eq!(choice["finish_reason"].is_string(), is_last, "{chunk}");
        if is_last {
            message.reason = text(&choice["finish_reason"]);
        }
    }
    message
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value}"))
        .to_owned()
}
