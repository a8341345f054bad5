use super::checkpoint::{
    file_error, not_a_tokenizer, read_tokenizer_config, special_tokens, token_content,
};
use super::decoder::DecodePlan;
use super::guarded_encoding::AddedTokenMatchers;
use super::reserved::ReservedStrings;
use super::{Detokenizer, GuardedText, TextError};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tokenizers::AddedToken;

/// The tokenizer of a checkpoint.
pub struct Tokenizer {
    pub(super) pipeline: tokenizers::Tokenizer,
    pub(super) reserved: ReservedStrings,
    pub(super) matchers: AddedTokenMatchers,
    pub(super) decode_plan: DecodePlan,
    vocab_size: usize,
}

impl Tokenizer {
    /// Reads `tokenizer.json` of a checkpoint directory, and the added tokens of
    /// `tokenizer_config.json` and `special_tokens_map.json` where they exist.
    pub fn from_dir(dir: &Path) -> Result<Self, TextError> {
        let path = dir.join("tokenizer.json");
        let bytes = std::fs::read(&path)
            .map_err(|error| file_error(&path, format!("cannot be read: {error}")))?;
        let config = read_tokenizer_config(dir)?;
        // The library panics on some broken files.
        let loaded = std::panic::catch_unwind(|| {
            let mut pipeline = tokenizers::Tokenizer::from_bytes(&bytes)
                .map_err(|error| file_error(&path, not_a_tokenizer(&bytes, error)))?;
            add_configured_tokens(&mut pipeline, &config)
                .map_err(|error| file_error(&dir.join("tokenizer_config.json"), error))?;
            Self::from_pipeline(pipeline)
                .map_err(|error| file_error(&path, format!("cannot be used: {error}")))
        });
        loaded.unwrap_or_else(|_| {
            Err(file_error(
                &path,
                "is not a tokenizer: a part of it is broken",
            ))
        })
    }

    pub(super) fn from_pipeline(
        mut pipeline: tokenizers::Tokenizer,
    ) -> Result<Self, tokenizers::Error> {
        // A tokenizer.json may carry the truncation and padding of somebody's training run.
        pipeline.with_truncation(None)?;
        pipeline.with_padding(None);
        pipeline.set_encode_special_tokens(false);
        let vocab_size = pipeline
            .get_vocab(true)
            .values()
            .max()
            .map_or(0, |id| *id as usize + 1);
        let reserved = ReservedStrings::of(&pipeline)?;
        let matchers = AddedTokenMatchers::of(&pipeline)?;
        let decode_plan = DecodePlan::of(pipeline.get_decoder());
        Ok(Self {
            pipeline,
            reserved,
            matchers,
            decode_plan,
            vocab_size,
        })
    }

    /// One more than the highest id.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// One more than the highest id that text has without added tokens: those may be meant for
    /// other models of the family, such as ones that see.
    pub fn text_vocab_size(&self) -> usize {
        let ids = self.pipeline.get_vocab(false).into_values();
        ids.max().map_or(0, |id| id as usize + 1)
    }

    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.pipeline.token_to_id(token)
    }

    /// Encodes a rendered chat; adds no special tokens of its own (the template wrote them).
    ///
    /// Unless a caller's text would be taken for a control token, this is one ordinary encode
    /// of the whole text.
    pub fn encode_guarded(&self, text: &GuardedText) -> Result<Vec<u32>, TextError> {
        if text.literals().is_empty() || !self.would_misread(text) {
            return self.encode(text.as_str(), false);
        }
        self.encode_around_literals(text)
            .map_err(|error| TextError::Tokenize(error.to_string()))
    }

    /// Encodes the prompt of a completion: template text, reserved strings are recognised,
    /// special tokens added as `transformers` does.
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>, TextError> {
        self.encode(text, true)
    }

    /// Encodes a text without special tokens of its own; reserved strings are recognised.
    pub fn encode_bare(&self, text: &str) -> Result<Vec<u32>, TextError> {
        self.encode(text, false)
    }

    /// The text of some tokens, without special ones.
    pub fn decode(self: &Arc<Self>, ids: &[u32]) -> String {
        let mut detokenizer = self.detokenizer();
        let mut text: String = ids.iter().map(|id| detokenizer.push(*id)).collect();
        text.push_str(&detokenizer.finish());
        text
    }

    /// An incremental detokenizer; special tokens are skipped.
    pub fn detokenizer(self: &Arc<Self>) -> Detokenizer {
        Detokenizer::new(Arc::clone(self))
    }

    /// The token as the vocabulary writes it; `None` for unknown ids.
    pub fn written(&self, id: u32) -> Option<String> {
        self.pipeline
            .get_added_vocabulary()
            .simple_id_to_token(id)
            .or_else(|| self.pipeline.id_to_token(id))
    }

    pub(super) fn is_special(&self, written: &str) -> bool {
        self.pipeline
            .get_added_vocabulary()
            .is_special_token(written)
    }

    fn encode(&self, text: &str, add_special_tokens: bool) -> Result<Vec<u32>, TextError> {
        let encoding = self.pipeline.encode_fast(text, add_special_tokens);
        let encoding = encoding.map_err(|error| TextError::Tokenize(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }
}

/// Adds what `transformers` adds when it loads a tokenizer: tokens that only the
/// configuration declares, or declares with other flags.
fn add_configured_tokens(
    pipeline: &mut tokenizers::Tokenizer,
    config: &serde_json::Map<String, Value>,
) -> Result<(), String> {
    let mut declared = BTreeMap::new();
    if let Some(Value::Object(entries)) = config.get("added_tokens_decoder") {
        for (id, token) in entries {
            let id: u32 = id
                .parse()
                .map_err(|_| format!("added_tokens_decoder: {id:?} is not a token id"))?;
            declared.insert(
                id,
                added_token(token)
                    .ok_or_else(|| format!("added_tokens_decoder: no content for {id}"))?,
            );
        }
    }
    let known = pipeline.get_added_tokens_decoder();
    let mut tokens: Vec<AddedToken> = declared
        .into_values()
        .filter(|token| !known.values().any(|other| other == token))
        .collect();
    let named = special_tokens(config).into_values();
    let extra = ["additional_special_tokens", "extra_special_tokens"]
        .into_iter()
        .filter_map(|key| config.get(key));
    let extra = extra.flat_map(|value| match value {
        Value::Array(items) => items
            .iter()
            .filter_map(token_content)
            .map(str::to_owned)
            .collect(),
        Value::Object(items) => items
            .values()
            .filter_map(token_content)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    });
    for content in named.chain(extra) {
        let exists = known.values().any(|token| token.content == content);
        if !exists && !content.is_empty() && !tokens.iter().any(|token| token.content == content) {
            tokens.push(AddedToken::from(content, true));
        }
    }
    pipeline
        .add_tokens(tokens)
        .map_err(|error| error.to_string())?;
    Ok(())
}

fn added_token(value: &Value) -> Option<AddedToken> {
    let flag = |name: &str| value.get(name).and_then(Value::as_bool);
    let special = flag("special").unwrap_or(false);
    let token = AddedToken::from(token_content(value)?, special)
        .single_word(flag("single_word").unwrap_or(false))
        .lstrip(flag("lstrip").unwrap_or(false))
        .rstrip(flag("rstrip").unwrap_or(false));
    Some(token.normalized(flag("normalized").unwrap_or(!special)))
}
