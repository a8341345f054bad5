//! What chat and completions ask for alike beside sampling: how to answer.

use super::error::ApiError;
use super::fields::Fields;
use super::output_format::Wanted;
use super::parameters::{self, Ignored, STREAM_OPTIONS};
use crate::generation::GenerationParams;
use crate::privacy::Session;
use std::sync::Arc;

/// What is asked of the model.
#[derive(Default)]
pub struct Ask {
    pub params: GenerationParams,
    /// Compiled once there is room for the answer.
    pub format: Option<Wanted>,
    /// Stands for values, which come back into the answer.
    pub private: Option<Arc<Session>>,
    /// What the answer begins with, which was generated before.
    pub said: Option<Said>,
}

/// What was generated before an answer, and belongs to it.
#[derive(Debug, Clone)]
pub struct Said {
    pub text: String,
    /// A part of it came to its most tokens.
    pub was_cut: bool,
}

/// How the answer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    Plain,
    Stream { include_usage: bool },
}

pub fn delivery(body: &Fields<'_>, ignored: &mut Ignored) -> Result<Delivery, ApiError> {
    let stream = body.flag("stream")?.unwrap_or(false);
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
    let include_usage = fields.flag("include_usage")?;
    if !stream {
        return Err(options.must("be left out unless `stream` is true"));
    }
    Ok(Delivery::Stream {
        include_usage: include_usage.unwrap_or(false),
    })
}
