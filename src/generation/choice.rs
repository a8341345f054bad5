use super::{FinishReason, GenerationError, GenerationEvent};
use crate::engine::{self, SequenceEvent, SequenceStream};
use crate::text::{Detokenizer, StopStrings};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::task::{Context, Poll};

/// One sequence on its way to text.
pub(super) struct Choice {
    index: usize,
    stream: SequenceStream,
    detokenizer: Detokenizer,
    stop: StopStrings,
    num_tokens: usize,
}

impl Choice {
    pub fn new(
        index: usize,
        stream: SequenceStream,
        detokenizer: Detokenizer,
        stop: StopStrings,
    ) -> Self {
        Self {
            index,
            stream,
            detokenizer,
            stop,
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
            Some(SequenceEvent::Prompt(_)) => ControlFlow::Continue(()),
            Some(SequenceEvent::Token(token)) => {
                self.num_tokens += 1;
                let text = self.detokenizer.push(token.id);
                if self.emit(&text, out) {
                    // Dropping the choice drops its stream, which cancels the sequence.
                    self.finish(FinishReason::Stop, out);
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            }
            Some(SequenceEvent::Finished(reason)) => {
                let rest = self.detokenizer.finish();
                let reason = match reason {
                    _ if self.emit(&rest, out) => FinishReason::Stop,
                    engine::FinishReason::Stop => FinishReason::Stop,
                    engine::FinishReason::Length => FinishReason::Length,
                };
                let held_back = self.stop.finish();
                self.push_delta(held_back, out);
                self.finish(reason, out);
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

    /// True: a stop string appeared.
    fn emit(&mut self, text: &str, out: &mut VecDeque<GenerationEvent>) -> bool {
        let scan = self.stop.push(text);
        self.push_delta(scan.text, out);
        scan.stopped
    }

    fn push_delta(&self, text: String, out: &mut VecDeque<GenerationEvent>) {
        if !text.is_empty() {
            out.push_back(GenerationEvent::Delta {
                choice: self.index,
                text,
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
