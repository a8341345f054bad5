//! One way to schedule requests: so many at a time, in pieces so long, with room for so many.
//!
//! The model is loaded once for many ways. Its KV cache keeps what earlier ways left in it, which
//! no answer may show.

use guichet::engine::{
    Class, Engine, EngineConfig, FinishReason, FlowId, ItemOutput, KvGroup, ModelOptions, Origin,
    PrefixCache, RunnerError, ScoreRequest, SequenceEvent, SequenceRequest, SequenceStream,
    StepItem, StepOutput, StepRunner, TokenOutput, load,
};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Nothing takes so long unless it hangs.
const HANGS: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// Sequences that run at once. Whoever asks more lets the rest wait.
    pub batch: usize,
    /// Most tokens of a sequence that are computed together; [`WHOLE`] cuts no prompt.
    pub chunk: usize,
    pub cache: bool,
    /// Whether there are few blocks, and half of the requests displace the other half, which
    /// they find in the middle of their answers.
    pub preempts: bool,
}

pub const WHOLE: usize = 4096;

pub struct Model {
    runner: Arc<Mutex<Box<dyn StepRunner>>>,
    config: EngineConfig,
    largest_batch: Arc<AtomicUsize>,
}

pub struct Answered {
    /// In the order of the requests.
    pub answers: Vec<Answer>,
    /// Most sequences that were computed together.
    pub largest_batch: usize,
    pub num_preemptions: u64,
    pub num_cached_tokens: u64,
}

/// All that a client may see of a sequence, to the last bit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Answer {
    pub prompt: Vec<Scored>,
    pub tokens: Vec<Scored>,
}

/// An id and the bits of its log-probability; the same of the most probable ones beside it.
pub type Scored = (u32, u32, Vec<(u32, u32)>);

impl Model {
    pub fn load(dir: &Path, options: &ModelOptions) -> Self {
        let model = load(
            dir,
            &ModelOptions {
                max_num_batched_tokens: Some(WHOLE),
                ..options.clone()
            },
        )
        .unwrap();
        Self {
            runner: Arc::new(Mutex::new(model.runner)),
            config: EngineConfig {
                // The clock would have a say in the length of prefills.
                max_step: None,
                max_queue: HANGS,
                max_kv_overcommit: usize::MAX,
                ..model.config
            },
            largest_batch: Arc::default(),
        }
    }

    /// One after another, with nothing beside it or kept from before it.
    pub fn answer_alone(&self, requests: &[SequenceRequest]) -> Vec<Answer> {
        let way = Way {
            batch: 1,
            chunk: WHOLE,
            cache: false,
            preempts: false,
        };
        let engine = self.start(way, requests, None);
        let streams = requests
            .iter()
            .flat_map(|request| engine.submit(vec![request.clone()]).unwrap());
        streams.map(collect).collect()
    }

    /// All at once, in this way.
    pub fn answer(&self, way: Way, requests: &[SequenceRequest]) -> Answered {
        let (engine, streams) = match way.preempts {
            false => {
                let engine = self.start(way, requests, None);
                let streams = engine.submit(requests.to_vec()).unwrap();
                (engine, streams)
            }
            true => self.displace(way, requests),
        };
        let answers = streams.into_iter().map(collect).collect();
        let stats = engine.stats();
        Answered {
            answers,
            largest_batch: self.largest_batch.load(Ordering::SeqCst),
            num_preemptions: stats.num_preemptions.load(Ordering::SeqCst),
            num_cached_tokens: stats.num_cached_tokens.load(Ordering::SeqCst),
        }
    }

    /// Submits every other request in the batch class. The rest, of which someone waits for the
    /// answer, arrives once one of them has two tokens.
    fn displace(&self, way: Way, requests: &[SequenceRequest]) -> (Engine, Vec<SequenceStream>) {
        let (reached, is_reached) = channel();
        let (release, released) = channel();
        let engine = self.start(way, requests, Some(Gate { reached, released }));
        let submit = |first: usize, flow: u32, class: Class| {
            let of_class = requests.iter().skip(first).step_by(2).cloned();
            let origin = Origin {
                flow: FlowId(flow),
                class,
                ..Origin::default()
            };
            let of_class = of_class.map(|request| SequenceRequest { origin, ..request });
            engine.submit(of_class.collect()).unwrap().into_iter()
        };
        let mut displaced = submit(0, 0, Class::Batch);
        is_reached.recv_timeout(HANGS).unwrap();
        let mut others = submit(1, 1, Class::Interactive);
        release.send(()).unwrap();
        let streams = (0..requests.len()).filter_map(|index| match index % 2 {
            0 => displaced.next(),
            _ => others.next(),
        });
        let streams = streams.collect();
        (engine, streams)
    }

    fn start(&self, way: Way, requests: &[SequenceRequest], gate: Option<Gate>) -> Engine {
        let block_size = self.config.block_size;
        let lens = requests.iter().map(|r| r.prompt.len() + r.max_tokens);
        let longest = lens.max().unwrap().div_ceil(block_size);
        let num_blocks = match way.preempts {
            true => longest + way.batch / 2,
            false => self.config.num_blocks(),
        };
        let config = EngineConfig {
            kv_groups: vec![KvGroup::without_window(num_blocks)],
            max_num_seqs: way.batch,
            // Prompts must fill the batch faster than answers leave it; the runner cuts what is
            // then too long for a chunk.
            max_num_batched_tokens: WHOLE.min(way.chunk * way.batch * way.batch),
            prefix_cache: match way.cache {
                true => PrefixCache::PerNamespace {
                    max_blocks: num_blocks,
                },
                false => PrefixCache::Off,
            },
            ..self.config.clone()
        };
        let runner = Cutting {
            runner: Arc::clone(&self.runner),
            chunk: way.chunk,
            gate,
            largest_batch: Arc::clone(&self.largest_batch),
        };
        self.largest_batch.store(0, Ordering::SeqCst);
        Engine::start(Box::new(runner), config).unwrap()
    }
}

/// Halts the engine within the step in which a sequence takes its third token, once.
struct Gate {
    reached: Sender<()>,
    released: Receiver<()>,
}

/// A runner that computes at most `chunk` tokens of a sequence together.
struct Cutting {
    runner: Arc<Mutex<Box<dyn StepRunner>>>,
    chunk: usize,
    gate: Option<Gate>,
    largest_batch: Arc<AtomicUsize>,
}

impl StepRunner for Cutting {
    fn execute(&mut self, step: &[StepItem<'_>]) -> Result<StepOutput, RunnerError> {
        let is_at_gate = |item: &StepItem<'_>| item.sample.is_some_and(|s| s.generated.len() == 2);
        if step.iter().any(is_at_gate)
            && let Some(gate) = self.gate.take()
        {
            gate.reached.send(()).unwrap();
            gate.released.recv().unwrap();
        }
        let num_rounds = step
            .iter()
            .map(|item| item.tokens.len().div_ceil(self.chunk));
        let num_rounds = num_rounds.max().unwrap_or(0);
        let mut items = vec![ItemOutput::default(); step.len()];
        let mut runner = self.runner.lock().unwrap_or_else(PoisonError::into_inner);
        // All end in the last round, so that it is the largest.
        for round in (0..num_rounds).rev() {
            let pieces = step.iter().enumerate();
            let (indices, pieces): (Vec<usize>, Vec<StepItem<'_>>) = pieces
                .filter_map(|(index, item)| Some((index, piece(item, self.chunk, round)?)))
                .unzip();
            self.largest_batch.fetch_max(pieces.len(), Ordering::SeqCst);
            let output = runner.execute(&pieces)?;
            for (index, computed) in indices.into_iter().zip(output.items) {
                items[index].scored.extend(computed.scored);
                items[index].sampled = computed.sampled;
            }
        }
        Ok(StepOutput { items })
    }
}

/// The piece of an item that `num_after` others follow.
fn piece<'a>(item: &StepItem<'a>, chunk: usize, num_after: usize) -> Option<StepItem<'a>> {
    let num_pieces = item.tokens.len().div_ceil(chunk);
    let begin = num_pieces.checked_sub(num_after + 1)? * chunk;
    let end = (begin + chunk).min(item.tokens.len());
    let score = item.score.and_then(|score| {
        let targets = score.targets.get(begin..end.min(score.targets.len()))?;
        Some(ScoreRequest { targets, ..score })
    });
    Some(StepItem {
        sequence: item.sequence,
        tokens: &item.tokens[begin..end],
        start: item.start + begin,
        block_tables: item.block_tables,
        sample: item.sample.filter(|_| num_after == 0),
        score: score.filter(|score| !score.targets.is_empty()),
    })
}

/// Waits for the last event.
pub fn collect(mut stream: SequenceStream) -> Answer {
    let (mut prompt, mut tokens) = (Vec::new(), Vec::new());
    loop {
        match stream.blocking_recv() {
            Some(SequenceEvent::Prompt(report)) => prompt.extend(report.logprobs.iter().map(bits)),
            Some(SequenceEvent::Token(token)) => tokens.push(bits(&token)),
            Some(SequenceEvent::Finished(FinishReason::Length | FinishReason::Stop)) => {
                return Answer { prompt, tokens };
            }
            Some(SequenceEvent::Failed(error)) => panic!("{error}"),
            None => panic!("a sequence ended without a last event"),
        }
    }
}

fn bits(token: &TokenOutput) -> Scored {
    let top = token.top.iter().map(|top| (top.id, top.logprob.to_bits()));
    (token.id, token.logprob.to_bits(), top.collect())
}
