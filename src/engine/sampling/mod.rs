//! From a row of logits to a token.
//!
//! Owns the order in which a request's wishes take effect, which is this one and no other:
//!
//! 1. the constraint: what it does not allow becomes −∞;
//! 2. banned ids become −∞;
//! 3. `logit_bias` is added;
//! 4. the repetition penalty, over prompt and answer;
//! 5. the frequency and presence penalties, over the answer;
//! 6. the temperature; 0, or `top_k` of 1, ends here with the first of the largest;
//! 7. `top_k`, with equals in the order of their ids;
//! 8. `top_p`, of what `top_k` left;
//! 9. `min_p`, measured against the most probable token;
//! 10. the draw, from what is left in proportion to its probability.
//!
//! Steps 1 to 5 edit a copy of the row, made only for requests that ask for one of them. They
//! keep every logit finite, except that what is −∞ stays so: no bias brings back a token that
//! a constraint forbids. Where they leave no token at all, the bans yield, so that the answer
//! still obeys its constraint. Where that leaves none either, all edits yield; but under a
//! constraint, which the answer must obey, it is an error that ends the sequence.
//!
//! Log-probabilities are the model's own, before any edit. A row that is no distribution has
//! NaN for them and nothing else does.
//!
//! Refuses to know tensors, sequences and what tokens mean.

mod draw;
mod edits;
pub mod on_device;
mod params;
mod philox;
mod top;

pub use params::SamplingParams;

use super::constraint::ConstraintError;
use super::runner::{SampleRequest, TokenOutput};
use crate::kernels::{Kernels, RowSummary};
use draw::Draw;
use edits::Edits;
use std::cell::RefCell;

/// Chooses the token at `position`. An error: the constraint leaves none.
pub fn sample(
    kernels: &Kernels,
    logits: &[f32],
    summary: RowSummary,
    request: &SampleRequest<'_>,
    position: usize,
) -> Result<TokenOutput, ConstraintError> {
    let params = request.params;
    let id = if summary.log_sum_exp.is_nan() {
        summary.argmax
    } else {
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.choose(kernels, logits, summary, request, position)
        })?
    };
    if id == summary.argmax && params.num_top_logprobs == 0 {
        return Ok(TokenOutput {
            id: id as u32,
            logprob: summary.max - summary.log_sum_exp,
            top: Vec::new(),
        });
    }
    Ok(score(logits, summary, id as u32, params.num_top_logprobs))
}

/// Whether [`sample`] looks at more than a row's summary.
pub fn needs_logits(request: &SampleRequest<'_>) -> bool {
    let params = request.params;
    !params.is_greedy() || params.num_top_logprobs > 0 || edits::changes(request)
}

/// The log-probability of a token that is known, beside those of the `num_top` most probable.
pub fn score(logits: &[f32], summary: RowSummary, id: u32, num_top: usize) -> TokenOutput {
    let log_sum_exp = summary.log_sum_exp;
    let logit = logits.get(id as usize).copied();
    TokenOutput {
        id,
        // The model gives nothing to an id that it does not have.
        logprob: logit.unwrap_or(f32::NEG_INFINITY) - log_sum_exp,
        top: if log_sum_exp.is_nan() {
            Vec::new()
        } else {
            top::most_probable(logits, log_sum_exp, num_top)
        },
    }
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Work space of one thread, as long as the vocabulary where it is used at all.
#[derive(Default)]
struct Scratch {
    edits: Edits,
    draw: Draw,
}

/// Logits, edited or not, and the first of the largest, which is finite.
struct Row<'a> {
    logits: &'a [f32],
    argmax: usize,
    max: f32,
}

impl Scratch {
    fn choose(
        &mut self,
        kernels: &Kernels,
        logits: &[f32],
        summary: RowSummary,
        request: &SampleRequest<'_>,
        position: usize,
    ) -> Result<usize, ConstraintError> {
        let row = self.edits.edit(kernels, logits, request)?.unwrap_or(Row {
            logits,
            argmax: summary.argmax,
            max: summary.max,
        });
        let params = request.params;
        if params.is_greedy() {
            return Ok(row.argmax);
        }
        let u = philox::uniform(params.seed, params.choice, position as u64);
        let drawn = self.draw.draw(kernels, &row, params, u);
        Ok(drawn.unwrap_or(row.argmax))
    }
}

#[cfg(test)]
mod tests;
