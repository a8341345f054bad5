//! What stands in `messages` of a chat.

use super::{Effect, Shows, chat, with};
use serde_json::{Value, json};

fn of(table: &'static str, name: &'static str, messages: [Value; 2], shows: Shows) -> Effect {
    Effect {
        table,
        name,
        route: chat::ROUTE,
        says: "abc",
        bodies: messages.map(|message| with(&chat::chat(), &json!({"messages": [message]}))),
        shows,
    }
}

/// Two values of a member of `message`.
fn member(table: &'static str, message: &Value, name: &'static str, values: [Value; 2]) -> Effect {
    let messages = values.map(|value| with(message, &json!({name: value})));
    of(table, name, messages, Shows::Prompt)
}

fn calls(id: &str, kind: &str, function: &str, arguments: &str) -> Value {
    json!([{"id": id, "type": kind, "function": {"name": function, "arguments": arguments}}])
}

pub fn effects() -> Vec<Effect> {
    let user = json!({"role": "user", "content": "a"});
    let assistant = json!({"role": "assistant", "content": "a"});
    let tool = json!({"role": "tool", "content": "a", "tool_call_id": "c"});
    let texts = || [json!("a"), json!("b")];

    let table = "`messages[]` of the roles system, developer and user";
    let mut effects = vec![
        member(table, &user, "role", ["user".into(), "system".into()]),
        member(table, &user, "content", texts()),
        member(table, &user, "name", texts()),
    ];
    let table = "`messages[]` of the role assistant";
    effects.push(member(
        table,
        &assistant,
        "role",
        ["assistant".into(), "user".into()],
    ));
    for name in ["content", "name", "reasoning_content", "reasoning"] {
        effects.push(member(table, &assistant, name, texts()));
    }
    let called = ["f", "g"].map(|function| calls("c", "function", function, "{}"));
    effects.push(member(table, &assistant, "tool_calls", called.clone()));

    let table = "`messages[]` of the role tool";
    effects.push(of(
        table,
        "role",
        [tool.clone(), user.clone()],
        Shows::Prompt,
    ));
    for name in ["content", "tool_call_id", "name"] {
        effects.push(member(table, &tool, name, texts()));
    }

    let table = "`messages[].content[]`";
    let parts = |part: Value| json!({"role": "user", "content": [part]});
    let image = json!({"type": "image_url", "image_url": {"url": "https://a.example/b.png"}});
    effects.push(of(
        table,
        "type",
        [parts(json!({"type": "text", "text": "a"})), parts(image)],
        Shows::Refusal("messages[0].content[0].type"),
    ));
    effects.push(of(
        table,
        "text",
        ["a", "b"].map(|text| parts(json!({"type": "text", "text": text}))),
        Shows::Prompt,
    ));

    let table = "`messages[].tool_calls[]`";
    let calling = |calls: Value| with(&assistant, &json!({"tool_calls": calls}));
    effects.push(of(
        table,
        "id",
        ["c", "d"].map(|id| calling(calls(id, "function", "f", "{}"))),
        Shows::Prompt,
    ));
    effects.push(of(
        table,
        "type",
        ["function", "custom"].map(|kind| calling(calls("c", kind, "f", "{}"))),
        Shows::Refusal("messages[0].tool_calls[0].type"),
    ));
    effects.push(of(
        table,
        "function",
        called.clone().map(calling),
        Shows::Prompt,
    ));
    let table = "`messages[].tool_calls[].function`";
    effects.push(of(table, "name", called.map(calling), Shows::Prompt));
    effects.push(of(
        table,
        "arguments",
        ["{}", r#"{"a": 1}"#].map(|text| calling(calls("c", "function", "f", text))),
        Shows::Prompt,
    ));
    effects
}
