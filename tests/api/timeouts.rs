use crate::scripted::{MODEL, Script};
use crate::server::{CHAT, Options, TestServer};
use serde_json::{Value, json};
use std::time::Duration;

/// A server that gives up long before its model is done.
async fn slow_server() -> TestServer {
    let script = Script {
        step: Duration::from_millis(20),
        ..Script::saying(&"x".repeat(10_000))
    };
    let mut options = Options::new(script);
    options.server.request_timeout_ms = 200;
    TestServer::start(options).await
}

fn hello(stream: bool) -> Value {
    json!({"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": "hi"}]})
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_a_504() {
    let server = slow_server().await;
    let answer = server.post(CHAT, &hello(false)).await;
    assert_eq!(answer.status, 504, "{}", answer.text);
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "request_timeout");
    assert_eq!(error["type"], "server_error");
    assert!(error["message"].as_str().unwrap().contains("200 ms"));
    server
        .wait_for_metric("guichet_requests_running", 0.0)
        .await;
}

#[tokio::test]
async fn a_stream_that_takes_too_long_ends_with_an_error() {
    let server = slow_server().await;
    let answer = server.post(CHAT, &hello(true)).await;
    assert_eq!(answer.status, 200);
    let events = answer.events();
    assert!(events.len() > 2, "text came before: {}", answer.text);
    let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "request_timeout");
}
