//! The library's decoders, run token by token.
//!
//! The library decodes a whole text at once. Each stage here does to a stream of tokens what
//! one of its decoders does to the list of all, keeping only what later tokens can change.

use std::collections::HashMap;
use std::sync::LazyLock;
use tokenizers::decoders::sequence::Sequence;
use tokenizers::normalizers::Replace;
use tokenizers::pre_tokenizers::metaspace::PrependScheme;
use tokenizers::{Decoder, DecoderWrapper};

/// The bytes that stand behind the characters of byte-level vocabularies.
static BYTES: LazyLock<HashMap<char, u8>> = LazyLock::new(|| {
    let printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let shown = (0..=u8::MAX)
        .filter(printable)
        .map(|byte| (char::from(byte), byte));
    let hidden = (0..=u8::MAX).filter(|byte| !printable(byte));
    shown.chain(('\u{100}'..).zip(hidden)).collect()
});

/// How a tokenizer's decoder runs token by token.
pub(super) struct DecodePlan(Option<Vec<Stage>>);

#[derive(Clone)]
pub(super) enum Stage {
    /// No decoder: tokens are words.
    Words {
        first: bool,
    },
    ByteLevel {
        incomplete: Vec<u8>,
    },
    ByteFallback {
        run: Vec<u8>,
    },
    Replace(Replace),
    Metaspace {
        replacement: char,
        dropped: bool,
        in_first: InFirst,
    },
    Strip {
        content: char,
        start: usize,
        stop: usize,
    },
    /// A [`Stage::Strip`] of the whole text: what may still be stripped at either end.
    StripText {
        content: char,
        start: usize,
        stop: usize,
        held: String,
    },
    WordPiece {
        prefix: String,
        cleanup: bool,
        first: bool,
    },
    /// The last token is treated differently, so one waits.
    Suffix {
        suffix: String,
        last: Option<String>,
    },
}

/// Whether a stage is in the first token that it sees.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum InFirst {
    Yes,
    No,
    /// The tokens were joined before: all of the text is the first token.
    Always,
}

impl DecodePlan {
    pub(super) fn of(decoder: Option<&DecoderWrapper>) -> Self {
        let Some(decoder) = decoder else {
            return Self(Some(vec![Stage::Words { first: true }]));
        };
        let mut stages = Vec::new();
        let mut joined = false;
        Self(plan(decoder, &mut stages, &mut joined).then_some(stages))
    }

    /// `None`: the decoder needs the whole text.
    pub(super) fn stages(&self) -> Option<&[Stage]> {
        self.0.as_deref()
    }
}

/// Adds the stages of a decoder; false if it cannot be run token by token.
fn plan(decoder: &DecoderWrapper, stages: &mut Vec<Stage>, joined: &mut bool) -> bool {
    let stage = match decoder {
        DecoderWrapper::Sequence(sequence) => return plan_sequence(sequence, stages, joined),
        DecoderWrapper::Fuse(_) => {
            *joined = true;
            return true;
        }
        DecoderWrapper::Metaspace(metaspace) => Stage::Metaspace {
            replacement: metaspace.get_replacement(),
            dropped: metaspace.get_prepend_scheme() != PrependScheme::Never,
            in_first: if *joined {
                InFirst::Always
            } else {
                InFirst::Yes
            },
        },
        DecoderWrapper::Strip(strip) if *joined => Stage::StripText {
            content: strip.content,
            start: strip.start,
            stop: strip.stop,
            held: String::new(),
        },
        // The others look at each token as a whole, and tokens are gone.
        _ if *joined => return false,
        DecoderWrapper::ByteLevel(_) => {
            *joined = true;
            Stage::ByteLevel {
                incomplete: Vec::new(),
            }
        }
        DecoderWrapper::ByteFallback(_) => Stage::ByteFallback { run: Vec::new() },
        DecoderWrapper::Replace(replace) => Stage::Replace(replace.clone()),
        DecoderWrapper::Strip(strip) => Stage::Strip {
            content: strip.content,
            start: strip.start,
            stop: strip.stop,
        },
        DecoderWrapper::WordPiece(piece) => Stage::WordPiece {
            prefix: piece.prefix.clone(),
            cleanup: piece.cleanup,
            first: true,
        },
        DecoderWrapper::BPE(decoder) => Stage::Suffix {
            suffix: decoder.suffix.clone(),
            last: None,
        },
        DecoderWrapper::CTC(_) => return false,
    };
    stages.push(stage);
    true
}

fn plan_sequence(sequence: &Sequence, stages: &mut Vec<Stage>, joined: &mut bool) -> bool {
    sequence
        .get_decoders()
        .iter()
        .all(|decoder| plan(decoder, stages, joined))
}

impl Stage {
    /// What is certain after some more tokens.
    pub(super) fn run(&mut self, tokens: Vec<String>) -> Vec<String> {
        let mut out = Vec::with_capacity(tokens.len());
        for token in tokens {
            self.push(token, &mut out);
        }
        out
    }

    /// What was kept, at the end.
    pub(super) fn finish(&mut self) -> Vec<String> {
        match self {
            Self::ByteLevel { incomplete } => {
                vec![String::from_utf8_lossy(&std::mem::take(incomplete)).into_owned()]
            }
            Self::ByteFallback { run } => end_run(run),
            Self::StripText {
                content,
                stop,
                held,
                ..
            } => {
                let kept = held
                    .chars()
                    .rev()
                    .take(*stop)
                    .take_while(|character| character == content)
                    .count();
                let end = held.len() - kept * content.len_utf8();
                vec![std::mem::take(held)[..end].to_owned()]
            }
            Self::Suffix { suffix, last } => last
                .take()
                .map(|token| token.replace(suffix.as_str(), ""))
                .into_iter()
                .collect(),
            _ => Vec::new(),
        }
    }

    fn push(&mut self, token: String, out: &mut Vec<String>) {
        match self {
            Self::Words { first } => {
                out.push(if std::mem::take(first) {
                    token
                } else {
                    format!(" {token}")
                });
            }
            Self::ByteLevel { incomplete } => {
                incomplete.extend(byte_level_bytes(&token));
                out.push(take_complete(incomplete));
            }
            Self::ByteFallback { run } => match fallback_byte(&token) {
                // One bad byte spoils its whole run, so a run is shown when it has ended.
                Some(byte) => run.push(byte),
                None => {
                    out.extend(end_run(run));
                    out.push(token);
                }
            },
            Self::Replace(replace) => {
                let replaced = replace.decode_chain(vec![token.clone()]);
                out.extend(replaced.unwrap_or_else(|_| vec![token]));
            }
            Self::Metaspace {
                replacement,
                dropped,
                in_first,
            } => {
                let drop = *dropped && *in_first != InFirst::No;
                if *in_first == InFirst::Yes {
                    *in_first = InFirst::No;
                }
                out.push(if drop {
                    token.replace(*replacement, "")
                } else {
                    token.replace(*replacement, " ")
                });
            }
            Self::Strip {
                content,
                start,
                stop,
            } => out.push(strip(&token, *content, *start, *stop).to_owned()),
            Self::StripText {
                content,
                start,
                stop,
                held,
            } => {
                let mut token = token.as_str();
                while let Some(rest) = token.strip_prefix(*content).filter(|_| *start > 0) {
                    *start -= 1;
                    token = rest;
                }
                if !token.is_empty() {
                    *start = 0;
                }
                held.push_str(token);
                let kept = held
                    .chars()
                    .rev()
                    .take(*stop)
                    .take_while(|character| character == content)
                    .count();
                let rest = held.split_off(held.len() - kept * content.len_utf8());
                out.push(std::mem::replace(held, rest));
            }
            Self::WordPiece {
                prefix,
                cleanup,
                first,
            } => {
                let token = match token.strip_prefix(prefix.as_str()) {
                    _ if std::mem::take(first) => token,
                    Some(rest) => rest.to_owned(),
                    None => format!(" {token}"),
                };
                out.push(if *cleanup {
                    tokenizers::decoders::wordpiece::cleanup(&token)
                } else {
                    token
                });
            }
            Self::Suffix { suffix, last } => {
                out.extend(
                    last.replace(token)
                        .map(|token| token.replace(suffix.as_str(), " ")),
                );
            }
        }
    }
}

/// The bytes that a token of a byte-level vocabulary stands for.
pub(super) fn byte_level_bytes(token: &str) -> Vec<u8> {
    let bytes: Option<Vec<u8>> = token
        .chars()
        .map(|character| BYTES.get(&character).copied())
        .collect();
    // An added token is not written in byte-level characters.
    bytes.unwrap_or_else(|| token.as_bytes().to_vec())
}

/// Takes the text from the start of `bytes`, U+FFFD for what can never become a character,
/// and leaves the beginning of a character that may still be completed.
fn take_complete(bytes: &mut Vec<u8>) -> String {
    let complete = bytes.len() - incomplete_len(bytes);
    let text = String::from_utf8_lossy(&bytes[..complete]).into_owned();
    bytes.drain(..complete);
    text
}

fn incomplete_len(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Err(error) = std::str::from_utf8(rest) {
        let valid = error.valid_up_to();
        match error.error_len() {
            Some(length) => rest = &rest[valid + length..],
            None => return rest.len() - valid,
        }
    }
    0
}

/// The byte that a token such as `<0x0A>` stands for.
pub(super) fn fallback_byte(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2)
        .then(|| u8::from_str_radix(digits, 16).ok())
        .flatten()
}

fn end_run(run: &mut Vec<u8>) -> Vec<String> {
    if run.is_empty() {
        return Vec::new();
    }
    let num_bytes = run.len();
    let text = String::from_utf8(std::mem::take(run));
    vec![text.unwrap_or_else(|_| "\u{FFFD}".repeat(num_bytes))]
}

pub(super) fn strip(token: &str, content: char, start: usize, stop: usize) -> &str {
    let is_content = |character: &char| *character == content;
    let first = token.chars().take(start).take_while(is_content).count() * content.len_utf8();
    let token = &token[first..];
    let last = token
        .chars()
        .rev()
        .take(stop)
        .take_while(is_content)
        .count()
        * content.len_utf8();
    &token[..token.len() - last]
}
