//! Functions that a chat may call, and what a model thinks, in each family's own way.

use crate::message::{folded, plain};
use crate::scripted::{Family, MODEL, Script, engine_config};
use crate::server::{CHAT, Options, TestServer};
use crate::transcripts::fixtures::Message;
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

/// What a client gets of what a model says, plain and streamed.
async fn check(family: Family, said: &str, fields: &Value, expected: Message) {
    let server = server(family, said).await;
    let mut body = chat(fields);
    let answer = plain(&server.post(CHAT, &body).await);
    assert_eq!(answer, expected, "{said}");
    body["stream"] = true.into();
    let streamed = folded(&server.post(CHAT, &body).await);
    assert_eq!(streamed, answer, "{said}");
}

fn message(content: &str, reasoning: &str, calls: &[(&str, &str)], reason: &str) -> Message {
    let calls = calls.iter();
    Message {
        content: content.to_owned(),
        reasoning: reasoning.to_owned(),
        calls: calls
            .map(|(name, arguments)| ((*name).to_owned(), (*arguments).to_owned()))
            .collect(),
        reason: reason.to_owned(),
    }
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
            let what = format!("{} {answer:?}", family.template);
            assert_eq!(answer.reason, reason, "{what}");
            let (name, arguments) = &answer.calls[0];
            assert_eq!(name, "weather", "{what}");
            let arguments: Value = serde_json::from_str(arguments).expect(&what);
            assert!(
                arguments["city"] == "Köln" || arguments["city"] == "Zürich",
                "{what}"
            );
            assert_eq!(answer.content, "", "{what}");
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
    assert_eq!(found.reasoning, "Hm.", "{found:?}");
    assert_eq!(found.calls[0].0, "weather", "{found:?}");
    let details = &body.json()["usage"]["completion_tokens_details"];
    assert_eq!(details["reasoning_tokens"], 7, "{details}");
    let form = json!({"structured_outputs": {"choice": ["ja", "nein"]}, "tools": []});
    let found = plain(&server.post(CHAT, &chat(&form)).await);
    assert_eq!(found, message("ja", "Hm.", &[], "stop"));
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
    assert_eq!(found.content, "Moment.");
    let (_, arguments) = &found.calls[0];
    assert_ne!(arguments, r#"{"city": "Bonn"}"#);
    let arguments: Value = serde_json::from_str(arguments).unwrap();
    assert!(arguments["city"] == "Köln" || arguments["city"] == "Zürich");
    for family in FAMILIES {
        let (family, fields) = strict(family);
        let text = "Kein Aufruf, nur Text: a < b.";
        let said = match family.control.first() {
            Some(&"<|start|>") => "<|channel|>final<|message|>Kein Aufruf, nur Text: a < b.",
            _ => text,
        };
        check(family, said, &fields, message(text, "", &[], "stop")).await;
    }
}

#[tokio::test]
async fn without_functions_tags_are_text() {
    let said = "<tool_call>\n{\"name\": \"clock\", \"arguments\": {}}\n</tool_call>";
    for fields in [json!({"tools": []}), json!({"tool_choice": "none"})] {
        check(HERMES, said, &fields, message(said, "", &[], "stop")).await;
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
