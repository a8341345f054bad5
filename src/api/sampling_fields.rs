//! How tokens are chosen and what ends an answer, as a request asks for it.

use super::error::ApiError;
use super::fields::{Field, Fields};
use super::json::Json;
use super::limits::{self, Range};
use super::state::Served;
use crate::generation::{GenerationParams, TopK};
use std::sync::Arc;

/// All but what differs between the endpoints: the maximum of tokens and the form of
/// log-probabilities.
pub fn parse(body: &Fields<'_>, served: &Served) -> Result<GenerationParams, ApiError> {
    let vocab_size = served.model.engines.config().vocab_size;
    let seed = body
        .get("seed")
        .map(|field| field.integer(i64::MIN..=i64::MAX))
        .transpose()?;
    let n = body
        .get("n")
        .map(|field| field.count(limits::MAX_N))
        .transpose()?;
    let top_p = number(body, "top_p", limits::TOP_P)?;
    let penalty = |name| number(body, name, limits::PENALTY);
    Ok(GenerationParams {
        temperature: number(body, "temperature", limits::TEMPERATURE)?,
        // 0 keeps the most probable token, as the smallest positive number does.
        top_p: top_p.map(|p| p.max(f32::MIN_POSITIVE)),
        top_k: body.get("top_k").map(|field| top_k(&field)).transpose()?,
        min_p: number(body, "min_p", limits::MIN_P)?,
        repetition_penalty: number(body, "repetition_penalty", limits::REPETITION_PENALTY)?,
        frequency_penalty: penalty("frequency_penalty")?.unwrap_or(0.0),
        presence_penalty: penalty("presence_penalty")?.unwrap_or(0.0),
        logit_bias: body
            .get("logit_bias")
            .map(|field| logit_bias(&field, vocab_size))
            .transpose()?
            .unwrap_or_default(),
        seed: seed.map(i64::cast_unsigned),
        stop: body
            .get("stop")
            .map(|field| stop(&field))
            .transpose()?
            .unwrap_or_default(),
        stop_token_ids: body
            .get("stop_token_ids")
            .map(|field| stop_token_ids(&field, vocab_size))
            .transpose()?
            .unwrap_or_default(),
        ignore_eos: body.flag("ignore_eos")?.unwrap_or(false),
        n: n.unwrap_or(1),
        ..GenerationParams::default()
    })
}

/// `max_tokens` or `max_completion_tokens`.
pub fn max_tokens(field: &Field<'_>) -> Result<usize, ApiError> {
    field.count(limits::MAX_MAX_TOKENS)
}

/// `min_tokens`, which no more may be than there may be tokens at all.
pub fn min_tokens(body: &Fields<'_>, max_tokens: Option<usize>) -> Result<usize, ApiError> {
    let Some(field) = body.get("min_tokens") else {
        return Ok(0);
    };
    let min_tokens = field.count_from(0, limits::MAX_MAX_TOKENS)?;
    match max_tokens {
        Some(max_tokens) if min_tokens > max_tokens => Err(field.must(format_args!(
            "be at most the maximum of {max_tokens} tokens, but is {min_tokens}"
        ))),
        _ => Ok(min_tokens),
    }
}

fn number(body: &Fields<'_>, name: &str, range: Range) -> Result<Option<f32>, ApiError> {
    let number = body
        .get(name)
        .map(|field| field.number(range))
        .transpose()?;
    Ok(number.map(|number| number as f32))
}

/// Other servers take -1 or 0 for all tokens.
fn top_k(field: &Field<'_>) -> Result<TopK, ApiError> {
    let k = field.integer(-1..=i64::from(u32::MAX))?;
    Ok(match usize::try_from(k) {
        Ok(0) | Err(_) => TopK::Off,
        Ok(k) => TopK::Most(k),
    })
}

/// An object of biases by token id.
fn logit_bias(field: &Field<'_>, vocab_size: usize) -> Result<Arc<[(u32, f32)]>, ApiError> {
    let fields = field.object()?;
    let count = fields.entries().count();
    if count > limits::MAX_LOGIT_BIAS {
        return Err(field.must(format_args!(
            "hold at most {} token ids, but holds {count}",
            limits::MAX_LOGIT_BIAS
        )));
    }
    fields
        .entries()
        .map(|(name, bias)| {
            let id = token_id(name, vocab_size).ok_or_else(|| {
                bias.must(format_args!(
                    "have a token id below {vocab_size} for its name"
                ))
            })?;
            let bias = bias.number(limits::BIAS)?;
            Ok((id, bias as f32))
        })
        .collect()
}

/// An id in the one way of writing it, so that no id is named twice.
fn token_id(name: &str, vocab_size: usize) -> Option<u32> {
    let id: u32 = name.parse().ok()?;
    ((id as usize) < vocab_size && id.to_string() == name).then_some(id)
}

fn stop_token_ids(field: &Field<'_>, vocab_size: usize) -> Result<Vec<u32>, ApiError> {
    if matches!(field.value(), Json::Array(items) if items.is_empty()) {
        return Ok(Vec::new());
    }
    field
        .items("token ids", limits::MAX_STOP_TOKEN_IDS)?
        .map(|item| {
            let max = u32::try_from(vocab_size.saturating_sub(1)).unwrap_or(u32::MAX);
            let id = item.integer(0..=i64::from(max))?;
            u32::try_from(id).map_err(|_| item.must("be a token id"))
        })
        .collect()
}

fn stop(field: &Field<'_>) -> Result<Vec<String>, ApiError> {
    match field.value() {
        Json::String(_) => Ok(vec![stop_string(field)?]),
        Json::Array(items) if items.is_empty() => Ok(Vec::new()),
        Json::Array(_) => field
            .items("strings", limits::MAX_STOP_STRINGS)?
            .map(|item| stop_string(&item))
            .collect(),
        other => Err(field.must(format_args!(
            "be a string or an array of up to {} strings, but is {}",
            limits::MAX_STOP_STRINGS,
            other.describe()
        ))),
    }
}

fn stop_string(field: &Field<'_>) -> Result<String, ApiError> {
    let stop = field.string()?;
    if stop.is_empty() || stop.len() > limits::MAX_STOP_BYTES {
        return Err(field.must(format_args!("have 1 to {} bytes", limits::MAX_STOP_BYTES)));
    }
    Ok(stop.to_owned())
}
