//! What identifies the contents of a KV block: the tokens in it, all before them, and who
//! may share them.

use super::Namespace;
use super::faults::{Bug, Faults};
use std::fmt;

/// A chained hash: it covers its block's tokens and, through its parent, all before them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockHash([u8; 32]);

impl fmt::Debug for BlockHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, ..] = self.0;
        write!(f, "{a:02x}{b:02x}")
    }
}

/// Who may share the blocks of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All sequences of a namespace.
    Namespace(Namespace),
    /// The choices of one request.
    Request(u64),
}

/// Hashes blocks with a key that nobody outside of this process knows, so that no caller can
/// make two prompts meet.
#[derive(Debug, Clone)]
pub(super) struct BlockHasher {
    key: [u8; 32],
    faults: Faults,
    /// Hashes are cut to so many bits, so that a test sees collisions.
    #[cfg(test)]
    pub bits: u32,
}

impl BlockHasher {
    pub fn new(key: [u8; 32], faults: Faults) -> Self {
        Self {
            key,
            faults,
            #[cfg(test)]
            bits: 256,
        }
    }

    /// The hashes of the full blocks among `tokens`, of which `hashes` holds the first.
    pub fn extend(
        &self,
        hashes: &mut Vec<BlockHash>,
        scope: Scope,
        tokens: &[u32],
        block_size: usize,
    ) {
        for block in tokens.chunks_exact(block_size).skip(hashes.len()) {
            let hash = self.hash(hashes.last(), scope, block);
            hashes.push(hash);
        }
    }

    /// Each field is preceded by a byte that names it and has a fixed length, the tokens
    /// excepted, which come last: no two inputs are the same bytes. A sequence with an adapter
    /// will have a field of its own beside the scope.
    fn hash(&self, parent: Option<&BlockHash>, scope: Scope, tokens: &[u32]) -> BlockHash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        match parent {
            Some(parent) => hasher.update(b"p").update(&parent.0),
            None => {
                let (name, value) = match scope {
                    Scope::Namespace(_) if self.faults.has(Bug::IgnoreNamespace) => (b"n", 0),
                    Scope::Namespace(namespace) => (b"n", namespace.0),
                    Scope::Request(id) => (b"r", id),
                };
                hasher.update(name).update(&value.to_le_bytes())
            }
        };
        hasher.update(b"t");
        for token in tokens {
            hasher.update(&token.to_le_bytes());
        }
        self.cut(*hasher.finalize().as_bytes())
    }

    #[cfg(not(test))]
    fn cut(&self, hash: [u8; 32]) -> BlockHash {
        BlockHash(hash)
    }

    #[cfg(test)]
    fn cut(&self, mut hash: [u8; 32]) -> BlockHash {
        for (index, byte) in (0u32..).zip(&mut hash) {
            let bits = self.bits.saturating_sub(index * 8).min(8);
            *byte &= ((1u16 << bits) - 1) as u8;
        }
        BlockHash(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(key: u8, scope: Scope, tokens: &[u32]) -> Vec<BlockHash> {
        let mut hashes = Vec::new();
        BlockHasher::new([key; 32], Faults::default()).extend(&mut hashes, scope, tokens, 4);
        hashes
    }

    #[test]
    fn a_hash_covers_key_scope_tokens_and_all_before_them() {
        let scope = Scope::Namespace(Namespace(1));
        let tokens = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        let base = hashes(0, scope, &tokens);
        assert_eq!(base.len(), 2, "only full blocks have a hash");
        assert_eq!(hashes(0, scope, &tokens[..8]), base);
        let mut first_changed = tokens;
        first_changed[0] = 0;
        for other in [
            hashes(1, scope, &tokens),
            hashes(0, Scope::Namespace(Namespace(2)), &tokens),
            hashes(0, Scope::Request(1), &tokens),
            hashes(0, scope, &first_changed),
        ] {
            assert!(other.iter().zip(&base).all(|(other, base)| other != base));
        }
    }

    #[test]
    fn hashes_may_be_computed_as_tokens_come() {
        let scope = Scope::Request(3);
        let tokens: Vec<u32> = (0..40).collect();
        let hasher = BlockHasher::new([7; 32], Faults::default());
        let mut grown = Vec::new();
        for len in 0..=40 {
            hasher.extend(&mut grown, scope, &tokens[..len], 4);
        }
        assert_eq!(grown, hashes(7, scope, &tokens));
    }
}
