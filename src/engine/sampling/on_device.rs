//! Requests in the words of a device that chooses tokens itself.

use super::edits::rules_out_all;
use super::{edits, philox};
use crate::engine::constraint::{ConstraintError, TokenMask};
use crate::engine::runner::{SampleRequest, TokenOutput, TopToken};
use crate::kernels::{
    Choice, ChoiceLimits, Chosen, Draw, LogitEdit, RowSummary, RowUse, TokenChoice,
};
use std::cell::RefCell;

/// What [`super::sample`] needs of a row of so many logits, where a device may choose within `limits`.
///
/// It depends on the request alone: whether a token is chosen here or there does not change with
/// what else is in the step.
pub fn use_to_sample(
    vocab: usize,
    request: &SampleRequest<'_>,
    position: usize,
    limits: ChoiceLimits,
) -> RowUse {
    if !super::needs_logits(request) {
        return RowUse::Summary;
    }
    // Whoever has the row finds out why a constraint leaves nothing, and says so.
    choice(vocab, request, position, limits).map_or(RowUse::Values, RowUse::Choice)
}

/// What [`super::score`] needs of a row of so many logits.
pub fn use_to_score(vocab: usize, id: u32, num_top: usize, limits: ChoiceLimits) -> RowUse {
    if vocab > limits.max_vocab || num_top.min(vocab) > limits.max_top {
        return RowUse::Values;
    }
    RowUse::Choice(Choice {
        token: TokenChoice::Known(id),
        num_top: num_top.min(vocab),
        mask: None,
        edits: Vec::new(),
        repetition_penalty: 1.0,
        frequency_penalty: 0.0,
        presence_penalty: 0.0,
    })
}

/// What a device chose, with log-probabilities as [`super::sample`] and [`super::score`] give them.
pub fn output(chosen: &Chosen, summary: RowSummary) -> Result<TokenOutput, ConstraintError> {
    if chosen.is_stuck {
        return Err(rules_out_all());
    }
    let log_sum_exp = summary.log_sum_exp;
    let top = chosen.top.iter().map(|(id, logit)| TopToken {
        id: *id,
        logprob: *logit - log_sum_exp,
    });
    Ok(TokenOutput {
        id: chosen.id,
        logprob: chosen.logit - log_sum_exp,
        top: top.collect(),
    })
}

/// `None`: the device does not take it, or the constraint is an error.
fn choice(
    vocab: usize,
    request: &SampleRequest<'_>,
    position: usize,
    limits: ChoiceLimits,
) -> Option<Choice> {
    let params = request.params;
    let num_top = params.num_top_logprobs.min(vocab);
    if vocab > limits.max_vocab || num_top > limits.max_top {
        return None;
    }
    let edits = match edits::changes(request) {
        true => EDITS.with_borrow_mut(|edits| edits.of(vocab, request, limits.max_edits))?,
        false => Vec::new(),
    };
    let mask = match request.constraint {
        Some(constraint) => {
            let mut mask = TokenMask::all(vocab);
            constraint.restrict(request.generated, &mut mask).ok()?;
            Some(mask.into_words())
        }
        None => None,
    };
    let token = match params.is_greedy() {
        true => TokenChoice::Largest,
        false => TokenChoice::Drawn(Draw {
            temperature: params.temperature,
            top_k: params.top_k.filter(|k| *k < vocab),
            top_p: params.top_p,
            min_p: params.min_p,
            u: philox::uniform(params.seed, params.choice, position as u64),
        }),
    };
    Some(Choice {
        token,
        num_top,
        mask,
        edits,
        repetition_penalty: params.repetition_penalty,
        frequency_penalty: params.frequency_penalty,
        presence_penalty: params.presence_penalty,
    })
}

thread_local! {
    static EDITS: RefCell<EditList> = RefCell::default();
}

/// The edits of a row in the making: one for each id that any wish is about.
#[derive(Default)]
struct EditList {
    edits: Vec<LogitEdit>,
    /// For each id, 1 more than its place in `edits`; all 0 between two uses. A vocabulary is long
    /// and a request touches little of it.
    places: Vec<u32>,
}

impl EditList {
    /// `None`: there are more than `max_edits`.
    fn of(
        &mut self,
        vocab: usize,
        request: &SampleRequest<'_>,
        max_edits: usize,
    ) -> Option<Vec<LogitEdit>> {
        self.places.resize(vocab, 0);
        self.collect(request);
        for edit in &self.edits {
            self.places[edit.id as usize] = 0;
        }
        let edits = std::mem::take(&mut self.edits);
        (edits.len() <= max_edits).then_some(edits)
    }

    fn collect(&mut self, request: &SampleRequest<'_>) {
        let params = request.params;
        for id in request.banned {
            self.change(*id, |edit| edit.is_banned = true);
        }
        for (id, bias) in params.logit_bias.iter() {
            self.change(*id, |edit| edit.bias = *bias);
        }
        if params.repetition_penalty != 1.0 {
            for id in request.prompt.iter().chain(request.generated) {
                self.change(*id, |edit| edit.is_repeated = true);
            }
        }
        if params.frequency_penalty != 0.0 || params.presence_penalty != 0.0 {
            for id in request.generated {
                self.change(*id, |edit| edit.count += 1);
            }
        }
    }

    fn change(&mut self, id: u32, change: impl FnOnce(&mut LogitEdit)) {
        // The row has no such id, and nobody can choose it.
        let Some(place) = self.places.get_mut(id as usize) else {
            return;
        };
        if *place == 0 {
            self.edits.push(LogitEdit {
                id,
                ..LogitEdit::default()
            });
            *place = self.edits.len() as u32;
        }
        change(&mut self.edits[*place as usize - 1]);
    }
}
