//! The answers of `POST /v1/chat/completions`, streamed.

use super::annotations::{Annotation, Annotator};
use super::answer::{Head, Usage};
use super::chat_answer::{FUNCTION, Form};
use super::inputs::{DocumentTold, PromptTold, Told};
use super::logprobs::ChatLogprobs;
use super::long::{LongTold, Progress};
use super::sse::Chunks;
use crate::document::checks::Report;
use crate::generation::{FinishReason, Part, TokenLogprob};
use crate::privacy::Report as Found;
use serde::Serialize;
use std::time::SystemTime;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub struct ChatChunk {
    id: String,
    object: &'static str,
    created: u64,
    model: String,
    /// There only if the request named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    system_fingerprint: String,
    choices: Vec<ChunkChoice>,
    /// There only if the client asked for it: null in all chunks but the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Usage>)]
    usage: Option<Option<Usage>>,
    /// Not OpenAI's: in the first chunk, as in a plain answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    documents: Vec<DocumentTold>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<PromptTold>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    privacy: Option<Found>,
    #[serde(skip_serializing_if = "Option::is_none")]
    long_documents: Option<LongTold>,
}

/// Not OpenAI's: a chunk without choices, while documents are read that are longer than the
/// context.
#[derive(Serialize)]
pub struct ChatProgress<'a> {
    id: &'static str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [ChunkChoice; 0],
    progress: &'a Progress,
}

#[derive(Serialize, ToSchema)]
struct ChunkChoice {
    index: usize,
    delta: Delta,
    #[schema(required)]
    logprobs: Option<ChatLogprobs>,
    #[schema(required)]
    finish_reason: Option<&'static str>,
    /// Not OpenAI's: in the last chunk of a choice, as in a plain answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    checks: Option<Report>,
}

#[derive(Serialize, Default, ToSchema)]
struct Delta {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<ToolCallDelta>>)]
    tool_calls: Option<[ToolCallDelta; 1]>,
    /// Not OpenAI's: those of the quotations that end here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    annotations: Vec<Annotation>,
}

/// A call begins, or its arguments go on.
#[derive(Serialize, ToSchema)]
struct ToolCallDelta {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    function: FunctionDelta,
}

#[derive(Serialize, ToSchema)]
struct FunctionDelta {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    arguments: String,
}

impl ChatProgress<'_> {
    /// As an event of a stream.
    pub fn event(model: &str, progress: &Progress) -> String {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let chunk = ChatProgress {
            id: "",
            object: "chat.completion.chunk",
            created: since.map_or(0, |since| since.as_secs()),
            model,
            choices: [],
            progress,
        };
        // Strings and numbers always serialize.
        let json = serde_json::to_string(&chunk).unwrap_or_default();
        format!("data: {json}\n\n")
    }
}

pub struct ChatChunks {
    pub head: Head,
    pub form: Form,
    pub include_usage: bool,
    pub told: Told,
    pub heard: Heard,
}

/// What the choices of a stream have said so far.
#[derive(Default)]
pub struct Heard {
    /// For the checks.
    said: Vec<String>,
    annotators: Vec<Annotator>,
}

impl Heard {
    /// Takes more of what a choice says; the annotations of quotations that end in it.
    fn push(&mut self, choice: usize, text: &str, told: &Told) -> Vec<Annotation> {
        if told.checker.is_some() {
            let num_choices = self.said.len().max(choice + 1);
            self.said.resize(num_choices, String::new());
            self.said[choice].push_str(text);
        }
        while self.annotators.len() <= choice {
            match told.annotator() {
                Some(annotator) => self.annotators.push(annotator),
                None => return Vec::new(),
            }
        }
        self.annotators[choice].push(text)
    }
}

impl ChatChunks {
    fn chunk(&self, choices: Vec<ChunkChoice>, usage: Option<Usage>) -> ChatChunk {
        let head = self.head.clone();
        ChatChunk {
            id: head.id,
            object: "chat.completion.chunk",
            created: head.created,
            model: head.model,
            service_tier: self.form.service_tier,
            system_fingerprint: head.system_fingerprint,
            choices,
            usage: self.include_usage.then_some(usage),
            documents: Vec::new(),
            prompt: None,
            privacy: None,
            long_documents: None,
        }
    }

    fn one(
        &self,
        index: usize,
        delta: Delta,
        logprobs: Option<ChatLogprobs>,
        finish_reason: Option<&'static str>,
    ) -> ChatChunk {
        self.chunk(
            vec![ChunkChoice {
                index,
                delta,
                logprobs,
                finish_reason,
                checks: None,
            }],
            None,
        )
    }
}

impl Chunks for ChatChunks {
    type Chunk = ChatChunk;

    fn first(&self, choice: usize) -> Option<ChatChunk> {
        let delta = Delta {
            role: Some("assistant"),
            content: Some(String::new()),
            ..Delta::default()
        };
        let mut chunk = self.one(choice, delta, None, None);
        if choice == 0 {
            let told = self.told.clone();
            chunk.privacy = told.privacy();
            chunk.long_documents = told.read.map(|read| read.told);
            (chunk.documents, chunk.prompt) = (told.documents, told.prompt);
        }
        Some(chunk)
    }

    fn part(&mut self, choice: usize, part: Part, logprobs: Vec<TokenLogprob>) -> ChatChunk {
        let annotations = match &part {
            Part::Content(text) => self.heard.push(choice, text, &self.told),
            _ => Vec::new(),
        };
        let call = |delta| Delta {
            tool_calls: Some([delta]),
            ..Delta::default()
        };
        let delta = match part {
            Part::Content(text) => Delta {
                content: Some(text),
                annotations,
                ..Delta::default()
            },
            Part::Reasoning(text) => Delta {
                reasoning_content: Some(text.clone()),
                reasoning: Some(text),
                ..Delta::default()
            },
            Part::Call { index, name } => call(ToolCallDelta {
                index,
                id: Some(self.form.call_id()),
                r#type: Some(FUNCTION),
                function: FunctionDelta {
                    name: Some(name),
                    arguments: String::new(),
                },
            }),
            Part::Arguments { index, text } => call(ToolCallDelta {
                index,
                id: None,
                r#type: None,
                function: FunctionDelta {
                    name: None,
                    arguments: text,
                },
            }),
        };
        self.one(choice, delta, self.form.logprobs(logprobs), None)
    }

    fn finish(&mut self, choice: usize, reason: FinishReason) -> ChatChunk {
        let reason = self.form.finish_reason(reason);
        let mut chunk = self.one(choice, Delta::default(), None, Some(reason));
        if let (Some(checker), Some(of_choice)) = (&self.told.checker, chunk.choices.first_mut()) {
            let said = self.heard.said.get(choice).map_or("", String::as_str);
            of_choice.checks = Some(checker.check(said));
        }
        chunk
    }

    fn usage(&self, usage: Usage) -> Option<ChatChunk> {
        self.include_usage
            .then(|| self.chunk(Vec::new(), Some(usage)))
    }
}
