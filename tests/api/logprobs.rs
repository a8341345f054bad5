use crate::scripted::{LOGPROB, MODEL, Script};
use crate::server::{CHAT, COMPLETIONS, Options, TestServer};
use serde_json::{Value, json};

fn chat(fields: Value) -> Value {
    let mut body =
        json!({"model": MODEL, "logprobs": true, "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    body
}

fn completion(fields: Value) -> Value {
    let mut body = json!({"model": MODEL, "prompt": "hi"});
    body.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    body
}

/// The token of each entry of a chat's content.
fn tokens(logprobs: &Value) -> Vec<&str> {
    let content = logprobs["content"].as_array().unwrap();
    content
        .iter()
        .map(|entry| entry["token"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_chat_tells_each_token_with_its_bytes_and_the_most_probable_ones() {
    let server = TestServer::saying("aé").await;
    let body = server
        .post(CHAT, &chat(json!({"top_logprobs": 2})))
        .await
        .json();
    let entry = |token: &str, byte: u8, next: &str| {
        json!({"token": token, "logprob": LOGPROB, "bytes": [byte], "top_logprobs": [
            {"token": token, "logprob": LOGPROB, "bytes": [byte]},
            {"token": next, "logprob": LOGPROB - 1.0, "bytes": [byte + 1]},
        ]})
    };
    assert_eq!(
        body["choices"][0]["logprobs"],
        json!({"content": [
            entry("a", b'a', "b"),
            entry("\u{FFFD}", 0xC3, "\u{FFFD}"),
            entry("\u{FFFD}", 0xA9, "\u{FFFD}"),
        ], "refusal": null})
    );
}

#[tokio::test]
async fn without_a_number_a_chat_tells_no_more_than_its_own_tokens() {
    let server = TestServer::saying("a").await;
    for fields in [json!({}), json!({"top_logprobs": 0})] {
        let body = server.post(CHAT, &chat(fields)).await.json();
        assert_eq!(
            body["choices"][0]["logprobs"]["content"],
            json!([{"token": "a", "logprob": LOGPROB, "bytes": [97], "top_logprobs": []}])
        );
    }
    let body = server
        .post(CHAT, &chat(json!({"logprobs": false})))
        .await
        .json();
    assert_eq!(body["choices"][0]["logprobs"], Value::Null);
}

#[tokio::test]
async fn streamed_log_probabilities_join_to_the_plain_ones() {
    let server = TestServer::saying("Straße 😀 fin. never shown").await;
    let fields = json!({"top_logprobs": 1, "stop": ". never"});
    let plain = server.post(CHAT, &chat(fields.clone())).await.json();
    let mut body = chat(fields);
    body["stream"] = json!(true);
    let chunks = server.post(CHAT, &body).await.chunks();
    let mut joined = Vec::new();
    for chunk in &chunks {
        let choice = &chunk["choices"][0];
        match choice["delta"]["content"].as_str() {
            Some(text) if !text.is_empty() => {
                let content = choice["logprobs"]["content"].as_array().unwrap();
                let bytes: Vec<u8> = content
                    .iter()
                    .flat_map(|entry| entry["bytes"].as_array().unwrap())
                    .map(|byte| byte.as_u64().unwrap() as u8)
                    .collect();
                assert_eq!(bytes, text.as_bytes(), "tokens come with their text");
                joined.extend(content.iter().cloned());
            }
            _ => assert_eq!(choice["logprobs"], Value::Null),
        }
    }
    let plain = &plain["choices"][0];
    assert_eq!(plain["message"]["content"], "Straße 😀 fin");
    assert_eq!(plain["logprobs"]["content"], json!(joined));
    assert_eq!(joined.len(), "Straße 😀 fin".len());
}

#[tokio::test]
async fn the_tokens_of_a_stop_string_are_not_told() {
    let server = TestServer::saying("one two three").await;
    let body = server
        .post(CHAT, &chat(json!({"stop": " three"})))
        .await
        .json();
    let choice = &body["choices"][0];
    assert_eq!(tokens(&choice["logprobs"]).concat(), "one two");
    assert_eq!(choice["message"]["content"], "one two");
}

#[tokio::test]
async fn each_choice_has_its_own() {
    let choices = vec!["left".to_owned(), "right".to_owned()];
    let server = TestServer::start(Options::new(Script {
        choices,
        ..Script::saying("")
    }))
    .await;
    let body = server.post(CHAT, &chat(json!({"n": 2}))).await.json();
    for (index, text) in ["left", "right"].into_iter().enumerate() {
        assert_eq!(tokens(&body["choices"][index]["logprobs"]).concat(), text);
    }
}

#[tokio::test]
async fn a_completion_lists_tokens_log_probabilities_and_places() {
    let server = TestServer::saying("éa").await;
    let body = server
        .post(COMPLETIONS, &completion(json!({"logprobs": 1})))
        .await
        .json();
    assert_eq!(
        body["choices"][0]["logprobs"],
        json!({
            "tokens": ["bytes:\\xc3", "bytes:\\xa9", "a"],
            "token_logprobs": [LOGPROB, LOGPROB, LOGPROB],
            "top_logprobs": [{"bytes:\\xc3": LOGPROB}, {"bytes:\\xa9": LOGPROB}, {"a": LOGPROB}],
            "text_offset": [0, 0, 1],
        })
    );
    let body = server
        .post(COMPLETIONS, &completion(json!({"logprobs": 3})))
        .await
        .json();
    assert_eq!(
        body["choices"][0]["logprobs"]["top_logprobs"][2],
        json!({"a": LOGPROB, "b": LOGPROB - 1.0, "c": LOGPROB - 2.0})
    );
}

#[tokio::test]
async fn a_streamed_completion_counts_places_on() {
    let server = TestServer::saying("aéb").await;
    let body = completion(json!({"logprobs": 0, "stream": true}));
    let chunks = server.post(COMPLETIONS, &body).await.chunks();
    let places: Vec<Value> = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["logprobs"]["text_offset"].as_array())
        .flatten()
        .cloned()
        .collect();
    assert_eq!(json!(places), json!([0, 1, 1, 2]));
    let texts: Vec<&str> = chunks
        .iter()
        .map(|chunk| chunk["choices"][0]["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["a", "é", "b", ""]);
}
