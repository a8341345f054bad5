use super::logprobs::{self, Next, TokenLogprob, WaitingTokens};
use super::transcript::{Part, Piece, Transcript};
use super::{FinishReason, GenerationError, GenerationEvent};
use crate::engine::{self, PromptReport, SequenceEvent, SequenceStream, TokenOutput};
use crate::text::{Detokenizer, Scan, StopStrings, Tokenizer};
use std::collections::VecDeque;
use std::mem::take;
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
    /// Of text that is shown to nobody, as tags are: they come with what is shown next.
    logprobs: Vec<TokenLogprob>,
    num_tokens: usize,
    num_reasoning_tokens: usize,
}

/// From tokens to text that may be shown.
pub(super) struct AnswerText {
    pub tokenizer: Arc<Tokenizer>,
    pub detokenizer: Detokenizer,
    pub stop: StopStrings,
    /// A stop string that is complete before so many tokens does not stop.
    pub min_tokens: usize,
    pub transcript: Transcript,
    /// A second call of a function ends the answer before it.
    pub one_call: bool,
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
            logprobs: Vec::new(),
            num_tokens: 0,
            num_reasoning_tokens: 0,
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
        let reasoned = self.text.transcript.is_reasoning();
        let control = self.text.control(token.id);
        let text = match control {
            Some(_) => self.text.detokenizer.cut(),
            None => self.text.detokenizer.push(token.id),
        };
        if let Some(waiting) = &mut self.waiting {
            waiting.push(token, &text);
        }
        let Scan { mut text, stopped } = self.text.scan(&text, self.num_tokens);
        let mut parts = Vec::new();
        self.text.transcript.push(Piece::Text(&text), &mut parts);
        if let Some(control) = control.filter(|_| !stopped) {
            let rest = self.text.stop.cut();
            self.text.transcript.push(Piece::Text(&rest), &mut parts);
            self.text
                .transcript
                .push(Piece::Control(&control), &mut parts);
            text.push_str(&rest);
        }
        if reasoned || self.text.transcript.is_reasoning() {
            self.num_reasoning_tokens += 1;
        }
        let is_over = self.text.cut_calls(&mut parts);
        let is_broken = self.text.transcript.is_in_call() && !is_over;
        if !stopped && !is_over {
            self.show(parts, &text, Next::Text, out);
            return ControlFlow::Continue(());
        }
        if !is_over {
            self.text.transcript.finish(&mut parts);
        }
        self.show(parts, &text, Next::StopString, out);
        // Dropping the choice drops its stream, which cancels the sequence.
        self.finish(engine::FinishReason::Stop, is_broken, out);
        ControlFlow::Break(())
    }

    fn end(&mut self, reason: engine::FinishReason, out: &mut VecDeque<GenerationEvent>) {
        let rest = self.text.detokenizer.finish();
        let Scan { mut text, stopped } = self.text.scan(&rest, self.num_tokens);
        if !stopped {
            text.push_str(&self.text.stop.finish());
        }
        let mut parts = Vec::new();
        self.text.transcript.push(Piece::Text(&text), &mut parts);
        let is_broken = self.text.transcript.is_in_call();
        self.text.transcript.finish(&mut parts);
        let is_over = self.text.cut_calls(&mut parts);
        if stopped {
            self.show(parts, &text, Next::StopString, out);
        } else {
            self.show(parts, &text, Next::Nothing, out);
        }
        let reason = if stopped || is_over {
            engine::FinishReason::Stop
        } else {
            reason
        };
        self.finish(reason, is_broken && !is_over, out);
    }

    /// Shows parts, if there are any, with the tokens that belong to their text.
    fn show(
        &mut self,
        parts: Vec<Part>,
        text: &str,
        next: Next,
        out: &mut VecDeque<GenerationEvent>,
    ) {
        if let Some(waiting) = &mut self.waiting {
            self.logprobs.extend(waiting.shown(text, next));
        }
        let mut parts = parts;
        let may_wait = next == Next::Text && !self.text.transcript.is_plain();
        if parts.is_empty() && !self.logprobs.is_empty() && !may_wait {
            parts.push(Part::Content(String::new()));
        }
        for part in parts {
            out.push_back(GenerationEvent::Delta {
                choice: self.index,
                part,
                logprobs: take(&mut self.logprobs),
            });
        }
    }

    /// `is_broken`: within a call.
    fn finish(
        &self,
        reason: engine::FinishReason,
        is_broken: bool,
        out: &mut VecDeque<GenerationEvent>,
    ) {
        let called = self.text.transcript.num_calls() > 0 && !is_broken;
        out.push_back(GenerationEvent::Finished {
            choice: self.index,
            reason: match reason {
                engine::FinishReason::Stop if called => FinishReason::ToolCalls,
                engine::FinishReason::Stop => FinishReason::Stop,
                engine::FinishReason::Length => FinishReason::Length,
            },
            num_completion_tokens: self.num_tokens,
            num_reasoning_tokens: self.num_reasoning_tokens,
        });
    }
}

impl AnswerText {
    /// A control token that stands for something in the answer.
    fn control(&self, id: u32) -> Option<String> {
        if self.transcript.is_plain() {
            return None;
        }
        let control = self.tokenizer.control_token(id)?;
        self.transcript.reads(&control).then_some(control)
    }

    /// Where only one call is wanted: whether another one begins, which is left out then, with
    /// what follows it.
    fn cut_calls(&self, parts: &mut Vec<Part>) -> bool {
        let is_another = |part: &Part| matches!(part, Part::Call { index, .. } if *index > 0);
        let another = parts.iter().position(is_another).filter(|_| self.one_call);
        another.inspect(|at| parts.truncate(*at)).is_some()
    }

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
