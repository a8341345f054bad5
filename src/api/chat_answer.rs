//! The answers of `POST /v1/chat/completions`, plain.

use super::annotations::Annotation;
use super::answer::{Call, Choice, Head, Usage, finish_reason};
use super::inputs::{DocumentTold, PromptTold, Told};
use super::logprobs::ChatLogprobs;
use super::long::LongTold;
use crate::document::checks::Report;
use crate::generation::{FinishReason, TokenLogprob};
use crate::privacy::Report as Found;
use serde::Serialize;
use utoipa::ToSchema;

/// The one type of tools.
pub const FUNCTION: &str = "function";

/// What of the request shapes its answer.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    pub logprobs: bool,
    pub service_tier: Option<&'static str>,
    /// A call was asked for by name: that it comes is no reason to end.
    pub is_named: bool,
    /// The template takes identifiers of nine characters alone.
    pub short_ids: bool,
}

#[derive(Serialize, ToSchema)]
pub struct ChatCompletion {
    id: String,
    object: &'static str,
    created: u64,
    model: String,
    /// There only if the request named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    system_fingerprint: String,
    choices: Vec<ChatChoice>,
    usage: Usage,
    /// Not OpenAI's: the documents of the request, as they were read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    documents: Vec<DocumentTold>,
    /// Not OpenAI's: the prompt that the request named.
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<PromptTold>,
    /// Not OpenAI's: kinds and counts of the personal data that was replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    privacy: Option<Found>,
    /// Not OpenAI's: in which steps documents were read that are longer than the context.
    #[serde(skip_serializing_if = "Option::is_none")]
    long_documents: Option<LongTold>,
}

#[derive(Serialize, ToSchema)]
struct ChatChoice {
    index: usize,
    message: AnswerMessage,
    #[schema(required)]
    logprobs: Option<ChatLogprobs>,
    #[schema(required)]
    finish_reason: Option<&'static str>,
    /// Not OpenAI's: what the answer says otherwise than the documents of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    checks: Option<Report>,
}

#[derive(Serialize, ToSchema)]
struct AnswerMessage {
    role: &'static str,
    /// Null where functions are called and nothing is said.
    #[schema(required)]
    content: Option<String>,
    #[schema(value_type = Option<String>, required)]
    refusal: (),
    /// Not OpenAI's: the quotations of the documents, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<Vec<Annotation>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    /// The newer name of the same: clients read either.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ToolCall>,
}

#[derive(Serialize, ToSchema)]
struct ToolCall {
    id: String,
    r#type: &'static str,
    function: CalledFunction,
}

#[derive(Serialize, ToSchema)]
struct CalledFunction {
    name: String,
    arguments: String,
}

impl Form {
    /// Null where nobody asked.
    pub fn logprobs(self, tokens: Vec<TokenLogprob>) -> Option<ChatLogprobs> {
        self.logprobs.then(|| ChatLogprobs::new(tokens))
    }

    pub fn finish_reason(self, reason: FinishReason) -> &'static str {
        match reason {
            FinishReason::ToolCalls if self.is_named => finish_reason(FinishReason::Stop),
            reason => finish_reason(reason),
        }
    }

    pub fn call_id(self) -> String {
        let hex = super::random::hex();
        if self.short_ids {
            hex[..9].to_owned()
        } else {
            format!("call_{hex}")
        }
    }

    fn message(
        self,
        text: String,
        reasoning: String,
        calls: Vec<Call>,
        annotations: Option<Vec<Annotation>>,
    ) -> AnswerMessage {
        let reasoning = (!reasoning.is_empty()).then_some(reasoning);
        AnswerMessage {
            role: "assistant",
            content: (calls.is_empty() || !text.is_empty()).then_some(text),
            refusal: (),
            annotations,
            reasoning_content: reasoning.clone(),
            reasoning,
            tool_calls: calls
                .into_iter()
                .map(|call| ToolCall {
                    id: self.call_id(),
                    r#type: FUNCTION,
                    function: CalledFunction {
                        name: call.name,
                        arguments: call.arguments,
                    },
                })
                .collect(),
        }
    }
}

impl ChatCompletion {
    pub fn new(head: Head, form: Form, choices: Vec<Choice>, usage: Usage, told: Told) -> Self {
        let choices = choices
            .into_iter()
            .enumerate()
            .map(|(index, choice)| ChatChoice {
                index,
                checks: told
                    .checker
                    .as_ref()
                    .map(|checker| checker.check(&choice.text)),
                message: {
                    let annotator = told.annotator();
                    let annotations = annotator.map(|mut annotator| annotator.push(&choice.text));
                    form.message(choice.text, choice.reasoning, choice.calls, annotations)
                },
                logprobs: form.logprobs(choice.logprobs),
                finish_reason: choice.reason.map(|reason| form.finish_reason(reason)),
            })
            .collect();
        Self {
            id: head.id,
            object: "chat.completion",
            created: head.created,
            model: head.model,
            service_tier: form.service_tier,
            system_fingerprint: head.system_fingerprint,
            choices,
            usage,
            privacy: told.privacy(),
            long_documents: told.read.map(|read| read.told),
            documents: told.documents,
            prompt: told.prompt,
        }
    }
}
