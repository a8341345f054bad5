//! Text or token ids, one or several: the `prompt` of a completion and the `input` of embeddings.

use super::error::ApiError;
use super::fields::Field;
use super::json::Json;
use super::limits::MAX_JSON_VALUES;
use crate::generation::CompletionPrompt;

const FORMS: &str =
    "be a string, an array of strings, an array of token ids or an array of arrays of token ids";

/// Reads a field in its four forms; `of` says in words what it holds up to `max` of.
pub fn parse(field: &Field<'_>, of: &str, max: usize) -> Result<Vec<CompletionPrompt>, ApiError> {
    let Json::Array(items) = field.value() else {
        return match field.value() {
            Json::String(_) => Ok(vec![text(field)?]),
            other => Err(field.must(format_args!("{FORMS}, but is {}", other.describe()))),
        };
    };
    match items.first() {
        Some(Json::Integer(_)) => Ok(vec![tokens(field)?]),
        Some(Json::String(_)) => field.items(of, max)?.map(|p| text(&p)).collect(),
        Some(Json::Array(_)) => field.items(of, max)?.map(|p| tokens(&p)).collect(),
        Some(other) => Err(field.must(format_args!("{FORMS}, but holds {}", other.describe()))),
        None => Err(field.must(format_args!("hold 1 to {max} {of}, but is an empty array"))),
    }
}

fn text(field: &Field<'_>) -> Result<CompletionPrompt, ApiError> {
    Ok(CompletionPrompt::Text(field.string()?.to_owned()))
}

fn tokens(field: &Field<'_>) -> Result<CompletionPrompt, ApiError> {
    Ok(CompletionPrompt::Tokens(token_ids(field, u32::MAX)?))
}

/// An array of token ids up to `max`.
pub fn token_ids(field: &Field<'_>, max: u32) -> Result<Vec<u32>, ApiError> {
    field
        .items("token ids", MAX_JSON_VALUES)?
        .map(|item| {
            let id = item.integer(0..=i64::from(max))?;
            u32::try_from(id).map_err(|_| item.must("be a token id"))
        })
        .collect()
}
