//! `tokenizer.json` from the vocabulary of a GGUF file.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::ImportError;
use super::architecture::SentencePieceStyle;
use super::metadata::Metadata;
use super::pre_tokenizer::PreTokenizer;
use super::sentence_piece::SentencePiece;

/// A vocabulary: every token unique, every merge made of tokens.
#[derive(Debug)]
pub(super) struct Vocabulary<'a> {
    tokens: Vec<Cow<'a, str>>,
    kinds: Vec<TokenKind>,
    model: Model<'a>,
    ids: HashMap<Cow<'a, str>, u32>,
    /// Written before every text.
    pub(super) bos: Option<u32>,
    /// Written after every text.
    pub(super) eos: Option<u32>,
}

/// How text is cut and merged.
#[derive(Debug)]
enum Model<'a> {
    ByteLevel {
        pre_tokenizer: &'static PreTokenizer,
        merges: Vec<(&'a str, &'a str)>,
    },
    SentencePiece(SentencePiece),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    Normal,
    /// Stands for what no other token does; a control token in all but name.
    Unknown,
    /// Control tokens; text never becomes one unless it may.
    Control,
    /// Recognised as a whole in any text.
    UserDefined,
    /// Fills the table up; no text has it.
    Unused,
    /// One byte of a character that no token has.
    Byte,
}

impl TokenKind {
    fn from_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::Normal),
            2 => Some(Self::Unknown),
            3 => Some(Self::Control),
            4 => Some(Self::UserDefined),
            5 => Some(Self::Unused),
            6 => Some(Self::Byte),
            _ => None,
        }
    }

    fn is_control(self) -> bool {
        matches!(self, Self::Unknown | Self::Control)
    }
}

impl<'a> Vocabulary<'a> {
    /// `style` is how a SentencePiece vocabulary is read, if it is one.
    pub(super) fn from_gguf(
        style: SentencePieceStyle,
        metadata: &Metadata<'a>,
        vocab_size: usize,
    ) -> Result<Self, ImportError> {
        refuse_variants(metadata)?;
        let tokens = metadata.texts("tokenizer.ggml.tokens")?;
        if tokens.is_empty() || tokens.len() > vocab_size {
            return Err(ImportError::Malformed(format!(
                "the vocabulary has {} tokens, but the embeddings have {vocab_size} rows",
                tokens.len()
            )));
        }
        let kinds = kinds(metadata, tokens.len())?;
        let kind = metadata.text("tokenizer.ggml.model")?;
        let tokens = match kind {
            "llama" => SentencePiece::respell(style, tokens, &kinds)?,
            _ => tokens.iter().map(|token| token.as_str().into()).collect(),
        };
        let ids = ids(&tokens, &kinds)?;
        let model = match kind {
            "gpt2" => {
                let name = metadata.optional_text("tokenizer.ggml.pre")?;
                Model::ByteLevel {
                    pre_tokenizer: PreTokenizer::by_name(name.unwrap_or("missing"))?,
                    merges: merges(metadata.texts("tokenizer.ggml.merges")?, &ids)?,
                }
            }
            "llama" => Model::SentencePiece(SentencePiece::from_gguf(
                style, metadata, &tokens, &kinds, &ids,
            )?),
            other => {
                return Err(ImportError::Unsupported(format!(
                    "the tokenizer kind {other:?} is not imported"
                )));
            }
        };
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
            match &model {
                Model::ByteLevel { pre_tokenizer, .. } => pre_tokenizer.add_bos_by_default,
                Model::SentencePiece(_) => true,
            },
        )?;
        let eos = wrapped(
            "tokenizer.ggml.add_eos_token",
            "tokenizer.ggml.eos_token_id",
            false,
        )?;
        Ok(Self {
            tokens,
            kinds,
            model,
            ids,
            bos,
            eos,
        })
    }

    pub(super) fn id(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied()
    }

    pub(super) fn is_control(&self, id: u32) -> bool {
        self.kinds
            .get(id as usize)
            .is_some_and(|kind| kind.is_control())
    }

    pub(super) fn is_byte_level(&self) -> bool {
        matches!(self.model, Model::ByteLevel { .. })
    }

    /// The text of a token that `key` names.
    pub(super) fn token(&self, id: u32, key: &str) -> Result<&str, ImportError> {
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
                vocab.insert(token.to_string(), id.into());
            }
            if kind.is_control() || *kind == TokenKind::UserDefined {
                added.push(json!({
                    "id": id,
                    "content": token,
                    "single_word": false,
                    "lstrip": false,
                    "rstrip": false,
                    "normalized": false,
                    "special": kind.is_control(),
                }));
            }
        }
        let mut model = json!({
            "type": "BPE",
            "dropout": null,
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "vocab": vocab,
        });
        let (normalizer, pre_tokenizer, decoder) = match &self.model {
            Model::ByteLevel {
                pre_tokenizer,
                merges,
            } => {
                model["unk_token"] = Value::Null;
                model["fuse_unk"] = json!(false);
                model["byte_fallback"] = json!(false);
                model["ignore_merges"] = json!(pre_tokenizer.ignore_merges);
                model["merges"] = json!(merges);
                (
                    pre_tokenizer.normalizer(),
                    pre_tokenizer.pre_tokenizer(),
                    pre_tokenizer.decoder(),
                )
            }
            Model::SentencePiece(sentence_piece) => {
                let unknown = self.token(sentence_piece.unknown(), "the unknown token")?;
                model["unk_token"] = json!(unknown);
                model["fuse_unk"] = json!(true);
                model["byte_fallback"] = json!(true);
                model["ignore_merges"] = json!(false);
                model["merges"] = json!(sentence_piece.merges());
                (
                    sentence_piece.normalizer(),
                    Value::Null,
                    sentence_piece.decoder(),
                )
            }
        };
        Ok(json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": added,
            "normalizer": normalizer,
            "pre_tokenizer": pre_tokenizer,
            "post_processor": self.post_processor()?,
            "decoder": decoder,
            "model": model,
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

/// What text may go through besides, with the only values that mean nothing.
fn refuse_variants(metadata: &Metadata<'_>) -> Result<(), ImportError> {
    for key in [
        "tokenizer.ggml.add_sep_token",
        "tokenizer.ggml.normalizer.lowercase",
        "tokenizer.ggml.normalizer.strip_accents",
        "tokenizer.ggml.remove_extra_whitespaces",
    ] {
        if metadata.optional_bool(key)? == Some(true) {
            return Err(ImportError::Unsupported(format!(
                "the tokenizer sets {key}, which is not imported"
            )));
        }
    }
    if metadata.has("tokenizer.ggml.precompiled_charsmap") {
        return Err(ImportError::Unsupported(
            "a tokenizer that normalises text by a table (tokenizer.ggml.precompiled_charsmap) is not imported".into(),
        ));
    }
    Ok(())
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

/// Of all tokens that are used.
fn ids<'a>(
    tokens: &[Cow<'a, str>],
    kinds: &[TokenKind],
) -> Result<HashMap<Cow<'a, str>, u32>, ImportError> {
    let mut ids = HashMap::with_capacity(tokens.len());
    for (id, (token, kind)) in tokens.iter().zip(kinds).enumerate() {
        if *kind != TokenKind::Unused && ids.insert(token.clone(), id as u32).is_some() {
            return Err(ImportError::Malformed(format!(
                "the token {token:?} stands twice in the vocabulary"
            )));
        }
    }
    Ok(ids)
}

/// Splits merges at their space; tokens of a byte-level vocabulary contain none.
fn merges<'a>(
    lines: &'a [String],
    ids: &HashMap<Cow<'_, str>, u32>,
) -> Result<Vec<(&'a str, &'a str)>, ImportError> {
    lines
        .iter()
        .map(|line| {
            let pair = line.split_once(' ').filter(|(left, right)| {
                ids.contains_key(*left)
                    && ids.contains_key(*right)
                    && ids.contains_key(format!("{left}{right}").as_str())
            });
            pair.ok_or_else(|| {
                ImportError::Malformed(format!("the merge {line:?} is not made of two tokens"))
            })
        })
        .collect()
}
