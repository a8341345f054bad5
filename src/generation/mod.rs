//! The bridge between text and tokens: a prompt becomes a stream of events.
//!
//! Owns served models, defaults, stop strings, what goes beside a text and the merging of
//! choices. Refuses to know HTTP or tensors.

mod choice;
#[cfg(test)]
mod choice_tests;
mod citation;
mod error;
mod grammar;
mod logprobs;
mod params;
mod reasoning_gate;
mod rendered_chat;
mod served_model;
mod tools;
mod transcript;

pub use crate::engine::Class;
pub use citation::{Citations, Quotation, Scanner, closing_tag, opening_tag, without_tags};
pub use error::GenerationError;
pub use grammar::{
    CallForm, Format, FormatError, Function, Grammar, Grammars, SCHEMA_FORMATS, SCHEMA_LIMITS,
    check_schema, enforced_keywords,
};
pub use logprobs::{TokenLogprob, TopLogprob};
pub use params::{Caller, CompletionPrompt, GenerationParams, SamplingDefaults, TopK};
pub use rendered_chat::RenderedChat;
pub use served_model::ServedModel;
pub use tools::{ChatInput, ToolChoice, Tools};
pub use transcript::{Dialect, Part, ToolFormat};

use choice::Choice;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll};

#[derive(Debug, Clone, PartialEq)]
pub enum GenerationEvent {
    /// A choice's prompt is computed. Once, before anything else of the choice.
    Prompt {
        choice: usize,
        /// Tokens of it that were found in the prefix cache.
        num_cached_tokens: usize,
    },
    /// The prompt, where a choice begins with it.
    Echo {
        choice: usize,
        text: String,
        /// Of all its tokens, if asked for.
        logprobs: Vec<TokenLogprob>,
    },
    /// A part that is final: never half a character, never part of a stop string.
    Delta {
        choice: usize,
        part: Part,
        /// Of the tokens whose text begins here, if asked for. Each generated token comes
        /// once, but for those whose text a stop string cut off.
        logprobs: Vec<TokenLogprob>,
    },
    /// The last event of a choice.
    Finished {
        choice: usize,
        reason: FinishReason,
        num_completion_tokens: usize,
        /// How many of them were thought and not answered, tags included.
        num_reasoning_tokens: usize,
    },
    /// The last event of the generation.
    Failed(GenerationError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// A stop token was drawn or a stop string appeared.
    Stop,
    /// The same, and functions are called.
    ToolCalls,
    /// The most tokens that were asked for, or that fit, were generated.
    Length,
}

/// A running generation. Dropping it cancels every choice.
pub struct Generation {
    /// Over all prompts.
    pub num_prompt_tokens: usize,
    /// Prompts times `n`; choice `p * n + i` is the i-th of prompt p.
    pub num_choices: usize,
    pub n: usize,
    /// The seed that was asked for, or drawn at admission.
    pub seed: u64,
    /// The chat template makes nothing of the messages' names.
    pub names_ignored: bool,
    /// Those that still run.
    choices: Vec<Choice>,
    ready: VecDeque<GenerationEvent>,
}

impl Generation {
    fn new(num_prompt_tokens: usize, n: usize, seed: u64, choices: Vec<Choice>) -> Self {
        Self {
            num_prompt_tokens,
            num_choices: choices.len(),
            n,
            seed,
            names_ignored: false,
            choices,
            ready: VecDeque::new(),
        }
    }

    /// The next event of any choice, or `None` after the last.
    pub async fn next(&mut self) -> Option<GenerationEvent> {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<GenerationEvent>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                if matches!(event, GenerationEvent::Failed(_)) {
                    self.choices.clear();
                    self.ready.clear();
                }
                return Poll::Ready(Some(event));
            }
            if self.choices.is_empty() {
                return Poll::Ready(None);
            }
            let ready = &mut self.ready;
            let mut progressed = false;
            self.choices.retain_mut(|choice| {
                while let Poll::Ready(event) = choice.poll(context) {
                    progressed = true;
                    if choice.accept(event, ready).is_break() {
                        return false;
                    }
                }
                true
            });
            if !progressed {
                return Poll::Pending;
            }
        }
    }
}
