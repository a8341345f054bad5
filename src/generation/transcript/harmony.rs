//! The answers of gpt-oss: messages with a header each.
//!
//! `<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>commentary
//! to=functions.f <|constrain|>json<|message|>{…}<|call|>`
//! (OpenAI, harmony response format).

use super::{Part, Piece, Sink};

const START: &str = "<|start|>";
const CHANNEL: &str = "<|channel|>";
const CONSTRAIN: &str = "<|constrain|>";
const MESSAGE: &str = "<|message|>";
const ENDS: [&str; 3] = ["<|end|>", "<|call|>", "<|return|>"];

/// Whom a message is for.
const TO: &str = "to=";
const FUNCTIONS: &str = "functions.";

/// Takes such an answer apart.
pub struct Harmony {
    at: At,
    /// Functions may be called.
    has_tools: bool,
    num_calls: usize,
}

enum At {
    /// Behind what the prompt ends with, the role: whom the first message is for, or its text,
    /// from a model that leaves headers out.
    Opening(String),
    /// Before a message: the role, then the channel and whom it is for.
    Header(String),
    Content,
    Reasoning,
    Call(usize),
}

impl Harmony {
    pub fn new(has_tools: bool) -> Self {
        Self {
            at: At::Opening(String::new()),
            has_tools,
            num_calls: 0,
        }
    }

    pub fn reads(control: &str) -> bool {
        [START, CHANNEL, CONSTRAIN, MESSAGE].contains(&control) || ENDS.contains(&control)
    }

    pub fn is_reasoning(&self) -> bool {
        matches!(self.at, At::Reasoning)
    }

    pub fn num_calls(&self) -> usize {
        self.num_calls
    }

    pub fn push(&mut self, piece: Piece<'_>, out: &mut Vec<Part>) {
        let mut sink = Sink::new(&mut self.num_calls, out);
        match piece {
            Piece::Text(text) => match &mut self.at {
                At::Opening(header) => {
                    header.push_str(text);
                    let start = header.trim_start();
                    if !start.starts_with(TO) && !TO.starts_with(start) {
                        sink.content(start);
                        self.at = At::Content;
                    }
                }
                At::Header(header) => header.push_str(text),
                At::Content => sink.content(text),
                At::Reasoning => sink.reasoning(text),
                At::Call(index) => sink.arguments(*index, text),
            },
            Piece::Control(MESSAGE) => {
                if let At::Opening(header) | At::Header(header) = &self.at {
                    self.at = match Header::read(header) {
                        Header::Content => At::Content,
                        Header::Reasoning => At::Reasoning,
                        Header::Call(name) if self.has_tools => At::Call(sink.call(name)),
                        Header::Call(_) => At::Content,
                    };
                }
            }
            Piece::Control(CHANNEL | CONSTRAIN) => match &mut self.at {
                At::Opening(header) | At::Header(header) => {
                    let mut header = std::mem::take(header);
                    header.push(' ');
                    self.at = At::Header(header);
                }
                // A message without its end.
                _ => self.at = At::Header(String::new()),
            },
            Piece::Control(control) => {
                if control == START || ENDS.contains(&control) {
                    self.at = At::Header(String::new());
                }
            }
        }
    }

    /// The answer ends. A header that was begun is no text.
    pub fn finish(&mut self, out: &mut Vec<Part>) {
        if let At::Opening(text) = &mut self.at {
            let text = std::mem::take(text);
            let mut sink = Sink::new(&mut self.num_calls, out);
            sink.content(&text);
        }
    }
}

enum Header<'a> {
    Content,
    Reasoning,
    Call(&'a str),
}

impl<'a> Header<'a> {
    fn read(header: &'a str) -> Self {
        let mut words = header.split_whitespace();
        if let Some(recipient) = words.clone().find_map(|word| word.strip_prefix(TO)) {
            return Self::Call(recipient.strip_prefix(FUNCTIONS).unwrap_or(recipient));
        }
        if words.any(|word| word == "analysis") {
            Self::Reasoning
        } else {
            Self::Content
        }
    }
}
