//! The small JSON files of a checkpoint directory that say how its text is made.

use super::TextError;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

/// Names such as `bos_token` with their strings.
pub(super) type SpecialTokens = BTreeMap<String, String>;

pub(super) fn file_error(path: &Path, message: impl ToString) -> TextError {
    TextError::File {
        path: path.to_path_buf(),
        message: message.to_string(),
    }
}

/// What the library's `error` about `tokenizer.json` means, where its own words say little.
pub(super) fn not_a_tokenizer(bytes: &[u8], error: impl ToString) -> String {
    const KINDS: [&str; 4] = ["BPE", "Unigram", "WordLevel", "WordPiece"];
    let file: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let kind = file.get("model").and_then(|model| model.get("type"));
    match (file.get("model"), kind.and_then(Value::as_str)) {
        (None, _) => "is not a tokenizer: it has no `model`".to_owned(),
        (Some(_), Some(kind)) if !KINDS.contains(&kind) => format!(
            "is not a tokenizer that is known: its model is {kind}; known are {}",
            KINDS.join(", ")
        ),
        _ => format!("is not a tokenizer: {}", error.to_string()),
    }
}

/// The file's text, or `None` if there is no such file.
pub(super) fn read_optional(path: &Path) -> Result<Option<String>, TextError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file_error(path, format!("cannot be read: {error}"))),
    }
}

/// `tokenizer_config.json`, completed from `special_tokens_map.json`; empty if neither exists.
pub(super) fn read_tokenizer_config(
    dir: &Path,
) -> Result<serde_json::Map<String, Value>, TextError> {
    let mut config = read_object(&dir.join("tokenizer_config.json"))?;
    for (name, value) in read_object(&dir.join("special_tokens_map.json"))? {
        if config.get(&name).is_none_or(Value::is_null) {
            config.insert(name, value);
        }
    }
    Ok(config)
}

fn read_object(path: &Path) -> Result<serde_json::Map<String, Value>, TextError> {
    let Some(text) = read_optional(path)? else {
        return Ok(serde_json::Map::new());
    };
    match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(file_error(path, "is not a JSON object")),
        Err(error) => Err(file_error(path, format!("is not valid JSON: {error}"))),
    }
}

/// Every `*_token` of the configuration that is a string, or an object with its content.
pub(super) fn special_tokens(config: &serde_json::Map<String, Value>) -> SpecialTokens {
    let named = config.iter().filter(|(name, _)| name.ends_with("_token"));
    named
        .filter_map(|(name, value)| Some((name.clone(), token_content(value)?.to_owned())))
        .collect()
}

pub(super) fn token_content(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("content")?.as_str())
}
