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
}
