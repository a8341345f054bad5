//! A generation that is measured and logged, and its fold into a plain answer.

use super::error::ApiError;
use super::metrics::Metrics;
use super::output_format::{self, Wanted};
use super::request::Ask;
use super::request_id::RequestId;
use super::restored::Restored;
use super::state::{ApiState, Served};
use crate::generation::{
    Caller, FinishReason, Generation, GenerationError, GenerationEvent, GenerationParams, Part,
    ServedModel, TokenLogprob,
};
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tracing::info;
use utoipa::ToSchema;

/// What every answer and chunk begins with.
#[derive(Debug, Clone)]
pub struct Head {
    pub id: String,
    pub created: u64,
    pub model: String,
    pub system_fingerprint: String,
}

/// Tokens of one request, all choices together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Usage {
    pub prompt_tokens: usize,
    pub completion_tokens: usize,
    pub total_tokens: usize,
    pub prompt_tokens_details: PromptTokensDetails,
    pub completion_tokens_details: CompletionTokensDetails,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct PromptTokensDetails {
    /// Found in the prefix cache. The choices of one prompt share it, so it counts once.
    pub cached_tokens: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct CompletionTokensDetails {
    /// Thought and not answered.
    pub reasoning_tokens: usize,
}

/// One choice of a plain answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Choice {
    pub text: String,
    pub reasoning: String,
    pub calls: Vec<Call>,
    /// Empty unless asked for.
    pub logprobs: Vec<TokenLogprob>,
    pub reason: Option<FinishReason>,
}

/// A function that an answer calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub name: String,
    /// JSON, if the model wrote it well.
    pub arguments: String,
}

/// A generation on its way to a client. Dropping it cancels what still runs.
pub struct Measured {
    generation: Generation,
    metrics: Arc<Metrics>,
    request_id: RequestId,
    started: Instant,
    last_text: Vec<Option<Instant>>,
    num_unfinished: usize,
    cached_tokens: usize,
    completion_tokens: usize,
    reasoning_tokens: usize,
    failed: bool,
    /// What the first choice begins with.
    said: Option<String>,
    /// A part of that came to its most tokens.
    was_cut: bool,
    restored: Option<Restored>,
    /// Events that one event became.
    ready: VecDeque<GenerationEvent>,
}

impl Head {
    /// `clock` is the request's one time value; `created` records it, so that a prompt whose
    /// template prints the date can be made again.
    pub fn new(prefix: &str, served: &Served, clock: SystemTime) -> Self {
        let created = clock
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        Self {
            id: format!("{prefix}-{}", super::random::hex()),
            created,
            model: served.model.id.clone(),
            system_fingerprint: served.system_fingerprint.clone(),
        }
    }
}

impl Measured {
    /// Starts a generation for `caller`, if there is room. `start` renders and tokenizes.
    pub async fn start(
        state: &ApiState,
        served: &Served,
        request_id: RequestId,
        caller: Caller,
        ask: Ask,
        prompt_field: &'static str,
        start: impl FnOnce(&ServedModel, &GenerationParams) -> Result<Generation, GenerationError>
        + Send
        + 'static,
    ) -> Result<Self, ApiError> {
        let started = Instant::now();
        let failed = |e: GenerationError| ApiError::from_generation(&e, prompt_field);
        let mut params = GenerationParams {
            caller,
            timeout: Some(state.request_timeout),
            ..ask.params
        };
        served.model.check_room(&params).map_err(failed)?;
        let is_json = ask.format.as_ref().is_some_and(Wanted::is_json);
        params.grammar = output_format::compile(state, served, caller, ask.format).await?;
        let model = Arc::clone(&served.model);
        let generation = state
            .beside_connections(caller, move || start(&model, &params))
            .await?
            .map_err(failed)?;
        Ok(Self {
            metrics: Arc::clone(&state.metrics),
            request_id,
            started,
            last_text: vec![None; generation.num_choices],
            num_unfinished: generation.num_choices,
            cached_tokens: 0,
            completion_tokens: 0,
            reasoning_tokens: 0,
            failed: false,
            restored: (ask.private)
                .map(|session| Restored::new(session, generation.num_choices, is_json)),
            was_cut: ask.said.as_ref().is_some_and(|said| said.was_cut),
            said: ask.said.map(|said| said.text),
            ready: VecDeque::new(),
            generation,
        })
    }

    pub fn num_choices(&self) -> usize {
        self.generation.num_choices
    }

    /// The chat template makes nothing of the messages' names.
    pub fn names_ignored(&self) -> bool {
        self.generation.names_ignored
    }

    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// The next event, with the values of the request in it; the last is that of the last choice,
    /// or `Failed`.
    pub async fn next(&mut self) -> Option<GenerationEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let event = match self.said.take() {
                Some(text) => GenerationEvent::Delta {
                    choice: 0,
                    part: Part::Content(text),
                    logprobs: Vec::new(),
                },
                None => self.next_written().await?,
            };
            match &mut self.restored {
                Some(restored) => self.ready.extend(restored.take(event)),
                None => return Some(event),
            }
        }
    }

    /// The next event, as the model wrote it.
    async fn next_written(&mut self) -> Option<GenerationEvent> {
        if self.num_unfinished == 0 || self.failed {
            return None;
        }
        let mut event = self.generation.next().await.unwrap_or_else(|| {
            GenerationEvent::Failed(GenerationError::Internal(
                "a generation ended before its last choice".to_owned(),
            ))
        });
        if let GenerationEvent::Finished { reason, .. } = &mut event
            && self.was_cut
        {
            *reason = FinishReason::Length;
        }
        match &event {
            GenerationEvent::Prompt {
                choice,
                num_cached_tokens,
            } => {
                // The others of a prompt find what the first has computed.
                if choice % self.generation.n == 0 {
                    self.cached_tokens += num_cached_tokens;
                }
            }
            GenerationEvent::Echo { .. } => {}
            GenerationEvent::Delta { choice, .. } => self.measure_text(*choice),
            GenerationEvent::Finished {
                num_completion_tokens,
                num_reasoning_tokens,
                ..
            } => {
                self.completion_tokens += num_completion_tokens;
                self.reasoning_tokens += num_reasoning_tokens;
                self.num_unfinished -= 1;
                if self.num_unfinished == 0 {
                    self.metrics.observe_end(self.started.elapsed());
                }
            }
            GenerationEvent::Failed(_) => self.failed = true,
        }
        Some(event)
    }

    /// What was used so far; all of it after the last event.
    pub fn usage(&self) -> Usage {
        let prompt_tokens = self.generation.num_prompt_tokens;
        Usage {
            prompt_tokens,
            completion_tokens: self.completion_tokens,
            total_tokens: prompt_tokens + self.completion_tokens,
            prompt_tokens_details: PromptTokensDetails {
                cached_tokens: self.cached_tokens,
            },
            completion_tokens_details: CompletionTokensDetails {
                reasoning_tokens: self.reasoning_tokens,
            },
        }
    }

    /// The plain answer: a fold over the same events that a stream sends.
    pub async fn collect(&mut self) -> Result<Vec<Choice>, GenerationError> {
        let mut answers = vec![Choice::default(); self.num_choices()];
        while let Some(event) = self.next().await {
            match event {
                GenerationEvent::Prompt { .. } => {}
                GenerationEvent::Echo {
                    choice,
                    text,
                    logprobs,
                } => answers[choice].add(Part::Content(text), logprobs),
                GenerationEvent::Delta {
                    choice,
                    part,
                    logprobs,
                } => answers[choice].add(part, logprobs),
                GenerationEvent::Finished { choice, reason, .. } => {
                    answers[choice].reason = Some(reason);
                }
                GenerationEvent::Failed(error) => return Err(error),
            }
        }
        if answers.iter().any(|answer| answer.reason.is_none()) {
            let message = "a choice did not finish".to_owned();
            return Err(GenerationError::Internal(message));
        }
        Ok(answers)
    }

    fn measure_text(&mut self, choice: usize) {
        let now = Instant::now();
        let Some(last) = self.last_text.get_mut(choice) else {
            return;
        };
        match last.replace(now) {
            None => self.metrics.observe_first_token(now - self.started),
            Some(last) => self.metrics.observe_inter_token(now - last),
        }
    }
}

impl Choice {
    fn add(&mut self, part: Part, logprobs: Vec<TokenLogprob>) {
        match part {
            Part::Content(text) => self.text.push_str(&text),
            Part::Reasoning(text) => self.reasoning.push_str(&text),
            Part::Call { name, .. } => self.calls.push(Call {
                name,
                arguments: String::new(),
            }),
            Part::Arguments { index, text } => {
                if let Some(call) = self.calls.get_mut(index) {
                    call.arguments.push_str(&text);
                }
            }
        }
        self.logprobs.extend(logprobs);
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let outcome = match (self.failed, self.num_unfinished) {
            (true, _) => "failed",
            (false, 0) => "finished",
            (false, _) => "was left by its client",
        };
        let id = &self.request_id;
        info!(
            request.id = %id,
            seed = self.generation.seed,
            num_prompt_tokens = self.generation.num_prompt_tokens,
            num_cached_tokens = self.cached_tokens,
            num_completion_tokens = self.completion_tokens,
            duration_ms = self.started.elapsed().as_millis(),
            "generation of request {id} {outcome}"
        );
    }
}

/// As OpenAI spells it.
pub fn finish_reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Length => "length",
    }
}
