//! Answers that quote their documents, whatever the model would rather say.

use crate::scripted::{self, MODEL, Script};
use crate::server::{Answer, CHAT, Options, TestServer};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use guichet::engine::{EngineConfig, KvGroup};
use serde_json::{Value, json};

const RESPONSES: &str = "/v1/responses";
const LETTER: &str =
    "Vous devez rembourser 1 234,56 € avant le 30 avril 2026.\n\nVous devez répondre.";
const BRIEF: &str = "Die Frist endet am 12. März 2026.";

async fn server(said: &str) -> TestServer {
    TestServer::with_room(Script::saying(said)).await
}

/// A chat about the two documents.
fn chat(fields: &Value) -> Value {
    let file = |name: &str, text: &str| json!({"type": "file", "file": {"filename": name, "file_data": BASE64_STANDARD.encode(text)}});
    let parts = json!([file("lettre.txt", LETTER), file("brief.txt", BRIEF), {"type": "text", "text": "Résume."}]);
    let mut body = json!({"model": MODEL, "messages": [{"role": "user", "content": parts}],
        "citations": {"mode": "verbatim"}});
    body.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    body
}

fn message(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["choices"][0]["message"].clone()
}

#[tokio::test]
async fn a_quotation_says_where_its_words_stand() {
    let said =
        "Il écrit : <quote doc=\"1\">Vous devez</quote>, <quote doc=\"2\">Die Frist endet</quote>.";
    let message = message(&server(said).await.post(CHAT, &chat(&json!({}))).await);
    assert_eq!(message["content"], said);
    let annotations = &message["annotations"];
    assert_eq!(annotations[0]["type"], "quotation");
    assert_eq!(annotations[0]["document"], 1);
    assert_eq!(annotations[0]["name"], "lettre.txt");
    assert_eq!(annotations[0]["text_sha256"].as_str().unwrap().len(), 64);
    let chars: Vec<char> = said.chars().collect();
    for (annotation, words) in [
        (&annotations[0], "Vous devez"),
        (&annotations[1], "Die Frist endet"),
    ] {
        let index = |name: &str| annotation[name].as_u64().unwrap() as usize;
        let quoted: String = chars[index("start_index")..index("end_index")]
            .iter()
            .collect();
        assert_eq!(quoted, words);
    }
    // The words stand twice, on one page; the euro sign is one code point and three bytes.
    let second = LETTER.rfind("Vous").unwrap();
    assert_eq!(annotations[0]["num_occurrences"], 2);
    assert_eq!(
        annotations[0]["occurrences"],
        json!([
            {"page": 1, "last_page": 1, "start_byte": 0, "end_byte": 10, "start_code_point": 0, "end_code_point": 10},
            {"page": 1, "last_page": 1, "start_byte": second, "end_byte": second + 10,
                "start_code_point": second - 2, "end_code_point": second + 8},
        ])
    );
}

#[tokio::test]
async fn an_amount_in_a_quotation_is_the_documents() {
    let wanted = "<quote doc=\"1\">Vous devez rembourser 9 999,99 € avant</quote>.";
    let message = message(
        &server(wanted)
            .await
            .post(CHAT, &chat(&json!({"max_tokens": 200})))
            .await,
    );
    let content = message["content"].as_str().unwrap();
    assert!(
        content.starts_with("<quote doc=\"1\">Vous devez rembourser 1 234,56 € avant"),
        "{content}"
    );
    assert!(!content.contains('9'), "{content}");
}

#[tokio::test]
async fn a_quotation_is_as_long_as_was_asked_for() {
    let said = "<quote doc=\"2\">Die Frist</quote>";
    let fields = json!({"citations": {"mode": "verbatim", "min_chars": 20}, "max_tokens": 100});
    let message = message(&server(said).await.post(CHAT, &chat(&fields)).await);
    let annotation = &message["annotations"][0];
    let index = |name: &str| annotation[name].as_u64().unwrap();
    assert!(index("end_index") - index("start_index") >= 20, "{message}");
}

#[tokio::test]
async fn a_stream_tells_of_each_quotation_where_it_ends() {
    let said = "A <quote doc=\"2\">Die Frist</quote> b.";
    let server = server(said).await;
    let plain = message(&server.post(CHAT, &chat(&json!({}))).await);
    let chunks = server
        .post(CHAT, &chat(&json!({"stream": true})))
        .await
        .chunks();
    let mut content = String::new();
    let mut annotations = Vec::new();
    for chunk in &chunks {
        let delta = &chunk["choices"][0]["delta"];
        content.push_str(delta["content"].as_str().unwrap_or_default());
        if let Some(more) = delta["annotations"].as_array() {
            assert!(content.ends_with("</quote>"), "{content}");
            annotations.extend(more.clone());
        }
    }
    assert_eq!(content, said);
    assert_eq!(json!(annotations), plain["annotations"]);
}

#[tokio::test]
async fn a_response_has_them_as_annotations_of_its_text() {
    let said = "<quote doc=\"1\">Vous devez répondre</quote>";
    let server = server(said).await;
    let letter = json!({"type": "input_file", "filename": "a.txt", "file_data": BASE64_STANDARD.encode(LETTER)});
    let mut body = json!({"model": MODEL, "input": [{"role": "user", "content": [letter]}],
        "citations": {"mode": "verbatim"}, "store": false});
    let answer = server.post(RESPONSES, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let text = answer.json()["output"][0]["content"][0].clone();
    assert_eq!(text["annotations"][0]["num_occurrences"], 1);
    body["stream"] = true.into();
    let answer = server.post(RESPONSES, &body).await;
    let events = answer.events().into_iter();
    let events = events.filter_map(|event| serde_json::from_str::<Value>(event).ok());
    let added: Vec<Value> = events
        .filter(|event| event["type"] == "response.output_text.annotation.added")
        .collect();
    assert_eq!(added.len(), 1);
    assert_eq!(added[0]["annotation"], text["annotations"][0]);
    assert_eq!(
        (&added[0]["annotation_index"], &added[0]["content_index"]),
        (&json!(0), &json!(0))
    );
}

#[tokio::test]
async fn the_model_is_told_how_to_quote() {
    let server = server("ok").await;
    let prompt = server
        .post("/v1/chat/completions/render", &chat(&json!({})))
        .await
        .json();
    let prompt = prompt["prompt"].as_str().unwrap();
    assert!(
        prompt.contains("number=\"2\" name=\"brief.txt\""),
        "{prompt}"
    );
    assert!(
        prompt.contains("entre <quote doc=\"1\"> et </quote>"),
        "{prompt}"
    );
}

#[tokio::test]
async fn what_the_model_is_told_is_no_part_of_the_conversation() {
    let (store, _dir) = crate::responses::store().await;
    let server = TestServer::start(Options {
        engine: EngineConfig {
            max_model_len: 16_384,
            kv_groups: vec![KvGroup::without_window(4096)],
            ..scripted::engine_config()
        },
        store: Some(store),
        ..Options::new(Script::saying("ok"))
    })
    .await;
    let letter = json!({"type": "input_file", "filename": "a.txt", "file_data": BASE64_STANDARD.encode(LETTER)});
    let body = json!({"model": MODEL, "input": [{"role": "user", "content": [letter]}],
        "citations": {"mode": "verbatim"}});
    let answer = server.post(RESPONSES, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let items = server.get(&format!("{RESPONSES}/{id}/input_items")).await;
    assert!(
        items.text.contains("rembourser") && !items.text.contains("<quote"),
        "{}",
        items.text
    );
}

#[tokio::test]
async fn what_cannot_be_quoted_is_refused() {
    let server = server("ok").await;
    let refused = async |fields: Value| {
        let answer = server.post(CHAT, &chat(&fields)).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        let error = answer.json()["error"].clone();
        (
            error["param"].as_str().unwrap().to_owned(),
            error["message"].as_str().unwrap().to_owned(),
        )
    };
    let (param, message) = refused(json!({"response_format": {"type": "json_object"}})).await;
    assert_eq!(param, "citations");
    assert!(message.contains("a form of its own"), "{message}");
    let (param, _) = refused(json!({"messages": [{"role": "user", "content": "hi"}]})).await;
    assert_eq!(param, "citations");
    let (param, message) = refused(json!({"citations": {"mode": "loose"}})).await;
    assert_eq!(param, "citations.mode");
    assert!(message.contains("`verbatim`"), "{message}");
    let (param, _) = refused(json!({"citations": {"mode": "verbatim", "min_chars": 0}})).await;
    assert_eq!(param, "citations.min_chars");
}
