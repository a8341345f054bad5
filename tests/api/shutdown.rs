use crate::scripted::{MODEL, Script};
use crate::server::{Answer, CHAT, Options, TestServer};
use guichet::engine::EngineState;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

fn streamed() -> Value {
    json!({"model": MODEL, "stream": true, "messages": [{"role": "user", "content": "hi"}]})
}

#[tokio::test]
async fn an_admitted_request_is_finished_and_no_connection_is_taken_after_it() {
    let script = Script {
        step: Duration::from_millis(10),
        ..Script::saying(&"x".repeat(50))
    };
    let server = TestServer::start(Options::new(script)).await;
    let mut response = server
        .request(Method::POST, CHAT)
        .json(&streamed())
        .send()
        .await
        .unwrap();
    response.chunk().await.unwrap();
    let address = server.base.trim_start_matches("http://").to_owned();
    server.stop.send(()).unwrap();
    let answer = Answer::read(response).await;
    assert_eq!(answer.events().last(), Some(&"[DONE]"));
    server.task.await.unwrap();
    assert!(
        TcpStream::connect(address).await.is_err(),
        "nobody listens any more"
    );
    let model = &server.state.loaded().unwrap().generators[0].model;
    assert_eq!(model.engines.state(), EngineState::Stopped);
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_told_and_cut_off() {
    let script = Script {
        step: Duration::from_millis(10),
        ..Script::saying(&"x".repeat(10_000))
    };
    let mut options = Options::new(script);
    options.server.shutdown_timeout_ms = 100;
    let server = TestServer::start(options).await;
    let mut response = server
        .request(Method::POST, CHAT)
        .json(&streamed())
        .send()
        .await
        .unwrap();
    response.chunk().await.unwrap();
    let stopping = Instant::now();
    server.stop.send(()).unwrap();
    let answer = Answer::read(response).await;
    server.task.await.unwrap();
    assert!(stopping.elapsed() < Duration::from_secs(3));
    let last: Value = serde_json::from_str(answer.events().last().unwrap()).unwrap();
    assert_eq!(last["error"]["type"], "server_error");
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let server = TestServer::saying("ok").await;
    server.get("/livez").await;
    let stopping = Instant::now();
    server.stop.send(()).unwrap();
    server.task.await.unwrap();
    assert!(stopping.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn headers_and_bodies_that_do_not_arrive_end_in_time() {
    let mut options = Options::new(Script::saying("ok"));
    options.server.header_read_timeout_ms = 200;
    options.server.body_read_timeout_ms = 200;
    let server = TestServer::start(options).await;
    let address = server.base.trim_start_matches("http://").to_owned();
    let request =
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    for (sent, status) in [
        (request.to_owned(), None),
        (format!("{request}content-length: 9\r\n\r\n{{"), Some("408")),
    ] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(Duration::from_secs(5), stream.read_to_string(&mut answer))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(answer.split(' ').nth(1), status, "{answer}");
    }
}
