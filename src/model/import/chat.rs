//! Special tokens, what ends a generation, and the chat template.

use serde_json::{Map, Value, json};

use super::ImportError;
use super::metadata::Metadata;
use super::tokenizer::Vocabulary;

const TEMPLATE: &str = "tokenizer.chat_template";

/// Ends of a turn in published chat formats, for files that name no end-of-turn token.
const END_OF_TURN: [&str; 7] = [
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|end_of_turn|>",
    "<|return|>",
    "<|call|>",
];

/// Where turns end with the first two, as gpt-oss has it, the last one ends a message within a
/// turn.
const HARMONY: ([&str; 2], &str) = (["<|return|>", "<|call|>"], "<|end|>");

/// The tokens with a role, all of them in the vocabulary.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Specials {
    pub(super) bos: Option<u32>,
    pub(super) eos: Option<u32>,
    pub(super) pad: Option<u32>,
    unk: Option<u32>,
    /// Every id that ends a generation; EOS first.
    ends: Vec<u32>,
    chat_template: Option<String>,
    /// Templates for other uses, by name.
    named_templates: Vec<(String, String)>,
    /// What the maker of the model draws tokens with.
    sampling: Map<String, Value>,
}

/// GGUF's keys and the fields of `generation_config.json`.
const SAMPLING: [(&str, &str); 4] = [
    ("general.sampling.temp", "temperature"),
    ("general.sampling.top_p", "top_p"),
    ("general.sampling.min_p", "min_p"),
    ("general.sampling.penalty_repeat", "repetition_penalty"),
];

impl Specials {
    pub(super) fn from_gguf(
        metadata: &Metadata<'_>,
        vocabulary: &Vocabulary<'_>,
    ) -> Result<Self, ImportError> {
        let id = |role: &str| -> Result<Option<u32>, ImportError> {
            let key = format!("tokenizer.ggml.{role}_token_id");
            let id = metadata.optional_index(&key)?;
            id.map(|id| vocabulary.token(id, &key).map(|_| id))
                .transpose()
        };
        let chat_template = metadata.optional_text(TEMPLATE)?.map(str::to_owned);
        let eos = id("eos")?;
        let mut ends: Vec<u32> = [eos, id("eot")?, id("eom")?]
            .into_iter()
            .flatten()
            .collect();
        // A file may name only the end of the text: the template shows how turns end.
        let template = chat_template.as_deref().unwrap_or_default();
        let (of_turn, of_message) = HARMONY;
        let has_messages = of_turn.iter().all(|token| vocabulary.id(token).is_some());
        ends.extend(
            END_OF_TURN
                .iter()
                .filter(|token| !has_messages || **token != of_message)
                .filter(|token| template.contains(**token))
                .filter_map(|token| vocabulary.id(token))
                .filter(|id| vocabulary.is_control(*id)),
        );
        let mut seen = std::collections::BTreeSet::new();
        ends.retain(|id| seen.insert(*id));
        if ends.is_empty() {
            return Err(ImportError::Malformed(
                "the file names no token that ends a text".into(),
            ));
        }
        Ok(Self {
            bos: id("bos")?,
            eos,
            pad: id("padding")?,
            unk: id("unknown")?,
            ends,
            chat_template,
            named_templates: named_templates(metadata)?,
            sampling: sampling(metadata)?,
        })
    }

    pub(super) fn generation_config(&self) -> Value {
        let ends = match self.ends.as_slice() {
            [one] => json!(one),
            several => json!(several),
        };
        let mut config =
            json!({ "bos_token_id": self.bos, "eos_token_id": ends, "pad_token_id": self.pad });
        drop_nulls(&mut config);
        if let Value::Object(config) = &mut config {
            config.extend(self.sampling.clone());
        }
        config
    }

    /// One template as a text, several as a list with names.
    fn templates(&self) -> Value {
        let Some(template) = &self.chat_template else {
            return Value::Null;
        };
        if self.named_templates.is_empty() {
            return json!(template);
        }
        let others = self.named_templates.iter();
        let others = others.map(|(name, template)| json!({"name": name, "template": template}));
        std::iter::once(json!({"name": "default", "template": template}))
            .chain(others)
            .collect()
    }

    pub(super) fn tokenizer_config(&self, vocabulary: &Vocabulary<'_>, max_length: usize) -> Value {
        let token = |id: Option<u32>| id.and_then(|id| vocabulary.token(id, "a token id").ok());
        let mut config = json!({
            "add_bos_token": vocabulary.bos.is_some(),
            "add_eos_token": vocabulary.eos.is_some(),
            "add_prefix_space": vocabulary.is_byte_level().then_some(false),
            "bos_token": token(self.bos),
            "chat_template": self.templates(),
            "clean_up_tokenization_spaces": false,
            "eos_token": token(self.eos),
            "model_max_length": max_length,
            "pad_token": token(self.pad),
            "tokenizer_class": "PreTrainedTokenizerFast",
            "unk_token": token(self.unk),
        });
        drop_nulls(&mut config);
        config
    }
}

fn named_templates(metadata: &Metadata<'_>) -> Result<Vec<(String, String)>, ImportError> {
    let names = metadata.optional_texts("tokenizer.chat_templates")?;
    names
        .unwrap_or_default()
        .iter()
        .map(|name| {
            let template = metadata.text(&format!("{TEMPLATE}.{name}"))?;
            Ok((name.clone(), template.to_owned()))
        })
        .collect()
}

fn sampling(metadata: &Metadata<'_>) -> Result<Map<String, Value>, ImportError> {
    let mut fields = Map::new();
    if let Some(top_k) = metadata.optional_index("general.sampling.top_k")? {
        fields.insert("top_k".into(), json!(top_k));
    }
    for (key, field) in SAMPLING {
        if let Some(value) = metadata.optional_float(key)? {
            fields.insert(field.into(), json!(value));
        }
    }
    if fields.keys().any(|field| field != "repetition_penalty") {
        fields.insert("do_sample".into(), json!(true));
    }
    Ok(fields)
}

/// Leaves out what the file does not name: readers take a null for a value.
fn drop_nulls(config: &mut Value) {
    if let Value::Object(entries) = config {
        entries.retain(|_, value| !value.is_null());
    }
}
