use super::state::State;
use super::{Citations, WalkedTokens};
use crate::engine::{ConstraintError, TokenConstraint, TokenMask};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What the answers to one request may quote, as tokens of their model.
pub struct Quoting {
    citations: Arc<Citations>,
    tokens: Arc<WalkedTokens>,
    /// How many ids the model has.
    vocab_size: usize,
    /// What a quotation of each document may begin with. Worked out once: more tokens may
    /// begin one than go on with it.
    first: Vec<OnceLock<Arc<[u32]>>>,
}

/// Keeps one answer's quotations to the words of their documents.
pub struct QuotingConstraint {
    quoting: Arc<Quoting>,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    read: Vec<u32>,
    /// None: what was read could not be written.
    state: Option<State>,
    /// What may follow within a quotation, as words of 32 ids, once somebody has asked.
    next: Option<Arc<[u32]>>,
}

impl Quoting {
    pub fn new(citations: Arc<Citations>, tokens: Arc<WalkedTokens>, vocab_size: usize) -> Self {
        Self {
            first: citations
                .sources()
                .iter()
                .map(|_| OnceLock::new())
                .collect(),
            citations,
            tokens,
            vocab_size,
        }
    }

    /// Ids that may follow within a quotation or its tags.
    fn allowed(&self, state: &State) -> Arc<[u32]> {
        match state {
            State::Inside {
                source,
                words: Some(words),
                closed: 0,
            } if words.num_bytes() == 0 => match self.first.get(*source) {
                Some(first) => Arc::clone(first.get_or_init(|| self.worked_out(state))),
                None => self.worked_out(state),
            },
            state => self.worked_out(state),
        }
    }

    fn worked_out(&self, state: &State) -> Arc<[u32]> {
        let mut words = vec![0u32; self.vocab_size.div_ceil(32)];
        self.tokens.allowed(&self.citations, state, &mut |id| {
            if let Some(word) = words.get_mut(id as usize / 32) {
                *word |= 1 << (id % 32);
            }
        });
        words.into()
    }
}

impl QuotingConstraint {
    pub fn new(quoting: Arc<Quoting>) -> Self {
        Self {
            progress: Mutex::new(Progress::begun(&quoting.citations)),
            quoting,
        }
    }
}

impl Progress {
    fn begun(citations: &Citations) -> Self {
        Self {
            state: Some(citations.start()),
            ..Self::default()
        }
    }

    /// Reads what is new of `generated`, and works out what may follow.
    fn advance(&mut self, quoting: &Quoting, generated: &[u32]) {
        if !generated.starts_with(&self.read) {
            *self = Self::begun(&quoting.citations);
        }
        let new = &generated[self.read.len()..];
        if !new.is_empty() {
            self.next = None;
        }
        for id in new {
            // What is no text changes nothing.
            let bytes = quoting.tokens.bytes_of(*id);
            self.state = self
                .state
                .take()
                .and_then(|state| quoting.citations.after_all(&state, bytes));
        }
        self.read.extend_from_slice(new);
        if let (Some(state), None) = (&self.state, &self.next)
            && !state.is_outside()
        {
            self.next = Some(quoting.allowed(state));
        }
    }
}

impl TokenConstraint for QuotingConstraint {
    fn restrict(&self, generated: &[u32], mask: &mut TokenMask) -> Result<(), ConstraintError> {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.advance(&self.quoting, generated);
        match &progress.state {
            None => Err(ConstraintError(
                "what was written is no quotation of its document".to_owned(),
            )),
            Some(State::Outside { opened }) => {
                let quoting = &*self.quoting;
                let mut forbid = |id| mask.forbid(id);
                (quoting.tokens).forbidden(&quoting.citations, *opened, &mut forbid);
                Ok(())
            }
            Some(_) => {
                let next = progress.next.as_deref().unwrap_or_default();
                mask.keep(next);
                match next.iter().all(|word| *word == 0) {
                    true => Err(ConstraintError(
                        "no token of this model can continue the quotation".to_owned(),
                    )),
                    false => Ok(()),
                }
            }
        }
    }

    fn prepare(&self, generated: &[u32]) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        // Asked late, when somebody has gone on already.
        if generated.len() >= progress.read.len() {
            progress.advance(&self.quoting, generated);
        }
    }
}

impl fmt::Debug for QuotingConstraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QuotingConstraint")
    }
}
