//! What a request asks for reaches the sampling of its tokens, and ends where it should.

use crate::scripted::{MODEL, Script};
use crate::server::{CHAT, COMPLETIONS, Options, TestServer};
use guichet::engine::SamplingParams;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

struct Observed {
    server: TestServer,
    seen: Arc<Mutex<Vec<SamplingParams>>>,
}

impl Observed {
    async fn saying(text: &str) -> Self {
        let script = Script::saying(text);
        let seen = Arc::clone(&script.seen);
        let server = TestServer::start(Options::new(script)).await;
        Self { server, seen }
    }

    /// How the last token of the answer to a request with these fields was sampled.
    async fn sampled(&self, path: &str, fields: &Value) -> SamplingParams {
        let answer = self.server.post(path, &request(path, fields)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.seen.lock().unwrap().last().unwrap().clone()
    }

    async fn text(&self, fields: &Value) -> String {
        let body = self.server.post(CHAT, &request(CHAT, fields)).await.json();
        let text = body["choices"][0]["message"]["content"].as_str();
        text.unwrap_or_else(|| panic!("{body}")).to_owned()
    }
}

fn request(path: &str, fields: &Value) -> Value {
    let mut body = if path == CHAT {
        json!({"model": MODEL, "messages": [{"role": "user", "content": "hi"}]})
    } else {
        json!({"model": MODEL, "prompt": "hi"})
    };
    body.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn every_parameter_of_sampling_reaches_it() {
    let observed = Observed::saying("x").await;
    let fields = json!({
        "temperature": 0.5, "top_p": 0.75, "top_k": 40, "min_p": 0.25, "repetition_penalty": 1.5,
        "frequency_penalty": -2, "presence_penalty": 2, "logit_bias": {"7": -100, "257": 0.5}, "seed": 3,
    });
    for path in [CHAT, COMPLETIONS] {
        assert_eq!(
            observed.sampled(path, &fields).await,
            SamplingParams {
                logit_bias: Arc::new([(7, -100.0), (257, 0.5)]),
                repetition_penalty: 1.5,
                frequency_penalty: -2.0,
                presence_penalty: 2.0,
                temperature: 0.5,
                top_k: Some(40),
                top_p: 0.75,
                min_p: 0.25,
                seed: 3,
                choice: 0,
                num_top_logprobs: 0,
            }
        );
    }
}

#[tokio::test]
async fn the_number_of_most_probable_tokens_reaches_sampling() {
    let observed = Observed::saying("x").await;
    let chat = json!({"logprobs": true, "top_logprobs": 20});
    assert_eq!(observed.sampled(CHAT, &chat).await.num_top_logprobs, 20);
    let completion = json!({"logprobs": 20});
    let sampled = observed.sampled(COMPLETIONS, &completion).await;
    assert_eq!(sampled.num_top_logprobs, 20);
}

#[tokio::test]
async fn minus_1_and_0_are_no_limit_on_the_most_probable_tokens() {
    let observed = Observed::saying("x").await;
    for k in [-1, 0] {
        let sampled = observed.sampled(CHAT, &json!({"top_k": k})).await;
        assert_eq!(sampled.top_k, None);
    }
}

#[tokio::test]
async fn stop_token_ids_end_an_answer_beside_the_models_own() {
    let observed = Observed::saying("one.two").await;
    let dot = json!([u32::from(b'.')]);
    assert_eq!(observed.text(&json!({"stop_token_ids": dot})).await, "one");
    assert_eq!(observed.text(&json!({})).await, "one.two");
    let both = json!({"stop_token_ids": dot, "ignore_eos": true});
    assert_eq!(observed.text(&both).await, "one");
}

#[tokio::test]
async fn the_models_own_stop_tokens_end_nothing_if_they_are_ignored() {
    let observed = Observed::saying("ab").await;
    let fields = json!({"ignore_eos": true, "max_tokens": 5});
    let answer = observed.server.post(CHAT, &request(CHAT, &fields)).await;
    let body = answer.json();
    assert_eq!(body["choices"][0]["finish_reason"], "length");
    assert_eq!(body["usage"]["completion_tokens"], 5);
    // A stop token that ends nothing is a control token: it has no text.
    assert_eq!(body["choices"][0]["message"]["content"], "ab");
}

#[tokio::test]
async fn no_stop_string_ends_an_answer_before_its_minimum() {
    let observed = Observed::saying("a.b.c.d").await;
    for (min_tokens, text) in [(0, "a"), (2, "a"), (3, "a.b"), (5, "a.b.c")] {
        let fields = json!({"stop": ".", "min_tokens": min_tokens});
        assert_eq!(observed.text(&fields).await, text, "{min_tokens}");
    }
}

#[tokio::test]
async fn no_stop_token_ends_an_answer_before_its_minimum() {
    let observed = Observed::saying("ab").await;
    assert_eq!(observed.text(&json!({"min_tokens": 4})).await, "ab..");
}

#[tokio::test]
async fn the_tier_that_served_is_told_where_one_was_named() {
    let observed = Observed::saying("ok").await;
    for (named, served) in [
        ("auto", "default"),
        ("default", "default"),
        ("priority", "default"),
        ("fast", "default"),
        ("scale", "default"),
        ("flex", "flex"),
    ] {
        let fields = json!({"service_tier": named});
        let answer = observed.server.post(CHAT, &request(CHAT, &fields)).await;
        assert_eq!(answer.json()["service_tier"], served);
        assert_eq!(answer.header("x-guichet-ignored"), None);
        let fields = json!({"service_tier": named, "stream": true});
        let answer = observed.server.post(CHAT, &request(CHAT, &fields)).await;
        let chunks = answer.chunks();
        assert!(chunks.iter().all(|chunk| chunk["service_tier"] == served));
    }
    let answer = observed.server.post(CHAT, &request(CHAT, &json!({}))).await;
    assert_eq!(answer.json().get("service_tier"), None);
    // OpenAI's completions have no such field.
    let fields = json!({"service_tier": "flex"});
    let answer = observed
        .server
        .post(COMPLETIONS, &request(COMPLETIONS, &fields))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json().get("service_tier"), None);
}
