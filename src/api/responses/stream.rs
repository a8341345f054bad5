//! A response as server-sent events, each with its type and its number.

use super::Running;
use crate::api::sse;
use axum::response::Response;
use axum::response::sse::Event;
use serde_json::Value;
use std::convert::Infallible;

/// Sends the events as they come. The last is that of the response's end, whatever that is.
pub fn response(mut running: Running) -> Response {
    running.answer.begin();
    let events =
        futures_util::stream::unfold((running, true), |(mut running, mut goes_on)| async move {
            loop {
                if let Some(event) = running.answer.next_event() {
                    return Some((Ok::<_, Infallible>(frame(&event)), (running, goes_on)));
                }
                if !goes_on {
                    return None;
                }
                // An error is in the answer, too.
                goes_on = running.step().await.unwrap_or(false);
            }
        });
    sse::unbuffered(events)
}

/// Our own events always serialize: strings, numbers and lists of them.
fn frame(event: &Value) -> Event {
    Event::default()
        .event(event["type"].as_str().unwrap_or_default())
        .json_data(event)
        .unwrap_or_default()
}
