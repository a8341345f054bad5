//! The bridge between text and tokens: a prompt becomes a stream of events.
//!
//! Owns served models, defaults, stop strings and the merging of choices. Refuses to know
//! HTTP or tensors.

use crate::engine::Engine;
use crate::text::{ChatMessage, ChatTemplate, Tokenizer};
use std::sync::Arc;
use std::time::SystemTime;

/// A loaded checkpoint with the id that clients use.
pub struct ServedModel {
    pub id: String,
    /// Unix seconds of the checkpoint's newest file.
    pub created: u64,
    pub engine: Engine,
    pub tokenizer: Arc<Tokenizer>,
    /// None: the checkpoint has no chat template, so chat is refused.
    pub chat_template: Option<ChatTemplate>,
    pub defaults: SamplingDefaults,
    /// Ids that end a generation, from generation_config.json and config.json.
    pub stop_token_ids: Arc<[u32]>,
}

/// What a request leaves open: manifest over generation_config.json over OpenAI's.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingDefaults {
    pub temperature: f32,
    pub top_p: f32,
    pub top_k: Option<usize>,
}

/// Validated generation parameters; `None` takes the served model's default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GenerationParams {
    /// None: the rest of the context.
    pub max_tokens: Option<usize>,
    /// 0 to 2.
    pub temperature: Option<f32>,
    /// Above 0, at most 1.
    pub top_p: Option<f32>,
    pub seed: Option<u64>,
    /// At most 4 strings, none empty.
    pub stop: Vec<String>,
    /// Choices for each prompt; at least 1.
    pub n: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub enum CompletionPrompt {
    Text(String),
    Tokens(Vec<u32>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum GenerationEvent {
    /// Text that is final: never half a character, never part of a stop string.
    Delta { choice: usize, text: String },
    /// The last event of a choice.
    Finished { choice: usize, reason: FinishReason, num_completion_tokens: usize },
    /// The last event of the generation.
    Failed(GenerationError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    Stop,
    Length,
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GenerationError {
    #[error("this model's maximum context length is {max_model_len} tokens, but the request has {num_prompt_tokens} in the prompt and asks for {max_tokens} more")]
    ContextLength { max_model_len: usize, num_prompt_tokens: usize, max_tokens: usize },
    #[error("the prompt is empty")]
    EmptyPrompt,
    #[error("token id {id} is not in the vocabulary of {vocab_size}")]
    UnknownToken { id: u32, vocab_size: usize },
    #[error("this model has no chat template")]
    NoChatTemplate,
    /// The template refused the messages, in its own words.
    #[error("{0}")]
    Template(String),
    #[error("the server is busy: its queue is full")]
    Overloaded,
    #[error("the engine has stopped")]
    Stopped,
    #[error("internal: {0}")]
    Internal(String),
}

/// A running generation. Dropping it cancels every choice.
pub struct Generation {
    /// Over all prompts.
    pub num_prompt_tokens: usize,
    /// Prompts times `n`; choice `p * n + i` is the i-th of prompt p.
    pub num_choices: usize,
}

impl Generation {
    /// The next event of any choice, or `None` after the last.
    pub async fn next(&mut self) -> Option<GenerationEvent> {
        todo!()
    }
}

impl ServedModel {
    pub fn max_model_len(&self) -> usize {
        self.engine.config().max_model_len
    }

    /// `clock` is the one time value that the template may print.
    pub fn chat(
        &self,
        _messages: &[ChatMessage],
        _params: &GenerationParams,
        _clock: SystemTime,
    ) -> Result<Generation, GenerationError> {
        todo!()
    }

    /// `max_tokens` absent means the rest of the context here too; the API applies 16.
    pub fn complete(
        &self,
        _prompts: &[CompletionPrompt],
        _params: &GenerationParams,
    ) -> Result<Generation, GenerationError> {
        todo!()
    }
}
