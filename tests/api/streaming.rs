use crate::scripted::{MODEL, Script};
use crate::server::{CHAT, Options, TestServer};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const RUNNING: &str = "guichet_requests_running";
const BLOCKS_USED: &str = "guichet_kv_blocks_used";

fn streamed(fields: Value) -> Value {
    let mut body =
        json!({"model": MODEL, "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    body
}

/// A model that talks slowly and never comes to an end by itself.
fn endless() -> Script {
    Script {
        step: Duration::from_millis(5),
        ..Script::saying(&"x".repeat(10_000))
    }
}

#[tokio::test]
async fn a_stream_begins_with_the_role_and_ends_with_the_reason() {
    let server = TestServer::saying("Grüße 😀").await;
    let answer = server.post(CHAT, &streamed(json!({}))).await;
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let chunks = answer.chunks();
    assert_eq!(
        chunks[0]["choices"],
        json!([{"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": null, "finish_reason": null}])
    );
    let (last, texts) = chunks[1..].split_last().unwrap();
    let text: String = texts
        .iter()
        .map(|c| c["choices"][0]["delta"]["content"].as_str().unwrap())
        .collect();
    assert_eq!(text, "Grüße 😀");
    assert_eq!(last["choices"][0]["delta"], json!({}));
    assert_eq!(last["choices"][0]["finish_reason"], "stop");
    for chunk in &chunks {
        assert_eq!(chunk["id"], chunks[0]["id"]);
        assert_eq!(chunk["created"], chunks[0]["created"]);
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert!(chunk.get("usage").is_none());
    }
}

#[tokio::test]
async fn include_usage_adds_one_chunk_without_choices_and_null_elsewhere() {
    let server = TestServer::saying("abc").await;
    let plain = streamed(json!({"stream": false}));
    // From the second time on the prompt comes from the prefix cache.
    server.post(CHAT, &plain).await;
    let plain = server.post(CHAT, &plain).await.json();
    let body =
        streamed(json!({"stream_options": {"include_usage": true, "include_obfuscation": false}}));
    let chunks = server.post(CHAT, &body).await.chunks();
    let (last, others) = chunks.split_last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"], plain["usage"]);
    assert!(others.iter().all(|c| c.get("usage") == Some(&Value::Null)));
}

#[tokio::test]
async fn choices_of_one_stream_are_told_apart_by_their_index() {
    let choices = vec!["left".to_owned(), "right".to_owned()];
    let server = TestServer::start(Options::new(Script {
        choices,
        ..Script::saying("")
    }))
    .await;
    let chunks = server.post(CHAT, &streamed(json!({"n": 2}))).await.chunks();
    let mut texts = [String::new(), String::new()];
    for chunk in &chunks {
        let choice = &chunk["choices"][0];
        let text = choice["delta"]["content"].as_str().unwrap_or_default();
        texts[choice["index"].as_u64().unwrap() as usize].push_str(text);
    }
    assert_eq!(texts, ["left", "right"]);
}

#[tokio::test]
async fn an_error_after_the_first_byte_is_a_frame_and_no_done_follows() {
    let script = Script {
        fails_at: Some(3),
        ..Script::saying("abcdef")
    };
    let server = TestServer::start(Options::new(script)).await;
    let answer = server.post(CHAT, &streamed(json!({}))).await;
    assert_eq!(answer.status, 200);
    let last: Value = serde_json::from_str(answer.events().last().unwrap()).unwrap();
    assert_eq!(last["error"]["type"], "server_error");
    let id = answer.header("x-request-id").unwrap();
    assert!(
        last["error"]["message"].as_str().unwrap().contains(id),
        "{last}"
    );
    assert!(
        !answer.text.contains("the script fails here"),
        "the cause is for the log"
    );
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_frees_its_kv_blocks() {
    let server = TestServer::start(Options::new(endless())).await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        let mut response = server
            .request(Method::POST, CHAT)
            .json(&streamed(json!({})))
            .send()
            .await
            .unwrap();
        response.chunk().await.unwrap();
        streams.push(response);
    }
    server.wait_for_metric(RUNNING, 8.0).await;
    assert!(server.metric(BLOCKS_USED).await.unwrap() > 0.0);
    drop(streams);
    server.wait_for_metric(RUNNING, 0.0).await;
    server.wait_for_metric(BLOCKS_USED, 0.0).await;
}

#[tokio::test]
async fn a_client_that_leaves_a_plain_request_frees_its_kv_blocks() {
    let server = TestServer::start(Options::new(endless())).await;
    let request = server
        .request(Method::POST, CHAT)
        .json(&streamed(json!({"stream": false})))
        .send();
    let request = tokio::spawn(request);
    server.wait_for_metric(RUNNING, 1.0).await;
    request.abort();
    server.wait_for_metric(RUNNING, 0.0).await;
    server.wait_for_metric(BLOCKS_USED, 0.0).await;
}
