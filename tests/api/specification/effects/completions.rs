use super::{Effect, Shows, with};
use crate::scripted::MODEL;
use crate::specification::server::OTHER;
use serde_json::{Value, json};

pub const ROUTE: &str = "/v1/completions";
const TEXT: Shows = Shows::Answer("/choices/0/text");

pub fn completion() -> Value {
    json!({"model": MODEL, "prompt": "hi", "seed": 1})
}

fn of(name: &'static str, values: [Value; 2], shows: Shows) -> Effect {
    beside(json!({}), name, values, shows)
}

fn beside(more: Value, name: &'static str, values: [Value; 2], shows: Shows) -> Effect {
    Effect {
        table: ROUTE,
        name,
        route: ROUTE,
        says: "abc",
        bodies: values.map(|value| with(&with(&completion(), &more), &json!({name: value}))),
        shows,
    }
}

pub fn effects() -> Vec<Effect> {
    let mut effects = vec![
        of("model", [MODEL.into(), OTHER.into()], TEXT),
        of("prompt", ["a".into(), "b".into()], Shows::Prompt),
        of("max_tokens", [1.into(), 2.into()], TEXT),
        of("stop", ["b".into(), "c".into()], TEXT),
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
            [0.into(), 2.into()],
            Shows::Answer("/choices/0/logprobs/top_logprobs"),
        ),
        of("echo", [false.into(), true.into()], TEXT),
        of("min_tokens", [0.into(), 5.into()], TEXT),
        of(
            "ignore_eos",
            [false.into(), true.into()],
            Shows::Answer("/choices/0/finish_reason"),
        ),
        of("stop_token_ids", [json!([98]), json!([99])], TEXT),
    ];
    // Only who is served first depends on it; how the engine is told is its own test.
    effects.push(of(
        "service_tier",
        ["flex".into(), "swift".into()],
        Shows::Refusal("service_tier"),
    ));
    effects.push(Effect {
        table: "`stream_options`",
        ..beside(
            json!({"stream": true}),
            "stream_options",
            [false, true].map(|usage| json!({"include_usage": usage})),
            Shows::Answer(""),
        )
        .named("include_usage")
    });
    effects
}

impl Effect {
    /// What stands within the property that the values are of.
    pub fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }
}
