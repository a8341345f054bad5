use super::constraint::{ConstraintError, Forerunner};
use super::ranks::Followers;
use super::runner::{
    ItemOutput, RunnerError, SampleRequest, StepItem, StepOutput, StepRunner, TokenOutput,
};
use super::sampling::{on_device, sample, score};
use crate::kernels::{AttentionSpan, Batch, ChoiceLimits, Kernels, RowResult, RowUse};
use crate::model::{Decoder, KvCache, ModelError};
use std::fmt::Display;

/// Computes steps with a decoder: the only place of the engine that touches a device.
pub struct ModelRunner {
    decoder: Decoder,
    cache: KvCache,
    /// Where others compute the rest of the model.
    followers: Option<Followers>,
    token_ids: Vec<u32>,
    positions: Vec<u32>,
    output_rows: Vec<u32>,
    /// There from the first constrained step on.
    forerunner: Option<Forerunner>,
}

/// What is wanted of one row of logits.
struct OutputRow<'a> {
    /// Index of its item in the step.
    item: usize,
    /// With the position of the token to sample.
    sample: Option<(SampleRequest<'a>, usize)>,
    /// The token to score, and how many to report beside it.
    score: Option<(u32, usize)>,
}

/// What was computed from one row of logits.
#[derive(Default, Clone)]
struct RowOutput {
    sampled: Option<Result<TokenOutput, ConstraintError>>,
    scored: Option<TokenOutput>,
}

impl OutputRow<'_> {
    /// What is needed of the row where a device may choose within `limits`.
    fn use_of_row(&self, vocab: usize, limits: ChoiceLimits) -> RowUse {
        match (&self.sample, self.score) {
            (Some((request, position)), None) => {
                on_device::use_to_sample(vocab, request, *position, limits)
            }
            (None, Some((id, num_top))) => on_device::use_to_score(vocab, id, num_top, limits),
            // A device answers one question a row.
            (Some(_), Some(_)) => RowUse::Values,
            (None, None) => RowUse::Summary,
        }
    }

    fn output(&self, kernels: &Kernels, row: RowResult<'_>) -> RowOutput {
        let RowResult {
            summary, values, ..
        } = row;
        if let Some(chosen) = row.chosen {
            let output = on_device::output(chosen, summary);
            return match self.sample {
                Some(_) => RowOutput {
                    sampled: Some(output),
                    scored: None,
                },
                None => RowOutput {
                    sampled: None,
                    scored: output.ok(),
                },
            };
        }
        RowOutput {
            sampled: (self.sample)
                .map(|(request, position)| sample(kernels, values, summary, &request, position)),
            scored: (self.score).map(|(id, num_top)| score(values, summary, id, num_top)),
        }
    }
}

impl ModelRunner {
    pub fn new(decoder: Decoder, cache: KvCache) -> Self {
        Self {
            decoder,
            cache,
            followers: None,
            token_ids: Vec::new(),
            positions: Vec::new(),
            output_rows: Vec::new(),
            forerunner: None,
        }
    }

    /// The first of several ranks, each of which has a part of the decoder and of the cache.
    pub(super) fn leading(decoder: Decoder, cache: KvCache, followers: Followers) -> Self {
        Self {
            followers: Some(followers),
            ..Self::new(decoder, cache)
        }
    }

    /// What constraints will be asked when the logits are there depends only on what was
    /// generated, so they can begin now.
    fn prepare_constraints(&mut self, step: &[StepItem<'_>]) {
        let samples = step.iter().filter_map(|item| item.sample);
        for sample in samples {
            let Some(constraint) = sample.constraint else {
                continue;
            };
            if self.forerunner.is_none() {
                self.forerunner = Forerunner::start();
            }
            if let Some(forerunner) = &self.forerunner {
                forerunner.prepare(constraint, sample.generated);
            }
        }
    }
}

impl StepRunner for ModelRunner {
    fn begin(&mut self) {
        // Where this fails, so will the first step, and say why.
        let _ = self.decoder.kernels().enter();
    }

    fn execute(&mut self, step: &[StepItem<'_>]) -> Result<StepOutput, RunnerError> {
        self.prepare_constraints(step);
        self.token_ids.clear();
        self.positions.clear();
        self.output_rows.clear();
        let num_groups = step.first().map_or(0, |item| item.block_tables.len());
        let mut spans: Vec<Vec<AttentionSpan<'_>>> =
            vec![Vec::with_capacity(step.len()); num_groups];
        let mut wanted = Vec::with_capacity(step.iter().map(StepItem::num_outputs).sum());
        for (index, item) in step.iter().enumerate() {
            let first = self.token_ids.len();
            self.token_ids.extend_from_slice(item.tokens);
            self.positions.extend(
                (item.start..item.start + item.tokens.len()).map(|position| position as u32),
            );
            for (spans, block_table) in spans.iter_mut().zip(item.block_tables) {
                spans.push(AttentionSpan {
                    rows: first..self.token_ids.len(),
                    start: item.start,
                    block_table,
                });
            }
            for (row, output) in output_rows(index, item) {
                self.output_rows.push((first + row) as u32);
                wanted.push(output);
            }
        }
        let batch = Batch {
            token_ids: &self.token_ids,
            positions: &self.positions,
            spans: &spans,
            output_rows: &self.output_rows,
        };
        let kernels = self.decoder.kernels();
        let error = |error: ModelError| runner_error(kernels, &error);
        let forward = || self.decoder.forward(&batch, &self.cache);
        let logits = match &mut self.followers {
            None => forward().map_err(error)?,
            Some(followers) => {
                let computed = followers.step(kernels, &batch, || {
                    let logits = forward()?;
                    kernels.wait()?;
                    Ok(logits)
                });
                computed.map_err(|error| runner_error(kernels, &error))?
            }
        };
        let mut items: Vec<ItemOutput> = step
            .iter()
            .map(|item| ItemOutput {
                sampled: None,
                scored: Vec::with_capacity(item.score.map_or(0, |score| score.targets.len())),
            })
            .collect();
        if wanted.is_empty() {
            kernels.wait().map_err(|e| error(e.into()))?;
            return Ok(StepOutput { items });
        }
        // A device that computes the logits still does so while it is worked out what it shall choose.
        let vocab = self.decoder.config().vocab_size;
        let uses = match kernels.choice_limits() {
            Some(limits) => {
                kernels.for_each(wanted.len(), |row| wanted[row].use_of_row(vocab, limits))
            }
            None => Vec::new(),
        };
        let computed = kernels
            .for_logits(&logits, &uses, |row, result| {
                wanted[row].output(kernels, result)
            })
            .map_err(|e| error(e.into()))?;
        for (OutputRow { item, .. }, computed) in wanted.iter().zip(computed) {
            let output = &mut items[*item];
            output.scored.extend(computed.scored);
            output.sampled = computed.sampled.or(output.sampled.take());
        }
        Ok(StepOutput { items })
    }
}

/// The rows of an item's range whose logits are needed, in order, each once: those that are
/// scored, and the last one if the item samples.
fn output_rows<'a>(
    index: usize,
    item: &StepItem<'a>,
) -> impl Iterator<Item = (usize, OutputRow<'a>)> {
    let num_tokens = item.tokens.len();
    let (targets, num_top) = item
        .score
        .map_or((&[][..], 0), |score| (score.targets, score.num_top));
    // More targets than tokens would ask for rows of the next item.
    let num_scored = targets.len().min(num_tokens);
    let sample = item
        .sample
        .map(|request| (request, item.start + num_tokens));
    let last = num_tokens.checked_sub(1);
    let last = last.filter(|last| sample.is_some() && *last >= num_scored);
    (0..num_scored).chain(last).map(move |row| {
        let output = OutputRow {
            item: index,
            sample: sample.filter(|_| row + 1 == num_tokens),
            score: targets.get(row).map(|target| (*target, num_top)),
        };
        (row, output)
    })
}

/// A GPU that has refused an op once refuses all that follow.
fn runner_error(kernels: &Kernels, error: &impl Display) -> RunnerError {
    match kernels.gpu() {
        Some(gpu) => RunnerError::Device(format!("{gpu}: {error}")),
        None => RunnerError::Step(error.to_string()),
    }
}
