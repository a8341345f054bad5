//! One connection: what it is used for, and when its client has held it long enough.
//!
//! HTTP knows three ways to hold a connection for nothing: to say nothing, to say a request one
//! byte a minute, and to read nothing of an answer. The first two look alike from here: no
//! request. The third shows in an answer that nobody asks for more of.

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::Service;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// Of an answer at a time.
const MAX_PIECE: usize = 64 << 10;

/// How long a client may hold a connection.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Without a request whose headers are complete.
    pub without_request: Duration,
    /// Without reading on in an answer.
    pub unread: Duration,
}

/// What a connection is used for now.
#[derive(Clone)]
pub struct Usage(Arc<Mutex<State>>);

struct State {
    /// Requests that are being worked on: their clients wait for us.
    num_worked_on: usize,
    /// Answers that are being sent, by number, and since when each waits for its client; those
    /// that wait for more to send do not.
    sent: BTreeMap<u64, Option<Instant>>,
    next_number: u64,
    /// When a request last came or an answer last ended.
    since: Instant,
}

impl Patience {
    /// How often to look.
    fn period(self) -> Duration {
        let shorter = self.without_request.min(self.unread);
        (shorter / 4).clamp(Duration::from_millis(10), Duration::from_secs(1))
    }
}

impl Usage {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            num_worked_on: 0,
            sent: BTreeMap::new(),
            next_number: 0,
            since: Instant::now(),
        })))
    }

    /// Ends when the client has held the connection for longer than that.
    pub async fn outlasts(&self, patience: Patience) {
        loop {
            tokio::time::sleep(patience.period()).await;
            let state = self.state();
            // One that is not read is enough: others would only hide it.
            let oldest = state.sent.values().flatten().min();
            let is_unread = oldest.is_some_and(|since| since.elapsed() >= patience.unread);
            let is_unused = state.num_worked_on == 0 && state.sent.is_empty();
            if is_unread || is_unused && state.since.elapsed() >= patience.without_request {
                return;
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        state.since = Instant::now();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The API, which notes what one connection asks of it.
#[derive(Clone)]
pub struct Noting<S> {
    pub service: S,
    pub usage: Usage,
}

impl<S> Service<Request<Incoming>> for Noting<S>
where
    S: Service<Request<Incoming>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let worked_on = WorkedOn::new(self.usage.clone());
        let answer = self.service.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            let usage = worked_on.0.clone();
            Ok(answer.map(|body| Body::new(Sent::new(body, usage))))
        })
    }
}

/// A request, until its answer begins or its client leaves.
struct WorkedOn(Usage);

impl WorkedOn {
    fn new(usage: Usage) -> Self {
        usage.change(|state| state.num_worked_on += 1);
        Self(usage)
    }
}

impl Drop for WorkedOn {
    fn drop(&mut self) {
        self.0.change(|state| state.num_worked_on -= 1);
    }
}

/// An answer, until all but its last piece is taken. Pieces, because whoever takes a large answer
/// slowly is no reason to close a connection.
struct Sent {
    body: Body,
    /// What was not yet passed on of a frame.
    rest: Bytes,
    number: u64,
    usage: Usage,
}

impl Sent {
    fn new(body: Body, usage: Usage) -> Self {
        let mut state = usage.state();
        let number = state.next_number;
        state.next_number += 1;
        // The head waits for the client as a body does.
        state.sent.insert(number, Some(Instant::now()));
        drop(state);
        Self {
            body,
            rest: Bytes::new(),
            number,
            usage,
        }
    }

    /// Whether it now waits for its client, and not for more to send.
    fn waits(&self, for_client: bool) {
        let since = for_client.then(Instant::now);
        self.usage.state().sent.insert(self.number, since);
    }

    fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        let len = self.rest.len().min(MAX_PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(len)))))
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = self.poll_piece(cx);
        self.waits(polled.is_ready());
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (mut hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(hint.lower().saturating_add(rest));
        hint
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.usage.change(|state| {
            state.sent.remove(&self.number);
        });
    }
}
