//! A thousand equal requests amid other traffic get one answer, to the last bit.

use crate::harness::{Noise, options, start_with, tiny, wait_until_idle};
use crate::way::{Answer, Model, collect};
use guichet::engine::{Class, FlowId, KvGroup, Origin, SamplingParams, SequenceRequest};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

const NUM_IDENTICAL: usize = 1000;
const NUM_OTHERS: usize = 500;
const NUM_CLIENTS: usize = 16;
const VOCAB: usize = 320;

struct Job {
    request: SequenceRequest,
    /// Events after which the client leaves.
    leaves_after: Option<usize>,
    is_identical: bool,
}

#[test]
fn a_thousand_equal_greedy_requests_amid_others_get_one_answer() {
    check(0.0);
}

#[test]
fn a_thousand_equal_draws_amid_others_get_one_answer() {
    check(1.0);
}

fn check(temperature: f32) {
    let mut noise = Noise::new(17);
    let prompt: Vec<u32> = (0..70).map(|_| noise.below(VOCAB) as u32).collect();
    let request = SequenceRequest {
        sampling: SamplingParams {
            temperature,
            seed: 5,
            num_top_logprobs: 2,
            ..SamplingParams::default()
        },
        ..SequenceRequest::new(prompt, 40)
    };
    let alone = Model::load(&tiny(), &options()).answer_alone(std::slice::from_ref(&request));

    let engine = start_with(&tiny(), &options(), |config| {
        config.max_num_seqs = NUM_CLIENTS;
        config.kv_groups = vec![KvGroup::without_window(NUM_CLIENTS)];
    });
    let jobs = Mutex::new(jobs(&request, &mut noise));
    let answers = Mutex::new(HashMap::<Answer, usize>::new());
    std::thread::scope(|scope| {
        for _ in 0..NUM_CLIENTS {
            scope.spawn(|| {
                loop {
                    let job = jobs.lock().unwrap().pop();
                    let Some(job) = job else { return };
                    let mut stream = engine.submit(vec![job.request]).unwrap().remove(0);
                    if let Some(num_events) = job.leaves_after {
                        for _ in 0..num_events {
                            stream.blocking_recv().unwrap();
                        }
                        continue;
                    }
                    let answer = collect(stream);
                    if job.is_identical {
                        *answers.lock().unwrap().entry(answer).or_default() += 1;
                    }
                }
            });
        }
    });
    wait_until_idle(&engine);
    let expected = HashMap::from([(alone[0].clone(), NUM_IDENTICAL)]);
    assert_eq!(answers.into_inner().unwrap(), expected);
    let stats = engine.stats();
    assert!(stats.num_preemptions.load(Ordering::SeqCst) > 0);
    assert!(stats.num_cached_tokens.load(Ordering::SeqCst) > 0);
}

/// All in one order that mixes them. Of the others, a third begins as the equal ones do, a third
/// displaces them, and a fourth loses its client.
fn jobs(request: &SequenceRequest, noise: &mut Noise) -> Vec<Job> {
    let identical = (0..NUM_IDENTICAL).map(|_| Job {
        request: request.clone(),
        leaves_after: None,
        is_identical: true,
    });
    let mut jobs: Vec<Job> = identical.collect();
    for index in 0..NUM_OTHERS {
        let mut prompt: Vec<u32> = match index % 3 {
            0 => request.prompt[..noise.below(70)].to_vec(),
            _ => Vec::new(),
        };
        let len = 1 + noise.below(90);
        prompt.extend((0..len).map(|_| noise.below(VOCAB) as u32));
        let max_tokens = 1 + noise.below(60);
        let other = Job {
            request: SequenceRequest {
                sampling: SamplingParams {
                    temperature: (index % 2) as f32,
                    seed: index as u64,
                    ..SamplingParams::default()
                },
                prompt_logprobs: (index % 7 == 6).then_some(1),
                origin: Origin {
                    flow: FlowId((index % 3) as u32),
                    class: match index % 5 {
                        0 => Class::Batch,
                        _ => Class::Interactive,
                    },
                    ..Origin::default()
                },
                ..SequenceRequest::new(prompt, max_tokens)
            },
            leaves_after: (index % 4 == 3).then(|| noise.below(max_tokens)),
            is_identical: false,
        };
        let place = noise.below(jobs.len() + 1);
        jobs.insert(place, other);
    }
    jobs
}
