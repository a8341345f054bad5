//! Answers of a schema cost little more than others, and schemas that are hard to compile hold
//! up nobody who asks for something else.

use crate::client::{Client, Outcome};
use crate::hard_schemas::{hard, ordinary};
use crate::prompts::{Prompts, streamed};
use crate::report::{OutOfBounds, Report, ms};
use crate::server::{Caller, Server};
use crate::settings::Settings;
use crate::statistics::{median, percentile};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::sleep;

const DEADLINE: Duration = Duration::from_secs(900);
const PROMPT_TOKENS: usize = 60;
const NUM_STREAMS: usize = 16;

/// Of each kind, one after the other.
const ROUNDS: usize = 4;
const TOKENS_A_ROUND: usize = 64;
const MAX_COST: f64 = 1.10;

const NUM_COMPILED: usize = 5;
const SCHEMA_BYTES: usize = 20_000;
const MAX_COMPILE: f64 = 0.250;

const ALONE: Duration = Duration::from_secs(15);
const NUM_HARD: usize = 200;
/// Hard schemas that wait to be compiled at the same time.
const HARD_AT_A_TIME: usize = 16;
const MAX_GROWTH: f64 = 1.5;

#[test]
#[ignore = "a proof: make prove"]
fn schemas() -> Result<(), OutOfBounds> {
    crate::prove(DEADLINE, async {
        let mut report = Report::new("schemas: what answers of a form cost, and cost others");
        let server = Server::start(&Settings::default()).await;
        let [a, b] = [Caller::A, Caller::B].map(|caller| server.client(caller));
        let mut prompts = Prompts::new(11);
        cost(&mut report, &a, &mut prompts).await;
        compiling(&mut report, &a, &mut prompts).await;
        beside(&mut report, &a, &b, &mut prompts).await;
        report.finish(server).await
    })
}

/// An answer that goes on until its tokens are used up.
fn endless(text: &str, max_tokens: usize) -> Value {
    let mut body = streamed(text, max_tokens);
    body["ignore_eos"] = json!(true);
    body
}

fn of_schema(text: &str, max_tokens: usize, schema: &Value) -> Value {
    let mut body = streamed(text, max_tokens);
    body["response_format"] =
        json!({"type": "json_schema", "json_schema": {"name": "form", "schema": schema}});
    body
}

/// Time per output token with a schema and without, in turns.
async fn cost(report: &mut Report, client: &Client, prompts: &mut Prompts) {
    let row = json!({
        "type": "object", "additionalProperties": false, "required": ["name", "n", "kind"],
        "properties": {
            "name": {"type": "string", "maxLength": 40}, "n": {"type": "integer", "minimum": 0, "maximum": 9999},
            "kind": {"enum": ["Amt", "mairie", "§ 35a"]}, "open": {"type": ["boolean", "null"]}
        }
    });
    let form = json!({"type": "array", "items": row, "minItems": 200});
    let (mut without, mut with) = (Vec::new(), Vec::new());
    // The first of all compiles.
    client.chat(&of_schema("?", 1, &form)).await.answer();
    for _ in 0..ROUNDS {
        let texts: Vec<String> = (0..NUM_STREAMS)
            .map(|_| prompts.text(PROMPT_TOKENS))
            .collect();
        let plain = texts.iter().map(|text| endless(text, TOKENS_A_ROUND));
        without.extend(round(client, plain.collect()).await);
        let formed = texts
            .iter()
            .map(|text| of_schema(text, TOKENS_A_ROUND, &form));
        with.extend(round(client, formed.collect()).await);
    }
    let (without, with) = (median(&without), median(&with));
    report.figure("time per output token without a schema", ms(without));
    report.bound(
        "with one",
        format!("{} ({:.3} times)", ms(with), with / without),
        format!("at most {MAX_COST} times"),
        with <= MAX_COST * without,
    );
}

/// Asks all at once. Seconds for each token of each answer, but for the first.
async fn round(client: &Client, bodies: Vec<Value>) -> Vec<f64> {
    let mut answers = JoinSet::new();
    for body in bodies {
        let client = client.clone();
        answers.spawn(async move {
            let asked = Instant::now();
            let answer = client.chat(&body).await.answer();
            let seconds = (answer.ended - asked).as_secs_f64() - answer.first_token;
            seconds / (answer.usage.completion_tokens - 1) as f64
        });
    }
    answers.join_all().await
}

/// How much longer the first token takes where its schema was not compiled before.
async fn compiling(report: &mut Report, client: &Client, prompts: &mut Prompts) {
    let mut seconds = Vec::new();
    for number in 0..NUM_COMPILED {
        let schema = ordinary(number, SCHEMA_BYTES);
        let body = of_schema(&prompts.text(PROMPT_TOKENS), 1, &schema);
        let first = client.chat(&body).await.answer().first_token;
        let again = client.chat(&body).await.answer().first_token;
        seconds.push(first - again);
    }
    report.bound(
        &format!(
            "to compile a schema of {} kB, the longest of {NUM_COMPILED}",
            SCHEMA_BYTES / 1000
        ),
        ms(percentile(&seconds, 100.0)),
        format!("under {}", ms(MAX_COMPILE)),
        percentile(&seconds, 100.0) < MAX_COMPILE,
    );
}

/// What a caller notices of another's hard schemas.
async fn beside(report: &mut Report, a: &Client, b: &Client, prompts: &mut Prompts) {
    let phase = Arc::new(AtomicUsize::new(0));
    let asking = Arc::new(AtomicBool::new(true));
    let mut streams = JoinSet::new();
    for _ in 0..NUM_STREAMS {
        let (client, text) = (a.clone(), prompts.text(PROMPT_TOKENS));
        let (phase, asking) = (Arc::clone(&phase), Arc::clone(&asking));
        streams.spawn(async move {
            // Gaps by the phase in which their answer was asked for and ended.
            let mut gaps: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
            while asking.load(Ordering::Relaxed) {
                let began = phase.load(Ordering::Relaxed);
                let answer = client.chat(&endless(&text, TOKENS_A_ROUND)).await.answer();
                if phase.load(Ordering::Relaxed) == began {
                    gaps.entry(began).or_default().extend(answer.gaps);
                }
            }
            gaps
        });
    }
    sleep(ALONE).await;
    phase.store(1, Ordering::Relaxed);
    let began = Instant::now();
    let outcomes = ask_hard(b, prompts).await;
    let took = began.elapsed();
    phase.store(2, Ordering::Relaxed);
    asking.store(false, Ordering::Relaxed);
    let mut gaps: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for of_stream in streams.join_all().await {
        for (phase, of_phase) in of_stream {
            gaps.entry(phase).or_default().extend(of_phase);
        }
    }
    let p99 = |phase: usize| percentile(gaps.get(&phase).map_or(&[][..], Vec::as_slice), 99.0);
    for (name, count) in &outcomes.counts {
        report.figure(&format!("hard schemas that were {name}"), count);
    }
    report.figure("all of them, seconds", format!("{:.1}", took.as_secs_f64()));
    report.figure(
        "slowest answer to one",
        ms(percentile(&outcomes.seconds, 100.0)),
    );
    report.bound(
        "hard schemas that were answered otherwise",
        outcomes.strange.first().map_or("none", String::as_str),
        "none",
        outcomes.strange.is_empty(),
    );
    report.figure("between two tokens of others alone, p99", ms(p99(0)));
    report.bound(
        "beside hard schemas, p99",
        format!("{} ({:.2} times)", ms(p99(1)), p99(1) / p99(0)),
        format!("under {MAX_GROWTH} times"),
        p99(1) < MAX_GROWTH * p99(0),
    );
}

/// What became of hard schemas.
#[derive(Default)]
struct Outcomes {
    counts: BTreeMap<&'static str, usize>,
    seconds: Vec<f64>,
    strange: Vec<String>,
}

async fn ask_hard(client: &Client, prompts: &mut Prompts) -> Outcomes {
    let next = Arc::new(AtomicUsize::new(0));
    let mut askers = JoinSet::new();
    for _ in 0..HARD_AT_A_TIME {
        let (client, next, text) = (
            client.clone(),
            Arc::clone(&next),
            prompts.text(PROMPT_TOKENS),
        );
        askers.spawn(async move {
            let mut asked = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= NUM_HARD {
                    return asked;
                }
                let began = Instant::now();
                let outcome = client.chat(&of_schema(&text, 1, &hard(number))).await;
                asked.push((outcome, began.elapsed().as_secs_f64()));
            }
        });
    }
    let mut outcomes = Outcomes::default();
    for (outcome, seconds) in askers.join_all().await.into_iter().flatten() {
        outcomes.seconds.push(seconds);
        let name = match &outcome {
            Outcome::Answered(_) => "compiled",
            Outcome::Refused(refusal) if refusal.status == 400 => "refused",
            Outcome::Refused(refusal) if refusal.is_overload() => "put off, with Retry-After",
            other => {
                outcomes.strange.push(other.describe());
                continue;
            }
        };
        *outcomes.counts.entry(name).or_default() += 1;
    }
    outcomes
}
