//! Requests that are wrong, each with the status, the parameter and the message that its
//! sender gets. `cargo test --test api bad_requests -- --nocapture` prints the table.

use crate::bad_sampling;
use crate::scripted::{MAX_MODEL_LEN, MODEL};
use crate::server::{Answer, CHAT, COMPLETIONS, TestServer};
use reqwest::Method;
use serde_json::{Value, json};

pub struct Case {
    what: String,
    path: &'static str,
    content_type: Option<&'static str>,
    body: Vec<u8>,
    status: u16,
    param: Option<&'static str>,
    /// A part of the message: what the sender needs to know.
    says: &'static str,
}

/// A body that is not even a request.
fn raw(what: &str, body: impl Into<Vec<u8>>, says: &'static str) -> Case {
    Case {
        what: what.to_owned(),
        path: CHAT,
        content_type: Some("application/json"),
        body: body.into(),
        status: 400,
        param: None,
        says,
    }
}

fn valid(path: &str) -> Value {
    if path == CHAT {
        json!({"model": MODEL, "messages": [{"role": "user", "content": "hi"}]})
    } else {
        json!({"model": MODEL, "prompt": "hi"})
    }
}

/// A valid request with these fields instead.
fn wrong(path: &'static str, fields: &Value, param: &'static str, says: &'static str) -> Case {
    let mut body = valid(path);
    body.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    let mut what = fields.to_string();
    if what.len() > 60 {
        what = format!("{}…", what.chars().take(60).collect::<String>());
    }
    Case {
        what,
        param: Some(param),
        ..raw("", body.to_string(), says)
    }
    .at(path)
}

pub fn chat(fields: Value, param: &'static str, says: &'static str) -> Case {
    wrong(CHAT, &fields, param, says)
}

pub fn completion(fields: Value, param: &'static str, says: &'static str) -> Case {
    wrong(COMPLETIONS, &fields, param, says)
}

/// A chat with one message.
fn message(message: Value, param: &'static str, says: &'static str) -> Case {
    chat(json!({"messages": [message]}), param, says)
}

/// A chat whose only message has this one part.
fn part(part: Value, param: &'static str, says: &'static str) -> Case {
    message(json!({"role": "user", "content": [part]}), param, says)
}

fn without(path: &'static str, field: &'static str) -> Case {
    let mut body = valid(path);
    body.as_object_mut().unwrap().remove(field);
    Case {
        param: Some(field),
        ..raw(&format!("no {field}"), body.to_string(), "is required")
    }
    .at(path)
}

impl Case {
    fn at(self, path: &'static str) -> Self {
        Self { path, ..self }
    }

    fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    fn content_type(self, content_type: Option<&'static str>) -> Self {
        Self {
            content_type,
            ..self
        }
    }
}

fn bodies() -> Vec<Case> {
    let request = valid(CHAT).to_string();
    vec![
        raw("an empty body", "", "it is empty"),
        raw("not JSON", "model=scripted", "not usable JSON"),
        raw("cut short", &request.as_bytes()[..40], "EOF while parsing"),
        raw(
            "more after the end",
            format!("{request}]"),
            "trailing characters",
        ),
        raw(
            "a trailing comma",
            r#"{"model": "scripted",}"#,
            "trailing comma",
        ),
        raw("an array", "[]", "must be a JSON object, but is an array"),
        raw(
            "a string",
            "\"hi\"",
            "must be a JSON object, but is a string",
        ),
        raw("null", "null", "must be a JSON object, but is null"),
        raw(
            "a key twice",
            r#"{"model": "scripted", "model": "other"}"#,
            "`model` is given twice",
        ),
        raw(
            "not UTF-8",
            b"{\"model\": \"\xff\"}",
            "not UTF-8 from byte 11 on",
        ),
        raw(
            "a lone high surrogate",
            r#"{"model": "\ud800"}"#,
            "surrogate pair",
        ),
        raw(
            "a lone low surrogate",
            r#"{"model": "\udfff"}"#,
            "surrogate pair",
        ),
        raw("a raw NUL", b"{\"model\": \"\0\"}", "control character"),
        raw(
            "200 arrays deep",
            format!("{{\"model\": {}{}}}", "[".repeat(200), "]".repeat(200)),
            "nested deeper than 64",
        ),
        raw(
            "100,000 arrays deep",
            "[".repeat(100_000),
            "nested deeper than 64",
        ),
        raw(
            "a number beyond doubles",
            r#"{"temperature": 1e400}"#,
            "number out of range",
        ),
        raw("NaN", r#"{"temperature": NaN}"#, "not usable JSON"),
        raw(
            "two million values",
            format!("[{}0]", "0,".repeat(2_000_000)),
            "more than 1000000 values",
        ),
        raw(
            "a body over the limit",
            vec![b' '; 30758229],
            "larger than the 30758228 bytes",
        )
        .status(413),
        raw("a form", "model=scripted", "Content-Type: application/json")
            .content_type(Some("application/x-www-form-urlencoded"))
            .status(415),
        raw(
            "no content type",
            request.clone(),
            "Content-Type: application/json",
        )
        .content_type(None)
        .status(415),
        raw("a wrong route", request, "/v1/chat/completions")
            .at("/v1/chat/completion")
            .status(404),
    ]
}

fn fields() -> Vec<Case> {
    vec![
        without(CHAT, "model"),
        without(CHAT, "messages"),
        without(COMPLETIONS, "prompt"),
        chat(
            json!({"model": 3}),
            "model",
            "must be a string, but is a number",
        ),
        chat(json!({"model": "gpt-4o"}), "model", "`scripted` is").status(404),
        completion(json!({"model": "gpt-4o"}), "model", "`scripted` is").status(404),
        chat(
            json!({"tempature": 1}),
            "tempature",
            "is not a known parameter",
        ),
        chat(
            json!({"temperatures": 1}),
            "temperatures",
            "`temperature` is",
        ),
        chat(
            json!({"prompt_logprobs": 1}),
            "prompt_logprobs",
            "is not a known parameter",
        ),
        chat(json!({"prompt": "hi"}), "prompt", "must be an object"),
        chat(
            json!({"tools": [{"type": "function"}]}),
            "tools[0].function",
            "is required",
        ),
        chat(
            json!({"tool_choice": "required"}),
            "tool_choice",
            "without `tools`",
        ),
        chat(
            json!({"audio": {"voice": "alloy"}}),
            "audio",
            "leave it out",
        ),
        completion(json!({"suffix": "end"}), "suffix", "not supported"),
        completion(
            json!({"max_completion_tokens": 5}),
            "max_completion_tokens",
            "max_tokens, stop",
        ),
        chat(json!({"max_tokens": -1}), "max_tokens", "from 1 to"),
        chat(json!({"max_tokens": 0}), "max_tokens", "from 1 to"),
        chat(
            json!({"max_tokens": 1.5}),
            "max_tokens",
            "must be an integer",
        ),
        chat(
            json!({"max_tokens": "16"}),
            "max_tokens",
            "must be an integer",
        ),
        chat(
            json!({"max_tokens": 1e30}),
            "max_tokens",
            "must be an integer",
        ),
        chat(
            json!({"max_tokens": u64::MAX}),
            "max_tokens",
            "must be an integer",
        ),
        chat(json!({"max_tokens": 100_000}), "messages", "100000 more"),
        chat(
            json!({"max_tokens": 5, "max_completion_tokens": 6}),
            "max_tokens",
            "send one",
        ),
        chat(json!({"n": 0}), "n", "from 1 to 16"),
        chat(json!({"n": 10_000}), "n", "from 1 to 16"),
        completion(
            json!({"n": 16, "prompt": vec!["a"; 20]}),
            "n",
            "more than 128 together",
        ),
        chat(json!({"temperature": -0.1}), "temperature", "from 0 to 2"),
        chat(json!({"temperature": 2.1}), "temperature", "from 0 to 2"),
        chat(
            json!({"temperature": "warm"}),
            "temperature",
            "must be a number from 0 to 2",
        ),
        chat(
            json!({"temperature": true}),
            "temperature",
            "but is a boolean",
        ),
        chat(json!({"top_p": -0.1}), "top_p", "from 0 to 1"),
        chat(json!({"top_p": 1.01}), "top_p", "from 0 to 1"),
        chat(json!({"seed": 1u64 << 63}), "seed", "must be an integer"),
        chat(json!({"seed": "s"}), "seed", "must be an integer"),
        chat(json!({"stream": "yes"}), "stream", "true or false"),
        chat(json!({"stream": 1}), "stream", "true or false"),
        chat(
            json!({"stream_options": {"include_usage": true}}),
            "stream_options",
            "unless `stream` is true",
        ),
        chat(
            json!({"stream": true, "stream_options": []}),
            "stream_options",
            "must be an object",
        ),
        chat(
            json!({"stream": true, "stream_options": {"usage": true}}),
            "stream_options.usage",
            "not a known",
        ),
        chat(
            json!({"stream": true, "stream_options": {"include_usage": 1}}),
            "stream_options.include_usage",
            "true or false",
        ),
        chat(
            json!({"stream": true, "stream_options": {"include_obfuscation": true}}),
            "stream_options.include_obfuscation",
            "send false",
        ),
        chat(
            json!({"stop": ["a", "b", "c", "d", "e"]}),
            "stop",
            "1 to 4 strings, but holds 5",
        ),
        chat(json!({"stop": ""}), "stop", "1 to 1024 bytes"),
        chat(json!({"stop": ["a", 1]}), "stop[1]", "must be a string"),
        chat(json!({"stop": "x".repeat(1025)}), "stop", "1 to 1024 bytes"),
        chat(json!({"stop": {"a": 1}}), "stop", "a string or an array"),
        chat(json!({"stop": "a\0"}), "stop", "U+0000"),
    ]
}

fn messages() -> Vec<Case> {
    vec![
        chat(
            json!({"messages": []}),
            "messages",
            "1 to 4096 messages, but holds 0",
        ),
        chat(
            json!({"messages": "hi"}),
            "messages",
            "must be an array of messages",
        ),
        chat(json!({"messages": [7]}), "messages[0]", "must be an object"),
        message(json!({"content": "hi"}), "messages[0].role", "is required"),
        message(
            json!({"role": "user"}),
            "messages[0].content",
            "is required",
        ),
        message(
            json!({"role": "king", "content": "hi"}),
            "messages[0].role",
            "`assistant`",
        ),
        message(
            json!({"role": "function", "content": "hi", "name": "f"}),
            "messages[0].role",
            "older form",
        ),
        message(
            json!({"role": "user", "content": 7}),
            "messages[0].content",
            "a string or an array of text parts",
        ),
        message(
            json!({"role": "user", "content": []}),
            "messages[0].content",
            "1 to 1024 text parts",
        ),
        message(
            json!({"role": "user", "content": "a\0b"}),
            "messages[0].content",
            "U+0000",
        ),
        message(
            json!({"role": "user", "content": "hi", "weight": 1}),
            "messages[0].weight",
            "not a known",
        ),
        message(
            json!({"role": "user", "content": "hi", "tool_calls": []}),
            "messages[0].tool_calls",
            "not a known",
        ),
        message(
            json!({"role": "user", "content": "hi", "name": ""}),
            "messages[0].name",
            "1 to 128 characters",
        ),
        message(
            json!({"role": "assistant", "content": null}),
            "messages[0].content",
            "is required",
        ),
        message(
            json!({"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]}),
            "messages[0].tool_calls[0].function",
            "is required",
        ),
        part(json!("hi"), "messages[0].content[0]", "must be an object"),
        part(
            json!({"type": "text"}),
            "messages[0].content[0].text",
            "is required",
        ),
        part(
            json!({"text": "hi"}),
            "messages[0].content[0].type",
            "is required",
        ),
        part(
            json!({"type": "text", "text": ["hi"]}),
            "messages[0].content[0].text",
            "must be a string",
        ),
        part(
            json!({"type": "image_url", "image_url": {"url": "x"}}),
            "messages[0].content[0].type",
            "takes no images",
        ),
        part(
            json!({"type": "text", "text": "hi", "image_url": "x"}),
            "messages[0].content[0].image_url",
            "not a known",
        ),
        message(
            json!({"role": "user", "content": "x".repeat(MAX_MODEL_LEN)}),
            "messages",
            "Shorten `messages`",
        ),
        completion(json!({"prompt": []}), "prompt", "1 to 128 prompts"),
        completion(
            json!({"prompt": {"text": "hi"}}),
            "prompt",
            "array of token ids",
        ),
        completion(json!({"prompt": ["a", 1]}), "prompt[1]", "must be a string"),
        completion(
            json!({"prompt": [1, "a"]}),
            "prompt[1]",
            "must be an integer",
        ),
        completion(json!({"prompt": [-1]}), "prompt[0]", "from 0 to"),
        completion(json!({"prompt": [[1], []]}), "prompt[1]", "token ids"),
        completion(
            json!({"prompt": [1_000_000]}),
            "prompt",
            "not in this model's vocabulary",
        ),
        completion(json!({"prompt": [true]}), "prompt", "but holds a boolean"),
        completion(
            json!({"prompt": vec!["a"; 200]}),
            "prompt",
            "1 to 128 prompts, but holds 200",
        ),
        completion(json!({"prompt": ""}), "prompt", "at least one token"),
        completion(
            json!({"prompt": "x".repeat(MAX_MODEL_LEN)}),
            "prompt",
            "512 tokens",
        ),
    ]
}

#[tokio::test]
async fn every_bad_request_is_told_what_is_wrong_and_the_server_goes_on() {
    let server = TestServer::saying("fine").await;
    let cases: Vec<_> = [bodies(), fields(), bad_sampling::cases(), messages()]
        .into_iter()
        .flatten()
        .collect();
    assert!(cases.len() >= 40);
    println!("| request | status | param | message |\n|---|---|---|---|");
    for case in &cases {
        let answer = send(&server, case).await;
        let what = &case.what;
        let error = &answer.json()["error"];
        let (param, message) = (error["param"].as_str(), error["message"].as_str().unwrap());
        println!(
            "| {} {what} | {} | {} | {message} |",
            case.path,
            answer.status,
            param.unwrap_or("–")
        );
        assert_eq!(answer.status, case.status, "{what}: {message}");
        assert_eq!(param, case.param, "{what}: {message}");
        assert!(message.contains(case.says), "{what}: {message}");
        assert_eq!(error["type"], "invalid_request_error", "{what}");
        assert!(answer.header("x-request-id").is_some(), "{what}");
    }
    println!("\n{} requests", cases.len());
    for path in [CHAT, COMPLETIONS] {
        let answer = server.post(path, &valid(path)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(answer.text.contains("fine"));
    }
}

#[tokio::test]
async fn a_context_that_is_exceeded_says_both_counts() {
    let server = TestServer::saying("fine").await;
    let body = json!({"model": MODEL, "prompt": "x".repeat(500), "max_tokens": 13});
    let answer = server.post(COMPLETIONS, &body).await;
    let error = answer.json()["error"].clone();
    assert_eq!(error["code"], "context_length_exceeded");
    let message = error["message"].as_str().unwrap();
    for count in ["500", "13", "512"] {
        assert!(message.contains(count), "{message}");
    }
    let fits = json!({"model": MODEL, "prompt": "x".repeat(500), "max_tokens": 12});
    assert_eq!(server.post(COMPLETIONS, &fits).await.status, 200);
}

/// Cuts valid requests short at every byte and flips every byte: whatever comes of it, it
/// is no failure of the server.
#[tokio::test]
async fn no_damaged_request_is_our_fault() {
    let server = TestServer::saying("fine").await;
    let body =
        json!({"model": MODEL, "n": 1, "stop": ["x"], "max_tokens": 2, "prompt": [[1, 2], [3]]})
            .to_string();
    for i in 0..body.len() {
        let mut flipped = body.clone().into_bytes();
        flipped[i] ^= 0x10;
        for damaged in [body.as_bytes()[..i].to_vec(), flipped] {
            let case = raw("damaged", damaged, "").at(COMPLETIONS);
            let answer = send(&server, &case).await;
            assert!(
                answer.status < 500,
                "{}: {}",
                String::from_utf8_lossy(&case.body),
                answer.text
            );
        }
    }
}

async fn send(server: &TestServer, case: &Case) -> Answer {
    let mut request = server
        .request(Method::POST, case.path)
        .body(case.body.clone());
    if let Some(content_type) = case.content_type {
        request = request.header("content-type", content_type);
    }
    Answer::read(request.send().await.unwrap()).await
}
