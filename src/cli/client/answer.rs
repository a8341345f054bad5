//! What is answered, and the pieces of a stream that it comes in.

use super::{ClientError, ErrorDetail};
use serde::Deserialize;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub text: String,
    pub quotations: Vec<Quotation>,
    /// What the answer says otherwise than the documents.
    pub findings: Vec<Finding>,
    /// What the documents hold and the model was not given, a line each.
    pub left_out: Vec<String>,
    pub finish_reason: String,
    pub num_prompt_tokens: usize,
    pub num_completion_tokens: usize,
    pub time_to_first_token: Duration,
    /// From the first token to the end.
    pub time_of_the_rest: Duration,
}

/// Words of a document in an answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Quotation {
    pub name: String,
    /// In the answer, in code points.
    pub start_index: usize,
    pub end_index: usize,
    pub occurrences: Vec<Occurrence>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Occurrence {
    pub page: u32,
    pub start_byte: usize,
    pub end_byte: usize,
}

/// A value that an answer and its documents do not agree on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Finding {
    pub kind: String,
    pub status: String,
    pub answer: Option<Value>,
    pub source: Option<Value>,
}

/// As it stands in a text.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Value {
    pub text: String,
}

impl Answer {
    /// Tokens a second after the first; `None` for an answer of one token.
    pub fn tokens_per_second(&self) -> Option<f64> {
        let rest = self
            .num_completion_tokens
            .checked_sub(1)
            .filter(|&n| n > 0)?;
        Some(rest as f64 / self.time_of_the_rest.as_secs_f64().max(1e-9))
    }
}

#[derive(Deserialize)]
pub(super) struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
    error: Option<ErrorDetail>,
    #[serde(default)]
    documents: Vec<DocumentTold>,
    pub(super) progress: Option<Progress>,
}

#[derive(Deserialize)]
pub(super) struct Progress {
    pub(super) done: u64,
    pub(super) total: u64,
}

#[derive(Deserialize)]
struct Checks {
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct DocumentTold {
    name: String,
    left_out: Vec<LeftOut>,
}

#[derive(Deserialize)]
struct LeftOut {
    page: Option<u32>,
    note: String,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
    finish_reason: Option<String>,
    checks: Option<Checks>,
}

#[derive(Default, Deserialize)]
struct Delta {
    content: Option<String>,
    #[serde(default)]
    annotations: Vec<Quotation>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: usize,
    completion_tokens: usize,
}

#[derive(Default)]
pub(super) struct PartialAnswer {
    text: String,
    quotations: Vec<Quotation>,
    findings: Vec<Finding>,
    left_out: Vec<String>,
    finish_reason: Option<String>,
    usage: Option<Usage>,
    first: Option<Instant>,
}

impl PartialAnswer {
    /// The text that the chunk adds, if any.
    pub(super) fn add(&mut self, chunk: Chunk) -> Result<Option<String>, ClientError> {
        if let Some(error) = chunk.error {
            return Err(ClientError::BrokenOff(error.message));
        }
        for document in chunk.documents {
            self.left_out
                .extend(document.left_out.into_iter().map(|left_out| {
                    let page = left_out.page.map(|page| format!(", page {page}"));
                    let page = page.unwrap_or_default();
                    format!("{}{page}: {}", document.name, left_out.note)
                }));
        }
        self.usage = chunk.usage.or(self.usage.take());
        let Some(choice) = chunk.choices.into_iter().next() else {
            return Ok(None);
        };
        self.finish_reason = choice.finish_reason.or(self.finish_reason.take());
        self.quotations.extend(choice.delta.annotations);
        self.findings
            .extend(choice.checks.into_iter().flat_map(|checks| checks.findings));
        let text = choice.delta.content.filter(|text| !text.is_empty());
        if let Some(text) = &text {
            self.first.get_or_insert_with(Instant::now);
            self.text.push_str(text);
        }
        Ok(text)
    }

    pub(super) fn finish(self, started: Instant) -> Option<Answer> {
        let usage = self.usage?;
        let first = self.first.unwrap_or_else(Instant::now);
        Some(Answer {
            text: self.text,
            quotations: self.quotations,
            findings: self.findings,
            left_out: self.left_out,
            finish_reason: self.finish_reason.unwrap_or_default(),
            num_prompt_tokens: usage.prompt_tokens,
            num_completion_tokens: usage.completion_tokens,
            time_to_first_token: first - started,
            time_of_the_rest: first.elapsed(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn chunk(json: serde_json::Value) -> Chunk {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_pieces_of_a_stream_join_to_the_answer() {
        let mut answer = PartialAnswer::default();
        let choices = |delta: serde_json::Value, reason: Option<&str>| {
            chunk(
                json!({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}], "usage": null}),
            )
        };
        assert_eq!(
            answer
                .add(choices(json!({"role": "assistant", "content": ""}), None))
                .unwrap(),
            None
        );
        assert_eq!(
            answer
                .add(choices(json!({"content": "Bon"}), None))
                .unwrap()
                .as_deref(),
            Some("Bon")
        );
        assert_eq!(
            answer
                .add(choices(json!({"content": "jour"}), None))
                .unwrap()
                .as_deref(),
            Some("jour")
        );
        assert_eq!(answer.add(choices(json!({}), Some("stop"))).unwrap(), None);
        let usage = json!({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}});
        assert_eq!(answer.add(chunk(usage)).unwrap(), None);
        let answer = answer.finish(Instant::now()).unwrap();
        assert_eq!(
            (answer.text.as_str(), answer.finish_reason.as_str()),
            ("Bonjour", "stop")
        );
        assert_eq!(
            (answer.num_prompt_tokens, answer.num_completion_tokens),
            (7, 3)
        );
    }

    #[test]
    fn an_error_in_the_stream_ends_the_answer_with_the_servers_words() {
        let error =
            chunk(json!({"error": {"message": "the engine has stopped", "type": "server_error"}}));
        let error = PartialAnswer::default().add(error).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the server broke the answer off: the engine has stopped"
        );
    }
}
