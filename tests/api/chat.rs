use crate::scripted::{MAX_MODEL_LEN, MODEL, Script};
use crate::server::{CHAT, Options, TestServer};
use serde_json::{Value, json};

fn hello() -> Value {
    json!({"model": MODEL, "messages": [{"role": "user", "content": "Guten Tag"}]})
}

fn with(fields: Value) -> Value {
    let mut body = hello();
    body.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn a_chat_is_answered_as_openai_answers() {
    let server = TestServer::saying("Grüße aus Zürich").await;
    let answer = server.post(CHAT, &hello()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let body = answer.json();
    assert!(body["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["model"], MODEL);
    assert_eq!(body["system_fingerprint"], "fp_test");
    assert!(body["created"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!(
        body["choices"],
        json!([{
            "index": 0,
            "message": {"role": "assistant", "content": "Grüße aus Zürich", "refusal": null},
            "logprobs": null,
            "finish_reason": "stop",
        }])
    );
    let usage = &body["usage"];
    let sum =
        usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"].as_u64(), Some(sum));
}

#[tokio::test]
async fn an_answer_ends_at_max_tokens_and_says_so() {
    let server = TestServer::saying("abcdefgh").await;
    for name in ["max_tokens", "max_completion_tokens"] {
        let body = server.post(CHAT, &with(json!({name: 3}))).await.json();
        assert_eq!(body["choices"][0]["message"]["content"], "abc");
        assert_eq!(body["choices"][0]["finish_reason"], "length");
        assert_eq!(body["usage"]["completion_tokens"], 3);
    }
    let same = server
        .post(
            CHAT,
            &with(json!({"max_tokens": 3, "max_completion_tokens": 3})),
        )
        .await;
    assert_eq!(same.status, 200);
}

#[tokio::test]
async fn without_a_maximum_an_answer_may_fill_the_context() {
    let server = TestServer::saying(&"x".repeat(MAX_MODEL_LEN)).await;
    let body = server.post(CHAT, &hello()).await.json();
    assert_eq!(body["choices"][0]["finish_reason"], "length");
    assert_eq!(body["usage"]["total_tokens"], MAX_MODEL_LEN);
}

#[tokio::test]
async fn a_stop_string_ends_the_answer_and_is_not_part_of_it() {
    let server = TestServer::saying("one two three four").await;
    for stop in [json!(" three"), json!(["nowhere", " three"])] {
        let body = server.post(CHAT, &with(json!({"stop": stop}))).await.json();
        assert_eq!(body["choices"][0]["message"]["content"], "one two");
        assert_eq!(body["choices"][0]["finish_reason"], "stop");
    }
}

#[tokio::test]
async fn n_choices_come_in_order_and_are_counted_together() {
    let choices = ["first".to_owned(), "second".to_owned(), "third".to_owned()].to_vec();
    let server = TestServer::start(Options::new(Script {
        choices,
        ..Script::saying("")
    }))
    .await;
    let one = server.post(CHAT, &hello()).await.json();
    let body = server.post(CHAT, &with(json!({"n": 3}))).await.json();
    for (i, text) in ["first", "second", "third"].iter().enumerate() {
        assert_eq!(body["choices"][i]["index"], i);
        assert_eq!(body["choices"][i]["message"]["content"], *text);
    }
    assert_eq!(
        body["usage"]["prompt_tokens"],
        one["usage"]["prompt_tokens"]
    );
    let said = "firstsecondthird".len() as u64;
    assert!(body["usage"]["completion_tokens"].as_u64().unwrap() >= said);
}

#[tokio::test]
async fn every_role_and_form_of_content_is_taken() {
    let server = TestServer::saying("ok").await;
    let messages = json!([
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "name": "Anna", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": "earlier", "refusal": null, "tool_calls": [], "annotations": [],
            "audio": null, "function_call": null},
        {"role": "user", "content": ""},
    ]);
    let answer = server
        .post(CHAT, &json!({"model": MODEL, "messages": messages}))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn parts_are_joined_by_a_line_break_and_a_developer_speaks_as_the_system() {
    let server = TestServer::saying("ok").await;
    let tokens = async |messages: Value| {
        let body = server
            .post(CHAT, &json!({"model": MODEL, "messages": messages}))
            .await
            .json();
        body["usage"]["prompt_tokens"].as_u64().unwrap()
    };
    let whole = tokens(json!([{"role": "system", "content": "a\nb"}])).await;
    let parts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    assert_eq!(
        tokens(json!([{"role": "developer", "content": parts}])).await,
        whole
    );
}

#[tokio::test]
async fn neutral_values_are_taken_and_change_nothing() {
    let server = TestServer::saying("ok").await;
    let answer = server
        .post(
            CHAT,
            &with(json!({
                "frequency_penalty": 0, "presence_penalty": 0.0, "logprobs": false, "top_logprobs": 0,
                "top_k": -1, "min_p": 0, "repetition_penalty": 1, "min_tokens": 0, "ignore_eos": false,
                "stop_token_ids": [], "service_tier": null,
                "tools": [], "tool_choice": "auto", "parallel_tool_calls": true, "logit_bias": {},
                "response_format": {"type": "text"}, "modalities": ["text"], "reasoning_effort": null,
                "stop": null, "seed": null, "temperature": null, "stream": null, "stream_options": null,
            })),
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("x-guichet-ignored"), None);
}

#[tokio::test]
async fn what_is_ignored_is_listed_plain_and_streamed() {
    let server = TestServer::saying("ok").await;
    for stream in [false, true] {
        let body = with(
            json!({"user": "u", "metadata": {"case": "17"}, "store": false, "stream": stream,
            "safety_identifier": null}),
        );
        let answer = server.post(CHAT, &body).await;
        assert_eq!(
            answer.header("x-guichet-ignored"),
            Some("user, metadata, store")
        );
    }
}

#[tokio::test]
async fn what_clients_add_to_messages_is_listed_and_not_refused() {
    let server = TestServer::saying("Yes.").await;
    let call = json!({"id": "c1", "type": "function",
        "function": {"name": "f", "arguments": "{}", "parsed_arguments": {}}});
    let messages = json!([
        {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
        {"role": "assistant", "content": null, "parsed": {"a": 1}, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "b"},
    ]);
    let answer = server
        .post(CHAT, &with(json!({"messages": messages})))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(
        answer.header("x-guichet-ignored"),
        Some(
            "messages[].content[].cache_control, messages[].parsed, messages[].tool_calls[].function.parsed_arguments"
        )
    );
}

#[tokio::test]
async fn a_name_that_the_template_makes_nothing_of_is_listed_as_ignored() {
    let server = TestServer::saying("Yes.").await;
    let named = json!([{"role": "user", "content": "Hello", "name": "Ada"}]);
    let answer = server.post(CHAT, &with(json!({"messages": named}))).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-guichet-ignored"), Some("messages[].name"));
    let answer = server.post(CHAT, &hello()).await;
    assert_eq!(answer.header("x-guichet-ignored"), None);
}

#[tokio::test]
async fn a_top_p_of_0_is_taken_as_openai_documents_it() {
    let server = TestServer::saying("Yes.").await;
    let answer = server.post(CHAT, &with(json!({"top_p": 0}))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn every_seed_of_64_bits_is_taken() {
    let server = TestServer::saying("ok").await;
    for seed in [0, -1, i64::MIN, i64::MAX] {
        let answer = server
            .post(
                CHAT,
                &with(json!({"seed": seed, "temperature": 2, "top_p": 1e-60})),
            )
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}
