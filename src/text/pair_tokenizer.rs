use super::TextError;
use super::checkpoint::{file_error, not_a_tokenizer};
use std::path::Path;
use tokenizers::{Encoding, PostProcessor as _, TruncationDirection};

/// The tokenizer of an encoder: one text, or two that are looked at together, between the special
/// tokens that the checkpoint says.
///
/// What stands in a text is literal: a `[SEP]` that a caller wrote is no separator.
pub struct PairTokenizer {
    pipeline: tokenizers::Tokenizer,
}

/// Token ids, and where those of the second text begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokenized {
    pub ids: Vec<u32>,
    /// The length where there is no second text, or the model does not tell it from the first.
    pub second: usize,
    /// The tokens before anything was cut off.
    pub num_uncut: usize,
}

/// What may be cut off a text that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    Nothing,
    /// The end of the second text, or of the only one, so that the whole has so many tokens.
    ToTotal(usize),
    /// The end of the second text, so that it has so many tokens itself.
    ToSecond(usize),
    /// As [`Cut::ToTotal`], but the beginning.
    BeginningToTotal(usize),
}

impl PairTokenizer {
    /// Reads `tokenizer.json` of a checkpoint directory.
    pub fn from_dir(dir: &Path) -> Result<Self, TextError> {
        let path = dir.join("tokenizer.json");
        let bytes = std::fs::read(&path)
            .map_err(|error| file_error(&path, format!("cannot be read: {error}")))?;
        // The library panics on some broken files.
        let loaded = std::panic::catch_unwind(|| {
            let mut pipeline = tokenizers::Tokenizer::from_bytes(&bytes)?;
            // A tokenizer.json may carry the truncation and padding of somebody's training run.
            pipeline.with_truncation(None)?;
            pipeline.with_padding(None);
            pipeline.set_encode_special_tokens(true);
            Ok::<_, tokenizers::Error>(Self { pipeline })
        });
        match loaded {
            Ok(Ok(tokenizer)) => Ok(tokenizer),
            Ok(Err(error)) => Err(file_error(&path, not_a_tokenizer(&bytes, error))),
            Err(_) => Err(file_error(
                &path,
                "is not a tokenizer: a part of it is broken",
            )),
        }
    }

    /// One more than the highest id.
    pub fn vocab_size(&self) -> usize {
        let ids = self.pipeline.get_vocab(true).into_values();
        ids.max().map_or(0, |id| id as usize + 1)
    }

    /// The same without added tokens, which may be meant for other models of the family.
    pub fn text_vocab_size(&self) -> usize {
        let ids = self.pipeline.get_vocab(false).into_values();
        ids.max().map_or(0, |id| id as usize + 1)
    }

    /// A text, or two, between special tokens.
    pub fn encode(
        &self,
        first: &str,
        second: Option<&str>,
        cut: Cut,
    ) -> Result<Tokenized, TextError> {
        let failed = |error: tokenizers::Error| TextError::Tokenize(error.to_string());
        let encode = |text: &str| self.pipeline.encode_fast(text, false);
        let mut first = encode(first).map_err(failed)?;
        let mut second = second.map(encode).transpose().map_err(failed)?;
        let processor = self.pipeline.get_post_processor();
        let num_special = processor.map_or(0, |p| p.added_tokens(second.is_some()));
        let num_uncut = num_special + first.len() + second.as_ref().map_or(0, Encoding::len);
        // What stays whole: the first of two.
        let kept = num_special + second.as_ref().map_or(0, |_| first.len());
        let last = second.as_mut().unwrap_or(&mut first);
        let (len, direction) = match cut {
            Cut::Nothing => (last.len(), TruncationDirection::Right),
            Cut::ToTotal(len) => (len.saturating_sub(kept), TruncationDirection::Right),
            Cut::BeginningToTotal(len) => (len.saturating_sub(kept), TruncationDirection::Left),
            Cut::ToSecond(len) => (len, TruncationDirection::Right),
        };
        last.truncate(len, 0, direction);
        let whole = self
            .pipeline
            .post_process(first, second, true)
            .map_err(failed)?;
        let types = whole.get_type_ids();
        Ok(Tokenized {
            ids: whole.get_ids().to_vec(),
            second: types.iter().position(|t| *t == 1).unwrap_or(types.len()),
            num_uncut,
        })
    }
}
