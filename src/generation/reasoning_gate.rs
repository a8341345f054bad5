use super::transcript::Marker;
use crate::engine::{ConstraintError, TokenConstraint, TokenMask};
use crate::text::Tokenizer;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Lets a model think before its answer keeps to a form.
pub(super) struct ReasoningGate {
    pub tokenizer: Arc<Tokenizer>,
    /// Of the answer that follows.
    pub form: Arc<dyn TokenConstraint>,
    /// What the reasoning begins and ends with.
    pub tags: (Marker, Marker),
    /// The prompt has opened it.
    pub is_open: bool,
    /// Ends of an answer, and none of reasoning.
    pub stop_token_ids: Arc<[u32]>,
    pub passing: Arc<PassingTokens>,
    pub progress: Mutex<Progress>,
}

/// How far the reasoning was read.
#[derive(Default)]
pub(super) struct Progress {
    read: Vec<u32>,
    /// The last bytes, no more than the closing tag has.
    tail: Vec<u8>,
    /// Where the answer begins.
    answer: Option<usize>,
}

/// Tokens that close the reasoning and go on: the form begins between tokens, so they are not
/// allowed.
pub struct PassingTokens {
    /// Those that hold the whole tag.
    whole: Vec<u32>,
    /// Those that begin with what is missing behind so many bytes of the tag, less one.
    rests: Vec<Vec<u32>>,
}

impl PassingTokens {
    /// Looks at the whole vocabulary.
    pub fn of(tokenizer: &Tokenizer, close: &Marker) -> Self {
        let tag = close.text().as_bytes();
        let mut passing = Self {
            whole: Vec::new(),
            rests: vec![Vec::new(); tag.len().saturating_sub(1)],
        };
        if close.is_token() {
            return passing;
        }
        for id in 0..tokenizer.vocab_size() as u32 {
            let bytes = tokenizer.token_bytes(id);
            let passes = |at: usize| at + tag.len() < bytes.len();
            if bytes
                .windows(tag.len())
                .position(|part| part == tag)
                .is_some_and(passes)
            {
                passing.whole.push(id);
            }
            for begun in 1..tag.len() {
                let rest = &tag[begun..];
                if bytes.len() > rest.len() && bytes.starts_with(rest) {
                    passing.rests[begun - 1].push(id);
                }
            }
        }
        passing
    }

    /// Behind reasoning that ends with `tail`.
    fn forbid(&self, close: &Marker, tail: &[u8], mask: &mut TokenMask) {
        let tag = close.text().as_bytes();
        let begun = (1..tag.len()).filter(|begun| tail.ends_with(&tag[..*begun]));
        let rests = begun
            .filter_map(|begun| self.rests.get(begun - 1))
            .flatten();
        self.whole
            .iter()
            .chain(rests)
            .for_each(|id| mask.forbid(*id));
    }
}

impl ReasoningGate {
    /// Where the answer begins in what was generated, if it has begun; and the end of the
    /// reasoning so far.
    fn place(&self, generated: &[u32]) -> (Option<usize>, Vec<u8>) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if !generated.starts_with(&progress.read) {
            *progress = Progress::default();
        }
        if progress.answer.is_none() && progress.read.is_empty() && !self.is_open {
            match generated.first() {
                Some(first) if self.opening() == Some(*first) => progress.read.push(*first),
                _ => return (Some(0), Vec::new()),
            }
        }
        let close = self.tags.1.text();
        while progress.answer.is_none() && progress.read.len() < generated.len() {
            let id = generated[progress.read.len()];
            progress.read.push(id);
            let has_ended = if self.tags.1.is_token() {
                self.tokenizer.control_token(id).as_deref() == Some(close)
            } else {
                progress.tail.extend(self.tokenizer.token_bytes(id));
                let excess = progress.tail.len().saturating_sub(close.len());
                progress.tail.drain(..excess);
                progress.tail == close.as_bytes()
            };
            if has_ended {
                progress.answer = Some(progress.read.len());
            }
        }
        (progress.answer, progress.tail.clone())
    }

    /// The one token that opens the reasoning.
    fn opening(&self) -> Option<u32> {
        self.tokenizer.token_to_id(self.tags.0.text())
    }
}

impl TokenConstraint for ReasoningGate {
    fn restrict(&self, generated: &[u32], mask: &mut TokenMask) -> Result<(), ConstraintError> {
        match self.place(generated) {
            (Some(answer), _) => {
                self.form.restrict(&generated[answer..], mask)?;
                if let Some(opening) = self
                    .opening()
                    .filter(|_| generated.is_empty() && !self.is_open)
                {
                    mask.allow(opening);
                }
            }
            (None, tail) => {
                self.stop_token_ids.iter().for_each(|id| mask.forbid(*id));
                self.passing.forbid(&self.tags.1, &tail, mask);
            }
        }
        Ok(())
    }

    fn prepare(&self, generated: &[u32]) {
        // Asked late, when somebody has gone on already.
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let is_late = generated.len() < progress.read.len();
        drop(progress);
        if is_late {
            return;
        }
        if let (Some(answer), _) = self.place(generated) {
            self.form.prepare(&generated[answer..]);
        }
    }
}

impl fmt::Debug for ReasoningGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReasoningGate({:?})", self.form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::fixtures::{byte_level_json, tokenizer};

    #[test]
    fn tokens_that_go_on_behind_the_tag_are_not_allowed() {
        let tokenizer = tokenizer(&byte_level_json());
        let id = |token: &str| tokenizer.token_to_id(token).unwrap();
        let forbidden = |tag: &'static str, tail: &str, token: &str| {
            let close = Marker::Text(tag);
            let mut mask = TokenMask::all(tokenizer.vocab_size());
            PassingTokens::of(&tokenizer, &close).forbid(&close, tail.as_bytes(), &mut mask);
            !mask.allows(id(token))
        };
        // It holds the whole tag and more.
        assert!(forbidden("el", "", "hell"));
        // It completes the tag, and goes on or not.
        assert!(forbidden("xhe", "x", "hell"));
        assert!(!forbidden("xhell", "x", "hell"));
        assert!(!forbidden("xhe", "y", "hell"));
    }
}
