//! Functions that a chat may call, and what a model thinks, in each family's own way.

use crate::scripted::{Family, MODEL, Script, engine_config};
use crate::server::{Answer, CHAT, Options, TestServer};
use guichet::engine::EngineConfig;
use serde_json::{Value, json};

/// Templates print what they are given, in JSON; what stands in the comment tells the family.
macro_rules! template {
    ($words:literal) => {
        concat!(
            "{# ",
            $words,
            " #}{{ tools | tojson }}{% for m in messages %}\n{{ m | tojson }}{% endfor %}\n"
        )
    };
}

pub const HERMES: Family = Family {
    template: template!("<tool_call> <think> </think> enable_thinking"),
    control: &[],
    tags: &["<think>", "</think>"],
};

const LLAMA: Family = Family {
    template: template!("<|python_tag|> parameters"),
    control: &["<|python_tag|>"],
    tags: &[],
};

const MISTRAL: Family = Family {
    template: template!("[TOOL_CALLS] [ARGS] [THINK] [/THINK]"),
    control: &["[TOOL_CALLS]", "[ARGS]", "[CALL_ID]", "[THINK]", "[/THINK]"],
    tags: &[],
};

const OLDER_MISTRAL: Family = Family {
    template: template!("[TOOL_CALLS]"),
    control: &["[TOOL_CALLS]"],
    tags: &[],
};

const APERTUS: Family = Family {
    template: template!("<|tools_prefix|> <|inner_prefix|> <|inner_suffix|>"),
    control: &[
        "<|tools_prefix|>",
        "<|tools_suffix|>",
        "<|inner_prefix|>",
        "<|inner_suffix|>",
    ],
    tags: &[],
};

const GPT_OSS: Family = Family {
    template: template!("<|channel|> <|message|> reasoning_effort"),
    control: &[
        "<|start|>",
        "<|end|>",
        "<|message|>",
        "<|channel|>",
        "<|constrain|>",
        "<|call|>",
        "<|return|>",
    ],
    tags: &[],
};

const GEMMA: Family = Family {
    template: template!("<start_function_call>"),
    control: &["<start_function_call>", "<end_function_call>", "<escape>"],
    tags: &[],
};

/// It knows no tools.
const NONE: Family = Family {
    template: "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}",
    control: &[],
    tags: &[],
};

const FAMILIES: [Family; 8] = [
    HERMES,
    LLAMA,
    MISTRAL,
    OLDER_MISTRAL,
    APERTUS,
    GPT_OSS,
    GEMMA,
    NONE,
];

/// In channels.
const THINKING: &str =
    "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Nein.";

async fn server(family: Family, said: &str) -> TestServer {
    let script = Script {
        family,
        ..Script::saying(said)
    };
    TestServer::start(options(script)).await
}

/// Each byte of a prompt is a token here.
fn options(script: Script) -> Options {
    Options {
        engine: EngineConfig {
            max_model_len: 2048,
            ..engine_config()
        },
        ..Options::new(script)
    }
}

fn weather() -> Value {
    json!({"type": "function", "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"enum": ["Köln", "Zürich"]}},
            "required": ["city"],
            "additionalProperties": false,
        },
    }})
}

fn clock() -> Value {
    json!({"type": "function", "function": {"name": "clock"}})
}

fn chat(fields: &Value) -> Value {
    let mut body = json!({
        "model": MODEL,
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [weather(), clock()],
    });
    body.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    body
}

/// The message that chunks add up to, as clients add them.
fn folded(answer: &Answer) -> Value {
    let mut content = None;
    let mut reasoning = String::new();
    let mut calls: Vec<Value> = Vec::new();
    let mut reason = Value::Null;
    for chunk in answer.chunks() {
        let choice = &chunk["choices"][0];
        let delta = &choice["delta"];
        if let Some(text) = delta["content"].as_str() {
            content.get_or_insert_with(String::new).push_str(text);
        }
        reasoning.push_str(delta["reasoning_content"].as_str().unwrap_or_default());
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            if call["index"] == calls.len() {
                assert_eq!(call["type"], "function");
                assert!(call["id"].as_str().unwrap().len() >= 9);
                calls.push(json!([call["function"]["name"], ""]));
            }
            let call_so_far = &mut calls[call["index"].as_u64().unwrap() as usize][1];
            let more = call["function"]["arguments"].as_str().unwrap();
            *call_so_far = (call_so_far.as_str().unwrap().to_owned() + more).into();
        }
        if !choice["finish_reason"].is_null() {
            reason = choice["finish_reason"].clone();
        }
    }
    json!({"content": content.unwrap_or_default(), "reasoning": reasoning, "calls": calls, "reason": reason})
}

fn plain(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let choice = &answer.json()["choices"][0];
    let message = &choice["message"];
    let calls: Vec<Value> = message["tool_calls"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|call| json!([call["function"]["name"], call["function"]["arguments"]]))
        .collect();
    // Null only where something else is there.
    assert!(
        message["content"].is_string() || !calls.is_empty(),
        "{message}"
    );
    assert_eq!(message["reasoning"], message["reasoning_content"]);
    json!({
        "content": message["content"].as_str().unwrap_or_default(),
        "reasoning": message["reasoning_content"].as_str().unwrap_or_default(),
        "calls": calls,
        "reason": choice["finish_reason"],
    })
}

/// What a client gets of what a model says, plain and streamed.
async fn check(family: Family, said: &str, fields: &Value, expected: Value) {
    let server = server(family, said).await;
    let mut body = chat(fields);
    let answer = plain(&server.post(CHAT, &body).await);
    assert_eq!(answer, expected, "{said}");
    body["stream"] = true.into();
    let streamed = folded(&server.post(CHAT, &body).await);
    assert_eq!(streamed, answer, "{said}");
}

fn answer(content: &str, reasoning: &str, calls: &[(&str, &str)], reason: &str) -> Value {
    let calls: Vec<Value> = calls
        .iter()
        .map(|(name, arguments)| json!([name, arguments]))
        .collect();
    json!({"content": content, "reasoning": reasoning, "calls": calls, "reason": reason})
}

#[tokio::test]
async fn calls_and_thoughts_come_apart_in_each_family_s_way() {
    let call = ("weather", r#"{"city": "Köln"}"#);
    let cases = [
        (
            HERMES,
            "<think>\nHm.\n</think>\n\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Köln\"}}\n</tool_call>",
            "Hm.",
        ),
        (
            LLAMA,
            "<|python_tag|>{\"name\": \"weather\", \"parameters\": {\"city\": \"Köln\"}}",
            "",
        ),
        (
            LLAMA,
            "{\"name\": \"weather\", \"parameters\": {\"city\": \"Köln\"}}",
            "",
        ),
        (
            MISTRAL,
            "[THINK]Hm.[/THINK][TOOL_CALLS]weather[ARGS]{\"city\": \"Köln\"}",
            "Hm.",
        ),
        (
            OLDER_MISTRAL,
            "[TOOL_CALLS][{\"name\": \"weather\", \"arguments\": {\"city\": \"Köln\"}}]",
            "",
        ),
        (
            APERTUS,
            "<|inner_prefix|>Hm.<|inner_suffix|><|tools_prefix|>[{\"weather\": {\"city\": \"Köln\"}}]<|tools_suffix|>",
            "Hm.",
        ),
        (
            GPT_OSS,
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{\"city\": \"Köln\"}<|call|>",
            "Hm.",
        ),
        (
            NONE,
            "<tool_call>{\"name\": \"weather\", \"arguments\": {\"city\": \"Köln\"}}</tool_call>",
            "",
        ),
    ];
    for (family, said, reasoning) in cases {
        check(
            family,
            said,
            &json!({}),
            answer("", reasoning, &[call], "tool_calls"),
        )
        .await;
    }
    let said = "<start_function_call>call:weather{city:<escape>Köln<escape>}<end_function_call>";
    let call = ("weather", r#"{"city":"Köln"}"#);
    check(
        GEMMA,
        said,
        &json!({}),
        answer("", "", &[call], "tool_calls"),
    )
    .await;
}

#[tokio::test]
async fn a_forced_call_fits_whatever_the_model_would_rather_say() {
    for family in FAMILIES {
        for (choice, reason) in [
            (json!("required"), "tool_calls"),
            (
                json!({"type": "function", "function": {"name": "weather"}}),
                "stop",
            ),
        ] {
            let said = match family.control.first() {
                Some(&"<|start|>") => THINKING,
                _ => "Nein.",
            };
            let server = server(family, said).await;
            let fields =
                json!({"tool_choice": choice, "tools": [weather()], "parallel_tool_calls": false});
            let answer = plain(&server.post(CHAT, &chat(&fields)).await);
            let what = format!("{} {answer}", family.template);
            assert_eq!(answer["reason"], reason, "{what}");
            assert_eq!(answer["calls"][0][0], "weather", "{what}");
            let arguments = answer["calls"][0][1].as_str().unwrap();
            let arguments: Value = serde_json::from_str(arguments).expect(&what);
            assert!(
                arguments["city"] == "Köln" || arguments["city"] == "Zürich",
                "{what}"
            );
            assert_eq!(answer["content"], "", "{what}");
        }
    }
}

#[tokio::test]
async fn a_model_thinks_before_it_is_forced() {
    let said = "<think>\nHm.\n</think>\n\nNein.";
    let fields =
        json!({"tool_choice": "required", "tools": [weather()], "parallel_tool_calls": false});
    let server = server(HERMES, said).await;
    let body = server.post(CHAT, &chat(&fields)).await;
    let found = plain(&body);
    assert_eq!(found["reasoning"], "Hm.", "{found}");
    assert_eq!(found["calls"][0][0], "weather", "{found}");
    let details = &body.json()["usage"]["completion_tokens_details"];
    assert_eq!(details["reasoning_tokens"], 7, "{details}");
    let form = json!({"structured_outputs": {"choice": ["ja", "nein"]}, "tools": []});
    let found = plain(&server.post(CHAT, &chat(&form)).await);
    assert_eq!(found, answer("ja", "Hm.", &[], "stop"));
}

#[tokio::test]
async fn a_strict_function_s_arguments_fit_and_text_stays_free() {
    let strict = |family: Family| {
        let mut tool = weather();
        tool["function"]["strict"] = true.into();
        (family, json!({"tools": [tool, clock()]}))
    };
    let wrong = "Moment.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Bonn\"}}\n</tool_call>";
    let (family, fields) = strict(HERMES);
    let server = server(family, wrong).await;
    let found = plain(&server.post(CHAT, &chat(&fields)).await);
    assert_eq!(found["content"], "Moment.");
    assert_ne!(found["calls"][0][1], r#"{"city": "Bonn"}"#);
    let arguments: Value = serde_json::from_str(found["calls"][0][1].as_str().unwrap()).unwrap();
    assert!(arguments["city"] == "Köln" || arguments["city"] == "Zürich");
    for family in FAMILIES {
        let (family, fields) = strict(family);
        let text = "Kein Aufruf, nur Text: a < b.";
        let said = match family.control.first() {
            Some(&"<|start|>") => "<|channel|>final<|message|>Kein Aufruf, nur Text: a < b.",
            _ => text,
        };
        check(family, said, &fields, answer(text, "", &[], "stop")).await;
    }
}

#[tokio::test]
async fn one_call_is_all_that_some_ask_for() {
    let one = "<tool_call>\n{\"name\": \"clock\", \"arguments\": {}}\n</tool_call>\n";
    let said = one.repeat(3);
    let calls = [("clock", "{}"); 3];
    check(
        HERMES,
        &said,
        &json!({}),
        answer("", "", &calls, "tool_calls"),
    )
    .await;
    let fields = json!({"parallel_tool_calls": false});
    check(
        HERMES,
        &said,
        &fields,
        answer("", "", &calls[..1], "tool_calls"),
    )
    .await;
}

#[tokio::test]
async fn what_is_cut_off_says_so() {
    let said =
        "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Köln\"}}\n</tool_call>";
    let fields = json!({"max_tokens": 56});
    let call = ("weather", r#"{"city": "K"#);
    check(HERMES, said, &fields, answer("", "", &[call], "length")).await;
    let fields = json!({"max_tokens": 20});
    check(
        HERMES,
        said,
        &fields,
        answer(&said[..20], "", &[], "length"),
    )
    .await;
}

#[tokio::test]
async fn without_functions_tags_are_text() {
    let said = "<tool_call>\n{\"name\": \"clock\", \"arguments\": {}}\n</tool_call>";
    for fields in [json!({"tools": []}), json!({"tool_choice": "none"})] {
        check(HERMES, said, &fields, answer(said, "", &[], "stop")).await;
    }
}

#[tokio::test]
async fn templates_are_given_functions_calls_and_results() {
    let prompt = async |family: Family, fields: &Value| {
        let script = Script {
            family,
            ..Script::saying("ja")
        };
        let prompts = script.prompts.clone();
        let server = TestServer::start(options(script)).await;
        let answer = server.post(CHAT, &chat(fields)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let ids = prompts.lock().unwrap()[0].clone();
        String::from_utf8(ids.iter().map(|id| *id as u8).collect()).unwrap()
    };
    let history = json!({"messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "clock", "arguments": "{\"b\": 1, \"a\": 2}"}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "noon"},
    ]});
    let text = prompt(HERMES, &history).await;
    assert!(
        text.contains("\"name\": \"weather\", \"description\": \"The weather of a city\""),
        "{text}"
    );
    assert!(
        text.contains("\"function\": {\"name\": \"clock\", \"arguments\": {\"b\": 1, \"a\": 2}}"),
        "{text}"
    );
    assert!(
        text.contains("\"content\": \"noon\", \"tool_call_id\": \"call_1\""),
        "{text}"
    );
    // A template that knows none of it is told in words.
    let text = prompt(NONE, &history).await;
    assert!(
        text.starts_with("system: Functions that can be called"),
        "{text}"
    );
    assert!(text.contains("The weather of a city"), "{text}");
    assert!(text.contains("assistant: <tool_call>\n{\"name\":\"clock\",\"arguments\":{\"b\":1,\"a\":2}}\n</tool_call>"), "{text}");
    assert!(
        text.contains("user: <tool_response>\nnoon\n</tool_response>"),
        "{text}"
    );
    let allowed = json!({"tool_choice": {"type": "allowed_tools", "allowed_tools": {
        "mode": "auto", "tools": [{"type": "function", "function": {"name": "clock"}}]}}});
    let text = prompt(HERMES, &allowed).await;
    assert!(
        text.contains("clock") && !text.contains("weather"),
        "{text}"
    );
    let none = prompt(HERMES, &json!({"tool_choice": "none"})).await;
    assert!(!none.contains("clock"), "{none}");
}

#[tokio::test]
async fn what_is_asked_for_in_vain_is_refused() {
    let refused = async |fields: Value, param: &str, says: &str| {
        let server = server(HERMES, "x").await;
        let answer = server.post(CHAT, &chat(&fields)).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        let error = answer.json()["error"].clone();
        assert_eq!(error["param"], param, "{error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(says), "{message}");
    };
    let choice = |choice: Value| json!({"tool_choice": choice});
    refused(
        json!({"tools": [{"type": "custom", "custom": {"name": "a"}}]}),
        "tools[0].type",
        "`function`",
    )
    .await;
    refused(
        json!({"tools": [{"type": "function"}]}),
        "tools[0].function",
        "required",
    )
    .await;
    refused(
        json!({"tools": [{"type": "function", "function": {"name": "a b"}}]}),
        "tools[0].function.name",
        "characters",
    )
    .await;
    refused(choice(json!("any")), "tool_choice", "`required`").await;
    refused(
        json!({"tools": [], "tool_choice": "required"}),
        "tool_choice",
        "without `tools`",
    )
    .await;
    refused(
        choice(json!({"type": "function", "function": {"name": "nobody"}})),
        "tool_choice.function.name",
        "in `tools`",
    )
    .await;
    let not = json!([{"type": "function", "function": {"name": "f", "strict": true, "parameters": {"not": {"multipleOf": 2}}}}]);
    refused(
        json!({"tools": not}),
        "tools[0].function.parameters",
        "`/not`",
    )
    .await;
    refused(
        json!({"tool_choice": "required", "response_format": {"type": "json_object"}}),
        "response_format",
        "beside functions",
    )
    .await;
    refused(
        json!({"reasoning_effort": "a lot"}),
        "reasoning_effort",
        "one of none",
    )
    .await;
    refused(
        json!({"chat_template_kwargs": {"messages": []}}),
        "chat_template_kwargs.messages",
        "left out",
    )
    .await;
    let tool = json!([{"role": "tool", "content": "x"}]);
    refused(
        json!({"messages": tool}),
        "messages[0].tool_call_id",
        "required",
    )
    .await;
}
