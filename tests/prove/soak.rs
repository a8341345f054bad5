//! Mixed traffic at full load for a while: memory, files and threads stay what they are.

use crate::client::{CHAT, Client, Outcome};
use crate::prompts::{Prompts, as_stream, plain};
use crate::report::{OutOfBounds, Report};
use crate::server::{BLOCKS_USED, Caller, Process, RUNNING, Server, WAITING};
use crate::settings::Settings;
use crate::statistics::{mean, slope, spread};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const MINUTES: &str = "GUICHET_SOAK_MINUTES";
const DEFAULT_MINUTES: f64 = 10.0;
/// For the start and the end.
const SPARE: Duration = Duration::from_secs(240);
const WORKERS: usize = 32;
const INTERVAL: Duration = Duration::from_secs(2);
/// The share of the time after which caches are full and pools as large as they get.
const WARM_UP: f64 = 0.2;
const MAX_MIB_PER_MINUTE: f64 = 1.0;
/// Connections come and go with their workers.
const MAX_FILES_SPREAD: f64 = WORKERS as f64;
/// Threads for blocking work end when there is little of it, and come back.
const MAX_THREADS_SPREAD: f64 = 16.0;

/// What a worker does next.
enum Act {
    Ask(Value),
    /// Leaves after so long.
    Cancel(Value, Duration),
    /// Is refused with this status.
    Err(&'static str, Value, u16),
}

struct Sample {
    minutes: f64,
    process: Process,
    running: f64,
    waiting: f64,
    blocks: f64,
}

/// How often what happened, and what never should.
#[derive(Default)]
struct Tally {
    counts: BTreeMap<&'static str, usize>,
    wrong: Vec<String>,
}

#[test]
#[ignore = "a proof: make prove"]
fn soak() -> Result<(), OutOfBounds> {
    let minutes =
        std::env::var(MINUTES).map_or(DEFAULT_MINUTES, |value| value.parse().expect("minutes"));
    let time = Duration::from_secs_f64(minutes * 60.0);
    crate::prove(time + SPARE, async {
        let mut report = Report::new("soak: mixed traffic at full load");
        let server = Server::start(&Settings {
            // Small, so that every page of it is touched in the warm-up, and now and then a
            // sequence is preempted.
            kv_cache_mib: 160,
            prefix_cache_mib: 80,
            ..Settings::default()
        })
        .await;
        let prompts = Arc::new(Mutex::new(Prompts::new(6)));
        let (began, end) = (Instant::now(), Instant::now() + time);
        let mut tasks = JoinSet::new();
        for _ in 0..WORKERS {
            tasks.spawn(work(server.client(Caller::A), Arc::clone(&prompts), end));
        }
        let mut samples = Vec::new();
        while Instant::now() < end {
            samples.push(sample(&server, began).await);
            sleep(INTERVAL).await;
        }
        let mut tally = Tally::default();
        for one in tasks.join_all().await {
            tally.add(one);
        }
        let idle = server.until_idle(Duration::from_secs(60)).await;

        samples.retain(|sample| sample.minutes > minutes * WARM_UP);
        report.figure("minutes", minutes);
        for (what, count) in &tally.counts {
            report.figure(what, count);
        }
        report.bound(
            "what should not be",
            tally.wrong.first().map_or("nothing", String::as_str),
            "nothing",
            tally.wrong.is_empty(),
        );
        tell(&mut report, &samples);
        report.bound(
            "left afterwards",
            idle.as_ref().err().map_or("nothing", String::as_str),
            "nothing",
            idle.is_ok(),
        );
        report.finish(server).await
    })
}

async fn sample(server: &Server, began: Instant) -> Sample {
    let metrics = server.metrics().await;
    Sample {
        minutes: began.elapsed().as_secs_f64() / 60.0,
        process: server.process(),
        running: metrics.get(RUNNING),
        waiting: metrics.get(WAITING),
        blocks: metrics.get(BLOCKS_USED),
    }
}

fn tell(report: &mut Report, samples: &[Sample]) {
    let series = |pick: fn(&Sample) -> f64| samples.iter().map(pick).collect::<Vec<_>>();
    for (name, values) in [
        ("sequences running", series(|s| s.running)),
        ("sequences waiting", series(|s| s.waiting)),
        ("blocks of sequences", series(|s| s.blocks)),
    ] {
        report.figure(&format!("{name}, mean"), format!("{:.1}", mean(&values)));
    }
    let memory: Vec<_> = samples
        .iter()
        .map(|sample| (sample.minutes, sample.process.rss_mib))
        .collect();
    let [first, last] = [memory.first(), memory.last()].map(|at| at.map_or(f64::NAN, |p| p.1));
    report.figure(
        "memory after the warm-up and at the end",
        format!("{first:.1} and {last:.1} MiB"),
    );
    let growth = slope(&memory);
    report.bound(
        "memory's slope",
        format!("{growth:+.3} MiB/min"),
        format!("less than {MAX_MIB_PER_MINUTE}"),
        growth < MAX_MIB_PER_MINUTE,
    );
    for (name, values, max) in [
        (
            "open files",
            series(|s| s.process.num_files as f64),
            MAX_FILES_SPREAD,
        ),
        (
            "threads",
            series(|s| s.process.num_threads as f64),
            MAX_THREADS_SPREAD,
        ),
    ] {
        let wide = spread(&values);
        report.bound(
            &format!("{name}, most less fewest"),
            format!("{wide:.0} (mean {:.1})", mean(&values)),
            format!("at most {max}"),
            wide <= max,
        );
    }
}

async fn work(client: Client, prompts: Arc<Mutex<Prompts>>, end: Instant) -> Tally {
    let mut tally = Tally::default();
    while Instant::now() < end {
        let (what, act) = draw(&mut prompts.lock().unwrap());
        match act {
            Act::Ask(body) => match client.chat(&body).await {
                Outcome::Answered(_) => tally.count(what),
                Outcome::Refused(refusal) if refusal.is_overload() => {
                    tally.count("refused for want of room");
                    let after = refusal.retry_after.unwrap_or(1);
                    sleep(Duration::from_secs(after)).await;
                }
                other => tally.wrong.push(format!("{what}: {}", other.describe())),
            },
            Act::Cancel(body, after) => match timeout(after, client.chat(&body)).await {
                Err(_) => tally.count(what),
                Ok(_) => tally.count("answered before they were cancelled"),
            },
            Act::Err(path, body, status) => match client.post(path, &body).await {
                Outcome::Refused(refusal) if refusal.status == status => tally.count(what),
                // A full queue is noticed before a prompt is measured.
                Outcome::Refused(refusal) if refusal.is_overload() && status == 400 => {
                    tally.count("refused for want of room");
                }
                other => tally.wrong.push(format!("{what}: {}", other.describe())),
            },
        }
    }
    tally
}

/// One of everything that clients do, more often what they do more often.
fn draw(prompts: &mut Prompts) -> (&'static str, Act) {
    let kind = prompts.random.below(100);
    let seed = prompts.random.below(1 << 30);
    let mut chat = |(least, most): (usize, usize), max_tokens: usize| {
        let num_tokens = prompts.random.within(least, most);
        let mut body = plain(&prompts.text(num_tokens), max_tokens);
        body["temperature"] = json!(prompts.random.below(3) as f64 / 2.0);
        body["seed"] = json!(seed);
        body
    };
    match kind {
        0..30 => (
            "short chats, streamed",
            Act::Ask(as_stream(chat((50, 120), 16))),
        ),
        30..50 => ("short chats, plain", Act::Ask(chat((50, 120), 16))),
        50..62 => (
            "long letters, streamed",
            Act::Ask(as_stream(chat((400, 900), 8))),
        ),
        62..70 => ("long answers, plain", Act::Ask(chat((50, 120), 96))),
        70..80 => {
            let mut body = chat((50, 120), 12);
            body["n"] = json!(2);
            let body = if kind < 75 { as_stream(body) } else { body };
            ("chats with two choices", Act::Ask(body))
        }
        80..90 => {
            let after = Duration::from_millis((seed % 1000) as u64);
            let body = chat((50, 400), 64);
            let body = if kind < 85 { as_stream(body) } else { body };
            ("cancelled", Act::Cancel(body, after))
        }
        90..93 => {
            let mut body = chat((50, 60), 8);
            body["temperature"] = json!(3);
            ("400, a value out of range", Act::Err(CHAT, body, 400))
        }
        93..96 => {
            let body = chat((50, 60), 1 << 20);
            ("400, longer than the context", Act::Err(CHAT, body, 400))
        }
        96..98 => {
            let mut body = chat((50, 60), 8);
            body["model"] = json!("nobody");
            ("404, no such model", Act::Err(CHAT, body, 404))
        }
        _ => (
            "404, no such place",
            Act::Err("/v1/nowhere", json!({}), 404),
        ),
    }
}

impl Tally {
    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn add(&mut self, other: Self) {
        for (what, count) in other.counts {
            *self.counts.entry(what).or_default() += count;
        }
        self.wrong.extend(other.wrong);
    }
}
