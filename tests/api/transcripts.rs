//! What models write in each format, over real connections: whole and cut off at each token,
//! plain and streamed.

#[path = "../fixtures/transcripts/mod.rs"]
pub mod fixtures;

use crate::message::{folded, plain};
use crate::scripted::{Family, MODEL, Script, engine_config};
use crate::server::{CHAT, Options, TestServer};
use fixtures::{FUNCTIONS, Format, Message, Token, Transcript, formats};
use futures_util::StreamExt;
use futures_util::stream::iter;
use guichet::engine::{EngineConfig, KvGroup};
use serde_json::{Value, json};
use std::sync::LazyLock;

static FORMATS: LazyLock<Vec<Format>> = LazyLock::new(formats);

/// Requests at once.
const CONCURRENCY: usize = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_in_each_format_are_read_plain_and_streamed_wherever_they_are_cut_off() {
    check("tools/").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reasoning_in_each_format_is_read_plain_and_streamed_wherever_it_is_cut_off() {
    check("reasoning/").await;
}

async fn check(folder: &str) {
    let mut total = 0;
    for format in FORMATS.iter().filter(|f| f.name.starts_with(folder)) {
        let family = family(format);
        let mut num_cuts = 0;
        for transcript in &format.transcripts {
            let script = Script {
                family,
                ..Script::saying(&transcript.says)
            };
            let server = TestServer::start(Options {
                engine: roomy(),
                ..Options::new(script)
            })
            .await;
            num_cuts += check_transcript(&server, format, transcript).await;
        }
        let num = format.transcripts.len();
        println!("{}: {num} transcripts, {num_cuts} cuts", format.name);
        total += num_cuts;
    }
    println!("{folder}: {total} cuts, each plain and streamed");
}

fn family(format: &'static Format) -> Family {
    let tokens =
        |tokens: &'static [String]| &*tokens.iter().map(String::as_str).collect::<Vec<_>>().leak();
    let template = format!(
        "{}{{% for m in messages %}}{{{{ m.content }}}}{{% endfor %}}\n{}",
        format.template, format.prompt_end
    );
    Family {
        template: template.leak(),
        control: tokens(&format.control),
        tags: tokens(&format.visible),
    }
}

fn roomy() -> EngineConfig {
    EngineConfig {
        max_num_batched_tokens: 2048,
        max_num_seqs: 64,
        max_num_outputs: 64,
        max_num_waiting: 256,
        max_model_len: 2048,
        kv_groups: vec![KvGroup::without_window(4096)],
        ..engine_config()
    }
}

/// How often it was cut off.
async fn check_transcript(server: &TestServer, format: &Format, transcript: &Transcript) -> usize {
    let what = format!("{}: {}", format.name, transcript.name);
    let (num_tokens, expected) = (num_tokens(format, &transcript.says), transcript.expected());
    let whole = if transcript.is_cut_off() {
        ask(server, transcript, Some(num_tokens)).await
    } else {
        ask(server, transcript, None).await
    };
    assert_eq!(whole, [expected.clone(), expected], "{what}");
    let [whole, _] = whole;
    let cuts = iter(1..=num_tokens)
        .map(async |num_said| (num_said, ask(server, transcript, Some(num_said)).await));
    let mut cuts = cuts.buffer_unordered(CONCURRENCY);
    let mut num_cuts = 0;
    while let Some((num_said, [plain, streamed])) = cuts.next().await {
        let what = format!("{what}, cut off after {num_said} tokens");
        assert_eq!(plain, streamed, "{what}");
        let is_over = transcript.one_call && plain == whole;
        assert!(is_over || plain.reason == "length", "{what}: {plain:?}");
        plain.check_beginning(&whole, &visible(format, &transcript.says, num_said));
        num_cuts += 1;
    }
    num_cuts
}

/// What a client gets, plain and streamed.
async fn ask(
    server: &TestServer,
    transcript: &Transcript,
    max_tokens: Option<usize>,
) -> [Message; 2] {
    let mut body = json!({
        "model": MODEL,
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": max_tokens,
        "parallel_tool_calls": !transcript.one_call,
    });
    if transcript.without_tools {
        body.as_object_mut().unwrap().remove("parallel_tool_calls");
    } else {
        let tool = |name| json!({"type": "function", "function": {"name": name}});
        body["tools"] = FUNCTIONS.map(tool).into_iter().collect();
    }
    let plain = plain(&server.post(CHAT, &body).await);
    body["stream"] = Value::Bool(true);
    [plain, folded(&server.post(CHAT, &body).await)]
}

/// One for each of the format's tokens, one for each other byte.
fn num_tokens(format: &Format, text: &str) -> usize {
    let tokens = format.tokens(text).into_iter();
    tokens
        .map(|token| match token {
            Token::Text(text) => text.len(),
            Token::Visible(_) | Token::Control(_) => 1,
        })
        .sum()
}

/// What anybody can see of a text's first tokens, in whole characters.
fn visible(format: &Format, text: &str, num_tokens: usize) -> String {
    let mut visible = String::new();
    let mut left = num_tokens;
    for token in format.tokens(text) {
        if left == 0 {
            break;
        }
        match token {
            Token::Text(text) => {
                let len = text.floor_char_boundary(left.min(text.len()));
                visible.push_str(&text[..len]);
                left -= left.min(text.len());
            }
            Token::Visible(text) => {
                visible.push_str(text);
                left -= 1;
            }
            Token::Control(_) => left -= 1,
        }
    }
    visible
}
