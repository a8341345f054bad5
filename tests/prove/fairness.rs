//! A caller who asks for one answer at a time hardly notices another who asks for a hundred.

use crate::client::{Client, Outcome};
use crate::prompts::{Prompts, streamed};
use crate::report::{OutOfBounds, Report, ms};
use crate::server::{Caller, RUNNING, STEPS, Server, WAITING};
use crate::settings::Settings;
use crate::statistics::{Random, percentile};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::sleep;

const DEADLINE: Duration = Duration::from_secs(900);
const PROMPT_TOKENS: usize = 200;
const MAX_TOKENS: usize = 8;
const NUM_ASKED: usize = 30;
/// For all of B's requests: a server that is not fair takes minutes for each.
const PATIENCE: Duration = Duration::from_secs(240);
/// What A has open for each request of B.
const FLOOD: usize = 100;
/// Until A's flood has filled every place.
const FLOODED: Duration = Duration::from_secs(5);
/// Either bound will do: a step that has begun cannot be taken back.
const MAX_FACTOR: f64 = 2.5;
const MAX_STEPS: f64 = 2.0;

/// What became of A's requests.
#[derive(Default)]
struct Flood {
    answered: usize,
    refused: usize,
    gaps: Vec<f64>,
    strange: Vec<String>,
}

/// What B saw.
#[derive(Default)]
struct Seen {
    first_tokens: Vec<f64>,
    not_answered: Vec<String>,
}

#[test]
#[ignore = "a proof: make prove"]
fn fairness() -> Result<(), OutOfBounds> {
    crate::prove(DEADLINE, async {
        let mut report = Report::new("fairness: one caller's flood and another's single requests");
        let server = Server::start(&Settings::default()).await;
        let [a, b] = [Caller::A, Caller::B].map(|caller| server.client(caller));
        let mut prompts = Prompts::new(3);
        let bodies = |prompts: &mut Prompts| -> Vec<Value> {
            (0..NUM_ASKED)
                .map(|_| streamed(&prompts.text(PROMPT_TOKENS), MAX_TOKENS))
                .collect()
        };
        let (first, second) = (bodies(&mut prompts), bodies(&mut prompts));
        // The first request of all pays for pages that were never touched.
        b.chat(&streamed(&prompts.text(PROMPT_TOKENS), MAX_TOKENS))
            .await
            .answer();

        let alone = ask_one_by_one(&b, &first).await;
        let (flooding, mut floods) = flood(&a, prompts);
        sleep(FLOODED).await;
        let (before, began) = (server.metrics().await, Instant::now());
        let beside = ask_one_by_one(&b, &second).await;
        let (after, seconds) = (server.metrics().await, began.elapsed().as_secs_f64());
        flooding.store(false, Ordering::Relaxed);
        let mut all = Flood::default();
        while let Some(flood) = floods.join_next().await {
            all.add(flood.unwrap());
        }

        let mean_step = seconds / (after.get(STEPS) - before.get(STEPS));
        let step = percentile(&all.gaps, 99.0);
        report.figure("A's requests answered", all.answered);
        report.figure("A's requests refused, with Retry-After", all.refused);
        report.bound(
            "A's requests that ended otherwise",
            all.strange.first().map_or("none", String::as_str),
            "none",
            all.strange.is_empty(),
        );
        report.figure(
            "running and waiting while A floods",
            format!("{} and {}", after.get(RUNNING), after.get(WAITING)),
        );
        report.figure("a step while A floods, mean", ms(mean_step));
        report.figure("between two tokens of A, p99", ms(step));
        for (name, seen) in [("alone", &alone), ("beside A", &beside)] {
            for percent in [50.0, 99.0] {
                let value = percentile(&seen.first_tokens, percent);
                report.figure(&format!("B's first token {name}, p{percent}"), ms(value));
            }
            report.bound(
                &format!("B's requests {name} that were not answered"),
                seen.not_answered.first().map_or("none", String::as_str),
                "none",
                seen.not_answered.is_empty(),
            );
        }
        let [alone, beside] = [alone, beside].map(|seen| percentile(&seen.first_tokens, 99.0));
        let limit = (alone * MAX_FACTOR).max(alone + MAX_STEPS * step);
        report.bound(
            "B's first token beside A, p99",
            format!("{} ({:.2} times)", ms(beside), beside / alone),
            format!("at most {}", ms(limit)),
            beside <= limit,
        );
        report.finish(server).await
    })
}

async fn ask_one_by_one(client: &Client, bodies: &[Value]) -> Seen {
    let mut seen = Seen::default();
    let deadline = Instant::now() + PATIENCE;
    for body in bodies {
        if Instant::now() > deadline {
            let asked = seen.first_tokens.len() + seen.not_answered.len();
            let late = format!("only {asked} were asked in {} s", PATIENCE.as_secs());
            seen.not_answered.push(late);
            break;
        }
        match client.chat(body).await {
            Outcome::Answered(answer) => seen.first_tokens.push(answer.first_token),
            other => seen.not_answered.push(other.describe()),
        }
    }
    seen
}

/// Keeps [`FLOOD`] requests open until it is told to stop.
fn flood(client: &Client, prompts: Prompts) -> (Arc<AtomicBool>, JoinSet<Flood>) {
    let flooding = Arc::new(AtomicBool::new(true));
    let prompts = Arc::new(Mutex::new(prompts));
    let mut tasks = JoinSet::new();
    for number in 0..FLOOD {
        let (client, flooding, prompts) =
            (client.clone(), Arc::clone(&flooding), Arc::clone(&prompts));
        tasks.spawn(async move {
            let mut flood = Flood::default();
            let mut random = Random::new(number as u64);
            while flooding.load(Ordering::Relaxed) {
                let text = prompts.lock().unwrap().text(PROMPT_TOKENS);
                match client.chat(&streamed(&text, MAX_TOKENS)).await {
                    Outcome::Answered(answer) => {
                        flood.answered += 1;
                        flood.gaps.extend(answer.gaps);
                    }
                    Outcome::Refused(refusal) if refusal.is_overload() => {
                        flood.refused += 1;
                        // As a client should: not before, and not all at once.
                        let after = refusal.retry_after.unwrap_or(1) as f64 + random.unit();
                        sleep(Duration::from_secs_f64(after)).await;
                    }
                    other => flood.strange.push(other.describe()),
                }
            }
            flood
        });
    }
    (flooding, tasks)
}

impl Flood {
    fn add(&mut self, other: Self) {
        self.answered += other.answered;
        self.refused += other.refused;
        self.gaps.extend(other.gaps);
        self.strange.extend(other.strange);
    }
}
