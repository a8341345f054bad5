//! Requests that went wrong on their way, in every manner that a generator of numbers thinks of.

use crate::embeddings;
use crate::scripted::MODEL;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use guichet::api;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tower::ServiceExt;

/// In `make test`; `GUICHET_MUTATIONS` asks for another number.
const NUM_REQUESTS: u64 = 10_000;

/// What the OpenAPI document has of 5xx: busy, and too slow.
const DOCUMENTED: [u16; 2] = [503, 504];

const SLOWEST_REFUSAL: Duration = Duration::from_millis(50);

/// More than any of these requests holds; what a server keeps of each of 100,000 would show.
const MAX_GROWTH_KIB: u64 = 256 << 10;

/// SplitMix64: the same requests each time.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Good requests, with as many properties as go together.
fn good() -> Vec<(&'static str, Value)> {
    let messages = json!([
        {"role": "system", "content": "Sei kurz."},
        {"role": "user", "content": [{"type": "text", "text": "Grüße"}], "name": "anna"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function",
            "function": {"name": "f", "arguments": "{\"a\": 1}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "ok"},
    ]);
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1},
        "b": {"enum": ["x", "y"]}}, "required": ["a"], "additionalProperties": false});
    let function = json!({"name": "f", "description": "d", "parameters": schema, "strict": true});
    vec![
        (
            "/v1/chat/completions",
            json!({"model": MODEL, "messages": messages, "max_tokens": 8, "temperature": 0.5, "top_p": 0.9,
                "seed": 1, "n": 2, "stop": ["x"], "logprobs": true, "top_logprobs": 2, "logit_bias": {"65": 1},
                "tools": [{"type": "function", "function": function}], "tool_choice": "auto", "user": "u"}),
        ),
        (
            "/v1/chat/completions",
            json!({"model": MODEL, "messages": messages, "max_completion_tokens": 8, "stream": true,
                "stream_options": {"include_usage": true}, "response_format": {"type": "json_schema",
                "json_schema": {"name": "n", "schema": schema, "strict": true}}}),
        ),
        (
            "/v1/chat/completions/render",
            json!({"model": MODEL, "messages": messages, "chat_template_kwargs": {"a": 1}}),
        ),
        (
            "/v1/completions",
            json!({"model": MODEL, "prompt": ["a", "b"], "max_tokens": 4, "echo": true, "logprobs": 1,
                "structured_outputs": {"regex": "[a-z]+"}}),
        ),
        (
            "/v1/responses",
            json!({"model": MODEL, "input": [{"role": "user", "content": [{"type": "input_text", "text": "a"}]}],
                "max_output_tokens": 8, "tools": [{"type": "function", "name": "f", "parameters": schema}],
                "text": {"format": {"type": "text"}}, "metadata": {"a": "b"}, "stream": true}),
        ),
        (
            "/v1/embeddings",
            json!({"model": "embedder", "input": ["a", "b"], "encoding_format": "base64"}),
        ),
        (
            "/v1/rerank",
            json!({"model": "ranker", "query": "q", "documents": ["a", {"text": "b"}], "top_n": 1}),
        ),
        (
            "/rerank",
            json!({"query": "q", "texts": ["a", "b"], "truncate": true, "raw_scores": true}),
        ),
        ("/tokenize", json!({"model": MODEL, "prompt": "a b c"})),
        ("/detokenize", json!({"model": MODEL, "tokens": [65, 66]})),
    ]
}

fn strange(draws: &mut Draws) -> Value {
    let deep = (0..80).fold(json!(1), |inner, _| json!([inner]));
    let values = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(0),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e308),
        json!(-0.5),
        json!(""),
        json!("\u{0}"),
        json!("<|im_end|>"),
        json!("é".repeat(10_000)),
        json!([]),
        json!({}),
        json!([[], {}]),
        json!({"$ref": "#"}),
        json!({"type": "object", "properties": {"a": {"$ref": "#"}}}),
        deep,
        Value::Array(vec![json!(1); 5000]),
    ];
    draws.one(&values).clone()
}

/// Changes something somewhere inside.
fn change(value: &mut Value, draws: &mut Draws) {
    let goes_deeper = draws.below(4) > 0;
    match value {
        Value::Object(members) if goes_deeper && !members.is_empty() => {
            let at = draws.below(members.len());
            let name = members.keys().nth(at).unwrap().clone();
            match draws.below(8) {
                0 => {
                    members.remove(&name);
                }
                1 => {
                    let value = strange(draws);
                    members.insert(format!("{name}x"), value);
                }
                2 => {
                    let moved = members.remove(&name).unwrap();
                    members.insert(name.to_uppercase(), moved);
                }
                _ => change(&mut members[&name], draws),
            }
        }
        Value::Array(items) if goes_deeper && !items.is_empty() => {
            let at = draws.below(items.len());
            match draws.below(6) {
                0 => {
                    items.remove(at);
                }
                1 => {
                    let again = items[at].clone();
                    items.push(again);
                }
                _ => change(&mut items[at], draws),
            }
        }
        value => *value = strange(draws),
    }
}

/// Damages what is sent, as a broken client or line does.
fn damage(body: &mut Vec<u8>, draws: &mut Draws) {
    for _ in 0..=draws.below(3) {
        let at = draws.below(body.len());
        match draws.below(5) {
            0 => body.truncate(at),
            1 if !body.is_empty() => body[at] = draws.next() as u8,
            2 => body.insert(at, *draws.one(b"{}[]\",:\\0\xff\xed")),
            3 if !body.is_empty() => {
                body.remove(at);
            }
            _ => body.extend_from_within(at..),
        }
    }
}

fn request(draws: &mut Draws, good: &[(&'static str, Value)]) -> Request<Body> {
    let (path, value) = draws.one(good);
    let mut value = value.clone();
    for _ in 0..draws.below(3) {
        change(&mut value, draws);
    }
    let mut body = value.to_string().into_bytes();
    if draws.below(4) == 0 {
        damage(&mut body, draws);
    }
    let odd = draws.below(20) == 0;
    let methods = [Method::GET, Method::PUT, Method::HEAD, Method::DELETE];
    let method = if odd {
        draws.one(&methods)
    } else {
        &Method::POST
    };
    let path = match draws.below(40) {
        0 => format!("{path}/{}", draws.next()),
        1 => "/v1/responses/resp_none/cancel".to_owned(),
        2 => format!("/v1/models/%{:02x}", draws.below(256)),
        _ => (*path).to_owned(),
    };
    let types = ["text/plain", "application/json; charset=x", "", "a/b/c;;"];
    let content_type = if draws.below(30) == 0 {
        draws.one(&types)
    } else {
        "application/json"
    };
    Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", content_type)
        .body(body.into())
        .unwrap()
}

/// The most memory that this process has had.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_mutated_request_breaks_anything() {
    let asked = std::env::var("GUICHET_MUTATIONS").ok();
    let num_requests = asked.map_or(NUM_REQUESTS, |number| number.parse().unwrap());
    let server = embeddings::start().await;
    let router = api::router(server.state.clone());
    let (mut draws, good) = (Draws(7), good());
    let mut statuses: BTreeMap<u16, u64> = BTreeMap::new();
    let mut refusals = Vec::new();
    let mut peak = 0;
    for number in 0..num_requests {
        // What is loaded and cached at first is no request's.
        if number == num_requests / 10 {
            peak = peak_kib();
        }
        let request = request(&mut draws, &good);
        let what = format!("{} {}", request.method(), request.uri());
        let began = Instant::now();
        let answer = router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let took = began.elapsed();
        assert!(
            status < 500 || DOCUMENTED.contains(&status),
            "request {number}: {what}: {status} {}",
            String::from_utf8_lossy(&body)
        );
        if (400..500).contains(&status) {
            refusals.push(took);
            let error: Value = serde_json::from_slice(&body).unwrap_or_default();
            let is_head = what.starts_with("HEAD");
            assert!(
                is_head || error["error"]["message"].is_string(),
                "{what}: {status}"
            );
        }
        *statuses.entry(status).or_default() += 1;
    }
    refusals.sort_unstable();
    let p99 = refusals[refusals.len() * 99 / 100];
    let growth = peak_kib().saturating_sub(peak);
    println!(
        "{num_requests} mutated requests, by status: {statuses:?}; refusals: p99 {p99:?}, slowest {:?}; memory grew by \
         {growth} KiB after the first tenth",
        refusals.last().unwrap()
    );
    assert!(p99 < SLOWEST_REFUSAL);
    assert!(growth < MAX_GROWTH_KIB);
    assert!(statuses[&200] > 0);
}
