//! Requests whose personal data the model does not read.

use crate::scripted::{MODEL, Script};
use crate::server::{Answer, CHAT, TestServer};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const RESPONSES: &str = "/v1/responses";
const RENDER: &str = "/v1/chat/completions/render";
/// Examples of their standards, whose check digits are right.
const IBAN: &str = "FR14 2004 1010 0505 0001 3M02 606";
const STEUER_ID: &str = "86095742719";
const LETTER: &str =
    "Bitte zahlen Sie auf FR14 2004 1010 0505 0001 3M02 606. Steuer-ID: 86095742719.";

async fn server(said: &str) -> TestServer {
    TestServer::with_room(Script::saying(said)).await
}

fn chat(mode: &str, fields: Value) -> Value {
    let file = json!({"type": "file", "file": {"filename": "brief.txt", "file_data": BASE64_STANDARD.encode(LETTER)}});
    let text = json!({"type": "text", "text": format!("Mein Konto ist {IBAN}. Was soll ich tun?")});
    let mut body = json!({"model": MODEL, "messages": [{"role": "user", "content": [file, text]}],
        "privacy": {"mode": mode}});
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
async fn the_model_reads_no_value_and_the_answer_has_them_again() {
    let server = server("Zahlen Sie auf [IBAN1], ID [STEUERID1], nicht [IBAN2].").await;
    let prompt = server
        .post(RENDER, &chat("pseudonymize", json!({})))
        .await
        .json();
    let prompt = prompt["prompt"].as_str().unwrap();
    assert!(
        !prompt.contains("2004") && !prompt.contains(STEUER_ID),
        "{prompt}"
    );
    // The letter's account and the caller's are one.
    assert_eq!(prompt.matches("[IBAN1]").count(), 2, "{prompt}");
    let answer = server.post(CHAT, &chat("pseudonymize", json!({}))).await;
    let said = format!("Zahlen Sie auf {IBAN}, ID {STEUER_ID}, nicht [IBAN2].");
    assert_eq!(message(&answer)["content"], said);
    assert_eq!(
        answer.json()["privacy"],
        json!({"mode": "pseudonymize", "found": {
            "iban": {"occurrences": 2, "distinct_values": 1},
            "german_tax_id": {"occurrences": 1, "distinct_values": 1}}})
    );
}

#[tokio::test]
async fn a_stream_says_what_a_plain_answer_says() {
    let server = server("A [IBAN1][IB").await;
    let chunks = server
        .post(CHAT, &chat("pseudonymize", json!({"stream": true})))
        .await
        .chunks();
    let deltas = chunks
        .iter()
        .map(|chunk| &chunk["choices"][0]["delta"]["content"]);
    let content: String = deltas.filter_map(Value::as_str).collect();
    assert_eq!(content, format!("A {IBAN}[IB"));
    assert_eq!(chunks[0]["privacy"]["mode"], "pseudonymize");
}

#[tokio::test]
async fn masked_values_do_not_come_back() {
    let server = server("Konto [IBAN], [IBAN1].").await;
    let answer = server.post(CHAT, &chat("mask", json!({}))).await;
    assert_eq!(message(&answer)["content"], "Konto [IBAN], [IBAN1].");
}

#[tokio::test]
async fn a_request_with_values_is_refused_where_it_asks_for_that() {
    let server = server("ok").await;
    let answer = server.post(CHAT, &chat("block", json!({}))).await;
    assert_eq!(answer.status, 400);
    let error = answer.json()["error"].clone();
    assert_eq!(error["param"], "privacy");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("iban (2)") && !message.contains("2004"),
        "{message}"
    );
    let clean = json!({"model": MODEL, "messages": [{"role": "user", "content": "Guten Tag"}],
        "privacy": {"mode": "block"}});
    assert_eq!(server.post(CHAT, &clean).await.status, 200);
}

#[tokio::test]
async fn a_quotation_holds_the_documents_own_value_and_says_where_it_stands() {
    let fields = json!({"citations": {"mode": "verbatim"}});
    let start = LETTER.find("FR14").unwrap();
    for (mode, said, shown) in [
        ("pseudonymize", "[IBAN1]", IBAN),
        ("mask", "[IBAN]", "[IBAN]"),
    ] {
        let server = server(&format!("<quote doc=\"1\">{said}</quote>")).await;
        let message = message(&server.post(CHAT, &chat(mode, fields.clone())).await);
        assert_eq!(
            message["content"],
            format!("<quote doc=\"1\">{shown}</quote>")
        );
        let place = &message["annotations"][0]["occurrences"][0];
        assert_eq!(
            (&place["start_byte"], &place["end_byte"]),
            (&json!(start), &json!(start + IBAN.len()))
        );
    }
}

#[tokio::test]
async fn what_comes_back_is_checked_against_what_was_sent() {
    let server = server("Zahlen Sie auf [IBAN1].").await;
    let answer = server
        .post(CHAT, &chat("pseudonymize", json!({})))
        .await
        .json();
    let checks = &answer["choices"][0]["checks"];
    assert_eq!(checks["findings"], json!([]));
    assert_eq!(checks["compared"]["iban"]["supported"], 1);
}

#[tokio::test]
async fn arguments_of_calls_have_the_values_too() {
    let server = server(
        "<tool_call>\n{\"name\": \"pay\", \"arguments\": {\"to\": \"[IBAN1]\"}}\n</tool_call>",
    )
    .await;
    let tools = json!({"tools": [{"type": "function", "function": {"name": "pay",
        "parameters": {"type": "object", "properties": {"to": {"type": "string"}}}}}]});
    let message = message(&server.post(CHAT, &chat("pseudonymize", tools)).await);
    let arguments = message["tool_calls"][0]["function"]["arguments"]
        .as_str()
        .unwrap();
    let arguments: Value = serde_json::from_str(arguments).unwrap();
    assert_eq!(arguments, json!({"to": IBAN}));
}

#[tokio::test]
async fn a_response_is_private_where_nothing_is_stored() {
    let server = server("Konto [IBAN1].").await;
    let mut body = json!({"model": MODEL, "input": format!("Mein Konto: {IBAN}"),
        "privacy": {"mode": "pseudonymize"}, "store": false});
    let answer = server.post(RESPONSES, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(
        answer.json()["output"][0]["content"][0]["text"],
        format!("Konto {IBAN}.")
    );
    assert_eq!(answer.json()["privacy"]["found"]["iban"]["occurrences"], 1);
    body["previous_response_id"] = "resp_1".into();
    assert_eq!(server.post(RESPONSES, &body).await.status, 400);
}

#[tokio::test]
async fn values_are_found_wherever_a_model_would_read_them() {
    let server = server("ok").await;
    let schema = json!({"type": "object", "properties": {
        "name": {"type": "string", "description": format!("As on {IBAN}")},
        "kind": {"enum": [STEUER_ID]}}});
    let call = json!({"id": "c1", "type": "function", "function": {"name": "pay",
        "arguments": json!({"text": format!("Konto:\n{IBAN}"), "id": 86_095_742_719_u64}).to_string()}});
    let body = json!({"model": MODEL, "privacy": {"mode": "pseudonymize"},
    "tools": [{"type": "function", "function": {"name": "pay", "parameters": schema}}],
    "messages": [
        {"role": "user", "content": "Zahle."},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": json!({"an": format!("a\n{IBAN}")}).to_string()},
    ]});
    let prompt = server.post(RENDER, &body).await.json();
    let prompt = prompt["prompt"]
        .as_str()
        .unwrap_or_else(|| panic!("{prompt}"));
    assert!(
        prompt.contains("[IBAN1]") && prompt.contains("[STEUERID1]"),
        "{prompt}"
    );
    assert!(
        !prompt.contains("2004") && !prompt.contains(STEUER_ID),
        "{prompt}"
    );
    // Variables of prompts are called as their authors like.
    let letter = json!({"type": "file", "file": {"filename": "a.txt", "file_data": BASE64_STANDARD.encode("Bonjour.")}});
    let body = json!({"model": MODEL, "privacy": {"mode": "block"},
        "prompt": {"id": "resume-courrier", "variables": {"focus": IBAN}},
        "messages": [{"role": "user", "content": [letter]}]});
    assert_eq!(server.post(CHAT, &body).await.status, 400);
}

#[tokio::test]
async fn a_value_over_a_lines_end_does_not_break_an_answer_that_is_json() {
    let broken = IBAN.replacen(' ', "\n", 1);
    let server = server("{\"to\": \"[IBAN1]\"}").await;
    let body = json!({"model": MODEL, "messages": [{"role": "user", "content": format!("Konto {broken}")}],
        "privacy": {"mode": "pseudonymize"}, "response_format": {"type": "json_object"}});
    let message = message(&server.post(CHAT, &body).await);
    let answer: Value = serde_json::from_str(message["content"].as_str().unwrap()).unwrap();
    assert_eq!(answer, json!({"to": broken}));
}

/// Where the log of a test goes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_value_is_in_a_token_that_the_engine_is_given_or_in_a_line_of_the_log() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("guichet=trace")
        .with_writer(move || writer.clone())
        .finish();
    // The server's threads are its own: what other tests do is in this log, too.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let script = Script::saying("Zahlen Sie auf [IBAN1], ID [STEUERID1].");
    let prompts = script.prompts.clone();
    let server = TestServer::with_room(script).await;
    let fields = json!({"tools": [{"type": "function", "function": {"name": "pay",
        "description": format!("Pays to {IBAN}."), "parameters": {"type": "object", "properties": {}}}}]});
    for mode in ["pseudonymize", "mask"] {
        let answer = server.post(CHAT, &chat(mode, fields.clone())).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    server.post(CHAT, &chat("block", fields)).await;
    let submitted = prompts.lock().unwrap().clone();
    assert_eq!(submitted.len(), 2);
    for tokens in submitted {
        let text = server
            .post("/detokenize", &json!({"model": MODEL, "tokens": tokens}))
            .await
            .json();
        let text = text["prompt"].as_str().unwrap().to_owned();
        assert!(
            text.contains("IBAN") && !text.contains("2004") && !text.contains("86095742719"),
            "{text}"
        );
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("generation of request"), "{log}");
    // Four digits by themselves stand in a time or an id every few thousand lines.
    let log = log.replace(' ', "");
    for value in ["20041010", "05050001", "86095742719", "3M02"] {
        assert!(!log.contains(value), "{value} in {log}");
    }
}
