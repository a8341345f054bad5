//! What a stream tells while documents are read, before there is an answer.

use super::plan::Progress;
use crate::api::error::ApiError;
use crate::api::parameters::IGNORED_HEADER;
use crate::api::request_id::RequestId;
use crate::api::sse::hold_nothing_back;
use axum::body::{Body, BodyDataStream};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Where a reading tells how far it is.
pub type Progressing = UnboundedSender<Progress>;

/// Comments keep proxies from closing a connection that waits for a long step.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// An answer under way.
pub type Answer = Pin<Box<dyn Future<Output = Result<Response, ApiError>> + Send>>;

/// What is still to be sent.
enum Rest {
    Reading(Answer, UnboundedReceiver<Progress>),
    /// There may be progress that nobody has looked at.
    Answered(Response, UnboundedReceiver<Progress>),
    Answering(BodyDataStream),
    Nothing,
}

/// The answer as it is, unless there is progress to tell before it: then a stream that begins with
/// the progress, as `event` writes it, and goes on with the answer's. An error is a frame from
/// then on.
pub async fn with_progress(
    request_id: RequestId,
    answer: impl FnOnce(Progressing) -> Answer,
    event: impl Fn(&Progress) -> String + Send + 'static,
) -> Result<Response, ApiError> {
    let (told, mut progress) = unbounded_channel();
    let mut answer = answer(told);
    let (first, rest) = tokio::select! {
        biased;
        Some(first) = progress.recv() => (first, Rest::Reading(answer, progress)),
        answered = &mut answer => match (answered, progress.try_recv()) {
            // It was told and done in one go.
            (Ok(response), Ok(first)) => (first, Rest::Answered(response, progress)),
            (answered, _) => return answered,
        },
    };
    let first = Bytes::from(event(&first));
    let sending = Sending {
        request_id,
        rest,
        event,
    };
    let rest = stream::unfold(sending, |mut sending| async move {
        let next = sending.next().await?;
        Some((next, sending))
    });
    let body = stream::once(async { Ok(first) }).chain(rest);
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    hold_nothing_back(&mut response);
    Ok(response)
}

struct Sending<F> {
    request_id: RequestId,
    rest: Rest,
    event: F,
}

impl<F: Fn(&Progress) -> String> Sending<F> {
    async fn next(&mut self) -> Option<Result<Bytes, axum::Error>> {
        loop {
            match &mut self.rest {
                Rest::Nothing => return None,
                Rest::Answering(body) => return body.next().await,
                Rest::Answered(response, progress) => {
                    if let Ok(told) = progress.try_recv() {
                        return Some(Ok((self.event)(&told).into()));
                    }
                    let response = std::mem::take(response);
                    let ignored = response.headers().get(IGNORED_HEADER).cloned();
                    self.rest = Rest::Answering(response.into_body().into_data_stream());
                    // Its headers come too late; what they say is not lost.
                    let ignored = ignored.as_ref().and_then(|names| names.to_str().ok());
                    if let Some(ignored) = ignored {
                        let comment = format!(": {IGNORED_HEADER}: {ignored}\n\n");
                        return Some(Ok(comment.into()));
                    }
                }
                Rest::Reading(answer, progress) => tokio::select! {
                    biased;
                    Some(told) = progress.recv() => return Some(Ok((self.event)(&told).into())),
                    answered = answer => match answered {
                        Ok(response) => {
                            let (_, unread) = unbounded_channel();
                            let progress = std::mem::replace(progress, unread);
                            self.rest = Rest::Answered(response, progress);
                        }
                        Err(error) => {
                            self.rest = Rest::Nothing;
                            let error = error.logged(&self.request_id);
                            return Some(Ok(format!("data: {}\n\n", error.to_json()).into()));
                        }
                    },
                    () = tokio::time::sleep(KEEP_ALIVE) => {
                        return Some(Ok(Bytes::from_static(b":\n\n")));
                    }
                },
            }
        }
    }
}
