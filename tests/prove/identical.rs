//! A thousand equal questions amid other traffic get one answer, to the last digit.

use crate::client::{Choice, Client, Outcome};
use crate::prompts::{Prompts, as_stream, plain};
use crate::report::{OutOfBounds, Report};
use crate::server::{Caller, Server};
use crate::settings::Settings;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const DEADLINE: Duration = Duration::from_secs(1500);
const NUM_IDENTICAL: usize = 1000;
const NUM_OTHERS: usize = 500;
const AT_A_TIME: usize = 16;
const MAX_TOKENS: usize = 12;

enum Job {
    Identical(Value),
    Other(Value),
}

#[test]
#[ignore = "a proof: make prove"]
fn identical() -> Result<(), OutOfBounds> {
    crate::prove(DEADLINE, async {
        let mut report = Report::new("identical: a thousand equal greedy requests, one answer");
        let server = Server::start(&Settings::default()).await;
        let mut prompts = Prompts::new(5);
        let jobs = Arc::new(Mutex::new(jobs(&mut prompts)));
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for _ in 0..AT_A_TIME {
            tasks.spawn(work(server.client(Caller::A), Arc::clone(&jobs)));
        }
        let (mut answers, mut failed) = (HashMap::<Choice, usize>::new(), Vec::new());
        for (found, causes) in tasks.join_all().await {
            for choice in found {
                *answers.entry(choice).or_default() += 1;
            }
            failed.extend(causes);
        }

        let total: usize = answers.values().sum();
        report.figure(
            "requests",
            format!("{NUM_IDENTICAL} equal ones, half of them streamed, amid {NUM_OTHERS} others"),
        );
        report.figure("seconds", format!("{:.1}", began.elapsed().as_secs_f64()));
        report.bound(
            "requests that were not answered",
            failed.first().map_or("none", String::as_str),
            "none",
            failed.is_empty(),
        );
        report.bound(
            "equal requests answered",
            total,
            NUM_IDENTICAL,
            total == NUM_IDENTICAL,
        );
        report.bound("distinct answers", answers.len(), 1, answers.len() == 1);
        let num_scored = answers.keys().map(|choice| choice.logprobs.len()).min();
        report.bound(
            "tokens with log-probabilities in each",
            num_scored.unwrap_or(0),
            "at least 1",
            num_scored.is_some_and(|num| num >= 1),
        );
        for (choice, count) in answers.iter().take(3) {
            let first = choice.logprobs.first().map_or("", String::as_str);
            report.figure(
                &format!("given {count} times"),
                format!("{:?} {first}", choice.text),
            );
        }
        report.finish(server).await
    })
}

/// All in one order that mixes them.
fn jobs(prompts: &mut Prompts) -> VecDeque<Job> {
    let question = with_logprobs(plain(&prompts.text(110), MAX_TOKENS));
    let mut jobs: Vec<_> = (0..NUM_IDENTICAL)
        .map(|number| match number % 2 {
            0 => Job::Identical(question.clone()),
            _ => Job::Identical(as_stream(question.clone())),
        })
        .collect();
    jobs.extend((0..NUM_OTHERS).map(|number| Job::Other(other(prompts, number))));
    prompts.random.shuffle(&mut jobs);
    jobs.into()
}

/// Anything else that a client may ask.
fn other(prompts: &mut Prompts, number: usize) -> Value {
    let num_tokens = prompts.random.within(50, 400);
    let max_tokens = prompts.random.within(1, 40);
    let mut body = plain(&prompts.text(num_tokens), max_tokens);
    body["temperature"] = json!(prompts.random.below(3) as f64 / 2.0);
    body["seed"] = json!(number);
    body["n"] = json!(prompts.random.within(1, 2));
    if prompts.random.below(2) == 0 {
        body = as_stream(body);
    }
    body
}

fn with_logprobs(mut body: Value) -> Value {
    body["logprobs"] = json!(true);
    body["top_logprobs"] = json!(3);
    body
}

async fn work(client: Client, jobs: Arc<Mutex<VecDeque<Job>>>) -> (Vec<Choice>, Vec<String>) {
    let (mut answers, mut failed) = (Vec::new(), Vec::new());
    loop {
        let job = jobs.lock().unwrap().pop_front();
        let (body, is_identical) = match job {
            None => return (answers, failed),
            Some(Job::Identical(body)) => (body, true),
            Some(Job::Other(body)) => (body, false),
        };
        match client.chat(&body).await {
            Outcome::Answered(answer) if is_identical => answers.extend(answer.choices),
            Outcome::Answered(_) => {}
            other => failed.push(other.describe()),
        }
    }
}
