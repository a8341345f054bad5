//! `tokenizer.json` from the vocabulary of a GGUF file.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::ImportError;
use super::metadata::Metadata;
use super::pre_tokenizer::PreTokenizer;

/// A byte-level BPE vocabulary: every token unique, every merge made of tokens.
#[derive(Debug)]
pub(super) struct Vocabulary<'a> {
    tokens: &'a [String],
    kinds: Vec<TokenKind>,
    merges: Vec<(&'a str, &'a str)>,
    pre_tokenizer: PreTokenizer,
    ids: HashMap<&'a str, u32>,
    /// Written before every text.
    pub(super) bos: Option<u32>,
    /// Written after every text.
    pub(super) eos: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    Normal,
    /// Control tokens; text never becomes one unless it may.
    Control,
    /// Recognised as a whole in any text.
    UserDefined,
    /// Fills the table up; no text has it.
    Unused,
}

impl TokenKind {
    fn from_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::Normal),
            // "Unknown" is a control token in all but name.
            2 | 3 => Some(Self::Control),
            4 => Some(Self::UserDefined),
            5 => Some(Self::Unused),
            _ => None,
        }
    }
}

impl<'a> Vocabulary<'a> {
    pub(super) fn from_gguf(
        metadata: &Metadata<'a>,
        vocab_size: usize,
    ) -> Result<Self, ImportError> {
        match metadata.text("tokenizer.ggml.model")? {
            "gpt2" => {}
            "llama" => {
                return Err(ImportError::Unsupported(
                    "SentencePiece tokenizers (tokenizer.ggml.model \"llama\") are not imported; \
                     pull the model's Hugging Face form instead"
                        .into(),
                ));
            }
            other => {
                return Err(ImportError::Unsupported(format!(
                    "the tokenizer kind {other:?} is not imported"
                )));
            }
        }
        let pre_tokenizer = PreTokenizer::by_name(
            metadata
                .optional_text("tokenizer.ggml.pre")?
                .unwrap_or("missing"),
        )?;
        let tokens = metadata.texts("tokenizer.ggml.tokens")?;
        if tokens.is_empty() || tokens.len() > vocab_size {
            return Err(ImportError::Malformed(format!(
                "the vocabulary has {} tokens, but the embeddings have {vocab_size} rows",
                tokens.len()
            )));
        }
        let kinds = kinds(metadata, tokens.len())?;
        let mut ids = HashMap::with_capacity(tokens.len());
        for (id, (token, kind)) in tokens.iter().zip(&kinds).enumerate() {
            if *kind != TokenKind::Unused && ids.insert(token.as_str(), id as u32).is_some() {
                return Err(ImportError::Malformed(format!(
                    "the token {token:?} stands twice in the vocabulary"
                )));
            }
        }
        let merges = merges(metadata.texts("tokenizer.ggml.merges")?, &ids)?;
        let wrapped = |flag: &str, id: &str, default: bool| match metadata
            .optional_bool(flag)?
            .unwrap_or(default)
        {
            true => metadata.optional_index(id),
            false => Ok(None),
        };
        let bos = wrapped(
            "tokenizer.ggml.add_bos_token",
            "tokenizer.ggml.bos_token_id",
            pre_tokenizer.add_bos_by_default,
        )?;
        let eos = wrapped(
            "tokenizer.ggml.add_eos_token",
            "tokenizer.ggml.eos_token_id",
            false,
        )?;
        Ok(Self {
            tokens,
            kinds,
            merges,
            pre_tokenizer,
            ids,
            bos,
            eos,
        })
    }

    pub(super) fn id(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied()
    }

    pub(super) fn is_control(&self, id: u32) -> bool {
        self.kinds.get(id as usize) == Some(&TokenKind::Control)
    }

    /// The text of a token that `key` names.
    pub(super) fn token(&self, id: u32, key: &str) -> Result<&'a str, ImportError> {
        match self.tokens.get(id as usize) {
            Some(token) => Ok(token),
            None => Err(ImportError::Malformed(format!(
                "{key} is {id}, which is no token"
            ))),
        }
    }

    pub(super) fn tokenizer_json(&self) -> Result<Value, ImportError> {
        let mut vocab = Map::with_capacity(self.tokens.len());
        let mut added = Vec::new();
        for (id, (token, kind)) in self.tokens.iter().zip(&self.kinds).enumerate() {
            if *kind != TokenKind::Unused {
                vocab.insert(token.clone(), id.into());
            }
            if matches!(kind, TokenKind::Control | TokenKind::UserDefined) {
                added.push(json!({
                    "id": id,
                    "content": token,
                    "single_word": false,
                    "lstrip": false,
                    "rstrip": false,
                    "normalized": false,
                    "special": *kind == TokenKind::Control,
                }));
            }
        }
        Ok(json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": added,
            "normalizer": self.pre_tokenizer.normalizer,
            "pre_tokenizer": self.pre_tokenizer.pre_tokenizer,
            "post_processor": self.post_processor()?,
            "decoder": self.pre_tokenizer.decoder,
            "model": {
                "type": "BPE",
                "dropout": null,
                "unk_token": null,
                "continuing_subword_prefix": null,
                "end_of_word_suffix": null,
                "fuse_unk": false,
                "byte_fallback": false,
                "ignore_merges": self.pre_tokenizer.ignore_merges,
                "vocab": vocab,
                "merges": self.merges,
            },
        }))
    }

    /// Writes BOS and EOS around a text, where the file asks for it.
    fn post_processor(&self) -> Result<Value, ImportError> {
        if self.bos.is_none() && self.eos.is_none() {
            return Ok(Value::Null);
        }
        let mut specials = Map::new();
        for id in [self.bos, self.eos].into_iter().flatten() {
            let token = self.token(id, "a token id")?;
            specials.insert(
                token.to_owned(),
                json!({"id": token, "ids": [id], "tokens": [token]}),
            );
        }
        let around = |sequence: &str, type_id: u32| -> Result<Vec<Value>, ImportError> {
            let special = |id: Option<u32>| -> Result<Option<Value>, ImportError> {
                let Some(id) = id else { return Ok(None) };
                let token = self.token(id, "a token id")?;
                Ok(Some(
                    json!({"SpecialToken": {"id": token, "type_id": type_id}}),
                ))
            };
            let text = json!({"Sequence": {"id": sequence, "type_id": type_id}});
            Ok([special(self.bos)?, Some(text), special(self.eos)?]
                .into_iter()
                .flatten()
                .collect())
        };
        let single = around("A", 0)?;
        let pair = [around("A", 0)?, around("B", 1)?].concat();
        Ok(
            json!({"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": specials}),
        )
    }
}

fn kinds(metadata: &Metadata<'_>, num_tokens: usize) -> Result<Vec<TokenKind>, ImportError> {
    let Some(numbers) = metadata.optional_integers("tokenizer.ggml.token_type")? else {
        return Ok(vec![TokenKind::Normal; num_tokens]);
    };
    if numbers.len() != num_tokens {
        return Err(ImportError::Malformed(
            "tokenizer.ggml.token_type does not have one number a token".into(),
        ));
    }
    numbers
        .iter()
        .map(|number| {
            TokenKind::from_number(*number).ok_or_else(|| {
                ImportError::Unsupported(format!("the token type {number} is not imported"))
            })
        })
        .collect()
}

/// Splits merges at their space; tokens of a byte-level vocabulary contain none.
fn merges<'a>(
    lines: &'a [String],
    ids: &HashMap<&'a str, u32>,
) -> Result<Vec<(&'a str, &'a str)>, ImportError> {
    lines
        .iter()
        .map(|line| {
            let pair = line.split_once(' ').filter(|(left, right)| {
                ids.contains_key(left)
                    && ids.contains_key(right)
                    && ids.contains_key(format!("{left}{right}").as_str())
            });
            pair.ok_or_else(|| {
                ImportError::Malformed(format!("the merge {line:?} is not made of two tokens"))
            })
        })
        .collect()
}
