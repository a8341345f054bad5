use super::Candle;
use super::array::kv_width;
use super::plan::Plan;
use crate::kernels::{AttentionShape, AttentionSpan, Batch, Indices, KV_BLOCK_SIZE};
use candle_core::{Error, Result, Tensor};
use std::sync::{Arc, Mutex, PoisonError};

/// The numbers of a step, on the device.
pub struct StepInputs {
    token_ids: Option<Tensor>,
    positions: Option<Tensor>,
    output_rows: Option<Tensor>,
    /// For each KV group.
    spans: Vec<SpanInputs>,
}

/// What attention takes of the layers of one KV group.
pub struct SpanInputs {
    /// For each row the slot of its key and value, once for each of their numbers.
    slots: Tensor,
    /// Made by the first layer, for all: they see the same.
    plan: Mutex<Option<Arc<Plan>>>,
}

impl StepInputs {
    pub fn token_ids(&self) -> Option<&Tensor> {
        self.token_ids.as_ref()
    }

    pub fn positions(&self) -> Option<&Tensor> {
        self.positions.as_ref()
    }

    pub fn output_rows(&self) -> Option<&Tensor> {
        self.output_rows.as_ref()
    }

    pub fn spans(&self, kv_group: usize) -> &SpanInputs {
        &self.spans[kv_group]
    }
}

impl SpanInputs {
    pub fn slots(&self) -> &Tensor {
        &self.slots
    }

    /// The plan for this window, made by `make` if there is none yet.
    pub fn plan(
        &self,
        window: Option<usize>,
        make: impl FnOnce() -> Result<Plan>,
    ) -> Result<Arc<Plan>> {
        let mut kept = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some(plan) if plan.window == window => Ok(Arc::clone(plan)),
            _ => {
                let plan = Arc::new(make()?);
                *kept = Some(Arc::clone(&plan));
                Ok(plan)
            }
        }
    }
}

impl Candle {
    pub fn upload(&self, batch: &Batch<'_>, shape: AttentionShape) -> Result<StepInputs> {
        let num_rows = batch.token_ids.len();
        // Metal has no memory of no bytes.
        let bring = |numbers: &[u32]| {
            let is_there = !numbers.is_empty();
            is_there.then(|| self.vector(numbers)).transpose()
        };
        let spans = batch.spans.iter().map(|spans| {
            Ok(SpanInputs {
                slots: self.slots(spans, num_rows, shape)?,
                plan: Mutex::default(),
            })
        });
        Ok(StepInputs {
            token_ids: bring(batch.token_ids)?,
            positions: bring(batch.positions)?,
            output_rows: bring(batch.output_rows)?,
            spans: spans.collect::<Result<_>>()?,
        })
    }

    /// The numbers of an op on the device.
    pub fn indices(&self, indices: Indices<'_>) -> Result<Tensor> {
        match indices.candle {
            Some(tensor) => Ok(tensor.clone()),
            None => self.vector(indices.host),
        }
    }

    /// [`SpanInputs::slots`] `[rows, kv_width]`.
    pub fn slots(
        &self,
        spans: &[AttentionSpan<'_>],
        num_rows: usize,
        shape: AttentionShape,
    ) -> Result<Tensor> {
        let mut slots = vec![None; num_rows];
        for span in spans {
            for (row, position) in span.rows.clone().zip(span.start..) {
                let block = span.block_table.get(position / KV_BLOCK_SIZE);
                let slot =
                    block.map(|b| b * KV_BLOCK_SIZE as u32 + (position % KV_BLOCK_SIZE) as u32);
                if let Some(place) = slots.get_mut(row) {
                    *place = slot;
                }
            }
        }
        let slots: Option<Vec<u32>> = slots.into_iter().collect();
        let slots = slots.ok_or_else(|| Error::Msg("a row of a step has no KV slot".into()))?;
        let slots = self.vector(&slots)?.unsqueeze(1)?;
        slots
            .broadcast_as((num_rows, kv_width(shape)))?
            .contiguous()
    }
}
