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
    slots: Slots,
    /// Made by the first layer, for all: they see the same.
    plan: Mutex<Option<Arc<Plan>>>,
}

/// Where the keys and values of a step go.
#[derive(Clone)]
pub struct Slots {
    /// The slot of each row, then those to clear, once for each number of a key and value:
    /// `[rows + cleared, kv_width]`.
    pub places: Tensor,
    /// Slots that follow the step's in blocks which it begins. Attention multiplies whole blocks, and
    /// what another sequence has left there may be no number.
    pub num_cleared: usize,
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
    pub fn slots(&self) -> &Slots {
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

    /// Where the rows of these spans go.
    pub fn slots(
        &self,
        spans: &[AttentionSpan<'_>],
        num_rows: usize,
        shape: AttentionShape,
    ) -> Result<Slots> {
        let mut places = vec![None; num_rows];
        let mut cleared = Vec::new();
        for span in spans {
            let slot = |position: usize| {
                let block = span.block_table.get(position / KV_BLOCK_SIZE)?;
                let first = block.checked_mul(KV_BLOCK_SIZE as u32)?;
                first.checked_add((position % KV_BLOCK_SIZE) as u32)
            };
            let end = span.start + span.rows.len();
            for (row, position) in span.rows.clone().zip(span.start..) {
                if let Some(place) = places.get_mut(row) {
                    *place = slot(position);
                }
            }
            let last = end / KV_BLOCK_SIZE * KV_BLOCK_SIZE;
            if (span.start..end).contains(&last) {
                cleared.extend((end..last + KV_BLOCK_SIZE).filter_map(slot));
            }
        }
        let places: Option<Vec<u32>> = places.into_iter().collect();
        let places = places.ok_or_else(|| Error::Msg("a row of a step has no KV slot".into()))?;
        let places = self.vector(&[&places[..], &cleared].concat())?;
        let size = (num_rows + cleared.len(), kv_width(shape));
        Ok(Slots {
            places: places.unsqueeze(1)?.broadcast_as(size)?.contiguous()?,
            num_cleared: cleared.len(),
        })
    }
}
