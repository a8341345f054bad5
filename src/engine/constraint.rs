use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

/// Decides which tokens may come next, such as a grammar does.
///
/// A pure function of what was generated: whatever state an implementation keeps to be fast
/// must not change its answers, so that preemption needs no rollback.
pub trait TokenConstraint: Send + Sync + fmt::Debug {
    /// Clears from `mask`, in which every token is allowed, those that may not follow
    /// `generated`. At least one must stay; an error ends the sequence.
    fn restrict(&self, generated: &[u32], mask: &mut TokenMask) -> Result<(), ConstraintError>;

    /// Works ahead for the [`Self::restrict`] that comes next, on a thread of its own while the
    /// model computes. To do nothing is right, only slower.
    fn prepare(&self, generated: &[u32]) {
        let _ = generated;
    }
}

/// Why a sequence cannot go on under its constraint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConstraintError(pub String);

/// A thread on which constraints work ahead.
pub(super) struct Forerunner {
    jobs: Sender<Job>,
}

struct Job {
    constraint: Arc<dyn TokenConstraint>,
    generated: Vec<u32>,
}

impl Forerunner {
    /// The thread ends when this is dropped and its work is done. None: the system gives no
    /// thread, so nobody works ahead.
    pub fn start() -> Option<Self> {
        let (jobs, queue) = channel::<Job>();
        std::thread::Builder::new()
            .name("constraints".to_owned())
            .spawn(move || {
                for job in queue {
                    job.constraint.prepare(&job.generated);
                }
            })
            .ok()?;
        Some(Self { jobs })
    }

    pub fn prepare(&self, constraint: &Arc<dyn TokenConstraint>, generated: &[u32]) {
        // A thread that died of a panic leaves the work to whoever samples.
        let _ = self.jobs.send(Job {
            constraint: Arc::clone(constraint),
            generated: generated.to_vec(),
        });
    }
}

/// A set of token ids, one bit each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenMask {
    words: Vec<u64>,
    vocab_size: usize,
}

impl TokenMask {
    /// Every id below `vocab_size` is allowed.
    pub fn all(vocab_size: usize) -> Self {
        let mut mask = Self::default();
        mask.reset(vocab_size);
        mask
    }

    /// Allows every id again.
    pub fn reset(&mut self, vocab_size: usize) {
        self.vocab_size = vocab_size;
        self.words.clear();
        self.words.resize(vocab_size.div_ceil(64), u64::MAX);
    }

    /// Allows none.
    pub fn clear(&mut self) {
        self.words.fill(0);
    }

    /// Ids beyond the vocabulary are nobody's.
    pub fn allow(&mut self, id: u32) {
        if (id as usize) < self.vocab_size {
            self.words[id as usize / 64] |= 1 << (id % 64);
        }
    }

    /// Forbids what is not in a set of 32 ids a word, the first in its lowest bit.
    pub fn keep(&mut self, words: &[u32]) {
        let word = |index: usize| u64::from(words.get(index).copied().unwrap_or(0));
        for (index, mine) in self.words.iter_mut().enumerate() {
            *mine &= word(2 * index) | word(2 * index + 1) << 32;
        }
    }

    pub fn forbid(&mut self, id: u32) {
        if let Some(word) = self.words.get_mut(id as usize / 64) {
            *word &= !(1 << (id % 64));
        }
    }

    pub fn allows(&self, id: u32) -> bool {
        (id as usize) < self.vocab_size && self.words[id as usize / 64] >> (id % 64) & 1 == 1
    }

    /// 64 ids a word, the first in its lowest bit. Bits past the vocabulary may have any value.
    pub(super) fn into_words(self) -> Vec<u64> {
        self.words
    }

    /// Writes −∞ over what is not allowed. Whole words of 64 ids are taken at once: a grammar
    /// allows nearly all tokens or nearly none.
    pub(super) fn apply(&self, logits: &mut [f32]) {
        let words = self.words.iter().copied().chain(std::iter::repeat(0));
        for (logits, word) in logits.chunks_mut(64).zip(words) {
            if word == 0 {
                logits.fill(f32::NEG_INFINITY);
            } else if word != u64::MAX {
                for (bit, logit) in logits.iter_mut().enumerate() {
                    if word >> bit & 1 == 0 {
                        *logit = f32::NEG_INFINITY;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_holds_exactly_the_ids_of_its_vocabulary() {
        let mut mask = TokenMask::all(70);
        assert!(mask.allows(69) && !mask.allows(70) && !mask.allows(u32::MAX));
        mask.forbid(69);
        mask.forbid(1000);
        assert!(!mask.allows(69) && mask.allows(68));
        mask.clear();
        mask.allow(3);
        mask.allow(70);
        assert_eq!(
            (0..200).filter(|id| mask.allows(*id)).collect::<Vec<_>>(),
            [3]
        );
    }

    #[test]
    fn a_mask_keeps_what_narrower_words_say() {
        let mut mask = TokenMask::all(130);
        mask.keep(&[1, 1 << 31, 0b10]);
        assert_eq!(
            (0..200).filter(|id| mask.allows(*id)).collect::<Vec<_>>(),
            [0, 63, 65]
        );
    }

    #[test]
    fn an_applied_mask_leaves_exactly_what_it_allows() {
        let mut few = TokenMask::all(200);
        few.clear();
        [0, 63, 64, 130, 199].iter().for_each(|id| few.allow(*id));
        let mut most = TokenMask::all(200);
        [1, 63, 127, 128, 198]
            .iter()
            .for_each(|id| most.forbid(*id));
        for mask in [few, most] {
            let mut logits = [1.5f32; 200];
            mask.apply(&mut logits);
            for (id, logit) in logits.into_iter().enumerate() {
                let allowed = mask.allows(id as u32);
                assert_eq!(logit, if allowed { 1.5 } else { f32::NEG_INFINITY }, "{id}");
            }
        }
    }
}
