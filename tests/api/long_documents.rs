//! Documents that are longer than the context, read in steps by prompts that say how.

use crate::scripted::{self, MODEL, Script};
use crate::server::{CHAT, Options, TestServer};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use guichet::engine::{EngineConfig, KvGroup};
use serde_json::{Value, json};
use std::fmt::Write as _;

const RESPONSES: &str = "/v1/responses";
/// A token is a byte here.
const CONTEXT: usize = 16_384;

async fn started(script: Script) -> TestServer {
    TestServer::start(Options {
        engine: EngineConfig {
            max_model_len: CONTEXT,
            max_num_batched_tokens: 8192,
            kv_groups: vec![KvGroup::without_window(8192)],
            ..scripted::engine_config()
        },
        ..Options::new(script)
    })
    .await
}

async fn server(said: &str) -> TestServer {
    started(Script::saying(said)).await
}

/// A text of so many pages.
fn pages(count: usize) -> String {
    let mut text = String::new();
    for page in 1..=count {
        if page > 1 {
            text.push('\u{c}');
        }
        let _ = write!(text, "Article {page}\n\n");
        for _ in 0..20 {
            let _ = write!(text, "Le bénéficiaire rend compte de l'emploi des sommes. ");
        }
        if page == 17 {
            text.push_str("Le mot caché est hippocampe.");
        }
    }
    text
}

fn ask(prompt: &str, text: &str, fields: Value) -> Value {
    let file = json!({"type": "file", "file": {"filename": "code.txt", "file_data": BASE64_STANDARD.encode(text)}});
    let variables = match prompt {
        "note-de-synthese" => json!({"question": "Que doit le bénéficiaire ?"}),
        _ => json!({}),
    };
    let mut body = json!({"model": MODEL, "prompt": {"id": prompt, "variables": variables}, "seed": 7,
        "messages": [{"role": "user", "content": [file]}]});
    body.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn what_fits_is_read_at_once() {
    let server = server("Résumé.").await;
    let answer = server
        .post(CHAT, &ask("note-de-synthese", &pages(2), json!({})))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["long_documents"], Value::Null);
}

#[tokio::test]
async fn every_page_is_read_in_one_part_and_the_answer_says_in_which() {
    let server = server("Note.").await;
    let answer = server
        .post(CHAT, &ask("note-de-synthese", &pages(30), json!({})))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let answer = answer.json();
    assert_eq!(answer["choices"][0]["message"]["content"], "Note.");
    let told = &answer["long_documents"];
    assert_eq!(told["strategy"], "map-reduce");
    let parts = told["parts"].as_array().unwrap();
    assert!(parts.len() > 1, "{told}");
    let mut page = 0;
    for part in parts {
        let [first, last] = ["first_page", "last_page"].map(|name| part[name].as_u64().unwrap());
        assert!(first == page || first == page + 1, "{told}");
        page = last;
    }
    assert_eq!(page, 30);
    assert!(told["num_steps"].as_u64().unwrap() > parts.len() as u64);
    let bound = told["max_prompt_tokens"].as_u64().unwrap();
    assert!(told["prompt_tokens"].as_u64().unwrap() <= bound, "{told}");
}

#[tokio::test]
async fn a_part_is_read_with_its_words_and_the_same_request_is_read_alike() {
    let script = Script::saying("Note.");
    let prompts = script.prompts.clone();
    let server = started(script).await;
    let body = ask("note-de-synthese", &pages(30), json!({}));
    let read = async || {
        prompts.lock().unwrap().clear();
        let answer = server.post(CHAT, &body).await.json();
        let mut seen = prompts.lock().unwrap().clone();
        seen.sort();
        (
            answer["choices"].clone(),
            answer["long_documents"].clone(),
            seen,
        )
    };
    let first = read().await;
    assert_eq!(read().await, first);
    let text = json!({"model": MODEL, "prompt": "hippocampe", "add_special_tokens": false});
    let word = server.post("/tokenize", &text).await.json()["tokens"].clone();
    let word: Vec<u32> = serde_json::from_value(word).unwrap();
    let holders = first
        .2
        .iter()
        .filter(|prompt| prompt.windows(word.len()).any(|part| part == word));
    assert_eq!(holders.count(), 1);
}

#[tokio::test]
async fn a_stream_tells_how_far_the_reading_is() {
    let server = server("Note.").await;
    let body = ask("note-de-synthese", &pages(30), json!({"stream": true}));
    let chunks = server.post(CHAT, &body).await.chunks();
    let progress: Vec<&Value> = chunks
        .iter()
        .map(|chunk| &chunk["progress"])
        .filter(|p| p.is_object())
        .collect();
    assert!(progress.len() > 2, "{chunks:?}");
    let total = progress[0]["total"].as_u64().unwrap();
    for (done, progress) in progress.iter().enumerate() {
        assert_eq!(
            (progress["done"].as_u64(), progress["total"].as_u64()),
            (Some(done as u64), Some(total))
        );
    }
    // The last step is the answer.
    assert_eq!(progress.len() as u64, total);
    let deltas = chunks
        .iter()
        .map(|chunk| &chunk["choices"][0]["delta"]["content"]);
    assert_eq!(
        deltas.filter_map(Value::as_str).collect::<String>(),
        "Note."
    );
    let first = chunks
        .iter()
        .find(|chunk| chunk["documents"].is_array())
        .unwrap();
    assert_eq!(first["long_documents"]["num_steps"].as_u64(), Some(total));
}

#[tokio::test]
async fn parts_that_are_joined_are_answered_in_order() {
    let server = server("Teil.").await;
    let variables = json!({"prompt": {"id": "langage-clair"}});
    let answer = server
        .post(CHAT, &ask("langage-clair", &pages(30), variables))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let answer = answer.json();
    let parts = answer["long_documents"]["parts"].as_array().unwrap().len();
    assert!(parts > 1);
    assert_eq!(
        answer["choices"][0]["message"]["content"],
        vec!["Teil."; parts].join("\n\n")
    );
}

#[tokio::test]
async fn a_response_reads_long_documents_too() {
    let server = server("Résumé.").await;
    let file = json!({"type": "input_file", "filename": "code.txt", "file_data": BASE64_STANDARD.encode(pages(30))});
    let body = json!({"model": MODEL, "prompt": {"id": "resume-courrier"}, "store": false,
        "input": [{"role": "user", "content": [file]}]});
    let answer = server.post(RESPONSES, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["long_documents"]["strategy"], "refine");
    let stream = json!({"stream": true});
    let mut streamed = body.clone();
    streamed
        .as_object_mut()
        .unwrap()
        .extend(stream.as_object().unwrap().clone());
    let answer = server.post(RESPONSES, &streamed).await;
    assert!(
        answer.text.starts_with(": progress {\"done\":0,"),
        "{}",
        &answer.text[..200]
    );
    let first: Value = serde_json::from_str(answer.events()[0]).unwrap();
    assert_eq!(first["type"], "response.created");
}

#[tokio::test]
async fn every_step_reads_what_the_request_says_beside_its_prompt() {
    let script = Script::saying("Résumé.");
    let prompts = script.prompts.clone();
    let server = started(script).await;
    let file = json!({"type": "input_file", "filename": "code.txt", "file_data": BASE64_STANDARD.encode(pages(30))});
    let body = json!({"model": MODEL, "prompt": {"id": "resume-courrier"}, "store": false,
        "instructions": "Nenne das Stichwort Zitrone.", "input": [{"role": "user", "content": [file]}]});
    let answer = server.post(RESPONSES, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let text = json!({"model": MODEL, "prompt": "Zitrone", "add_special_tokens": false});
    let word = server.post("/tokenize", &text).await.json()["tokens"].clone();
    let word: Vec<u32> = serde_json::from_value(word).unwrap();
    let prompts = prompts.lock().unwrap().clone();
    assert!(prompts.len() > 1);
    assert!(
        prompts
            .iter()
            .all(|prompt| prompt.windows(word.len()).any(|part| part == word))
    );
}

#[tokio::test]
async fn what_a_long_document_cannot_go_with_is_refused_at_once() {
    let server = server("Teil.").await;
    for (prompt, fields, param) in [
        (
            "langage-clair",
            json!({"citations": {"mode": "verbatim"}}),
            "citations",
        ),
        (
            "langage-clair",
            json!({"response_format": {"type": "json_object"}}),
            "response_format",
        ),
        (
            "delais",
            json!({"citations": {"mode": "verbatim"}}),
            "citations",
        ),
        ("note-de-synthese", json!({"n": 2}), "n"),
    ] {
        let answer = server.post(CHAT, &ask(prompt, &pages(30), fields)).await;
        assert_eq!(answer.status, 400, "{prompt}: {}", answer.text);
        assert_eq!(answer.json()["error"]["param"], param, "{prompt}");
    }
}

#[tokio::test]
async fn what_would_be_refused_in_the_end_is_refused_before_anything_is_read() {
    let server = server("ok").await;
    let fields = json!({"temperature": 9, "stream": true});
    let answer = server
        .post(CHAT, &ask("note-de-synthese", &pages(30), fields))
        .await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["param"], "temperature");
    // A prompt that does not say how long documents are read refuses them, as ever.
    let services = json!({"prompt": {"id": "classement", "variables": {"services": ["a", "b"]}}});
    let answer = server
        .post(CHAT, &ask("classement", &pages(30), services))
        .await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert_eq!(answer.json()["error"]["code"], "context_length_exceeded");
}

#[tokio::test]
async fn private_documents_are_read_in_parts_with_their_own_places() {
    let server = server("Konto [IBAN1].").await;
    let text = format!("Konto FR14 2004 1010 0505 0001 3M02 606.\n\n{}", pages(30));
    let fields = json!({"privacy": {"mode": "pseudonymize"}});
    let answer = server
        .post(CHAT, &ask("note-de-synthese", &text, fields))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let answer = answer.json();
    assert_eq!(
        answer["choices"][0]["message"]["content"],
        "Konto FR14 2004 1010 0505 0001 3M02 606."
    );
    let parts = answer["long_documents"]["parts"].as_array().unwrap();
    let bytes = answer["documents"][0]["text_bytes"].as_u64();
    assert_eq!(parts.last().unwrap()["end_byte"].as_u64(), bytes);
}
