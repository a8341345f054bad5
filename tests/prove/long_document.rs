//! A document of 300 pages on a context of 2,048 tokens: it is read to its end, every page of it,
//! and twice alike.

use crate::report::{OutOfBounds, Report};
use crate::server::{Caller, Server};
use crate::settings::{MODEL, Settings};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(3600);
const NUM_PAGES: usize = 300;
const PAGE_BYTES: usize = 1500;
const CONTEXT: usize = 2048;
const WORD: &str = "hippocampe";
const PAGE_OF_WORD: u64 = 287;
const KV_CACHE_MIB: u64 = 256;

/// What a stream came to.
#[derive(Debug, Default)]
struct Read {
    text: String,
    num_events: u64,
    told: Value,
    took: f64,
}

#[test]
#[ignore = "a proof: make prove"]
fn long_document() -> Result<(), OutOfBounds> {
    crate::prove(DEADLINE, async {
        let mut report = Report::new("long_document: 300 pages on a context of 2,048 tokens");
        let settings = Settings {
            max_model_len: Some(CONTEXT),
            kv_cache_mib: KV_CACHE_MIB,
            max_queue_ms: 600_000,
            request_timeout_ms: 3_600_000,
            ..Settings::default()
        };
        let server = Server::start(&settings).await;
        let text = document();
        let file = json!({"file_data": BASE64_STANDARD.encode(&text), "filename": "code.txt"});
        let parsed = post(&server, "documents/parse", &file).await;
        let parsed: Value = serde_json::from_str(&parsed).unwrap();
        let word = parsed["text"].as_str().unwrap().find(WORD).unwrap() as u64;
        let pages = parsed["pages"].as_array().unwrap().len();
        report.bound("pages", pages, NUM_PAGES, pages == NUM_PAGES);

        let is_running = AtomicBool::new(true);
        let blocks = Arc::new(AtomicU64::new(0));
        let watch = async {
            while is_running.load(Ordering::Relaxed) {
                let used = server.metrics().await.get("guichet_kv_blocks_used") as u64;
                blocks.fetch_max(used, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        let reads = async {
            let first = read(&server, &text).await;
            let second = read(&server, &text).await;
            is_running.store(false, Ordering::Relaxed);
            (first, second)
        };
        let ((first, second), ()) = tokio::join!(reads, watch);
        tell(&mut report, &first, word);
        let is_same = first.text == second.text && first.told == second.told;
        report.bound(
            "the second time",
            if is_same { "the same" } else { "another" },
            "the same",
            is_same,
        );
        report.figure(
            "seconds, first and second",
            format!("{:.0}, {:.0}", first.took, second.took),
        );
        report.figure(
            "KV blocks of 32 tokens in use, most",
            blocks.load(Ordering::Relaxed),
        );
        report.figure(
            "resident memory, MiB",
            format!("{:.0}", server.process().rss_mib),
        );
        report.finish(server).await
    })
}

fn tell(report: &mut Report, read: &Read, word: u64) {
    let number = |value: &Value, name: &str| value[name].as_u64().unwrap_or_default();
    let parts = read.told["parts"].as_array().cloned().unwrap_or_default();
    let (mut page, mut has_gap) = (0, false);
    for part in &parts {
        let first = number(part, "first_page");
        has_gap |= first != page && first != page + 1;
        page = number(part, "last_page");
    }
    has_gap |= page != NUM_PAGES as u64;
    report.figure("parts", parts.len());
    report.figure("steps", number(&read.told, "num_steps"));
    report.figure(
        "tokens planned at most, of prompts and answers",
        format!(
            "{}, {}",
            number(&read.told, "max_prompt_tokens"),
            number(&read.told, "max_completion_tokens")
        ),
    );
    report.figure(
        "tokens taken, of prompts and answers",
        format!(
            "{}, {}",
            number(&read.told, "prompt_tokens"),
            number(&read.told, "completion_tokens")
        ),
    );
    let is_within = number(&read.told, "prompt_tokens") <= number(&read.told, "max_prompt_tokens");
    report.bound("within the plan", is_within, true, is_within);
    report.bound(
        "pages without a part, or out of turn",
        has_gap,
        false,
        !has_gap,
    );
    let holder = parts
        .iter()
        .find(|part| number(part, "start_byte") <= word && word < number(part, "end_byte"));
    let pages = holder.map_or(0..=0, |part| {
        number(part, "first_page")..=number(part, "last_page")
    });
    report.bound(
        "pages of the part with the planted word",
        format!("{pages:?}"),
        format!("with {PAGE_OF_WORD}"),
        pages.contains(&PAGE_OF_WORD),
    );
    report.bound(
        "events of progress",
        read.num_events,
        number(&read.told, "num_steps"),
        read.num_events == number(&read.told, "num_steps"),
    );
    report.bound(
        "characters of the answer",
        read.text.chars().count(),
        "more than 0",
        !read.text.is_empty(),
    );
}

/// Articles of a made code, a page each; no two pages are alike.
fn document() -> String {
    let path = format!("{}/tests/fixtures/prose/fr.txt", env!("CARGO_MANIFEST_DIR"));
    let prose = std::fs::read_to_string(path).unwrap().replace('\n', " ");
    let mut sentences = prose.split_inclusive(". ").cycle();
    let mut text = String::new();
    for page in 1..=NUM_PAGES {
        if page > 1 {
            text.push('\u{c}');
        }
        let mut on_page = format!("Article {page}\n\n");
        if page as u64 == PAGE_OF_WORD {
            on_page.push_str(&format!("Le mot convenu est {WORD}. "));
        }
        while on_page.len() < PAGE_BYTES {
            on_page.push_str(sentences.next().unwrap_or_default());
        }
        text.push_str(on_page.trim_end());
    }
    text
}

fn request(server: &Server, path: &str, body: &Value) -> reqwest::RequestBuilder {
    let url = format!("http://{}/v1/{path}", server.address());
    let client = reqwest::Client::new().post(url);
    client.bearer_auth(server.key(Caller::A)).json(body)
}

async fn post(server: &Server, path: &str, body: &Value) -> String {
    let answer = request(server, path, body).send().await.unwrap();
    answer.text().await.unwrap()
}

async fn read(server: &Server, text: &str) -> Read {
    let began = Instant::now();
    let file = json!({"type": "file", "file": {"filename": "code.txt", "file_data": BASE64_STANDARD.encode(text)}});
    let variables = json!({"question": "Que doit fournir le demandeur ?"});
    let body = json!({
        "model": MODEL, "stream": true, "temperature": 0, "seed": 7, "max_tokens": 300,
        "prompt": {"id": "note-de-synthese", "variables": variables},
        "messages": [{"role": "user", "content": [file]}],
    });
    let response = request(server, "chat/completions", &body)
        .send()
        .await
        .unwrap();
    let mut read = Read::default();
    let (mut stream, mut line) = (response.bytes_stream(), Vec::new());
    while let Some(bytes) = stream.next().await {
        for byte in bytes.unwrap() {
            if byte != b'\n' {
                line.push(byte);
                continue;
            }
            let event = String::from_utf8(std::mem::take(&mut line)).unwrap();
            let Some(chunk) = event.strip_prefix("data: ") else {
                continue;
            };
            let Ok(chunk) = serde_json::from_str::<Value>(chunk) else {
                continue;
            };
            assert!(chunk["error"].is_null(), "{chunk}");
            read.num_events += u64::from(chunk["progress"].is_object());
            if chunk["long_documents"].is_object() {
                read.told = chunk["long_documents"].clone();
            }
            read.text.push_str(
                chunk["choices"][0]["delta"]["content"]
                    .as_str()
                    .unwrap_or_default(),
            );
        }
    }
    read.took = began.elapsed().as_secs_f64();
    read
}
