//! What a request changes in a row of logits before anything is drawn from it.

use super::Row;
use crate::engine::constraint::{ConstraintError, TokenMask};
use crate::engine::runner::SampleRequest;
use crate::kernels::Kernels;

/// An edited row and the work space of editing it. All of it is empty until the first request
/// that edits.
#[derive(Default)]
pub struct Edits {
    row: Vec<f32>,
    mask: TokenMask,
    /// How often each id stands in a history; all 0 between two uses, since whoever counts
    /// sets back what it touched. A vocabulary is long and a history touches little of it.
    counts: Vec<u32>,
}

impl Edits {
    /// The edited row. None if `request` changes nothing, or leaves no token and asks for no
    /// constraint.
    pub fn edit(
        &mut self,
        kernels: &Kernels,
        logits: &[f32],
        request: &SampleRequest<'_>,
    ) -> Result<Option<Row<'_>>, ConstraintError> {
        if !changes(request) {
            return Ok(None);
        }
        self.apply(logits, request, request.banned)?;
        let (mut argmax, mut max) = kernels.largest(&self.row);
        if max == f32::NEG_INFINITY && !request.banned.is_empty() {
            self.apply(logits, request, &[])?;
            (argmax, max) = kernels.largest(&self.row);
        }
        if max == f32::NEG_INFINITY {
            return match request.constraint {
                None => Ok(None),
                Some(_) => Err(rules_out_all()),
            };
        }
        Ok(Some(Row {
            logits: &self.row,
            argmax,
            max,
        }))
    }

    #[cfg(test)]
    pub fn has_copied(&self) -> bool {
        self.row.capacity() > 0
    }

    fn apply(
        &mut self,
        logits: &[f32],
        request: &SampleRequest<'_>,
        banned: &[u32],
    ) -> Result<(), ConstraintError> {
        self.row.clear();
        self.row.extend_from_slice(logits);
        self.counts.resize(logits.len(), 0);
        if let Some(constraint) = request.constraint {
            self.mask.reset(logits.len());
            constraint.restrict(request.generated, &mut self.mask)?;
            self.mask.apply(&mut self.row);
        }
        for id in banned {
            if let Some(logit) = self.row.get_mut(*id as usize) {
                *logit = f32::NEG_INFINITY;
            }
        }
        let params = request.params;
        for (id, bias) in params.logit_bias.iter() {
            if let Some(logit) = self.row.get_mut(*id as usize) {
                *logit = changed(*logit, *logit + bias);
            }
        }
        if params.repetition_penalty != 1.0 {
            self.penalize_repetition(request, params.repetition_penalty);
        }
        if params.frequency_penalty != 0.0 || params.presence_penalty != 0.0 {
            self.penalize_frequency(
                request.generated,
                params.frequency_penalty,
                params.presence_penalty,
            );
        }
        Ok(())
    }

    /// Each token of prompt and answer once.
    fn penalize_repetition(&mut self, request: &SampleRequest<'_>, penalty: f32) {
        let history = || request.prompt.iter().chain(request.generated);
        for id in history() {
            let id = *id as usize;
            let (Some(logit), Some(count)) = (self.row.get_mut(id), self.counts.get_mut(id)) else {
                continue;
            };
            if std::mem::replace(count, 1) == 0 {
                let penalized = if *logit > 0.0 {
                    *logit / penalty
                } else {
                    *logit * penalty
                };
                *logit = changed(*logit, penalized);
            }
        }
        for id in history() {
            if let Some(count) = self.counts.get_mut(*id as usize) {
                *count = 0;
            }
        }
    }

    fn penalize_frequency(&mut self, generated: &[u32], frequency: f32, presence: f32) {
        for id in generated {
            if let Some(count) = self.counts.get_mut(*id as usize) {
                *count += 1;
            }
        }
        for id in generated {
            let id = *id as usize;
            let (Some(logit), Some(count)) = (self.row.get_mut(id), self.counts.get_mut(id)) else {
                continue;
            };
            // The first time that an id is met takes its whole count.
            let count = std::mem::take(count);
            if count > 0 {
                *logit = changed(*logit, *logit - (count as f32 * frequency + presence));
            }
        }
    }
}

/// Nothing that a constraint allows is possible.
pub fn rules_out_all() -> ConstraintError {
    ConstraintError("the model rules out all that is allowed".to_owned())
}

/// Whether a copy of the row has to be made.
pub fn changes(request: &SampleRequest<'_>) -> bool {
    let params = request.params;
    let penalizes_answer = params.repetition_penalty != 1.0
        || params.frequency_penalty != 0.0
        || params.presence_penalty != 0.0;
    request.constraint.is_some()
        || !request.banned.is_empty()
        || !params.logit_bias.is_empty()
        || (params.repetition_penalty != 1.0 && !request.prompt.is_empty())
        || (penalizes_answer && !request.generated.is_empty())
}

/// What a bias or a penalty makes of a logit: −∞ stays, everything else stays finite.
fn changed(before: f32, after: f32) -> f32 {
    if before == f32::NEG_INFINITY || after.is_nan() {
        return before;
    }
    after.clamp(f32::MIN, f32::MAX)
}
