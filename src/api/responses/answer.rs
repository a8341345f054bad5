//! A response as it grows: the items of its output, and the events that tell of them.

use crate::api::annotations::Annotator;
use crate::api::answer::Usage;
use crate::api::error::ApiError;
use crate::api::inputs::Checker;
use crate::api::logprobs::ChatLogprobs;
use crate::api::random;
use crate::generation::{FinishReason, Part, TokenLogprob};
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

/// Folds a generation into a response object. A stream sends [`Self::next_event`], a plain answer
/// only what it comes to.
pub struct ResponseAnswer {
    response: Map<String, Value>,
    output: Vec<Value>,
    open: Option<Open>,
    with_logprobs: bool,
    short_ids: bool,
    sequence_number: u64,
    events: VecDeque<Value>,
    /// The event that ends it, once it is finished.
    last: Option<&'static str>,
    checker: Option<Checker>,
    annotator: Option<Annotator>,
}

/// The item that is being written.
struct Open {
    kind: Kind,
    id: String,
    text: String,
    logprobs: Vec<Value>,
    annotations: Vec<Value>,
}

#[derive(Clone, PartialEq)]
enum Kind {
    Message,
    Reasoning,
    /// The number of the call in its answer, its name and the id that its result is sent under.
    Call {
        index: usize,
        name: String,
        call_id: String,
    },
}

/// What ends a response.
pub enum End<'a> {
    Finished(FinishReason, Usage),
    Failed(&'a ApiError),
    Cancelled,
}

impl ResponseAnswer {
    /// `echo` is what the response repeats of its request.
    pub fn new(
        model: &str,
        clock: SystemTime,
        echo: Map<String, Value>,
        with_logprobs: bool,
        short_ids: bool,
    ) -> Self {
        let Value::Object(mut response) = json!({
            "id": format!("resp_{}", random::hex()),
            "object": "response",
            "created_at": seconds(clock),
            "status": "in_progress",
            "completed_at": null,
            "error": null,
            "incomplete_details": null,
            "model": model,
            "output": [],
        }) else {
            unreachable!("an object was written")
        };
        response.extend(echo);
        Self {
            response,
            output: Vec::new(),
            open: None,
            with_logprobs,
            short_ids,
            sequence_number: 0,
            events: VecDeque::new(),
            last: None,
            checker: None,
            annotator: None,
        }
    }

    /// Compares what is said in the end with what it was made from.
    pub fn with_checker(mut self, checker: Option<Checker>) -> Self {
        self.checker = checker;
        self
    }

    /// Says where the quotations of the answer stand.
    pub fn with_annotator(mut self, annotator: Option<Annotator>) -> Self {
        self.annotator = annotator;
        self
    }

    pub fn id(&self) -> &str {
        self.response["id"].as_str().unwrap_or_default()
    }

    /// The object as it is now.
    pub fn body(&self) -> Value {
        let mut response = self.response.clone();
        response.insert("output".to_owned(), self.output.clone().into());
        response.into()
    }

    /// Those that are complete.
    pub fn output(&self) -> &[Value] {
        &self.output
    }

    /// Says whether it is kept.
    pub fn set_stored(&mut self, is_stored: bool) {
        self.response.insert("store".to_owned(), is_stored.into());
    }

    pub fn begin(&mut self) {
        for kind in ["response.created", "response.in_progress"] {
            let response = self.body();
            self.event(kind, json!({"response": response}));
        }
    }

    pub fn next_event(&mut self) -> Option<Value> {
        self.events.pop_front()
    }

    pub fn add(&mut self, part: Part, logprobs: Vec<TokenLogprob>) {
        match part {
            Part::Content(text) => {
                self.open(Kind::Message);
                let logprobs = self.logprobs(logprobs);
                if let Some(open) = &mut self.open {
                    open.logprobs.extend(logprobs.clone());
                }
                let more = json!({"content_index": 0, "delta": text, "logprobs": logprobs});
                self.delta("response.output_text.delta", &text, more);
                self.annotate(&text);
            }
            Part::Reasoning(text) => {
                self.open(Kind::Reasoning);
                let more = json!({"content_index": 0, "delta": text});
                self.delta("response.reasoning_text.delta", &text, more);
            }
            Part::Call { index, name } => {
                let hex = random::hex();
                let call_id = match self.short_ids {
                    true => hex[..9].to_owned(),
                    false => format!("call_{hex}"),
                };
                self.open(Kind::Call {
                    index,
                    name,
                    call_id,
                });
            }
            Part::Arguments { index, text } => {
                let is_open = self.open.as_ref().is_some_and(
                    |open| matches!(&open.kind, Kind::Call { index: of, .. } if *of == index),
                );
                if is_open {
                    let more = json!({"delta": text});
                    self.delta("response.function_call_arguments.delta", &text, more);
                }
            }
        }
    }

    /// Nothing is added after this, and [`Self::announce_end`] says so.
    pub fn finish(&mut self, end: End<'_>, clock: SystemTime) {
        let is_whole = matches!(end, End::Finished(reason, _) if reason != FinishReason::Length);
        self.close(if is_whole { "completed" } else { "incomplete" });
        let (status, event) = match end {
            End::Finished(FinishReason::Length, _) => ("incomplete", "response.incomplete"),
            End::Finished(..) => ("completed", "response.completed"),
            End::Failed(_) => ("failed", "response.failed"),
            // Nobody reads a stream of what was cancelled.
            End::Cancelled => ("cancelled", "response.incomplete"),
        };
        let checks = self
            .checker
            .as_ref()
            .map(|checker| checker.check(&self.said()));
        let mut set = |name: &str, value: Value| {
            self.response.insert(name.to_owned(), value);
        };
        set("status", status.into());
        if let Some(checks) = checks {
            set("checks", json!(checks));
        }
        match end {
            End::Finished(reason, usage) => {
                if reason == FinishReason::Length {
                    set("incomplete_details", json!({"reason": "max_output_tokens"}));
                } else {
                    set("completed_at", seconds(clock).into());
                }
                set("usage", usage_of(usage));
            }
            End::Failed(error) => {
                let error = &error.to_json()["error"];
                let code = match error["code"].as_str() {
                    Some("rate_limit_exceeded") => "rate_limit_exceeded",
                    _ if error["type"] == "invalid_request_error" => "invalid_prompt",
                    _ => "server_error",
                };
                set("error", json!({"code": code, "message": error["message"]}));
            }
            End::Cancelled => {}
        }
        self.last = Some(event);
    }

    /// The text of all messages.
    fn said(&self) -> String {
        let texts = self
            .output
            .iter()
            .filter_map(|item| item["content"].as_array());
        let texts = texts.flatten().filter(|part| part["type"] == "output_text");
        texts.filter_map(|part| part["text"].as_str()).collect()
    }

    /// The last event.
    pub fn announce_end(&mut self) {
        if let Some(event) = self.last.take() {
            let response = self.body();
            self.event(event, json!({"response": response}));
        }
    }

    /// Ends what is open, unless it goes on, and begins an item.
    fn open(&mut self, kind: Kind) {
        if self.open.as_ref().is_some_and(|open| open.kind == kind) {
            return;
        }
        self.close("completed");
        // Places are told within a message.
        if let Some(annotator) = &mut self.annotator {
            annotator.restart();
        }
        let prefix = match kind {
            Kind::Message => "msg",
            Kind::Reasoning => "rs",
            Kind::Call { .. } => "fc",
        };
        let open = Open {
            id: format!("{prefix}_{}", random::hex()),
            text: String::new(),
            logprobs: Vec::new(),
            annotations: Vec::new(),
            kind,
        };
        let (item, part) = (open.item("in_progress", false), open.part());
        self.open = Some(open);
        let index = self.output.len();
        self.event(
            "response.output_item.added",
            json!({"output_index": index, "item": item}),
        );
        if let Some(part) = part {
            self.item_event(
                "response.content_part.added",
                json!({"content_index": 0, "part": part}),
            );
        }
    }

    fn close(&mut self, status: &str) {
        let Some(open) = &self.open else { return };
        let (text, part) = (open.text.clone(), open.part());
        let item = open.item(status, true);
        match &open.kind {
            Kind::Message => {
                let logprobs = open.logprobs.clone();
                let more = json!({"content_index": 0, "text": text, "logprobs": logprobs});
                self.item_event("response.output_text.done", more);
            }
            Kind::Reasoning => {
                let more = json!({"content_index": 0, "text": text});
                self.item_event("response.reasoning_text.done", more);
            }
            Kind::Call { name, .. } => {
                let more = json!({"name": name, "arguments": text});
                self.item_event("response.function_call_arguments.done", more);
            }
        }
        if let Some(part) = part {
            self.item_event(
                "response.content_part.done",
                json!({"content_index": 0, "part": part}),
            );
        }
        self.open = None;
        let index = self.output.len();
        self.event(
            "response.output_item.done",
            json!({"output_index": index, "item": item}),
        );
        self.output.push(item);
    }

    fn delta(&mut self, kind: &str, text: &str, more: Value) {
        if let Some(open) = &mut self.open {
            open.text.push_str(text);
        }
        self.item_event(kind, more);
    }

    /// Tells of the quotations that end in this piece of a message.
    fn annotate(&mut self, text: &str) {
        let Some(annotator) = &mut self.annotator else {
            return;
        };
        for annotation in annotator.push(text) {
            let Some(open) = &mut self.open else { return };
            let (index, annotation) = (open.annotations.len(), json!(annotation));
            open.annotations.push(annotation.clone());
            self.item_event(
                "response.output_text.annotation.added",
                json!({"content_index": 0, "annotation_index": index, "annotation": annotation}),
            );
        }
    }

    fn logprobs(&self, tokens: Vec<TokenLogprob>) -> Vec<Value> {
        if !self.with_logprobs {
            return Vec::new();
        }
        // A list of objects that hold strings and numbers always serializes.
        let value = serde_json::to_value(ChatLogprobs::new(tokens)).unwrap_or_default();
        value["content"].as_array().cloned().unwrap_or_default()
    }

    /// An event about the item that is open.
    fn item_event(&mut self, kind: &str, more: Value) {
        let Some(open) = &self.open else { return };
        let mut event = json!({"item_id": open.id, "output_index": self.output.len()});
        merge(&mut event, more);
        self.event(kind, event);
    }

    fn event(&mut self, kind: &str, more: Value) {
        let mut event = json!({"type": kind, "sequence_number": self.sequence_number});
        merge(&mut event, more);
        self.sequence_number += 1;
        self.events.push_back(event);
    }
}

impl Open {
    /// The item, with what was written or as it begins.
    fn item(&self, status: &str, is_whole: bool) -> Value {
        let content = self.part().filter(|_| is_whole);
        let content: Vec<Value> = content.into_iter().collect();
        match &self.kind {
            Kind::Message => json!({
                "id": self.id, "type": "message", "status": status, "role": "assistant",
                "content": content,
            }),
            Kind::Reasoning => json!({
                "id": self.id, "type": "reasoning", "status": status, "summary": [],
                "content": content,
            }),
            Kind::Call { name, call_id, .. } => json!({
                "id": self.id, "type": "function_call", "status": status, "call_id": call_id,
                "name": name, "arguments": self.text,
            }),
        }
    }

    /// What a message or a reasoning holds.
    fn part(&self) -> Option<Value> {
        match self.kind {
            Kind::Message => Some(json!({
                "type": "output_text", "text": self.text, "annotations": self.annotations,
                "logprobs": self.logprobs,
            })),
            Kind::Reasoning => Some(json!({"type": "reasoning_text", "text": self.text})),
            Kind::Call { .. } => None,
        }
    }
}

fn merge(event: &mut Value, more: Value) {
    if let (Value::Object(event), Value::Object(more)) = (event, more) {
        event.extend(more);
    }
}

fn usage_of(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.prompt_tokens_details.cached_tokens,
            "cache_write_tokens": 0,
        },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {
            "reasoning_tokens": usage.completion_tokens_details.reasoning_tokens,
        },
        "total_tokens": usage.total_tokens,
    })
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
