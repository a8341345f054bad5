//! What happens in one simulated run, drawn from its seed before it begins.

use super::groups;
use super::model::VOCAB;
use super::random::Random;
use crate::engine::{
    Class, EngineConfig, FlowId, Namespace, Origin, PrefixCache, SamplingParams, SequenceRequest,
};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
pub struct Scenario {
    pub kind: Kind,
    pub config: EngineConfig,
    /// Hashes of blocks are cut to so many bits.
    pub hash_bits: u32,
    /// In the order of their times.
    pub arrivals: Vec<Arrival>,
    /// Steps in which the engine dies.
    pub deaths: Vec<u64>,
    /// Steps before which the clock jumps ahead.
    pub jumps: Vec<(u64, Duration)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Anything and everything.
    Mixed,
    /// One flow sends far more than it can be served; a single request of another comes.
    Flood,
    /// Small requests leave no room for a large one of another flow.
    Large,
    /// Interactive requests leave nothing for a batch request.
    Batch,
}

/// One request: the sequences of its choices.
#[derive(Debug)]
pub struct Arrival {
    pub at: Duration,
    pub requests: Vec<SequenceRequest>,
    pub reader: Reader,
    /// The engine may have died of it.
    pub is_suspect: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Reads what comes when it comes.
    Prompt,
    /// Reads nothing until the end.
    Slow,
    /// Leaves so many steps after it came.
    Leaves(u64),
}

impl Scenario {
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        // Drawn apart, so that what else happens does not depend on it.
        let mut windows = Random::new(!seed);
        let mut scenario = match random.within(0..=9) {
            0 => Self::flood(random),
            1 => Self::large(random),
            2 => Self::batch(random),
            _ => return Self::mixed(random, &mut windows),
        };
        groups::beside(&mut windows, &mut scenario.config);
        scenario
    }

    fn mixed(mut random: Random, windows: &mut Random) -> Self {
        let mut config = config(&mut random);
        groups::draw(windows, &mut config);
        let letters: Vec<Vec<u32>> = (0..3).map(|_| tokens(&mut random, 60)).collect();
        let num_flows = random.within(1..=4);
        let weights: Vec<u32> = (0..num_flows).map(|_| random.pick(&[1, 1, 2, 5])).collect();
        let num_namespaces = random.within(1..=3) as u64;
        let has_suspects = random.once_in(8);
        let mut arrivals = Vec::new();
        let mut at = Duration::ZERO;
        let mut left = random.within(8..=64);
        while left > 0 {
            let flow = random.within(0..=num_flows - 1);
            let origin = Origin {
                flow: FlowId(flow as u32),
                weight: weights[flow],
                class: random.pick(&[Class::Interactive, Class::Interactive, Class::Batch]),
                namespace: Namespace(flow as u64 % num_namespaces),
            };
            let choices = if random.once_in(5) {
                random.within(2..=4)
            } else {
                1
            };
            let arrival = Arrival {
                at,
                requests: request(&mut random, &letters, &config, origin, choices.min(left)),
                reader: match random.within(0..=5) {
                    0 => Reader::Slow,
                    1 => Reader::Leaves(random.within(0..=30) as u64),
                    _ => Reader::Prompt,
                },
                is_suspect: has_suspects && random.once_in(4),
            };
            left -= arrival.requests.len();
            arrivals.push(arrival);
            if !random.once_in(3) {
                at += Duration::from_millis(random.within(0..=40) as u64);
            }
        }
        let mut some_steps = |once_in, up_to| -> Vec<u64> {
            let count = if random.once_in(once_in) {
                random.within(1..=2)
            } else {
                0
            };
            (0..count)
                .map(|_| random.within(1..=up_to) as u64)
                .collect()
        };
        let deaths = some_steps(5, 120);
        let jumps = some_steps(6, 120);
        Self {
            kind: Kind::Mixed,
            hash_bits: random.pick(&[256, 256, 5, 3]),
            config,
            arrivals,
            deaths,
            jumps: jumps
                .into_iter()
                .map(|step| (step, Duration::from_secs(3600)))
                .collect(),
        }
    }

    /// Flow 0 keeps every slot and the queue full; flow 1 asks once, early or late.
    fn flood(mut random: Random) -> Self {
        let max_num_seqs = random.pick(&[8, 32]);
        let config = EngineConfig {
            max_num_batched_tokens: 64,
            max_num_seqs,
            max_num_outputs: max_num_seqs,
            max_num_waiting: 60,
            ..EngineConfig::new(VOCAB as usize, 200, 4, max_num_seqs * random.within(8..=14))
        };
        let mut arrivals: Vec<Arrival> = (0..50)
            .map(|_| plain(&mut random, Duration::ZERO, 0, 10..=30, 40))
            .collect();
        let at = Duration::from_millis(random.within(0..=400) as u64);
        arrivals.push(plain(&mut random, at, 1, 4..=24, 4));
        Self::of(Kind::Flood, config, arrivals)
    }

    /// Flow 0 keeps the blocks in use with small requests; flow 1 needs most of them.
    fn large(mut random: Random) -> Self {
        let config = EngineConfig {
            max_num_batched_tokens: 32,
            max_num_seqs: 8,
            max_num_outputs: 8,
            max_num_waiting: 1000,
            ..EngineConfig::new(VOCAB as usize, 100, 4, 24)
        };
        let mut arrivals: Vec<Arrival> = (0..300u64)
            .map(|i| {
                let flow = 2 + (i % 7) as u32;
                let at = Duration::from_millis(i * 6);
                plain(&mut random, at, flow, 4..=10, 10)
            })
            .collect();
        let at = Duration::from_millis(random.within(50..=300) as u64);
        arrivals.push(plain(&mut random, at, 1, 84..=88, 4));
        Self::of(Kind::Large, config, arrivals)
    }

    /// Flow 0 always has interactive prompts to compute; somebody has a batch request.
    fn batch(mut random: Random) -> Self {
        let config = EngineConfig {
            max_num_batched_tokens: 16,
            max_num_seqs: 8,
            max_num_outputs: 8,
            max_num_waiting: 2000,
            max_kv_overcommit: 1000,
            max_queue: Duration::from_secs(3600),
            ..EngineConfig::new(VOCAB as usize, 100, 4, 100)
        };
        let mut arrivals: Vec<Arrival> = (0..250)
            .map(|_| plain(&mut random, Duration::ZERO, 0, 30..=60, 2))
            .collect();
        // Of another caller, or of the same.
        let flow = random.within(0..=1) as u32;
        let mut batch = plain(&mut random, Duration::from_millis(1), flow, 20..=60, 3);
        batch.requests[0].origin.class = Class::Batch;
        arrivals.push(batch);
        Self::of(Kind::Batch, config, arrivals)
    }

    fn of(kind: Kind, config: EngineConfig, mut arrivals: Vec<Arrival>) -> Self {
        arrivals.sort_by_key(|arrival| arrival.at);
        Self {
            kind,
            config,
            hash_bits: 256,
            arrivals,
            deaths: Vec::new(),
            jumps: Vec::new(),
        }
    }
}

fn config(random: &mut Random) -> EngineConfig {
    let block_size = random.within(2..=5);
    let num_blocks = random.within(10..=44);
    let max_num_seqs = random.within(1..=10);
    let max_num_batched_tokens = random.within(max_num_seqs..=48);
    let max_blocks = random.pick(&[num_blocks, num_blocks, num_blocks / 3, 0]);
    EngineConfig {
        max_num_batched_tokens,
        max_num_seqs,
        max_num_outputs: max_num_seqs + random.within(0..=6),
        max_step: (!random.once_in(4)).then(|| Duration::from_millis(random.within(8..=60) as u64)),
        max_num_waiting: random.pick(&[4, 20, 100]),
        max_waiting_tokens: random.pick(&[60, 1000]),
        prefix_cache: match random.within(0..=3) {
            0 => PrefixCache::Off,
            _ => PrefixCache::PerNamespace { max_blocks },
        },
        ..EngineConfig::new(VOCAB as usize, 400, block_size, num_blocks)
    }
}

/// A request that starts like others do; some can never fit.
fn request(
    random: &mut Random,
    letters: &[Vec<u32>],
    config: &EngineConfig,
    origin: Origin,
    choices: usize,
) -> Vec<SequenceRequest> {
    let letter = &letters[random.within(0..=letters.len() - 1)];
    let mut prompt = letter[..random.within(0..=letter.len())].to_vec();
    prompt.extend(tokens(random, 12));
    let mut max_tokens = random.within(1..=30);
    let limit = config.max_sequence_len();
    if !random.once_in(25) {
        prompt.truncate((limit - 1).max(1));
        max_tokens = max_tokens.min(limit - prompt.len()).max(1);
    }
    let prompt: Arc<[u32]> = prompt.into();
    let prompt_logprobs = random.once_in(8).then_some(0);
    if prompt_logprobs.is_some() && random.once_in(2) {
        max_tokens = 0;
    }
    let stop: Arc<[u32]> = if random.once_in(2) {
        [3, 7].into()
    } else {
        [].into()
    };
    let base = SequenceRequest {
        stop_token_ids: stop,
        min_tokens: random.pick(&[0, 0, 5]),
        prompt_logprobs,
        origin,
        timeout: random
            .once_in(8)
            .then(|| Duration::from_millis(random.within(0..=900) as u64)),
        ..SequenceRequest::new(prompt, max_tokens)
    };
    let seed = random.next();
    (0..choices as u32)
        .map(|choice| SequenceRequest {
            sampling: SamplingParams {
                seed,
                choice,
                ..SamplingParams::default()
            },
            ..base.clone()
        })
        .collect()
}

fn plain(
    random: &mut Random,
    at: Duration,
    flow: u32,
    len: std::ops::RangeInclusive<usize>,
    max_tokens: usize,
) -> Arrival {
    let len = random.within(len);
    let prompt: Vec<u32> = (0..len)
        .map(|_| random.within(0..=VOCAB as usize - 1) as u32)
        .collect();
    let mut request = SequenceRequest::new(prompt, max_tokens);
    request.origin.flow = FlowId(flow);
    request.origin.namespace = Namespace(u64::from(flow));
    Arrival {
        at,
        requests: vec![request],
        reader: Reader::Prompt,
        is_suspect: false,
    }
}

fn tokens(random: &mut Random, max_len: usize) -> Vec<u32> {
    let len = random.within(1..=max_len);
    (0..len)
        .map(|_| random.within(0..=VOCAB as usize - 1) as u32)
        .collect()
}
