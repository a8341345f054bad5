use std::fmt;

/// Decides which tokens may come next, such as a grammar does.
///
/// A pure function of what was generated: whatever state an implementation keeps to be fast
/// must not change its answers, so that preemption needs no rollback.
pub trait TokenConstraint: Send + Sync + fmt::Debug {
    /// Clears from `mask`, in which every token is allowed, those that may not follow
    /// `generated`. At least one must stay.
    fn restrict(&self, generated: &[u32], mask: &mut TokenMask);
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

    pub fn forbid(&mut self, id: u32) {
        if let Some(word) = self.words.get_mut(id as usize / 64) {
            *word &= !(1 << (id % 64));
        }
    }

    pub fn allows(&self, id: u32) -> bool {
        (id as usize) < self.vocab_size && self.words[id as usize / 64] >> (id % 64) & 1 == 1
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
