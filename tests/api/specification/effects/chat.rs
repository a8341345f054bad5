use super::{Effect, Shows, with};
use crate::scripted::MODEL;
use crate::specification::server::OTHER;
use serde_json::{Value, json};

pub const ROUTE: &str = "/v1/chat/completions";
pub const CONTENT: Shows = Shows::Answer("/choices/0/message/content");

/// A chat that says `abc`.
pub fn chat() -> Value {
    json!({"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "seed": 1})
}

/// Two values of a parameter.
fn of(name: &'static str, values: [Value; 2], shows: Shows) -> Effect {
    beside(json!({}), name, values, shows)
}

/// The same, with what they need.
fn beside(more: Value, name: &'static str, values: [Value; 2], shows: Shows) -> Effect {
    Effect {
        table: ROUTE,
        name,
        route: ROUTE,
        says: "abc",
        bodies: values.map(|value| with(&with(&chat(), &more), &json!({name: value}))),
        shows,
    }
}

pub fn effects() -> Vec<Effect> {
    let says = |text: &str| json!([{"role": "user", "content": text}]);
    let begun = json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]);
    vec![
        of("model", [MODEL.into(), OTHER.into()], CONTENT),
        of("messages", [says("a"), says("b")], Shows::Prompt),
        of("max_completion_tokens", [1.into(), 2.into()], CONTENT),
        of("max_tokens", [1.into(), 2.into()], CONTENT),
        of("stop", ["b".into(), "c".into()], CONTENT),
        of("n", [1.into(), 2.into()], Shows::Answer("/choices")),
        of("stream", [false.into(), true.into()], Shows::Answer("")),
        beside(
            json!({"stream": true}),
            "stream_options",
            [json!({}), json!({"include_usage": true})],
            Shows::Answer(""),
        ),
        of(
            "logprobs",
            [false.into(), true.into()],
            Shows::Answer("/choices/0/logprobs"),
        ),
        beside(
            json!({"logprobs": true}),
            "top_logprobs",
            [0.into(), 2.into()],
            Shows::Answer("/choices/0/logprobs/content/0/top_logprobs"),
        ),
        of(
            "service_tier",
            ["default".into(), "flex".into()],
            Shows::Answer("/service_tier"),
        ),
        of("min_tokens", [0.into(), 5.into()], CONTENT),
        beside(
            json!({"max_tokens": 5}),
            "ignore_eos",
            [false.into(), true.into()],
            Shows::Answer("/choices/0/finish_reason"),
        ),
        // The tokens of `b` and `c`.
        of("stop_token_ids", [json!([98]), json!([99])], CONTENT),
        of(
            "reasoning_effort",
            ["low".into(), "high".into()],
            Shows::Prompt,
        ),
        of(
            "chat_template_kwargs",
            [true, false].map(|thinks| json!({"enable_thinking": thinks})),
            Shows::Prompt,
        ),
        of(
            "add_generation_prompt",
            [true.into(), false.into()],
            Shows::Prompt,
        ),
        beside(
            json!({"messages": begun}),
            "continue_final_message",
            [false.into(), true.into()],
            Shows::Prompt,
        ),
        of(
            "documents",
            ["a", "b"].map(|text| json!([{"text": text}])),
            Shows::Prompt,
        ),
        of(
            "chat_template",
            ["default".into(), "rag".into()],
            Shows::Prompt,
        ),
        of(
            "chat_template",
            ["rag".into(), "{{ messages }}".into()],
            Shows::Refusal("chat_template"),
        ),
    ]
}
