//! Log-probabilities, as OpenAI's two endpoints write them.

use super::error::ApiError;
use super::fields::Fields;
use super::limits;
use crate::generation::{TokenLogprob, TopLogprob};
use serde::{Serialize, Serializer};
use std::fmt::Write as _;
use utoipa::ToSchema;

/// What stands for anything less probable, as OpenAI documents it: JSON has no infinity.
const LEAST: f32 = -9999.0;

/// `logprobs` of a chat's choice.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatLogprobs {
    content: Vec<ChatToken>,
    #[schema(value_type = Option<String>, required)]
    refusal: (),
}

#[derive(Debug, Serialize, ToSchema)]
struct ChatToken {
    token: String,
    logprob: f32,
    bytes: Vec<u8>,
    top_logprobs: Vec<ChatTopToken>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ChatTopToken {
    /// U+FFFD stands for what is no character by itself.
    token: String,
    logprob: f32,
    bytes: Vec<u8>,
}

/// `logprobs` of a completion's choice: one entry a token in each list.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct CompletionLogprobs {
    tokens: Vec<String>,
    token_logprobs: Vec<Option<f32>>,
    #[schema(value_type = Vec<Option<BTreeMap<String, f32>>>)]
    top_logprobs: Vec<Option<TopByText>>,
    text_offset: Vec<usize>,
}

/// Best first; each text once.
#[derive(Debug)]
struct TopByText(Vec<(String, f32)>);

/// `logprobs` and `top_logprobs` of a chat: how many of the most probable tokens to report.
pub fn of_chat(body: &Fields<'_>) -> Result<Option<usize>, ApiError> {
    let asked = body.flag("logprobs")?.unwrap_or(false);
    let Some(field) = body.get("top_logprobs") else {
        return Ok(asked.then_some(0));
    };
    let num_top = field.count_from(0, limits::MAX_TOP_LOGPROBS)?;
    if num_top > 0 && !asked {
        return Err(field.must("be left out unless `logprobs` is true"));
    }
    Ok(asked.then_some(num_top))
}

/// `logprobs` of a completion.
pub fn of_completion(body: &Fields<'_>) -> Result<Option<usize>, ApiError> {
    body.get("logprobs")
        .map(|field| field.count_from(0, limits::MAX_TOP_LOGPROBS))
        .transpose()
}

impl ChatLogprobs {
    pub fn new(tokens: Vec<TokenLogprob>) -> Self {
        let content = tokens
            .into_iter()
            .map(|token| {
                let top = token.top.into_iter();
                // Only prompts have tokens without one, and chats do not echo.
                let itself = ChatTopToken::new(token.bytes, token.logprob.unwrap_or(LEAST));
                ChatToken {
                    token: itself.token,
                    logprob: itself.logprob,
                    bytes: itself.bytes,
                    top_logprobs: top
                        .map(|top| ChatTopToken::new(top.bytes, top.logprob))
                        .collect(),
                }
            })
            .collect();
        Self {
            content,
            refusal: (),
        }
    }
}

impl ChatTopToken {
    fn new(bytes: Vec<u8>, logprob: f32) -> Self {
        Self {
            token: String::from_utf8_lossy(&bytes).into_owned(),
            logprob: shown(logprob),
            bytes,
        }
    }
}

impl CompletionLogprobs {
    pub fn new(tokens: Vec<TokenLogprob>) -> Self {
        let mut lists = Self::default();
        for token in tokens {
            let text = text(&token.bytes);
            let top = token
                .logprob
                .map(|logprob| TopByText::new(&token.top, text.clone(), logprob));
            lists.tokens.push(text);
            lists.token_logprobs.push(token.logprob.map(shown));
            lists.top_logprobs.push(top);
            lists.text_offset.push(token.text_offset);
        }
        lists
    }
}

impl TopByText {
    /// The token itself is always among them, so there may be one more than was asked for.
    fn new(top: &[TopLogprob], token: String, logprob: f32) -> Self {
        let top = top.iter().map(|top| (text(&top.bytes), top.logprob));
        let mut entries: Vec<(String, f32)> = Vec::new();
        for (text, logprob) in top.chain([(token, logprob)]) {
            // Ids with one text are one key; the most probable comes first.
            if entries.iter().all(|(known, _)| *known != text) {
                entries.push((text, shown(logprob)));
            }
        }
        Self(entries)
    }
}

impl Serialize for TopByText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(text, logprob)| (text, logprob)))
    }
}

/// There are no bytes beside it in a completion, so what is no text is written out, as
/// OpenAI does: `bytes:\xe2\x80`.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().fold("bytes:".to_owned(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
            text
        }),
    }
}

fn shown(logprob: f32) -> f32 {
    logprob.max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn token(bytes: &[u8], logprob: Option<f32>, top: &[(&[u8], f32)]) -> TokenLogprob {
        TokenLogprob {
            bytes: bytes.to_vec(),
            logprob,
            top: top
                .iter()
                .map(|(bytes, logprob)| TopLogprob {
                    bytes: bytes.to_vec(),
                    logprob: *logprob,
                })
                .collect(),
            text_offset: 3,
        }
    }

    #[test]
    fn a_chat_shows_exact_bytes_beside_text_that_may_be_none() {
        let logprobs = ChatLogprobs::new(vec![token(
            &[0xC3],
            Some(-0.5),
            &[(b"a", f32::NEG_INFINITY)],
        )]);
        assert_eq!(
            serde_json::to_value(logprobs).unwrap(),
            json!({"content": [{
                "token": "\u{FFFD}", "logprob": -0.5, "bytes": [195],
                "top_logprobs": [{"token": "a", "logprob": -9999.0, "bytes": [97]}],
            }], "refusal": null})
        );
    }

    #[test]
    fn a_completion_lists_the_token_among_the_most_probable_and_writes_out_what_is_no_text() {
        let logprobs = CompletionLogprobs::new(vec![
            token(b"x", None, &[]),
            token(&[0xC3], Some(-2.0), &[(b"b", -0.5), (b"a", -1.0)]),
            token(b"a", Some(-1.0), &[(b"b", -0.5), (b"a", -1.0)]),
        ]);
        assert_eq!(
            serde_json::to_string(&logprobs).unwrap(),
            concat!(
                r#"{"tokens":["x","bytes:\\xc3","a"],"token_logprobs":[null,-2.0,-1.0],"#,
                r#""top_logprobs":[null,{"b":-0.5,"a":-1.0,"bytes:\\xc3":-2.0},{"b":-0.5,"a":-1.0}],"#,
                r#""text_offset":[3,3,3]}"#
            )
        );
    }
}
