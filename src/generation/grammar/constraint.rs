use super::Start;
use super::compiler::for_clients;
use crate::engine::{ConstraintError, TokenConstraint, TokenMask};
use llguidance::Matcher;
use llguidance::toktrie::SimpleVob;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A grammar's progress through one answer.
pub struct GrammarConstraint {
    start: Arc<Start>,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// None before the first token is asked for: what waits in line takes no memory.
    matcher: Option<Matcher>,
    /// What the matcher has read.
    read: Vec<u32>,
    /// What may follow it, once somebody has asked.
    next: Option<Result<SimpleVob, ConstraintError>>,
}

impl GrammarConstraint {
    pub fn new(start: Arc<Start>) -> Self {
        Self {
            start,
            progress: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        // Whoever panicked left at worst a matcher that says that it failed.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    /// Works out what may follow `generated`.
    fn advance(&mut self, start: &Start, generated: &[u32]) -> &Result<SimpleVob, ConstraintError> {
        if !generated.starts_with(&self.read) {
            *self = Self::default();
        }
        let new = &generated[self.read.len()..];
        if !new.is_empty() {
            self.read.extend_from_slice(new);
            self.next = None;
        }
        // The parts that grow while it reads are each answer's own, so that one answer's limits
        // do not depend on what others have asked.
        let matcher = self
            .matcher
            .get_or_insert_with(|| start.matcher.deep_clone());
        self.next.get_or_insert_with(|| next(matcher, start, new))
    }
}

/// What may follow once `new` is read too.
fn next(matcher: &mut Matcher, start: &Start, new: &[u32]) -> Result<SimpleVob, ConstraintError> {
    let allowed = matcher.consume_tokens(new).and_then(|()| {
        let mut allowed = matcher.compute_mask_or_eos()?;
        // A grammar of a client may name such a token; it would end the answer all the same.
        if !matcher.is_stopped() && !matcher.is_accepting()? {
            for id in start.stop_token_ids.iter() {
                if (*id as usize) < allowed.len() {
                    allowed.disallow_token(*id);
                }
            }
        }
        Ok(allowed)
    });
    allowed.map_err(|error| {
        let words = for_clients(&error.to_string());
        ConstraintError(words.unwrap_or_else(|| "it cannot be worked out".to_owned()))
    })
}

impl TokenConstraint for GrammarConstraint {
    fn restrict(&self, generated: &[u32], mask: &mut TokenMask) -> Result<(), ConstraintError> {
        let mut progress = self.lock();
        match progress.advance(&self.start, generated) {
            Ok(allowed) if allowed.is_zero() => Err(ConstraintError(
                "no token of this model can continue it".to_owned(),
            )),
            Ok(allowed) => {
                mask.keep(allowed.as_slice());
                Ok(())
            }
            Err(error) => Err(error.clone()),
        }
    }

    fn prepare(&self, generated: &[u32]) {
        let mut progress = self.lock();
        // Asked late, when somebody has gone on already.
        if generated.len() >= progress.read.len() {
            progress.advance(&self.start, generated);
        }
    }
}

impl fmt::Debug for GrammarConstraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GrammarConstraint")
    }
}
