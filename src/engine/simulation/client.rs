//! Those who asked: what each was told, held against what it should have been told.

use super::model::reference;
use super::scenario::Reader;
use crate::engine::{
    EngineError, FinishReason, KvGroup, PromptReport, SequenceEvent, SequenceId, SequenceRequest,
    SequenceStream, TokenOutput,
};
use std::time::Duration;

pub struct Client {
    pub id: SequenceId,
    pub request: SequenceRequest,
    pub reader: Reader,
    pub arrived_in: u64,
    pub deadline: Option<Duration>,
    /// In which step the prompt was reported.
    pub prompted_in: Option<u64>,
    /// None once the client has left.
    pub stream: Option<SequenceStream>,
    prompt: Option<PromptReport>,
    tokens: Vec<TokenOutput>,
    /// What the request alone would have been told: of its prompt, and generated.
    scores: Vec<TokenOutput>,
    pub generated: Vec<TokenOutput>,
    pub end: Option<Result<FinishReason, EngineError>>,
}

impl Client {
    pub fn new(
        id: SequenceId,
        request: SequenceRequest,
        groups: &[KvGroup],
        reader: Reader,
        stream: SequenceStream,
        step: u64,
        now: Duration,
    ) -> Self {
        let (scores, generated) = reference(&request, groups);
        Self {
            id,
            deadline: request.timeout.map(|timeout| now + timeout),
            request,
            reader,
            arrived_in: step,
            prompted_in: None,
            stream: Some(stream),
            prompt: None,
            tokens: Vec::new(),
            scores,
            generated,
            end: None,
        }
    }

    pub fn is_gone(&self) -> bool {
        self.stream.is_none()
    }

    /// Reads everything that has come.
    pub fn read(&mut self, step: u64) -> Result<(), String> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        while let Ok(event) = stream.try_recv() {
            if let Some(end) = &self.end {
                return Err(format!("{event:?} came after {end:?}"));
            }
            match event {
                SequenceEvent::Prompt(report) => {
                    if self.prompt.is_some() || !self.tokens.is_empty() {
                        return Err("the prompt was reported late or twice".into());
                    }
                    self.prompted_in = Some(step);
                    self.prompt = Some(report);
                }
                SequenceEvent::Token(token) => self.tokens.push(token),
                SequenceEvent::Finished(reason) => self.end = Some(Ok(reason)),
                SequenceEvent::Failed(error) => self.end = Some(Err(error)),
            }
        }
        if self.tokens.len() > self.request.max_tokens {
            return Err("more tokens than asked for".into());
        }
        Ok(())
    }

    pub fn num_cached_tokens(&self) -> Option<usize> {
        self.prompt.as_ref().map(|prompt| prompt.num_cached_tokens)
    }

    /// Holds what was reported against the request computed alone.
    pub fn check(&self, may_have_died: bool) -> Result<(), String> {
        if self.is_gone() {
            return Ok(());
        }
        let generated = &self.generated;
        if !generated.starts_with(&self.tokens) {
            return Err(format!(
                "tokens {:?} for {:?}",
                ids(&self.tokens),
                ids(generated)
            ));
        }
        if let Some(prompt) = &self.prompt
            && prompt.logprobs != self.scores
        {
            return Err("the prompt's log-probabilities differ".into());
        }
        let reason = match generated.len() == self.request.max_tokens {
            true => FinishReason::Length,
            false => FinishReason::Stop,
        };
        match &self.end {
            None => Err("no last event".into()),
            Some(Ok(end)) if *end != reason => Err(format!("{end:?} for {reason:?}")),
            Some(Ok(_)) if self.tokens.len() != generated.len() => Err(format!(
                "only {} of {} tokens",
                self.tokens.len(),
                generated.len()
            )),
            Some(Ok(_)) if self.prompt.is_none() => Err("the prompt was not reported".into()),
            Some(Ok(_)) => Ok(()),
            Some(Err(EngineError::Timeout(_))) if self.deadline.is_some() => Ok(()),
            Some(Err(EngineError::Step(_))) if may_have_died => Ok(()),
            Some(Err(error)) => Err(format!("{error:?}")),
        }
    }
}

fn ids(tokens: &[TokenOutput]) -> Vec<u32> {
    tokens.iter().map(|token| token.id).collect()
}
