use crate::scripted::{MODEL, Script};
use crate::server::{COMPLETIONS, Options, TestServer};
use serde_json::{Value, json};

fn prompt(prompt: Value) -> Value {
    json!({"model": MODEL, "prompt": prompt})
}

#[tokio::test]
async fn a_completion_has_16_tokens_unless_asked_otherwise() {
    let server = TestServer::saying("0123456789abcdefghij").await;
    let body = server
        .post(COMPLETIONS, &prompt(json!("Sehr geehrte")))
        .await
        .json();
    assert!(body["id"].as_str().unwrap().starts_with("cmpl-"));
    assert_eq!(body["object"], "text_completion");
    assert_eq!(
        body["choices"],
        json!([{"index": 0, "text": "0123456789abcdef", "logprobs": null, "finish_reason": "length"}])
    );
    assert_eq!(
        body["usage"],
        json!({"prompt_tokens": 12, "completion_tokens": 16, "total_tokens": 28,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0}})
    );
}

#[tokio::test]
async fn all_four_forms_of_a_prompt_are_taken() {
    let server = TestServer::saying("ok").await;
    for (form, num_choices, num_tokens) in [
        (json!("ab"), 1, 2),
        (json!(["ab", "cde"]), 2, 5),
        (json!([97, 98]), 1, 2),
        (json!([[97, 98], [99]]), 2, 3),
    ] {
        let answer = server.post(COMPLETIONS, &prompt(form)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let body = answer.json();
        assert_eq!(body["choices"].as_array().unwrap().len(), num_choices);
        assert_eq!(body["usage"]["prompt_tokens"], num_tokens);
    }
}

#[tokio::test]
async fn choices_of_several_prompts_are_numbered_prompt_by_prompt() {
    let choices = vec!["first".to_owned(), "second".to_owned()];
    let server = TestServer::start(Options::new(Script {
        choices,
        ..Script::saying("")
    }))
    .await;
    let body = json!({"model": MODEL, "prompt": ["a", "b"], "n": 2});
    let body = server.post(COMPLETIONS, &body).await.json();
    let choices = body["choices"].as_array().unwrap();
    let indexes: Vec<_> = choices
        .iter()
        .map(|c| c["index"].as_u64().unwrap())
        .collect();
    assert_eq!(indexes, [0, 1, 2, 3]);
    // Within one prompt the choices are drawn apart.
    assert_ne!(choices[0]["text"], choices[1]["text"]);
    assert_ne!(choices[2]["text"], choices[3]["text"]);
}

#[tokio::test]
async fn a_streamed_completion_joins_to_the_plain_one() {
    let server = TestServer::saying("Straße – naïve 😀 fin").await;
    let mut body = prompt(json!("x"));
    body["max_tokens"] = json!(100);
    let plain = server.post(COMPLETIONS, &body).await.json();
    body["stream"] = json!(true);
    let chunks = server.post(COMPLETIONS, &body).await.chunks();
    let text: String = chunks
        .iter()
        .map(|c| c["choices"][0]["text"].as_str().unwrap())
        .collect();
    assert_eq!(plain["choices"][0]["text"], text.as_str());
    assert!(
        chunks
            .iter()
            .all(|c| c["object"] == "text_completion" && c.get("usage").is_none())
    );
    assert_eq!(
        chunks.last().unwrap()["choices"][0]["finish_reason"],
        "stop"
    );
}
