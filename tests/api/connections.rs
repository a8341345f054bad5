//! What a client can do with a connection, and how long it can do nothing.

use crate::scripted::{MODEL, Script};
use crate::server::{Answer, CHAT, Options, TestServer};
use bytes::Bytes;
use guichet::engine::KvGroup;
use reqwest::{Method, Version};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SOON: Duration = Duration::from_millis(300);

fn hello(stream: bool) -> Value {
    json!({"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": "hi"}]})
}

fn impatient(script: Script) -> Options {
    let mut options = Options::new(script);
    options.server.header_read_timeout_ms = 300;
    options.server.write_timeout_ms = 300;
    options
}

async fn connect(server: &TestServer) -> TcpStream {
    let address = server.base.trim_start_matches("http://");
    TcpStream::connect(address).await.unwrap()
}

/// Waits until the server has closed a connection, and says how long that took.
async fn closed(stream: &mut TcpStream) -> Duration {
    let began = Instant::now();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the connection stays open");
    began.elapsed()
}

#[tokio::test]
async fn a_chat_goes_over_http_2_plain_and_streamed() {
    let server = TestServer::saying("Guten Tag.").await;
    let client = reqwest::Client::builder().http2_prior_knowledge();
    let client = client.build().unwrap();
    let url = format!("{}{CHAT}", server.base);
    let ask = async |stream| {
        let sent = client.post(&url).json(&hello(stream)).send().await.unwrap();
        assert_eq!(sent.version(), Version::HTTP_2);
        Answer::read(sent).await
    };
    let plain = ask(false).await.json();
    assert_eq!(plain["choices"][0]["message"]["content"], "Guten Tag.");
    let chunks = ask(true).await.chunks();
    let texts = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
    assert_eq!(texts.collect::<String>(), "Guten Tag.");
}

#[tokio::test]
async fn who_says_nothing_or_half_a_preface_is_not_waited_for() {
    let server = TestServer::start(impatient(Script::saying(""))).await;
    for said in [&b""[..], b"PRI * HTTP/2.0\r\n", b"GET /li"] {
        let mut stream = connect(&server).await;
        stream.write_all(said).await.unwrap();
        let waited = closed(&mut stream).await;
        assert!(waited < Duration::from_secs(3), "{waited:?}");
    }
}

#[tokio::test]
async fn an_idle_http_2_connection_is_closed() {
    let server = TestServer::start(impatient(Script::saying(""))).await;
    let (client, connection) = h2::client::handshake(connect(&server).await).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), connection).await;
    assert!(ended.is_ok(), "the connection stays open");
    drop(client);
}

#[tokio::test]
async fn a_slow_answer_is_waited_for() {
    // Longer than any patience above, and nothing is sent meanwhile.
    let script = Script {
        step: Duration::from_millis(60),
        ..Script::saying(&"x".repeat(20))
    };
    let server = TestServer::start(impatient(script)).await;
    let began = Instant::now();
    let answer = server.post(CHAT, &hello(false)).await;
    assert_eq!(answer.status, 200);
    assert!(began.elapsed() > 2 * SOON);
}

#[tokio::test]
async fn who_reads_nothing_of_a_stream_does_not_hold_the_model() {
    let script = Script {
        step: Duration::from_millis(1),
        ..Script::saying(&"x".repeat(100_000))
    };
    let mut options = impatient(script);
    options.engine.max_model_len = 110_000;
    options.engine.kv_groups = vec![KvGroup::without_window(8192)];
    let server = TestServer::start(options).await;
    let connection = connect(&server).await;
    let (client, connection) = h2::client::Builder::new()
        .initial_window_size(1024)
        .handshake::<_, Bytes>(connection)
        .await
        .unwrap();
    let driven = tokio::spawn(connection);
    let request = chat_request(&server.base);
    let mut client = client.ready().await.unwrap();
    let (answer, mut body) = client.send_request(request, false).unwrap();
    body.send_data(hello(true).to_string().into(), true)
        .unwrap();
    // Its window is never opened again.
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 200);
    server
        .wait_for_metric("guichet_requests_running", 1.0)
        .await;
    // What it asks beside hides nothing.
    let asking = tokio::spawn(async move {
        loop {
            let probe = axum::http::Request::get("http://x/livez").body(());
            let Ok(mut ready) = client.ready().await else {
                return;
            };
            let Ok((answer, _)) = ready.send_request(probe.unwrap(), true) else {
                return;
            };
            // Its text waits for the window, too.
            let _head = answer.await;
            client = ready;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    server
        .wait_for_metric("guichet_requests_running", 0.0)
        .await;
    let asked = tokio::time::timeout(Duration::from_secs(5), asking).await;
    assert!(asked.is_ok(), "probes are still answered");
    let closed = tokio::time::timeout(Duration::from_secs(5), driven).await;
    assert!(closed.is_ok(), "the connection stays open");
}

fn chat_request(base: &str) -> axum::http::Request<()> {
    axum::http::Request::builder()
        .method(Method::POST)
        .uri(format!("{base}{CHAT}"))
        .header("content-type", "application/json")
        .body(())
        .unwrap()
}

#[tokio::test]
async fn a_large_answer_that_is_taken_slowly_is_whole() {
    let server = TestServer::start(impatient(Script::saying(""))).await;
    let text = "é".repeat(300_000);
    let body = json!({"model": MODEL, "prompt": text}).to_string();
    let mut stream = connect(&server).await;
    let head = format!(
        "POST /tokenize HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let (mut answer, mut piece) = (Vec::new(), vec![0; 256 << 10]);
    loop {
        let len = stream.read(&mut piece).await.unwrap();
        if len == 0 {
            break;
        }
        answer.extend_from_slice(&piece[..len]);
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    let answer = String::from_utf8(answer).unwrap();
    let (_, json) = answer.split_once("\r\n\r\n").unwrap();
    let json: Value = serde_json::from_str(json).unwrap();
    assert_eq!(json["count"], 600_000);
}
