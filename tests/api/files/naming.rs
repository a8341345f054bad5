//! Requests that name a file.

use super::{LETTER, PARSE, error, letter, start, upload};
use crate::forms::Form;
use crate::scripted::MODEL;
use crate::server::{Answer, CHAT};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

const RENDER: &str = "/v1/chat/completions/render";
const RESPONSES: &str = "/v1/responses";

pub fn chat(file: Value) -> Value {
    let part = json!({"type": "file", "file": file});
    json!({"model": MODEL, "messages": [{"role": "user", "content": [part]}]})
}

fn response(part: Value) -> Value {
    json!({"model": MODEL, "input": [{"role": "user", "content": [part]}]})
}

#[tokio::test]
async fn a_file_that_is_named_reads_as_one_that_is_sent() {
    let (server, _dir) = start().await;
    let file = upload(&server, letter()).await;
    let data = BASE64_STANDARD.encode(LETTER);
    let (sent, kept) = (
        json!({"file_data": data, "filename": "lettre.txt"}),
        json!({"file_id": file["id"]}),
    );
    let prompt = async |file: &Value| {
        let answer = server.post(RENDER, &chat(file.clone())).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["prompt"].clone()
    };
    assert!(
        prompt(&kept).await.as_str().unwrap().contains(LETTER),
        "the letter is not in the prompt"
    );
    assert_eq!(prompt(&kept).await, prompt(&sent).await);
    let renamed = json!({"file_id": file["id"], "filename": "autre.txt"});
    assert!(
        prompt(&renamed)
            .await
            .as_str()
            .unwrap()
            .contains("autre.txt")
    );
    let told = |answer: Answer| answer.json()["documents"].clone();
    assert_eq!(
        told(server.post(CHAT, &chat(kept.clone())).await),
        told(server.post(CHAT, &chat(sent.clone())).await)
    );
    let part = |file: &Value| {
        let mut part = file.clone();
        part["type"] = "input_file".into();
        response(part)
    };
    let answer = server.post(RESPONSES, &part(&kept)).await;
    assert_eq!(
        answer.json()["documents"][0]["name"],
        "lettre.txt",
        "{}",
        answer.text
    );
    assert_eq!(
        told(answer),
        told(server.post(RESPONSES, &part(&sent)).await)
    );
    let parsed = server.post(PARSE, &kept).await.json();
    assert_eq!(parsed, server.post(PARSE, &sent).await.json());
    assert_eq!(parsed["text"], LETTER);
}

#[tokio::test]
async fn a_file_that_is_not_there_or_named_and_sent_is_refused_by_its_field() {
    let (server, _dir) = start().await;
    let file = upload(&server, letter()).await;
    let both = json!({"file_id": file["id"], "file_data": "YQ=="});
    let missing = json!({"file_id": "file-0"});
    let of = |file: &Value| {
        let mut part = file.clone();
        part["type"] = "input_file".into();
        [
            (CHAT, chat(file.clone()), "messages[0].content[0].file."),
            (RESPONSES, response(part), "input[0].content[0]."),
            (PARSE, file.clone(), ""),
        ]
    };
    for (file, code, name) in [
        (&missing, json!("file_not_found"), "file_id"),
        (&both, Value::Null, "file_id"),
        (&json!({}), Value::Null, "file_data"),
        (&json!({"file_id": 1}), Value::Null, "file_id"),
    ] {
        for (route, body, place) in of(file) {
            let found = error(&server.post(route, &body).await, 400);
            assert_eq!(found["param"], format!("{place}{name}"), "{found}");
            assert_eq!(found["code"], code, "{found}");
        }
    }
    // What is no document is refused where it is read.
    let picture = Form::default()
        .text("purpose", "user_data")
        .file("a.png", b"\x89PNG\r\n\x1a\n");
    let picture = upload(&server, picture).await;
    let found = error(
        &server.post(PARSE, &json!({"file_id": picture["id"]})).await,
        422,
    );
    assert_eq!(found["param"], "file_id", "{found}");
}
