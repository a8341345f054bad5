//! SmolLM2 behind the API, which `make test` pulls into `weights/`.

use crate::server::{CHAT, TestServer};
use guichet::app;
use guichet::config::{Config, ServerConfig};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::path::Path;

const RUNNING: &str = "guichet_requests_running";
const WAITING: &str = "guichet_requests_waiting";
const BLOCKS_USED: &str = "guichet_kv_blocks_used";

async fn server() -> TestServer {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/smollm2-135m-instruct");
    assert!(
        dir.exists(),
        "weights/smollm2-135m-instruct is missing: run `make weights` first"
    );
    let server = TestServer::start_loading(ServerConfig::default(), &[]).await;
    let load = move || app::load_served_model(&dir, &Config::default()).unwrap();
    server.set_model(tokio::task::spawn_blocking(load).await.unwrap());
    server
}

/// A question whose length and answer's length depend on its number.
fn question(number: usize) -> Value {
    let content = format!(
        "{} What is form {number} for?",
        "The office is closed. ".repeat(number % 7)
    );
    json!({
        "model": "smollm2-135m-instruct",
        "messages": [{"role": "user", "content": content}],
        "max_tokens": 4 + number % 13,
        "temperature": 0,
    })
}

async fn stream(server: &TestServer, mut body: Value) -> Response {
    body["stream"] = json!(true);
    let response = server
        .request(Method::POST, CHAT)
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    response
}

fn id_of(server: &TestServer) -> String {
    server.state.loaded().unwrap().generators[0]
        .model
        .id
        .clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_streams_finish_and_thirty_two_that_vanish_leave_nothing_behind() {
    let server = server().await;
    let mut vanishing = Vec::new();
    for number in 0..32 {
        let mut body = question(number);
        body["model"] = json!(id_of(&server));
        body["max_tokens"] = json!(500);
        body["ignore_eos"] = json!(true);
        vanishing.push(stream(&server, body).await);
    }
    for response in &mut vanishing {
        response.chunk().await.unwrap();
    }
    server.wait_for_metric(RUNNING, 32.0).await;
    assert!(server.metric(BLOCKS_USED).await.unwrap() > 0.0);
    let mut staying = Vec::new();
    for number in 0..64 {
        let mut body = question(number);
        body["model"] = json!(id_of(&server));
        staying.push(tokio::spawn(stream_text(stream(&server, body).await)));
    }
    drop(vanishing);
    for task in staying {
        assert!(task.await.unwrap().trim_end().ends_with("data: [DONE]"));
    }
    for gauge in [RUNNING, WAITING, BLOCKS_USED] {
        server.wait_for_metric(gauge, 0.0).await;
    }
}

async fn stream_text(response: Response) -> String {
    response.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streamed_answer_joins_to_the_plain_one() {
    let server = server().await;
    for number in [0, 5, 9] {
        let mut body = question(number);
        body["model"] = json!(id_of(&server));
        let plain = server.post(CHAT, &body).await.json();
        let text = stream_text(stream(&server, body).await).await;
        let joined: String = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
            .filter_map(|chunk| Some(chunk["choices"][0]["delta"]["content"].as_str()?.to_owned()))
            .collect();
        assert!(!joined.is_empty());
        assert_eq!(plain["choices"][0]["message"]["content"], json!(joined));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_keep_to_a_schema_however_wild_the_draw() {
    let server = server().await;
    let body = |seed: i64| {
        json!({
            "model": id_of(&server),
            "messages": [{"role": "user", "content": "Give me a person as JSON."}],
            "temperature": 1.5,
            "seed": seed,
            "max_tokens": 200,
            "response_format": {"type": "json_schema", "json_schema": {"name": "person", "strict": true, "schema": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "maxLength": 12},
                    "born": {"type": "string", "format": "date"},
                    "papers": {"type": "array", "items": {"enum": ["Reisepass", "carte d’identité"]}, "maxItems": 2},
                },
                "required": ["name", "born", "papers"],
                "additionalProperties": false,
            }}},
        })
    };
    for seed in 0..12 {
        let answer = server.post(CHAT, &body(seed)).await.json();
        let choice = &answer["choices"][0];
        assert_eq!(choice["finish_reason"], "stop", "{answer}");
        let person: Value =
            serde_json::from_str(choice["message"]["content"].as_str().unwrap()).unwrap();
        assert!(
            person["name"].as_str().unwrap().chars().count() <= 12,
            "{person}"
        );
        let born: Vec<&str> = person["born"].as_str().unwrap().split('-').collect();
        assert!(
            born.len() == 3 && born[1] <= "12" && born[2] <= "31",
            "{person}"
        );
        assert!(person["papers"].as_array().unwrap().len() <= 2, "{person}");
        assert_eq!(person.as_object().unwrap().len(), 3, "{person}");
    }
}
