//! Four times as many requests as the server can answer: those that it admits it answers, the
//! others hear so at once, and it gets no less done than before.

use crate::client::{Client, Outcome};
use crate::prompts::{Prompts, streamed};
use crate::report::{OutOfBounds, Report, ms};
use crate::server::{Caller, Server};
use crate::settings::Settings;
use crate::statistics::{mean, percentile};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

const DEADLINE: Duration = Duration::from_secs(420);
const PROMPT_TOKENS: usize = 100;
const MAX_TOKENS: usize = 16;

/// Few enough that what is under way when a window begins or ends is a small part of it.
const MAX_NUM_SEQS: usize = 16;
/// A few more than the server computes at a time, so that its batch is always full.
const CONCURRENCY: usize = 24;
/// Until the batch is as full as it stays.
const WARM_UP: Duration = Duration::from_secs(10);
const CAPACITY_WINDOW: Duration = Duration::from_secs(20);

const OVERLOAD: f64 = 4.0;
const OVERLOAD_WINDOW: Duration = Duration::from_secs(60);

const MAX_QUEUE_MS: u64 = 2000;
/// From the end of the wait to the first token: the steps of the prefill, which shares them
/// with a full batch.
const PREFILL_ALLOWANCE_MS: u64 = 1000;
const MAX_REFUSAL: f64 = 0.050;
const MIN_GOODPUT: f64 = 0.9;

/// What was finished within a window.
struct Rate {
    requests: f64,
    tokens: f64,
}

/// A request of the overload: how late it was sent, and what became of it.
struct Arrival {
    late: f64,
    outcome: Outcome,
}

#[test]
#[ignore = "a proof: make prove"]
fn overload() -> Result<(), OutOfBounds> {
    crate::prove(DEADLINE, async {
        let mut report = Report::new("overload: four times the load that the server can bear");
        let server = Server::start(&Settings {
            max_num_seqs: MAX_NUM_SEQS,
            max_queue_ms: MAX_QUEUE_MS,
            ..Settings::default()
        })
        .await;
        let client = server.client(Caller::A);
        let prompts = Arc::new(Mutex::new(Prompts::new(2)));

        let capacity = capacity(&client, &prompts).await;
        report.figure("capacity, requests/s", format!("{:.2}", capacity.requests));
        report.figure("capacity, tokens/s", format!("{:.1}", capacity.tokens));
        settle(&server, &mut report, "before the overload").await;

        let rate = capacity.requests * OVERLOAD;
        let schedule = schedule(&prompts, rate);
        let used = client_seconds();
        let began = Instant::now();
        let arrivals = arrive(&client, schedule).await;
        let share = (client_seconds() - used) / began.elapsed().as_secs_f64();
        let window = (began + WARM_UP, began + WARM_UP + OVERLOAD_WINDOW);
        report.figure("offered, requests/s", format!("{rate:.1}"));
        tell(&mut report, arrivals, window, &capacity);
        report.figure(
            "the client's share of one core",
            format!("{:.0} %", share * 100.0),
        );
        settle(&server, &mut report, "after the overload").await;
        report.finish(server).await
    })
}

/// What is done at most: as many requests as fit are always there.
async fn capacity(client: &Client, prompts: &Arc<Mutex<Prompts>>) -> Rate {
    let from = Instant::now() + WARM_UP;
    let to = from + CAPACITY_WINDOW;
    let mut tasks = JoinSet::new();
    for _ in 0..CONCURRENCY {
        let (client, prompts) = (client.clone(), Arc::clone(prompts));
        tasks.spawn(async move {
            let mut done = Vec::new();
            while Instant::now() < to {
                match client.chat(&next_request(&prompts)).await {
                    Outcome::Answered(answer) => {
                        done.push((answer.ended, answer.usage.completion_tokens));
                    }
                    // A full queue is no failure here, only a reason to wait.
                    Outcome::Refused(refusal) if refusal.is_overload() => {
                        sleep(Duration::from_millis(100)).await;
                    }
                    other => panic!("{}", other.describe()),
                }
            }
            done
        });
    }
    rate(&tasks.join_all().await.concat(), (from, to))
}

fn rate(done: &[(Instant, usize)], (from, to): (Instant, Instant)) -> Rate {
    let within = || done.iter().filter(|(at, _)| (from..to).contains(at));
    let seconds = (to - from).as_secs_f64();
    Rate {
        requests: within().count() as f64 / seconds,
        tokens: within().map(|(_, tokens)| *tokens).sum::<usize>() as f64 / seconds,
    }
}

/// Requests that come independently of each other and of their answers, through the warm-up
/// and the window: when, and what. Made beforehand, because the server is to have the cores.
fn schedule(prompts: &Mutex<Prompts>, rate: f64) -> Vec<(Duration, Value)> {
    let end = WARM_UP + OVERLOAD_WINDOW;
    let mut due = Duration::ZERO;
    let mut schedule = Vec::new();
    while due < end {
        schedule.push((due, next_request(prompts)));
        due += Duration::from_secs_f64(prompts.lock().unwrap().random.interval(rate));
    }
    schedule
}

async fn arrive(client: &Client, schedule: Vec<(Duration, Value)>) -> Vec<Arrival> {
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for (after, body) in schedule {
        let (client, due) = (client.clone(), began + after);
        sleep_until(due.into()).await;
        tasks.spawn(async move {
            Arrival {
                late: due.elapsed().as_secs_f64(),
                outcome: client.chat(&body).await,
            }
        });
    }
    tasks.join_all().await
}

fn next_request(prompts: &Mutex<Prompts>) -> Value {
    streamed(&prompts.lock().unwrap().text(PROMPT_TOKENS), MAX_TOKENS)
}

fn tell(report: &mut Report, arrivals: Vec<Arrival>, window: (Instant, Instant), capacity: &Rate) {
    let offered = arrivals.len();
    let late: Vec<_> = arrivals.iter().map(|arrival| arrival.late).collect();
    let (mut done, mut first_tokens, mut prompt_tokens) = (Vec::new(), Vec::new(), Vec::new());
    let (mut lost, mut refused, mut strange) = (Vec::new(), Vec::new(), Vec::new());
    for arrival in arrivals {
        match arrival.outcome {
            Outcome::Answered(answer) => {
                done.push((answer.ended, answer.usage.completion_tokens));
                first_tokens.push(answer.first_token);
                prompt_tokens.push(answer.usage.prompt_tokens as f64);
            }
            Outcome::Refused(refusal) if refusal.is_overload() => refused.push(refusal.after),
            Outcome::Lost(why) => lost.push(why),
            other => strange.push(other.describe()),
        }
    }
    let goodput = rate(&done, window);
    report.figure("offered", offered);
    report.figure("admitted", done.len() + lost.len());
    report.figure("completed", done.len());
    report.figure(
        "prompt tokens, mean",
        format!("{:.0}", mean(&prompt_tokens)),
    );
    report.bound("admitted and lost", counted(&lost), "none", lost.is_empty());
    report.bound(
        "refused with 503 and Retry-After",
        refused.len(),
        "some",
        !refused.is_empty(),
    );
    report.bound(
        "neither admitted nor refused so",
        counted(&strange),
        "none",
        strange.is_empty(),
    );
    report.figure("time to a refusal, p50", ms(percentile(&refused, 50.0)));
    let p99 = percentile(&refused, 99.0);
    report.bound(
        "time to a refusal, p99",
        ms(p99),
        format!("at most {}", ms(MAX_REFUSAL)),
        p99 <= MAX_REFUSAL,
    );
    report.figure("goodput, requests/s", format!("{:.2}", goodput.requests));
    report.bound(
        "goodput, tokens/s",
        format!(
            "{:.1} ({:.0} % of capacity)",
            goodput.tokens,
            100.0 * goodput.tokens / capacity.tokens
        ),
        format!("at least {:.0} %", 100.0 * MIN_GOODPUT),
        goodput.tokens >= MIN_GOODPUT * capacity.tokens,
    );
    report.figure("first token, p50", ms(percentile(&first_tokens, 50.0)));
    let (p99, limit) = (
        percentile(&first_tokens, 99.0),
        (MAX_QUEUE_MS + PREFILL_ALLOWANCE_MS) as f64 / 1000.0,
    );
    report.bound(
        "first token, p99",
        ms(p99),
        format!("{MAX_QUEUE_MS} + {PREFILL_ALLOWANCE_MS} ms at most"),
        p99 <= limit,
    );
    report.figure("requests sent late by, p99", ms(percentile(&late, 99.0)));
}

/// How many, and the first in its own words.
fn counted(causes: &[String]) -> String {
    match causes.first() {
        None => "none".to_owned(),
        Some(first) => format!("{}, such as {first}", causes.len()),
    }
}

async fn settle(server: &Server, report: &mut Report, when: &str) {
    let idle = server.until_idle(Duration::from_secs(30)).await;
    report.bound(
        &format!("left {when}"),
        idle.as_ref().err().map_or("nothing", String::as_str),
        "nothing",
        idle.is_ok(),
    );
}

/// Processor time of this process: user and system.
fn client_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The name stands in brackets and may hold blanks.
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<f64> = after_name
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0.0))
        .collect();
    // In hundredths of a second wherever Linux runs today.
    (fields[11] + fields[12]) / 100.0
}
