//! Log-probabilities, beside the text that they belong to.

use crate::engine::TokenOutput;
use crate::text::Tokenizer;
use std::collections::VecDeque;
use std::sync::Arc;

/// A token of a choice's text with the logarithm of its probability.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenLogprob {
    /// What the token adds to a text; perhaps a part of a character.
    pub bytes: Vec<u8>,
    /// None: the first token of a prompt, which follows nothing.
    pub logprob: Option<f32>,
    /// The most probable tokens at this place, best first.
    pub top: Vec<TopLogprob>,
    /// Characters of the choice's text before this token.
    pub text_offset: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TopLogprob {
    pub bytes: Vec<u8>,
    pub logprob: f32,
}

/// What follows a text that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Text,
    /// It ends the text; neither it nor its tokens are shown.
    StopString,
    Nothing,
}

/// Generated tokens that wait until their text is shown.
pub(super) struct WaitingTokens {
    tokenizer: Arc<Tokenizer>,
    tokens: VecDeque<Waiting>,
    /// Bytes that the detokenizer gave.
    num_certain: usize,
    /// Bytes that were shown.
    num_shown: usize,
    offset: CharOffset,
}

struct Waiting {
    /// The byte at which its text begins.
    start: usize,
    /// Control tokens have none, nor have ids that no token has.
    has_text: bool,
    token: TokenLogprob,
}

impl WaitingTokens {
    /// `text_offset`: characters of the choice before the first generated token.
    pub fn new(tokenizer: Arc<Tokenizer>, text_offset: usize) -> Self {
        Self {
            tokenizer,
            tokens: VecDeque::new(),
            num_certain: 0,
            num_shown: 0,
            offset: CharOffset {
                num_chars: text_offset,
                num_missing: 0,
            },
        }
    }

    /// A token, and the text that became certain with it.
    pub fn push(&mut self, token: TokenOutput, text: &str) {
        let is_special = self.tokenizer.is_special_id(token.id);
        let token = describe(&self.tokenizer, token, self.offset.num_chars);
        let has_text = !is_special && !token.bytes.is_empty();
        // Text that was held back may come first.
        let own = if text.as_bytes().ends_with(&token.bytes) {
            token.bytes.len()
        } else {
            text.len()
        };
        if has_text {
            self.offset.advance(&token.bytes);
        }
        self.num_certain += text.len();
        self.tokens.push_back(Waiting {
            start: self.num_certain - own,
            has_text,
            token,
        });
    }

    /// Those that belong to what is shown by now: their text begins there, or they have none
    /// and no text comes that could bring them along.
    pub fn shown(&mut self, text: &str, next: Next) -> Vec<TokenLogprob> {
        self.num_shown += text.len();
        let belongs = |token: &Waiting| {
            token.start < self.num_shown
                || match next {
                    Next::Text => false,
                    Next::StopString => !token.has_text,
                    Next::Nothing => true,
                }
        };
        let count = self.tokens.iter().take_while(|t| belongs(t)).count();
        self.tokens.drain(..count).map(|t| t.token).collect()
    }
}

/// The tokens of a prompt whose text is shown. `scored` begins with the second.
pub(super) fn of_prompt(
    tokenizer: &Tokenizer,
    prompt: &[u32],
    scored: Vec<TokenOutput>,
    text: &str,
) -> Vec<TokenLogprob> {
    let Some(&first) = prompt.first() else {
        return Vec::new();
    };
    let mut place = PromptPlace::new(text);
    let mut tokens = Vec::with_capacity(prompt.len());
    let bytes = tokenizer.token_bytes(first);
    place.skip(&bytes, tokenizer.is_special_id(first));
    tokens.push(TokenLogprob {
        bytes,
        logprob: None,
        top: Vec::new(),
        text_offset: 0,
    });
    for token in scored {
        let is_special = tokenizer.is_special_id(token.id);
        let token = describe(tokenizer, token, place.offset.num_chars);
        place.skip(&token.bytes, is_special);
        tokens.push(token);
    }
    tokens
}

fn describe(tokenizer: &Tokenizer, token: TokenOutput, text_offset: usize) -> TokenLogprob {
    TokenLogprob {
        bytes: tokenizer.token_bytes(token.id),
        logprob: Some(token.logprob),
        top: token
            .top
            .iter()
            .map(|top| TopLogprob {
                bytes: tokenizer.token_bytes(top.id),
                logprob: top.logprob,
            })
            .collect(),
        text_offset,
    }
}

/// Counts characters by their bytes, as they come.
#[derive(Default)]
struct CharOffset {
    /// Those that are complete.
    num_chars: usize,
    /// Bytes that the last one still lacks.
    num_missing: usize,
}

impl CharOffset {
    fn advance(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let length = byte.leading_ones() as usize;
            if length == 1 && self.num_missing > 0 {
                self.num_missing -= 1;
                self.num_chars += usize::from(self.num_missing == 0);
                continue;
            }
            // A character that is broken off is shown as U+FFFD.
            self.num_chars += usize::from(self.num_missing > 0);
            self.num_missing = if (2..=4).contains(&length) {
                length - 1
            } else {
                self.num_chars += 1;
                0
            };
        }
    }
}

/// Follows tokens through the text that they were made of, where a tokenizer may have added
/// tokens without text or a space in front, or changed what it read.
struct PromptPlace<'a> {
    rest: &'a [u8],
    offset: CharOffset,
}

impl<'a> PromptPlace<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text.as_bytes(),
            offset: CharOffset::default(),
        }
    }

    fn skip(&mut self, token: &[u8], is_special: bool) {
        let unspaced = token.strip_prefix(b" ").unwrap_or(token);
        let length = match [token, unspaced]
            .iter()
            .find(|bytes| self.rest.starts_with(bytes))
        {
            Some(found) => found.len(),
            None if is_special => 0,
            None => token.len().min(self.rest.len()),
        };
        let (passed, rest) = self.rest.split_at(length);
        self.offset.advance(passed);
        self.rest = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset_after(pieces: &[&[u8]]) -> usize {
        let mut offset = CharOffset::default();
        pieces.iter().for_each(|piece| offset.advance(piece));
        offset.num_chars
    }

    #[test]
    fn a_character_counts_when_its_last_byte_has_come() {
        let [first, second, third, fourth] = *"😀".as_bytes() else {
            panic!("four bytes")
        };
        assert_eq!(offset_after(&[&[b'a', first, second], &[third]]), 1);
        assert_eq!(offset_after(&[&[b'a', first, second], &[third, fourth]]), 2);
        assert_eq!(offset_after(&["Straße 😀".as_bytes()]), 8);
    }

    #[test]
    fn broken_characters_count_as_they_are_shown() {
        assert_eq!(offset_after(&[&[0xC3], b"a"]), 2);
        assert_eq!(offset_after(&[&[0x80, 0xFF]]), 2);
    }

    #[test]
    fn a_prompt_s_tokens_are_found_in_its_text() {
        let mut place = PromptPlace::new("Hé <s>b");
        let mut offsets = Vec::new();
        for (token, is_special) in [
            ("<s>", true),
            (" H", false),
            ("é", false),
            (" ", false),
            ("<s>", true),
            ("b", false),
        ] {
            offsets.push(place.offset.num_chars);
            place.skip(token.as_bytes(), is_special);
        }
        assert_eq!(offsets, [0, 0, 1, 2, 3, 6]);
        assert!(place.rest.is_empty());
    }
}
