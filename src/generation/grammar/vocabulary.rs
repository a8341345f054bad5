use crate::text::Tokenizer;
use llguidance::toktrie::{TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv};
use std::sync::Arc;

/// The bytes of every token, in the shape that grammars walk over.
struct Vocabulary(TokTrie);

/// `None` if nothing ends an answer. Takes some 100 ms for a large vocabulary.
pub fn vocabulary(
    tokenizer: &Tokenizer,
    vocab_size: usize,
    stop_token_ids: &[u32],
) -> Option<TokEnv> {
    let stop_token_ids: Vec<u32> = stop_token_ids
        .iter()
        .copied()
        .filter(|id| (*id as usize) < vocab_size)
        .collect();
    let first = *stop_token_ids.first()?;
    let vocab_size = u32::try_from(vocab_size).ok()?;
    let tokens: Vec<Vec<u8>> = (0..vocab_size)
        .map(|id| bytes(tokenizer, id, stop_token_ids.contains(&id)))
        .collect();
    let trie = TokTrie::from(&TokRxInfo::new(vocab_size, first), &tokens);
    Some(Arc::new(Vocabulary(trie.with_eos_tokens(&stop_token_ids))))
}

/// A control token, or one that ends an answer, is marked, so that no text of a grammar is taken
/// for it; an id that the tokenizer does not know has no bytes and is never allowed.
fn bytes(tokenizer: &Tokenizer, id: u32, ends: bool) -> Vec<u8> {
    let mut bytes = tokenizer.token_bytes(id);
    if ends || tokenizer.is_special_id(id) {
        bytes.insert(0, TokTrie::SPECIAL_TOKEN_MARKER);
    }
    bytes
}

impl TokenizerEnv for Vocabulary {
    fn tok_trie(&self) -> &TokTrie {
        &self.0
    }

    fn tokenize_bytes(&self, s: &[u8]) -> Vec<TokenId> {
        self.0.greedy_tokenize(s)
    }

    /// No token is forced for the text that a grammar forces: which ones the model would write
    /// it with is the model's business.
    fn tokenize_is_canonical(&self) -> bool {
        false
    }
}
