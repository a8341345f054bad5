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
use std::ops::Range;
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

const NUM_HARD: usize = 200;
/// The hard ones are asked for in parts, with as many pauses.
const PARTS: usize = 4;
const PAUSE: Duration = Duration::from_secs(8);
/// Hard schemas that wait to be compiled at the same time: few enough that none waits for long.
const HARD_AT_A_TIME: usize = 4;
/// Blocks of the cache hold as many, or a part of it.
const BLOCK_TOKENS: usize = 64;
/// So that prefills, which others notice too, are rare.
const TOKENS_OF_OTHERS: usize = 400;
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
    let asking = Arc::new(AtomicBool::new(true));
    let mut streams = JoinSet::new();
    for _ in 0..NUM_STREAMS {
        let body = endless(&prompts.text(PROMPT_TOKENS), TOKENS_OF_OTHERS);
        streams.spawn(gaps(a.clone(), body, Arc::clone(&asking)));
    }
    // The prefills of all streams.
    sleep(PAUSE).await;
    let mut outcomes = Outcomes::default();
    let mut pauses = Vec::new();
    // Others shall notice what is compiled, and no prefill: all but a token of this is cached.
    let text = all_but_one_in_blocks(prompts);
    b.chat(&streamed(&text, 1)).await.answer();
    // Made beforehand: the client shares its cores with the server.
    let hard: Arc<Vec<Value>> = Arc::new(
        (0..NUM_HARD)
            .map(|n| of_schema(&text, 1, &hard(n)))
            .collect(),
    );
    let began = Instant::now();
    for part in 0..PARTS {
        let pause = Instant::now();
        sleep(PAUSE).await;
        pauses.push((pause, Instant::now()));
        let numbers = part * NUM_HARD / PARTS..(part + 1) * NUM_HARD / PARTS;
        ask_hard(b, &hard, numbers, &mut outcomes).await;
    }
    let ended = Instant::now();
    asking.store(false, Ordering::Relaxed);
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for (end, gap) in streams.join_all().await.into_iter().flatten() {
        if pauses.iter().any(|(from, to)| (*from..*to).contains(&end)) {
            alone.push(gap);
        } else if (began..ended).contains(&end) {
            beside.push(gap);
        }
    }
    for (name, count) in &outcomes.counts {
        report.figure(&format!("hard schemas: {name}"), count);
    }
    let took = (ended - began).as_secs_f64() - PARTS as f64 * PAUSE.as_secs_f64();
    report.figure("all of them", format!("{took:.1} s"));
    report.figure(
        "the slowest answer to one",
        ms(percentile(&outcomes.seconds, 100.0)),
    );
    report.bound(
        "hard schemas that were answered otherwise",
        outcomes.strange.first().map_or("none", String::as_str),
        "none",
        outcomes.strange.is_empty(),
    );
    for percent in [50.0, 90.0, 95.0] {
        let [alone, beside] = [&alone, &beside].map(|gaps| ms(percentile(gaps, percent)));
        report.figure(
            &format!("between two tokens of others, p{percent}"),
            format!("{alone}, beside them {beside}"),
        );
    }
    let [alone, beside] = [alone, beside].map(|gaps| percentile(&gaps, 99.0));
    report.figure("between two tokens of others alone, p99", ms(alone));
    report.bound(
        "beside hard schemas, p99",
        format!("{} ({:.2} times)", ms(beside), beside / alone),
        format!("under {MAX_GROWTH} times"),
        beside < MAX_GROWTH * alone,
    );
}

/// A text whose prompt is whole blocks and one more token.
fn all_but_one_in_blocks(prompts: &Prompts) -> String {
    let counter = prompts.counter();
    let mut text = "?".to_owned();
    while counter.tokens_of_chat(&text).len() % BLOCK_TOKENS != 1 {
        text.push_str(" ?");
    }
    text
}

/// Seconds between pieces of text, and when each ended.
async fn gaps(client: Client, body: Value, asking: Arc<AtomicBool>) -> Vec<(Instant, f64)> {
    let mut gaps = Vec::new();
    while asking.load(Ordering::Relaxed) {
        let asked = Instant::now();
        let answer = client.chat(&body).await.answer();
        let mut end = asked + Duration::from_secs_f64(answer.first_token);
        for gap in answer.gaps {
            end += Duration::from_secs_f64(gap);
            gaps.push((end, gap));
        }
    }
    gaps
}

/// What became of hard schemas.
#[derive(Default)]
struct Outcomes {
    counts: BTreeMap<&'static str, usize>,
    seconds: Vec<f64>,
    strange: Vec<String>,
}

async fn ask_hard(
    client: &Client,
    hard: &Arc<Vec<Value>>,
    numbers: Range<usize>,
    outcomes: &mut Outcomes,
) {
    let next = Arc::new(AtomicUsize::new(numbers.start));
    let mut askers = JoinSet::new();
    for _ in 0..HARD_AT_A_TIME {
        let (client, hard, next) = (client.clone(), Arc::clone(hard), Arc::clone(&next));
        askers.spawn(async move {
            let mut asked = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= numbers.end {
                    return asked;
                }
                let body = &hard[number];
                loop {
                    let began = Instant::now();
                    let outcome = client.chat(body).await;
                    let again = match &outcome {
                        Outcome::Refused(refusal) if refusal.is_overload() => refusal.retry_after,
                        _ => None,
                    };
                    asked.push((outcome, began.elapsed().as_secs_f64()));
                    // As a client should: it is compiled meanwhile.
                    let Some(seconds) = again else { break };
                    sleep(Duration::from_secs(seconds)).await;
                }
            }
        });
    }
    for (outcome, seconds) in askers.join_all().await.into_iter().flatten() {
        outcomes.seconds.push(seconds);
        let name = match &outcome {
            Outcome::Answered(_) => "compiled",
            Outcome::Refused(refusal) if refusal.status == 400 => "refused",
            Outcome::Refused(refusal) if refusal.is_overload() => "put off, and asked again",
            other => {
                outcomes.strange.push(other.describe());
                continue;
            }
        };
        *outcomes.counts.entry(name).or_default() += 1;
    }
}
