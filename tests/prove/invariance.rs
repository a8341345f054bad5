//! The demo model's answers have the same bits however they are scheduled, on however many
//! threads: a selection of ways in which each pair of settings meets.

use crate::pairs::all_pairs;
use crate::prompts::Prompts;
use crate::report::{OutOfBounds, Report};
use crate::settings::model_dir;
use crate::way::{Answer, Answered, Model, WHOLE, Way};
use guichet::engine::{ModelOptions, SamplingParams, SequenceRequest};
use guichet::kernels::KernelSet;
use std::collections::HashMap;
use std::path::Path;
use std::time::Instant;

const BATCHES: [usize; 7] = [1, 2, 3, 5, 8, 16, 32];
const CHUNKS: [usize; 4] = [1, 7, 64, WHOLE];
const THREADS: [usize; 3] = [16, 1, 2];
const MAX_WAYS: usize = 48;
const NUM_PROMPTS: usize = 16;
const MAX_TOKENS: usize = 32;

// Of settings that serve as well, the selection takes the last: what is fast stands there.

/// A way, and what it runs on.
struct Selected {
    set: KernelSet,
    num_threads: usize,
    way: Way,
}

#[test]
#[ignore = "a proof: make prove"]
fn invariance() -> Result<(), OutOfBounds> {
    let mut report = Report::new("invariance: the same bits, however a request is scheduled");
    let began = Instant::now();
    let requests = requests();
    let selected = select(&sets());
    report.figure(
        "requests",
        format!("{NUM_PROMPTS} prompts of 20 to 60 tokens, greedy and at temperature 1"),
    );
    report.bound(
        "ways, each pair of settings among them",
        selected.len(),
        format!("at most {MAX_WAYS}"),
        selected.len() <= MAX_WAYS,
    );

    let mut expected = HashMap::<KernelSet, Vec<Answer>>::new();
    let mut loaded: Option<(KernelSet, usize, Model)> = None;
    let (mut different, mut not_as_meant) = (Vec::new(), Vec::new());
    let mut slowest = (0.0, String::new());
    let mut num_tokens = 0;
    for Selected {
        set,
        num_threads,
        way,
    } in &selected
    {
        let name = format!("{set}, {num_threads} threads, {way:?}");
        let is_other = |(s, n, _): &(KernelSet, usize, Model)| (s, n) != (set, num_threads);
        if loaded.as_ref().is_none_or(is_other) {
            loaded = Some((*set, *num_threads, load(&model_dir(), *set, *num_threads)));
        }
        let (.., model) = loaded.as_ref().expect("it was just loaded");
        let expected = expected.entry(*set).or_insert_with(|| {
            let alone_began = Instant::now();
            let answers = model.answer_alone(&requests);
            let seconds = alone_began.elapsed().as_secs_f64();
            let num_ways = selected.iter().filter(|way| way.set == *set).count();
            let minutes = num_ways as f64 * seconds / 60.0;
            println!("{num_ways} ways with {set}: at most about {minutes:.0} minutes");
            answers
        });
        let way_began = Instant::now();
        let answered = model.answer(*way, &requests);
        let seconds = way_began.elapsed().as_secs_f64();
        num_tokens += answered
            .answers
            .iter()
            .map(|a| a.tokens.len())
            .sum::<usize>();
        if answered.answers != *expected {
            different.push(name.clone());
        }
        if !is_as_meant(*way, &answered) {
            not_as_meant.push(name.clone());
        }
        if seconds > slowest.0 {
            slowest = (seconds, name);
        }
    }

    report.figure("seconds", format!("{:.1}", began.elapsed().as_secs_f64()));
    report.figure(
        "the slowest way",
        format!("{:.1} s: {}", slowest.0, slowest.1),
    );
    report.figure("tokens compared", num_tokens);
    report.bound(
        "ways that did not preempt, cache or batch as meant",
        first_of(&not_as_meant),
        "none",
        not_as_meant.is_empty(),
    );
    report.bound(
        "ways with another bit than alone",
        first_of(&different),
        "none",
        different.is_empty(),
    );
    report.end()
}

fn first_of(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        [first, ..] => format!("{} of them; {first}", names.len()),
    }
}

fn is_as_meant(way: Way, answered: &Answered) -> bool {
    (answered.num_preemptions > 0) == way.preempts
        && (answered.num_cached_tokens > 0) == way.cache
        && (way.preempts || answered.largest_batch == way.batch)
}

fn load(dir: &Path, set: KernelSet, num_threads: usize) -> Model {
    Model::load(
        dir,
        &ModelOptions {
            kernels: Some(set.to_string()),
            num_threads: Some(num_threads),
            kv_cache_bytes: Some(256 << 20),
            ..ModelOptions::default()
        },
    )
}

/// The slowest first.
fn sets() -> Vec<KernelSet> {
    let all = KernelSet::ALL.into_iter().rev();
    all.filter(|set| set.is_supported()).collect()
}

/// Ways in which every two settings meet, those of one model beside each other.
fn select(sets: &[KernelSet]) -> Vec<Selected> {
    let levels = [BATCHES.len(), CHUNKS.len(), 2, 2, THREADS.len(), sets.len()];
    let mut rows = all_pairs(&levels);
    rows.sort_by_key(|row| (row[5], row[4]));
    rows.iter()
        .map(|row| Selected {
            set: sets[row[5]],
            num_threads: THREADS[row[4]],
            way: Way {
                batch: BATCHES[row[0]],
                chunk: CHUNKS[row[1]],
                cache: row[2] == 1,
                preempts: row[3] == 0,
            },
        })
        .collect()
}

/// Each prompt greedy and drawn. Every other prompt begins with the same words, as the letters
/// of an office do, for more than a block.
fn requests() -> Vec<SequenceRequest> {
    let mut prompts = Prompts::new(13);
    let counter = prompts.counter();
    let template = counter.tokens_of_chat(&prompts.text(56));
    let mut requests = Vec::new();
    for index in 0..NUM_PROMPTS {
        let num_tokens = prompts.random.within(20, 60);
        let mut prompt = counter.tokens_of_chat(&prompts.text(num_tokens));
        if index % 2 == 0 {
            let own = 1 + index / 2;
            prompt = [&template[..48], &prompt[prompt.len() - own..]].concat();
        }
        for temperature in [0.0, 1.0] {
            requests.push(SequenceRequest {
                sampling: SamplingParams {
                    temperature,
                    seed: index as u64,
                    num_top_logprobs: 2,
                    ..SamplingParams::default()
                },
                prompt_logprobs: (index % 8 == 3).then_some(2),
                ..SequenceRequest::new(prompt.clone(), MAX_TOKENS)
            });
        }
    }
    requests
}

#[test]
fn each_way_batches_caches_and_preempts_as_it_is_meant_to() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-llama");
    let model = load(&dir, KernelSet::best(), 2);
    let mut requests = requests();
    for request in &mut requests {
        // What is shared stays so; the ids are the tiny model's.
        request.prompt = request.prompt.iter().map(|id| id % 320).collect();
    }
    let selected = select(&KernelSet::ALL);
    assert!(selected.len() <= MAX_WAYS);
    for Selected { way, .. } in selected {
        assert!(is_as_meant(way, &model.answer(way, &requests)), "{way:?}");
    }
}
