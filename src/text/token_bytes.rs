use super::Tokenizer;
use super::decoder::{InFirst, Stage, byte_level_bytes, fallback_byte, strip};

/// What a stage makes of one token.
enum Piece {
    Text(String),
    /// Perhaps a part of a character; no later stage changes it.
    Bytes(Vec<u8>),
}

impl Tokenizer {
    /// The bytes that a token adds to a text that has begun; those of its name where it is
    /// special, although a text does not show it. Unknown ids have none.
    pub fn token_bytes(&self, id: u32) -> Vec<u8> {
        let Some(token) = self.written(id) else {
            return Vec::new();
        };
        if self.is_special(&token) {
            return token.into_bytes();
        }
        let Some(stages) = self.decode_plan.stages() else {
            // The decoder wants the whole text, so one token is taken for it.
            let decoded = self.pipeline.decode(&[id], false);
            return decoded.unwrap_or(token).into_bytes();
        };
        let piece = stages
            .iter()
            .fold(Piece::Text(token), |piece, stage| match piece {
                Piece::Text(token) => stage.piece(token),
                Piece::Bytes(bytes) => Piece::Bytes(bytes),
            });
        match piece {
            Piece::Text(text) => text.into_bytes(),
            Piece::Bytes(bytes) => bytes,
        }
    }

    /// Whether a text does not show this token.
    pub fn is_special_id(&self, id: u32) -> bool {
        self.control_token(id).is_some()
    }

    /// A token that a text does not show, as it is written.
    pub fn control_token(&self, id: u32) -> Option<String> {
        self.written(id).filter(|token| self.is_special(token))
    }

    /// Whether this is how a token is written that a text does not show.
    pub fn is_control_token(&self, written: &str) -> bool {
        self.token_to_id(written).is_some() && self.is_special(written)
    }
}

impl Stage {
    /// What becomes of a token in the middle of a text.
    fn piece(&self, token: String) -> Piece {
        Piece::Text(match self {
            Self::Words { .. } => format!(" {token}"),
            Self::ByteLevel { .. } => return Piece::Bytes(byte_level_bytes(&token)),
            Self::ByteFallback { .. } => match fallback_byte(&token) {
                Some(byte) => return Piece::Bytes(vec![byte]),
                None => token,
            },
            Self::Replace(_) => self.clone().run(vec![token]).concat(),
            Self::Metaspace {
                replacement,
                dropped,
                in_first,
            } => {
                let drop = *dropped && *in_first == InFirst::Always;
                token.replace(*replacement, if drop { "" } else { " " })
            }
            Self::Strip {
                content,
                start,
                stop,
            } => strip(&token, *content, *start, *stop).to_owned(),
            // The middle of a text is not its end.
            Self::StripText { .. } => token,
            Self::WordPiece {
                prefix, cleanup, ..
            } => {
                let token = match token.strip_prefix(prefix.as_str()) {
                    Some(rest) => rest.to_owned(),
                    None => format!(" {token}"),
                };
                if *cleanup {
                    tokenizers::decoders::wordpiece::cleanup(&token)
                } else {
                    token
                }
            }
            Self::Suffix { suffix, .. } => token.replace(suffix.as_str(), " "),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::text::Tokenizer;
    use crate::text::fixtures::{byte_level_json, sentencepiece_json, tokenizer, unigram_json};
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::sync::{Arc, LazyLock};

    static TOKENIZERS: LazyLock<Vec<Arc<Tokenizer>>> = LazyLock::new(|| {
        let with_decoder = |decoder: Value| {
            let mut json = sentencepiece_json();
            json["decoder"] = decoder;
            tokenizer(&json)
        };
        vec![
            tokenizer(&byte_level_json()),
            tokenizer(&sentencepiece_json()),
            tokenizer(&unigram_json()),
            with_decoder(json!({"type": "WordPiece", "prefix": "<", "cleanup": true})),
            with_decoder(Value::Null),
        ]
    });

    #[track_caller]
    fn check(tokenizer: &Tokenizer, token: &str, bytes: &[u8]) {
        let id = tokenizer.token_to_id(token).unwrap();
        assert_eq!(tokenizer.token_bytes(id), bytes, "{token}");
    }

    #[test]
    fn a_byte_level_token_has_the_bytes_that_its_characters_stand_for() {
        check(&TOKENIZERS[0], "Ġt", b" t");
        check(&TOKENIZERS[0], "ĊĊ", b"\n\n");
        check(&TOKENIZERS[0], "Ã", &[0xC3]);
        check(&TOKENIZERS[0], "<think>", b"<think>");
    }

    #[test]
    fn a_fallback_token_is_its_byte_and_a_stand_in_for_a_space_is_a_space() {
        check(&TOKENIZERS[1], "<0xC3>", &[0xC3]);
        check(&TOKENIZERS[1], "▁hello", b" hello");
        check(&TOKENIZERS[2], "▁", b" ");
    }

    #[test]
    fn a_special_token_has_the_bytes_of_its_name_and_an_unknown_id_has_none() {
        check(&TOKENIZERS[0], "<|im_end|>", b"<|im_end|>");
        check(&TOKENIZERS[1], "</s>", b"</s>");
        assert_eq!(TOKENIZERS[0].token_bytes(u32::MAX), b"");
        assert!(!TOKENIZERS[0].is_special_id(u32::MAX));
    }

    #[test]
    fn a_decoder_that_wants_the_whole_text_is_given_one_token() {
        let mut json = sentencepiece_json();
        json["decoder"] =
            json!({"type": "CTC", "pad_token": "a", "word_delimiter_token": "|", "cleanup": true});
        check(&tokenizer(&json), "b", b"b");
    }

    proptest! {
        #[test]
        fn the_bytes_of_tokens_join_to_their_text(ids in prop::collection::vec(0u32..270, 0..24)) {
            for tokenizer in TOKENIZERS.iter() {
                let shown: Vec<u32> = ids.iter().copied().filter(|id| !tokenizer.is_special_id(*id)).collect();
                let bytes: Vec<u8> = shown.iter().flat_map(|id| tokenizer.token_bytes(*id)).collect();
                let mut detokenizer = tokenizer.detokenizer().continuing();
                let mut text: String = shown.iter().map(|id| detokenizer.push(*id)).collect();
                text.push_str(&detokenizer.finish());
                // Bytes that are no text become U+FFFD in ways that differ between decoders.
                if let Ok(joined) = String::from_utf8(bytes) {
                    prop_assert_eq!(joined, text);
                }
            }
        }
    }
}
