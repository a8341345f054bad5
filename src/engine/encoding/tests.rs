use super::*;
use crate::engine::ModelOptions;
use crate::engine::sequence::FlowId;
use crate::model::AnswerTokens;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};

/// Says of each text its first token and its length; panics on a first token of 13 and fails on
/// one of 14. Tells the sizes of batches, and waits for a word before each.
struct Runner {
    batches: Sender<Vec<u32>>,
    go: Receiver<()>,
}

impl TextRunner for Runner {
    fn run(&mut self, texts: &[EncoderInput<'_>]) -> Result<Vec<Vec<f32>>, String> {
        // A test that ends lets go.
        let _ = self.go.recv();
        let firsts: Vec<u32> = texts.iter().map(|text| text.token_ids[0]).collect();
        let _ = self.batches.send(firsts.clone());
        assert!(!firsts.contains(&13), "this text is poison");
        if firsts.contains(&14) {
            return Err("this text fails".to_owned());
        }
        let row = |text: &EncoderInput<'_>| match text.token_ids[0] {
            15 => vec![f32::NAN],
            first => vec![first as f32, text.token_ids.len() as f32],
        };
        Ok(texts.iter().map(row).collect())
    }
}

struct Test {
    engine: EncodingEngine,
    batches: Receiver<Vec<u32>>,
    go: Sender<()>,
}

fn start() -> Test {
    let ((batches, seen), (go, waits)) = (channel(), channel());
    let runner = Runner { batches, go: waits };
    let config = EncodingConfig {
        vocab_size: 100,
        max_text_len: 16,
        max_batched_tokens: 20,
        max_batched_texts: 4,
        max_waiting_tokens: 50,
        stall_timeout: Duration::from_secs(60),
    };
    Test {
        engine: EncodingEngine::start(Box::new(runner), config).unwrap(),
        batches: seen,
        go,
    }
}

fn text(first: u32, len: usize) -> TokenizedText {
    let mut token_ids = vec![1; len];
    token_ids[0] = first;
    TokenizedText {
        token_ids,
        second: len,
    }
}

fn of(flow: u32, weight: u32) -> Origin {
    Origin {
        flow: FlowId(flow),
        weight,
        ..Origin::default()
    }
}

fn all(texts: EncodedTexts) -> Result<Vec<Vec<f32>>, EngineError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(texts.all())
}

impl Test {
    fn submit(&self, origin: Origin, texts: &[(u32, usize)]) -> Result<EncodedTexts, SubmitError> {
        let texts = texts.iter().map(|(first, len)| text(*first, *len));
        self.engine.submit(origin, texts.collect())
    }

    /// Lets everything run, and says in which batches.
    fn finish(self) -> Vec<Vec<u32>> {
        drop(self.go);
        self.engine
            .shutdown(Instant::now() + Duration::from_secs(60));
        self.batches.try_iter().collect()
    }
}

#[test]
fn texts_of_several_requests_share_batches_and_each_gets_its_own() {
    let test = start();
    // This one keeps the thread busy until the others are there.
    let first = test.submit(of(1, 1), &[(2, 1)]).unwrap();
    let a = test.submit(of(1, 1), &[(3, 10), (4, 5)]).unwrap();
    let b = test.submit(of(2, 1), &[(5, 5), (6, 6)]).unwrap();
    let batches = test.finish();
    assert_eq!(all(first).unwrap(), [[2.0, 1.0]]);
    assert_eq!(all(a).unwrap(), [[3.0, 10.0], [4.0, 5.0]]);
    assert_eq!(all(b).unwrap(), [[5.0, 5.0], [6.0, 6.0]]);
    assert!(batches.len() <= 4, "{batches:?}");
    assert!(batches.iter().any(|batch| batch.len() > 1), "{batches:?}");
}

#[test]
fn callers_take_turns_by_their_weight() {
    let test = start();
    let _busy = test.submit(of(9, 1), &[(2, 1)]).unwrap();
    let flood: Vec<_> = (0..10).map(|_| (3, 10)).collect();
    let _flood = test.submit(of(1, 1), &flood).unwrap();
    let _heavy = test.submit(of(2, 3), &[(4, 10), (4, 10), (4, 10)]).unwrap();
    let order: Vec<u32> = test.finish().concat();
    let last_heavy = order.iter().rposition(|first| *first == 4).unwrap();
    let floods_before = order[..last_heavy].iter().filter(|f| **f == 3).count();
    assert!(floods_before <= 2, "{order:?}");
}

#[test]
fn a_text_that_cannot_be_computed_is_nobody_elses_loss() {
    let test = start();
    let busy = test.submit(of(9, 1), &[(2, 1)]).unwrap();
    let poison = test.submit(of(1, 1), &[(13, 2)]).unwrap();
    let failing = test.submit(of(2, 1), &[(14, 2)]).unwrap();
    let nan = test.submit(of(3, 1), &[(15, 2)]).unwrap();
    let good = test.submit(of(4, 1), &[(5, 2)]).unwrap();
    test.finish();
    assert!(all(busy).is_ok());
    assert!(matches!(all(poison), Err(EngineError::Step(_))));
    assert!(matches!(all(failing), Err(EngineError::Step(_))));
    assert!(matches!(all(nan), Err(EngineError::NotANumber)));
    assert_eq!(all(good).unwrap(), [[5.0, 2.0]]);
}

#[test]
fn who_leaves_is_not_computed_and_does_not_count() {
    let test = start();
    let _busy = test.submit(of(9, 1), &[(2, 1)]).unwrap();
    let left = test.submit(of(1, 1), &[(3, 10), (3, 10)]).unwrap();
    let stays = test.submit(of(2, 1), &[(4, 1)]).unwrap();
    drop(left);
    let order = test.finish().concat();
    assert!(!order.contains(&3), "{order:?}");
    assert_eq!(all(stays).unwrap(), [[4.0, 1.0]]);
}

#[test]
fn a_caller_waits_for_so_much_and_no_more() {
    let test = start();
    let _busy = test.submit(of(9, 1), &[(2, 1)]).unwrap();
    // One request may be larger than the limit: nothing of its caller waits.
    let many: Vec<_> = (0..6).map(|_| (3, 10)).collect();
    let _many = test.submit(of(1, 1), &many).unwrap();
    let refused = test.submit(of(1, 1), &[(3, 1)]).unwrap_err();
    assert!(matches!(refused, SubmitError::Overloaded { .. }));
    assert!(test.submit(of(2, 1), &[(4, 1)]).is_ok());
    test.finish();
}

#[test]
fn what_can_never_be_computed_is_refused() {
    let test = start();
    let refused = |texts: &[(u32, usize)]| test.submit(of(1, 1), texts).unwrap_err();
    assert!(matches!(refused(&[(3, 17)]), SubmitError::NeverFits { .. }));
    assert!(matches!(
        refused(&[(100, 1)]),
        SubmitError::UnknownToken { id: 100, .. }
    ));
    let empty = TokenizedText {
        token_ids: Vec::new(),
        second: 0,
    };
    assert!(matches!(
        test.engine.submit(of(1, 1), vec![empty]),
        Err(SubmitError::Empty)
    ));
    let engine = test.engine.clone();
    test.finish();
    assert_eq!(engine.state(), EngineState::Stopped);
    assert!(matches!(
        engine.submit(of(1, 1), vec![text(3, 1)]),
        Err(SubmitError::Stopped)
    ));
}

#[test]
fn what_waits_at_the_deadline_ends_with_an_error() {
    let test = start();
    let busy = test.submit(of(9, 1), &[(2, 1)]).unwrap();
    // It is being computed, and so waits no longer.
    while test.engine.stats().num_waiting.load(Ordering::Relaxed) > 0 {
        std::thread::yield_now();
    }
    let waits = test.submit(of(1, 1), &[(3, 16), (3, 16), (3, 16)]).unwrap();
    let engine = test.engine.clone();
    let stopping = std::thread::spawn(move || engine.shutdown(Instant::now()));
    while test.engine.state() != EngineState::Stopped {
        std::thread::yield_now();
    }
    drop(test.go);
    stopping.join().unwrap();
    assert!(all(busy).is_ok());
    assert!(matches!(all(waits), Err(EngineError::Stopped)));
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

#[test]
fn what_a_model_is_served_for_stands_in_its_files_or_in_the_configuration() {
    use crate::engine::ModelTask::{Embed, Generate, Rerank};
    for (name, task, expected) in [
        ("tiny-bert", None, Some(TextModel::Encoder)),
        ("tiny-bert", Some(Embed), Some(TextModel::Encoder)),
        ("tiny-xlm-roberta", Some(Rerank), Some(TextModel::Encoder)),
        ("tiny-llama", None, None),
        ("tiny-llama", Some(Embed), Some(TextModel::DecoderVectors)),
        (
            "tiny-qwen3-embedding",
            None,
            Some(TextModel::DecoderVectors),
        ),
        ("tiny-qwen3-embedding", Some(Generate), None),
        ("tiny-qwen3-reranker", None, None),
        (
            "tiny-qwen3-reranker",
            Some(Rerank),
            Some(TextModel::DecoderAnswers),
        ),
    ] {
        let found = TextModel::of(&fixture(name), task).unwrap();
        assert_eq!(found, expected, "{name} {task:?}");
    }
    for (name, task) in [
        ("tiny-bert", Generate),
        ("tiny-bert", Rerank),
        ("tiny-xlm-roberta", Embed),
    ] {
        let error = TextModel::of(&fixture(name), Some(task)).unwrap_err();
        assert!(error.to_string().contains("model.task"), "{error}");
    }
}

#[test]
fn an_encoder_is_not_split() {
    let options = ModelOptions {
        tensor_parallel: 2,
        ..ModelOptions::default()
    };
    let Err(error) = load_encoder(&fixture("tiny-bert"), &options, None) else {
        panic!("it was loaded");
    };
    assert!(error.to_string().contains("`tensor_parallel`"), "{error}");
}

#[test]
fn a_decoder_that_was_never_asked_is_refused_as_a_reranker() {
    let answers = Some(AnswerTokens { yes: 3, no: 4 });
    let options = ModelOptions::default();
    let Err(error) = load_encoder(&fixture("tiny-llama"), &options, answers) else {
        panic!("it was loaded");
    };
    assert!(error.to_string().contains("llama"), "{error}");
}
