//! What a response is asked for with.

use super::{Effect, Shows, tools, with};
use crate::scripted::MODEL;
use crate::specification::places::RESPONSE_ALLOWED_TOOL;
use crate::specification::server::OTHER;
use serde_json::{Value, json};

pub const ROUTE: &str = "/v1/responses";
const TEXT: &str = "/output/0/content/0/text";

pub fn response() -> Value {
    json!({"model": MODEL, "input": "hi", "seed": 1})
}

fn of(table: &'static str, name: &'static str, more: [Value; 2], shows: Shows) -> Effect {
    Effect {
        table,
        name,
        route: ROUTE,
        says: "abc",
        bodies: more.map(|more| with(&response(), &more)),
        shows,
    }
}

/// Two values of a parameter.
fn own(name: &'static str, values: [Value; 2], shows: Shows) -> Effect {
    of(ROUTE, name, values.map(|value| json!({name: value})), shows)
}

fn function(name: &str, more: Value) -> Value {
    with(&json!({"type": "function", "name": name}), &more)
}

pub fn effects() -> Vec<Effect> {
    let mut effects = parameters();
    effects.extend(functions());
    effects.extend(items());
    effects
}

fn parameters() -> Vec<Effect> {
    let logprobs = json!(["message.output_text.logprobs"]);
    let earlier = |text: &str| json!({"earlier": {"model": MODEL, "input": text}});
    let efforts = ["low", "high"].map(|effort| json!({"reasoning": {"effort": effort}}));
    let formats = ["text", "json_object"].map(|kind| json!({"text": {"format": {"type": kind}}}));
    vec![
        own("model", [MODEL.into(), OTHER.into()], Shows::Answer(TEXT)),
        own("input", ["a".into(), "b".into()], Shows::Prompt),
        own("instructions", ["a".into(), "b".into()], Shows::Prompt),
        of(
            ROUTE,
            "previous_response_id",
            [earlier("a"), earlier("b")],
            Shows::Prompt,
        ),
        own(
            "max_output_tokens",
            [1.into(), 2.into()],
            Shows::Answer(TEXT),
        ),
        of(
            ROUTE,
            "top_logprobs",
            [0, 2].map(|top| json!({"include": logprobs, "top_logprobs": top})),
            Shows::Answer("/output/0/content/0/logprobs/0/top_logprobs"),
        ),
        own(
            "include",
            [json!([]), logprobs.clone()],
            Shows::Answer("/output/0/content/0/logprobs"),
        ),
        own("stream", [false.into(), true.into()], Shows::Answer("")),
        own(
            "store",
            [true.into(), false.into()],
            Shows::Answer("/store"),
        ),
        own(
            "background",
            [false.into(), true.into()],
            Shows::Answer("/status"),
        ),
        own(
            "metadata",
            [json!({"a": "b"}), json!({"a": "c"})],
            Shows::Answer("/metadata"),
        ),
        of(ROUTE, "text", formats.clone(), Shows::Answer(TEXT)),
        of(
            "`text` of a response",
            "format",
            formats,
            Shows::Answer(TEXT),
        ),
        of(ROUTE, "reasoning", efforts.clone(), Shows::Prompt),
        of(
            "`reasoning` of a response",
            "effort",
            efforts,
            Shows::Prompt,
        ),
        own(
            "service_tier",
            ["default".into(), "flex".into()],
            Shows::Answer("/service_tier"),
        ),
        own(
            "chat_template_kwargs",
            [true, false].map(|thinks| json!({"enable_thinking": thinks})),
            Shows::Prompt,
        ),
    ]
}

fn functions() -> Vec<Effect> {
    let both = || json!([function("a", json!({})), function("b", json!({}))]);
    let tool = |more: Value| json!({"tools": [function("a", more)]});
    let choice = |choice: Value| json!({"tools": both(), "tool_choice": choice});
    let named = |name: &str| json!({"type": "function", "name": name});
    let allowed = |mode: &str, name: &str| json!({"type": "allowed_tools", "mode": mode, "tools": [named(name)]});
    let forced = [choice(named("a")), choice(named("b"))];
    let calling = |table, name, more, shows| Effect {
        says: tools::CALLS,
        ..of(table, name, more, shows)
    };
    let mut effects = vec![
        of(ROUTE, "tools", [json!({}), tool(json!({}))], Shows::Prompt),
        of(
            ROUTE,
            "tool_choice",
            [choice("auto".into()), choice("required".into())],
            Shows::Answer("/output/0/type"),
        ),
        calling(
            ROUTE,
            "parallel_tool_calls",
            [true, false].map(|parallel| json!({"tools": both(), "parallel_tool_calls": parallel})),
            Shows::Answer("/output"),
        ),
    ];
    let table = "`tools[]` of a response";
    effects.push(of(
        table,
        "type",
        [tool(json!({})), json!({"tools": [{"type": "web_search"}]})],
        Shows::Refusal("tools[0].type"),
    ));
    for (name, values) in [
        ("name", [json!("a"), json!("b")]),
        ("description", [json!("a"), json!("b")]),
        ("parameters", [json!({}), tools::parameters()]),
    ] {
        let bodies = values.map(|value| tool(json!({name: value})));
        effects.push(of(table, name, bodies, Shows::Prompt));
    }
    effects.push(calling(
        table,
        "strict",
        [true, false]
            .map(|strict| tool(json!({"parameters": tools::parameters(), "strict": strict}))),
        Shows::Answer("/output/0/arguments"),
    ));
    let other = json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "custom", "name": "a"}]});
    effects.extend([
        of(
            RESPONSE_ALLOWED_TOOL,
            "name",
            ["a", "b"].map(|name| choice(allowed("auto", name))),
            Shows::Prompt,
        ),
        of(
            RESPONSE_ALLOWED_TOOL,
            "type",
            [choice(allowed("auto", "a")), choice(other)],
            Shows::Refusal("tool_choice.tools[0].type"),
        ),
    ]);
    let table = "`tool_choice` of a response";
    effects.extend([
        of(
            table,
            "type",
            [choice(named("a")), choice(allowed("auto", "a"))],
            Shows::Answer("/output/0/type"),
        ),
        of(table, "name", forced, Shows::Answer("/output/0/name")),
        of(
            table,
            "mode",
            ["auto", "required"].map(|mode| choice(allowed(mode, "a"))),
            Shows::Answer("/output/0/type"),
        ),
        of(
            table,
            "tools",
            ["a", "b"].map(|name| choice(allowed("auto", name))),
            Shows::Prompt,
        ),
    ]);
    effects
}

/// What stands in `input`.
fn items() -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut add = |table, item: &Value, name: &'static str, values: [Value; 2], shows| {
        let items = values.map(|value| json!({"input": [with(item, &json!({name: value}))]}));
        effects.push(of(table, name, items, shows));
    };
    let texts = || [json!("a"), json!("b")];
    let kinds = |kind: &str| [kind.into(), "compaction".into()];
    let kind = || Shows::Refusal("input[0].type");

    let table = "`input[]` of a response: a message";
    let message = json!({"role": "user", "content": "a"});
    add(table, &message, "type", kinds("message"), kind());
    add(
        table,
        &message,
        "role",
        ["user".into(), "system".into()],
        Shows::Prompt,
    );
    add(table, &message, "content", texts(), Shows::Prompt);

    let table = "`input[]` of a response: `function_call`";
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    add(table, &call, "type", kinds("function_call"), kind());
    for name in ["call_id", "name"] {
        add(table, &call, name, texts(), Shows::Prompt);
    }
    add(
        table,
        &call,
        "arguments",
        ["{}".into(), r#"{"a": 1}"#.into()],
        Shows::Prompt,
    );

    let table = "`input[]` of a response: `function_call_output`";
    let output = json!({"type": "function_call_output", "call_id": "c", "output": "a"});
    add(
        table,
        &output,
        "type",
        kinds("function_call_output"),
        kind(),
    );
    for name in ["call_id", "output"] {
        add(table, &output, name, texts(), Shows::Prompt);
    }

    let table = "`input[]` of a response: `reasoning`";
    let reasoning = json!({"type": "reasoning", "summary": []});
    let thoughts = |kind: &str| ["a", "b"].map(|text| json!([{"type": kind, "text": text}]));
    add(table, &reasoning, "type", kinds("reasoning"), kind());
    add(
        table,
        &reasoning,
        "content",
        thoughts("reasoning_text"),
        Shows::Prompt,
    );
    add(
        table,
        &reasoning,
        "summary",
        thoughts("summary_text"),
        Shows::Prompt,
    );

    let parts = |parts: [Value; 2]| {
        parts.map(|part| json!({"input": [{"role": "user", "content": [part]}]}))
    };
    let table = "`input[].content[]` of a response";
    let image = json!({"type": "input_image", "image_url": "https://a.example/b.png"});
    let text = |text: &str| json!({"type": "input_text", "text": text});
    effects.push(of(
        table,
        "type",
        parts([text("a"), image]),
        Shows::Refusal("input[0].content[0].type"),
    ));
    effects.push(of(
        table,
        "text",
        parts([text("a"), text("b")]),
        Shows::Prompt,
    ));

    let table = "`input[].content[]` and `summary[]` of a `reasoning`";
    let thought = |kind: &str, text: &str| {
        let content = json!([{"type": kind, "text": text}]);
        json!({"input": [{"type": "reasoning", "summary": [], "content": content}]})
    };
    effects.push(of(
        table,
        "type",
        [thought("reasoning_text", "a"), thought("thought", "a")],
        Shows::Refusal("input[0].content[0].type"),
    ));
    let thoughts = ["a", "b"].map(|text| thought("reasoning_text", text));
    effects.push(of(table, "text", thoughts, Shows::Prompt));
    effects
}
