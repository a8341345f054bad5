//! A generation as server-sent events.

use super::answer::{Measured, Usage};
use super::error::ApiError;
use crate::generation::{FinishReason, GenerationEvent, Part, TokenLogprob};
use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

/// How an endpoint writes its chunks.
pub trait Chunks: Send + 'static {
    type Chunk: Serialize;

    /// What a choice begins with, before any text.
    fn first(&self, choice: usize) -> Option<Self::Chunk>;
    /// `logprobs` are those of the tokens that begin here, if the client asked for any.
    fn part(&mut self, choice: usize, part: Part, logprobs: Vec<TokenLogprob>) -> Self::Chunk;
    fn finish(&mut self, choice: usize, reason: FinishReason) -> Self::Chunk;
    /// The chunk after the last choice, where the client asked for one.
    fn usage(&self, usage: Usage) -> Option<Self::Chunk>;
}

/// Comments keep proxies from closing a connection that waits for a long prefill.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Proxies of the nginx family hold events back unless told not to.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Sends the events as they come. Once the first byte is out an error can only be a
/// frame; the stream closes after it, without `[DONE]`.
pub fn response<C: Chunks>(
    generation: Measured,
    chunks: C,
    prompt_field: &'static str,
) -> Response {
    let pending = (0..generation.num_choices())
        .filter_map(|i| chunks.first(i))
        .map(|c| frame(&c))
        .collect();
    let stream = Stream {
        generation,
        chunks,
        prompt_field,
        pending,
        ended: false,
    };
    let events = futures_util::stream::unfold(stream, |mut stream| async move {
        let event = stream.next().await?;
        Some((Ok::<_, Infallible>(event), stream))
    });
    unbuffered(events)
}

/// Events that no proxy holds back or gives up waiting for.
pub fn unbuffered(
    events: impl futures_util::Stream<Item = Result<Event, Infallible>> + Send + 'static,
) -> Response {
    let mut response = Sse::new(events)
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response();
    hold_nothing_back(&mut response);
    response
}

/// Asks proxies to send on what they get.
pub fn hold_nothing_back(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(NO_BUFFERING, HeaderValue::from_static("no"));
}

struct Stream<C> {
    generation: Measured,
    chunks: C,
    prompt_field: &'static str,
    pending: VecDeque<Event>,
    ended: bool,
}

impl<C: Chunks> Stream<C> {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            match self.generation.next().await {
                Some(GenerationEvent::Prompt { .. }) => {}
                Some(GenerationEvent::Echo {
                    choice,
                    text,
                    logprobs,
                }) => self.part(choice, Part::Content(text), logprobs),
                Some(GenerationEvent::Delta {
                    choice,
                    part,
                    logprobs,
                }) => self.part(choice, part, logprobs),
                Some(GenerationEvent::Finished { choice, reason, .. }) => {
                    self.pending
                        .push_back(frame(&self.chunks.finish(choice, reason)));
                }
                Some(GenerationEvent::Failed(error)) => {
                    let error = ApiError::from_generation(&error, self.prompt_field);
                    self.fail(error);
                }
                None => {
                    let usage = self.chunks.usage(self.generation.usage());
                    self.pending.extend(usage.map(|chunk| frame(&chunk)));
                    self.pending.push_back(Event::default().data("[DONE]"));
                    self.ended = true;
                }
            }
        }
    }

    fn part(&mut self, choice: usize, part: Part, logprobs: Vec<TokenLogprob>) {
        let chunk = self.chunks.part(choice, part, logprobs);
        self.pending.push_back(frame(&chunk));
    }

    fn fail(&mut self, error: ApiError) {
        let error = error.logged(self.generation.request_id());
        self.pending.push_back(frame(&error.to_json()));
        self.ended = true;
    }
}

/// Our own chunks always serialize: strings, numbers and options of them.
fn frame(chunk: &impl Serialize) -> Event {
    Event::default().json_data(chunk).unwrap_or_default()
}
