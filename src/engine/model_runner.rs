use super::runner::{ItemOutput, RunnerError, StepItem, StepOutput, StepRunner};
use super::sampling::sample;
use crate::kernels::AttentionSpan;
use crate::model::{Decoder, ForwardContext, KvCache, ModelError};

/// Computes steps with a decoder: the only place of the engine that touches a device.
pub struct ModelRunner {
    decoder: Decoder,
    cache: KvCache,
    token_ids: Vec<u32>,
    positions: Vec<u32>,
}

impl ModelRunner {
    pub fn new(decoder: Decoder, cache: KvCache) -> Self {
        Self {
            decoder,
            cache,
            token_ids: Vec::new(),
            positions: Vec::new(),
        }
    }
}

impl StepRunner for ModelRunner {
    fn execute(&mut self, step: &[StepItem<'_>]) -> Result<StepOutput, RunnerError> {
        self.token_ids.clear();
        self.positions.clear();
        let num_groups = step.first().map_or(0, |item| item.block_tables.len());
        let mut spans: Vec<Vec<AttentionSpan<'_>>> =
            vec![Vec::with_capacity(step.len()); num_groups];
        let mut output_rows = Vec::new();
        let mut sampled = Vec::new();
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
            if let Some(sample) = item.sample {
                output_rows.push(self.token_ids.len() - 1);
                sampled.push((index, sample.params, item.start + item.tokens.len()));
            }
        }
        let context = ForwardContext {
            token_ids: &self.token_ids,
            positions: &self.positions,
            spans: &spans,
            output_rows: &output_rows,
        };
        let logits = self
            .decoder
            .forward(&context, &self.cache)
            .map_err(runner_error)?;
        let mut output = StepOutput {
            items: vec![ItemOutput::default(); step.len()],
        };
        if sampled.is_empty() {
            return Ok(output);
        }
        let kernels = self.decoder.kernels();
        let drawn = kernels
            .for_logits(&logits, |row, logits, summary| {
                let (_, params, position) = sampled[row];
                Some(sample(kernels, logits, summary, params, position))
            })
            .map_err(|e| runner_error(e.into()))?;
        for ((index, ..), token) in sampled.iter().zip(drawn) {
            output.items[*index].sampled = token;
        }
        Ok(output)
    }
}

fn runner_error(error: ModelError) -> RunnerError {
    RunnerError::Step(error.to_string())
}
