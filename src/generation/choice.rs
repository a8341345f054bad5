use super::logprobs::{self, Next, TokenLogprob, WaitingTokens};
use super::{FinishReason, GenerationError, GenerationEvent};
use crate::engine::{self, PromptReport, SequenceEvent, SequenceStream, TokenOutput};
use crate::text::{Detokenizer, Scan, StopStrings, Tokenizer};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::{Context, Poll};

/// One sequence on its way to text.
pub(super) struct Choice {
    index: usize,
    stream: SequenceStream,
    text: AnswerText,
    /// To be shown as soon as the prompt is computed.
    echo: Option<Echo>,
    /// There if log-probabilities are asked for.
    waiting: Option<WaitingTokens>,
    num_tokens: usize,
}

/// From tokens to text that may be shown.
pub(super) struct AnswerText {
    pub detokenizer: Detokenizer,
    pub stop: StopStrings,
    /// A stop string that is complete before so many tokens does not stop.
    pub min_tokens: usize,
}

/// A prompt that its completion begins with.
pub(super) struct Echo {
    pub tokenizer: Arc<Tokenizer>,
    pub prompt: Arc<[u32]>,
    pub text: Arc<str>,
    pub with_logprobs: bool,
}

impl Choice {
    pub fn new(
        index: usize,
        stream: SequenceStream,
        text: AnswerText,
        echo: Option<Echo>,
        waiting: Option<WaitingTokens>,
    ) -> Self {
        Self {
            index,
            stream,
            text,
            echo,
            waiting,
            num_tokens: 0,
        }
    }

    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<SequenceEvent>> {
        self.stream.poll_recv(context)
    }

    /// Turns what the engine said into events. Break: the choice is done.
    pub fn accept(
        &mut self,
        event: Option<SequenceEvent>,
        out: &mut VecDeque<GenerationEvent>,
    ) -> ControlFlow<()> {
        match event {
            Some(SequenceEvent::Prompt(report)) => {
                self.prompt(report, out);
                ControlFlow::Continue(())
            }
            Some(SequenceEvent::Token(token)) => self.token(token, out),
            Some(SequenceEvent::Finished(reason)) => {
                self.end(reason, out);
                ControlFlow::Break(())
            }
            Some(SequenceEvent::Failed(error)) => {
                out.push_back(GenerationEvent::Failed(error.into()));
                ControlFlow::Break(())
            }
            None => {
                out.push_back(GenerationEvent::Failed(GenerationError::Stopped));
                ControlFlow::Break(())
            }
        }
    }

    fn prompt(&mut self, report: PromptReport, out: &mut VecDeque<GenerationEvent>) {
        out.push_back(GenerationEvent::Prompt {
            choice: self.index,
            num_cached_tokens: report.num_cached_tokens,
        });
        if let Some(echo) = self.echo.take() {
            out.push_back(GenerationEvent::Echo {
                choice: self.index,
                text: echo.text.to_string(),
                logprobs: echo.logprobs(report),
            });
        }
    }

    fn token(
        &mut self,
        token: TokenOutput,
        out: &mut VecDeque<GenerationEvent>,
    ) -> ControlFlow<()> {
        self.num_tokens += 1;
        let text = self.text.detokenizer.push(token.id);
        if let Some(waiting) = &mut self.waiting {
            waiting.push(token, &text);
        }
        let scan = self.text.scan(&text, self.num_tokens);
        if !scan.stopped {
            self.show(scan.text, Next::Text, out);
            return ControlFlow::Continue(());
        }
        self.show(scan.text, Next::StopString, out);
        // Dropping the choice drops its stream, which cancels the sequence.
        self.finish(FinishReason::Stop, out);
        ControlFlow::Break(())
    }

    fn end(&mut self, reason: engine::FinishReason, out: &mut VecDeque<GenerationEvent>) {
        let rest = self.text.detokenizer.finish();
        let Scan { mut text, stopped } = self.text.scan(&rest, self.num_tokens);
        if stopped {
            self.show(text, Next::StopString, out);
            return self.finish(FinishReason::Stop, out);
        }
        text.push_str(&self.text.stop.finish());
        self.show(text, Next::Nothing, out);
        let reason = match reason {
            engine::FinishReason::Stop => FinishReason::Stop,
            engine::FinishReason::Length => FinishReason::Length,
        };
        self.finish(reason, out);
    }

    /// Shows text, if there is any, with the tokens that belong to it.
    fn show(&mut self, text: String, next: Next, out: &mut VecDeque<GenerationEvent>) {
        let logprobs = match &mut self.waiting {
            Some(waiting) => waiting.shown(&text, next),
            None => Vec::new(),
        };
        if !text.is_empty() || !logprobs.is_empty() {
            out.push_back(GenerationEvent::Delta {
                choice: self.index,
                text,
                logprobs,
            });
        }
    }

    fn finish(&self, reason: FinishReason, out: &mut VecDeque<GenerationEvent>) {
        out.push_back(GenerationEvent::Finished {
            choice: self.index,
            reason,
            num_completion_tokens: self.num_tokens,
        });
    }
}

impl AnswerText {
    /// `num_tokens` are generated.
    fn scan(&mut self, text: &str, num_tokens: usize) -> Scan {
        if num_tokens < self.min_tokens {
            Scan {
                text: self.stop.pass(text),
                stopped: false,
            }
        } else {
            self.stop.push(text)
        }
    }
}

impl Echo {
    fn logprobs(&self, report: PromptReport) -> Vec<TokenLogprob> {
        if self.with_logprobs {
            logprobs::of_prompt(&self.tokenizer, &self.prompt, report.logprobs, &self.text)
        } else {
            Vec::new()
        }
    }
}
