use guichet::engine::{
    Engine, EngineConfig, FinishReason, ModelOptions, SamplingParams, SequenceEvent,
    SequenceRequest, SequenceStream, load,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn tiny() -> PathBuf {
    root().join("tests/fixtures/tiny-llama")
}

pub fn smollm2() -> PathBuf {
    let dir = root().join("weights/smollm2-135m-instruct");
    assert!(
        dir.exists(),
        "weights/smollm2-135m-instruct is missing: run `make weights` first"
    );
    dir
}

/// With the kernel set that the server's own variable names, if it does.
pub fn options() -> ModelOptions {
    ModelOptions {
        kernels: std::env::var("GUICHET_MODEL__KERNELS").ok(),
        num_threads: Some(2),
        kv_cache_bytes: Some(256 << 20),
        ..ModelOptions::default()
    }
}

pub fn start(dir: &Path, options: &ModelOptions) -> Engine {
    start_with(dir, options, |_| {})
}

/// Starts with limits that a configuration would not choose, such as very few KV blocks.
pub fn start_with(
    dir: &Path,
    options: &ModelOptions,
    change: impl FnOnce(&mut EngineConfig),
) -> Engine {
    let model = load(dir, options).unwrap();
    let mut config = model.config;
    change(&mut config);
    Engine::start(model.runner, config).unwrap()
}

/// A deterministic stream of numbers for making prompts.
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }
}

/// `count` prompts of 1 to `max_len` ids, every fourth one sampled at temperature 1.
pub fn requests(
    count: usize,
    max_len: usize,
    vocab: usize,
    max_tokens: usize,
) -> Vec<SequenceRequest> {
    let mut noise = Noise::new(7);
    (0..count)
        .map(|index| {
            let len = 1 + noise.below(max_len);
            let prompt: Vec<u32> = (0..len).map(|_| noise.below(vocab) as u32).collect();
            SequenceRequest {
                sampling: SamplingParams {
                    temperature: if index % 4 == 3 { 1.0 } else { 0.0 },
                    top_p: 0.95,
                    seed: index as u64,
                    ..SamplingParams::default()
                },
                ..SequenceRequest::new(prompt, max_tokens)
            }
        })
        .collect()
}

/// Ids and the bits of their log-probabilities.
pub type Answer = Vec<(u32, u32)>;

pub fn collect(mut stream: SequenceStream) -> Answer {
    let mut answer = Vec::new();
    loop {
        match stream.blocking_recv() {
            Some(SequenceEvent::Prompt(_)) => {}
            Some(SequenceEvent::Token(token)) => answer.push((token.id, token.logprob.to_bits())),
            Some(SequenceEvent::Finished(FinishReason::Length | FinishReason::Stop)) => {
                return answer;
            }
            Some(SequenceEvent::Failed(error)) => panic!("{error}"),
            None => panic!("a sequence ended without a last event"),
        }
    }
}

/// All requests at once.
pub fn together(engine: &Engine, requests: &[SequenceRequest]) -> Vec<Answer> {
    engine
        .submit(requests.to_vec())
        .unwrap()
        .into_iter()
        .map(collect)
        .collect()
}

/// One request after another, nothing beside it.
pub fn alone(engine: &Engine, requests: &[SequenceRequest]) -> Vec<Answer> {
    requests
        .iter()
        .flat_map(|request| together(engine, std::slice::from_ref(request)))
        .collect()
}

/// Waits until nothing runs and no sequence holds a block.
pub fn wait_until_idle(engine: &Engine) {
    let stats = engine.stats();
    let start = Instant::now();
    while stats.num_blocks_used.load(Ordering::SeqCst) > 0
        || stats.num_running.load(Ordering::SeqCst) > 0
        || stats.num_waiting.load(Ordering::SeqCst) > 0
    {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "blocks or sequences are left: {stats:?}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}
