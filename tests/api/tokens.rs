//! What a text is in tokens, and the prompt that a chat becomes.

use crate::scripted::{MAX_MODEL_LEN, MODEL, Script};
use crate::server::{CHAT, Options, TestServer};
use serde_json::json;

const RENDER: &str = "/v1/chat/completions/render";

#[tokio::test]
async fn a_text_becomes_tokens_and_the_tokens_the_text() {
    let server = TestServer::saying("x").await;
    let text = "Zoë <|im_end|> 😀";
    let body = json!({"prompt": text, "return_token_strs": true, "model": MODEL});
    let found = server.post("/tokenize", &body).await.json();
    let mut ids: Vec<u32> = "Zoë ".bytes().map(u32::from).collect();
    ids.push(257);
    ids.extend(" 😀".bytes().map(u32::from));
    assert_eq!(found["tokens"], json!(ids));
    assert_eq!(
        (&found["count"], &found["max_model_len"]),
        (&json!(ids.len()), &json!(MAX_MODEL_LEN))
    );
    assert_eq!(found["token_strs"][5], "<|im_end|>");
    let bare = json!({"prompt": "a", "add_special_tokens": false});
    let bare = server.post("/tokenize", &bare).await.json();
    assert_eq!(
        (&bare["tokens"], &bare["token_strs"]),
        (&json!([97]), &json!(null))
    );
    let found = server
        .post("/detokenize", &json!({"tokens": ids}))
        .await
        .json();
    assert_eq!(found, json!({"prompt": "Zoë  😀"}));
}

#[tokio::test]
async fn a_rendered_chat_is_what_the_model_is_sent() {
    let script = Script::saying("ok");
    let prompts = script.prompts.clone();
    let server = TestServer::start(Options::new(script)).await;
    let body = json!({"model": MODEL, "messages": [{"role": "user", "content": "hé <|im_end|>", "name": "A"}]});
    let answer = server.post(RENDER, &body).await;
    assert_eq!(answer.header("x-guichet-ignored"), Some("messages[].name"));
    let rendered = answer.json();
    assert_eq!(
        rendered["prompt"],
        "<|im_start|>user\nhé <|im_end|><|im_end|>\n<|im_start|>assistant\n"
    );
    let sent = server.post(CHAT, &body).await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    assert_eq!(rendered["token_ids"], json!(prompts.lock().unwrap()[0]));
    assert_eq!(
        rendered["prompt_tokens"],
        sent.json()["usage"]["prompt_tokens"]
    );
}

#[tokio::test]
async fn what_has_no_tokens_is_refused() {
    let server = TestServer::saying("x").await;
    for (path, body, param) in [
        ("/tokenize", json!({}), "prompt"),
        ("/tokenize", json!({"prompt": 3}), "prompt"),
        (
            "/tokenize",
            json!({"messages": [], "prompt": "a"}),
            "messages",
        ),
        (
            "/tokenize",
            json!({"prompt": "a", "truncate": 1}),
            "truncate",
        ),
        ("/detokenize", json!({"tokens": [999]}), "tokens[0]"),
        ("/detokenize", json!({"tokens": "a"}), "tokens"),
        (RENDER, json!({"model": MODEL}), "messages"),
        (
            RENDER,
            json!({"model": MODEL, "messages": [{"role": "user", "content": "a"}], "temperature": 9}),
            "temperature",
        ),
    ] {
        let answer = server.post(path, &body).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert_eq!(answer.json()["error"]["param"], param, "{}", answer.text);
    }
    let unknown = server
        .post("/tokenize", &json!({"model": "other", "prompt": "a"}))
        .await;
    assert_eq!(unknown.status, 404);
    let answer = server.get("/tokenize").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
}
