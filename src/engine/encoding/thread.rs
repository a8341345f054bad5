use super::queue::Item;
use super::{Shared, TextRunner};
use crate::engine::sequence::EngineError;
use crate::model::EncoderInput;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Computes batches until the engine is told to stop and nothing waits.
pub fn run(mut runner: Box<dyn TextRunner>, shared: &Shared) {
    runner.begin();
    while let Some(batch) = next_batch(shared) {
        let started = Instant::now();
        let since = (shared.start.elapsed().as_millis() as u64).max(1);
        shared.batch_since.store(since, Ordering::Relaxed);
        let num_tokens: usize = batch.iter().map(|item| item.text.token_ids.len()).sum();
        let num_texts = batch.len();
        answer(&mut *runner, batch);
        shared.batch_since.store(0, Ordering::Relaxed);
        let stats = &shared.stats;
        let busy = started.elapsed().as_micros() as u64;
        for (counter, more) in [
            (&stats.num_texts, num_texts as u64),
            (&stats.num_tokens, num_tokens as u64),
            (&stats.num_batches, 1),
            (&stats.busy_us, busy),
        ] {
            counter.fetch_add(more, Ordering::Relaxed);
        }
    }
}

/// Waits for texts; `None` once the engine has stopped.
fn next_batch(shared: &Shared) -> Option<Vec<Item>> {
    let config = &shared.config;
    let mut queue = shared.queue();
    loop {
        if queue
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
        {
            for item in queue.drain() {
                // Whoever has left needs no answer.
                let _ = item.results.send((item.index, Err(EngineError::Stopped)));
            }
        }
        let batch = queue.next_batch(config.max_batched_tokens, config.max_batched_texts);
        shared.note_waiting(&queue);
        if !batch.is_empty() {
            return Some(batch);
        }
        if queue.is_stopped {
            return None;
        }
        queue = shared
            .changed
            .wait(queue)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

/// Where a batch fails, each of its texts is computed alone: one that cannot be computed is no
/// other caller's loss.
fn answer(runner: &mut dyn TextRunner, batch: Vec<Item>) {
    let computed = compute(runner, &batch);
    let results: Vec<_> = match computed {
        Ok(rows) => rows.into_iter().map(checked).collect(),
        Err(error) if batch.len() == 1 => vec![Err(error)],
        Err(_) => batch
            .iter()
            .map(|item| {
                let alone = compute(runner, std::slice::from_ref(item))?;
                alone.into_iter().next().map_or_else(missing, checked)
            })
            .collect(),
    };
    let mut results = results.into_iter();
    for item in batch {
        let result = results.next().unwrap_or_else(missing);
        // Whoever has left needs no answer.
        let _ = item.results.send((item.index, result));
    }
}

fn compute(runner: &mut dyn TextRunner, batch: &[Item]) -> Result<Vec<Vec<f32>>, EngineError> {
    let inputs: Vec<_> = batch
        .iter()
        .map(|item| EncoderInput {
            token_ids: &item.text.token_ids,
            second: item.text.second,
        })
        .collect();
    let run = AssertUnwindSafe(|| runner.run(&inputs));
    match catch_unwind(run) {
        Ok(result) => result.map_err(EngineError::Step),
        // What a panic says may hold a piece of a text.
        Err(_) => Err(EngineError::Step("an encoder panicked".to_owned())),
    }
}

fn checked(row: Vec<f32>) -> Result<Vec<f32>, EngineError> {
    if row.iter().all(|x| x.is_finite()) {
        Ok(row)
    } else {
        Err(EngineError::NotANumber)
    }
}

fn missing() -> Result<Vec<f32>, EngineError> {
    Err(EngineError::Step("a batch lacks a result".to_owned()))
}
