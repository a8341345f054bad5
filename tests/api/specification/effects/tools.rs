//! Functions and which of them may be called, in a chat.

use super::{Effect, Shows, chat, with};
use crate::specification::places::ALLOWED_TOOL;
use serde_json::{Value, json};

/// Two calls, the first with arguments that do not fit [`parameters`].
pub const CALLS: &str = "<tool_call>\n{\"name\": \"a\", \"arguments\": {\"n\": \"text\"}}\n</tool_call>\n<tool_call>\n{\"name\": \"b\", \"arguments\": {}}\n</tool_call>";
const CALLED: &str = "/choices/0/message/tool_calls";

/// Arguments that hold one of a few numbers.
pub fn parameters() -> Value {
    json!({"type": "object", "properties": {"n": {"enum": [1, 2]}}, "required": ["n"], "additionalProperties": false})
}

fn of(
    table: &'static str,
    name: &'static str,
    says: &'static str,
    more: [Value; 2],
    shows: Shows,
) -> Effect {
    Effect {
        table,
        name,
        route: chat::ROUTE,
        says,
        bodies: more.map(|more| with(&chat::chat(), &more)),
        shows,
    }
}

fn function(name: &str, more: Value) -> Value {
    json!({"type": "function", "function": with(&json!({"name": name}), &more)})
}

pub fn effects() -> Vec<Effect> {
    let both = || json!([function("a", json!({})), function("b", json!({}))]);
    let tools = |more: Value| json!({"tools": [function("a", more)]});
    let choice = |choice: Value| json!({"tools": both(), "tool_choice": choice});
    let named = |name: &str| json!({"type": "function", "function": {"name": name}});
    let allowed = |mode: &str, name: &str| {
        let tools = [json!({"type": "function", "function": {"name": name}})];
        json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}})
    };
    let mut effects = vec![
        of(
            chat::ROUTE,
            "tools",
            "abc",
            [json!({}), tools(json!({}))],
            Shows::Prompt,
        ),
        of(
            chat::ROUTE,
            "tool_choice",
            "abc",
            [choice("auto".into()), choice("required".into())],
            Shows::Answer(CALLED),
        ),
        of(
            chat::ROUTE,
            "parallel_tool_calls",
            CALLS,
            [true, false].map(|parallel| json!({"tools": both(), "parallel_tool_calls": parallel})),
            Shows::Answer(CALLED),
        ),
    ];

    let table = "`tools[]`";
    let custom = json!({"tools": [{"type": "custom", "custom": {"name": "a"}}]});
    effects.push(of(
        table,
        "type",
        "abc",
        [tools(json!({})), custom],
        Shows::Refusal("tools[0].type"),
    ));
    effects.push(of(
        table,
        "function",
        "abc",
        ["a", "b"].map(|name| json!({"tools": [function(name, json!({}))]})),
        Shows::Prompt,
    ));

    let table = "`tools[].function`";
    for (name, values) in [
        ("name", [json!("a"), json!("b")]),
        ("description", [json!("a"), json!("b")]),
        ("parameters", [json!({}), parameters()]),
    ] {
        let bodies = values.map(|value| tools(json!({name: value})));
        effects.push(of(table, name, "abc", bodies, Shows::Prompt));
    }
    effects.push(of(
        table,
        "strict",
        CALLS,
        [true, false].map(|strict| tools(json!({"parameters": parameters(), "strict": strict}))),
        Shows::Answer("/choices/0/message/tool_calls/0/function/arguments"),
    ));

    let table = "`tool_choice`";
    effects.push(of(
        table,
        "type",
        "abc",
        [choice(named("a")), choice(allowed("auto", "a"))],
        Shows::Answer(CALLED),
    ));
    let forced = [choice(named("a")), choice(named("b"))];
    let told = [choice(allowed("auto", "a")), choice(allowed("auto", "b"))];
    effects.push(of(
        table,
        "function",
        "abc",
        forced.clone(),
        Shows::Answer(CALLED),
    ));
    effects.push(of(
        table,
        "allowed_tools",
        "abc",
        told.clone(),
        Shows::Prompt,
    ));
    effects.push(of(
        "`tool_choice.function`",
        "name",
        "abc",
        forced,
        Shows::Answer(CALLED),
    ));
    let table = "`tool_choice.allowed_tools`";
    effects.push(of(table, "tools", "abc", told.clone(), Shows::Prompt));
    effects.push(of(ALLOWED_TOOL, "function", "abc", told, Shows::Prompt));
    let of_other_kind = json!({"type": "custom", "function": {"name": "a"}});
    let other = json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [of_other_kind]}});
    effects.push(of(
        ALLOWED_TOOL,
        "type",
        "abc",
        [choice(allowed("auto", "a")), choice(other)],
        Shows::Refusal("tool_choice.allowed_tools.tools[0].type"),
    ));
    effects.push(of(
        table,
        "mode",
        "abc",
        ["auto", "required"].map(|mode| choice(allowed(mode, "a"))),
        Shows::Answer(CALLED),
    ));
    effects
}
