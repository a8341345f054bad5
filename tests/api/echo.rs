//! Completions that begin with their prompt, as evaluations ask for them.

use crate::scripted::{LOGPROB, MODEL, Script};
use crate::server::{COMPLETIONS, Options, TestServer};
use serde_json::{Value, json};

fn echoed(fields: Value) -> Value {
    let mut body = json!({"model": MODEL, "prompt": "né", "echo": true});
    body.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn an_echo_is_the_prompt_and_then_the_answer() {
    let server = TestServer::saying("!").await;
    for (prompt, text) in [
        (json!("né"), "né!"),
        (json!([110, 195, 169]), "né!"),
        // Control tokens have no text where ids are decoded.
        (json!([256, 110, 257]), "n!"),
        (json!("<|im_start|>n"), "<|im_start|>n!"),
    ] {
        let answer = server
            .post(COMPLETIONS, &echoed(json!({"prompt": prompt})))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json()["choices"][0]["text"], text);
    }
}

#[tokio::test]
async fn the_tokens_of_the_prompt_are_scored_from_the_second_on() {
    let server = TestServer::saying("!").await;
    let body = server
        .post(COMPLETIONS, &echoed(json!({"logprobs": 1})))
        .await
        .json();
    assert_eq!(
        body["choices"][0]["logprobs"],
        json!({
            "tokens": ["n", "bytes:\\xc3", "bytes:\\xa9", "!"],
            "token_logprobs": [null, LOGPROB, LOGPROB, LOGPROB],
            "top_logprobs": [null, {"bytes:\\xc3": LOGPROB}, {"bytes:\\xa9": LOGPROB}, {"!": LOGPROB}],
            "text_offset": [0, 1, 1, 2],
        })
    );
}

#[tokio::test]
async fn a_prompt_can_be_scored_without_an_answer() {
    let server = TestServer::saying("never said").await;
    for prompt in [json!("né"), json!([110, 195, 169])] {
        let fields = json!({"prompt": prompt, "max_tokens": 0, "logprobs": 1, "temperature": 0, "seed": 1234});
        let body = server.post(COMPLETIONS, &echoed(fields)).await.json();
        let choice = &body["choices"][0];
        assert_eq!(choice["text"], "né");
        assert_eq!(choice["finish_reason"], "length");
        assert_eq!(
            choice["logprobs"]["token_logprobs"],
            json!([null, LOGPROB, LOGPROB])
        );
        assert_eq!(body["usage"]["completion_tokens"], 0);
    }
    let body = server
        .post(COMPLETIONS, &echoed(json!({"max_tokens": 0})))
        .await
        .json();
    assert_eq!(body["choices"][0]["text"], "né");
    assert_eq!(body["choices"][0]["logprobs"], Value::Null);
}

#[tokio::test]
async fn a_stream_begins_with_the_prompt_of_each_choice() {
    let server = TestServer::start(Options::new(Script {
        choices: vec!["ab".to_owned(), "cd".to_owned()],
        ..Script::saying("")
    }))
    .await;
    let fields = json!({"stream": true, "n": 2, "prompt": ["x", "yz"], "logprobs": 0});
    let chunks = server.post(COMPLETIONS, &echoed(fields)).await.chunks();
    for (index, pieces) in [
        ["x", "a", "b"],
        ["x", "c", "d"],
        ["yz", "a", "b"],
        ["yz", "c", "d"],
    ]
    .into_iter()
    .enumerate()
    {
        let own: Vec<&Value> = chunks
            .iter()
            .map(|chunk| &chunk["choices"][0])
            .filter(|choice| choice["index"] == index && choice["finish_reason"].is_null())
            .collect();
        let texts: Vec<&str> = own.iter().map(|c| c["text"].as_str().unwrap()).collect();
        assert_eq!(texts, pieces);
        let first = &own[0]["logprobs"];
        assert_eq!(first["tokens"].as_array().unwrap().concat_text(), pieces[0]);
        assert_eq!(first["token_logprobs"][0], Value::Null);
    }
}

#[tokio::test]
async fn a_stop_string_in_the_prompt_ends_nothing() {
    let server = TestServer::saying("abc").await;
    let fields = json!({"prompt": "a stop b", "stop": ["stop", "c"]});
    let body = server.post(COMPLETIONS, &echoed(fields)).await.json();
    assert_eq!(body["choices"][0]["text"], "a stop bab");
}

trait ConcatText {
    fn concat_text(&self) -> String;
}

impl ConcatText for Vec<Value> {
    fn concat_text(&self) -> String {
        self.iter().map(|value| value.as_str().unwrap()).collect()
    }
}
