//! What chat and completions ask for alike: the model, how to sample, how to answer.

use super::error::ApiError;
use super::fields::{Field, Fields};
use super::json::Json;
use super::limits;
use super::parameters::{self, Ignored, STREAM_OPTIONS};
use super::state::Served;
use crate::generation::GenerationParams;

/// How the answer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    Plain,
    Stream { include_usage: bool },
}

/// Refuses a model that is not served.
pub fn check_model(body: &Fields<'_>, served: &Served) -> Result<(), ApiError> {
    let field = body.require("model")?;
    let model = field.string()?;
    if model == served.model.id {
        Ok(())
    } else {
        Err(ApiError::unknown_model(model, &served.model.id))
    }
}

/// All but the maximum of tokens, whose default and name differ between the endpoints.
pub fn sampling(body: &Fields<'_>) -> Result<GenerationParams, ApiError> {
    let temperature = body
        .get("temperature")
        .map(|field| field.number("from 0 to 2", |t| (0.0..=2.0).contains(&t)))
        .transpose()?;
    let top_p = body
        .get("top_p")
        .map(|field| field.number("from 0 to 1", |p| (0.0..=1.0).contains(&p)))
        .transpose()?;
    let seed = body
        .get("seed")
        .map(|field| field.integer(i64::MIN..=i64::MAX))
        .transpose()?;
    let n = body
        .get("n")
        .map(|field| field.count(limits::MAX_N))
        .transpose()?;
    Ok(GenerationParams {
        max_tokens: None,
        temperature: temperature.map(|t| t as f32),
        // 0 keeps the most probable token, as the smallest positive number does.
        top_p: top_p.map(|p| (p as f32).max(f32::MIN_POSITIVE)),
        seed: seed.map(i64::cast_unsigned),
        stop: body
            .get("stop")
            .map(|field| stop(&field))
            .transpose()?
            .unwrap_or_default(),
        n: n.unwrap_or(1),
    })
}

/// `max_tokens` or `max_completion_tokens`.
pub fn max_tokens(field: &Field<'_>) -> Result<usize, ApiError> {
    field.count(limits::MAX_MAX_TOKENS)
}

pub fn delivery(body: &Fields<'_>, ignored: &mut Ignored) -> Result<Delivery, ApiError> {
    let stream = body
        .get("stream")
        .map(|field| field.boolean())
        .transpose()?
        .unwrap_or(false);
    let Some(options) = body.get("stream_options") else {
        return Ok(if stream {
            Delivery::Stream {
                include_usage: false,
            }
        } else {
            Delivery::Plain
        });
    };
    let fields = options.object()?;
    parameters::check(STREAM_OPTIONS, &fields, ignored)?;
    let include_usage = fields
        .get("include_usage")
        .map(|field| field.boolean())
        .transpose()?;
    if !stream {
        return Err(options.must("be left out unless `stream` is true"));
    }
    Ok(Delivery::Stream {
        include_usage: include_usage.unwrap_or(false),
    })
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
