//! What a model wrote, taken apart as it comes: text for the reader, reasoning, calls of tools.
//!
//! What comes out depends on the text alone and never on how it was cut into pieces, and nothing
//! of it is lost: what looks like a call and is none is text.

mod answer_tags;
mod body;
mod calls;
mod dialect;
mod function_tags;
mod gemma;
mod harmony;
mod held;
mod json_value;
mod marker;
mod tagged;
#[cfg(test)]
mod tests;

pub use dialect::{Dialect, ToolFormat};
pub use function_tags::Signatures;
pub use marker::Marker;

use harmony::Harmony;
use std::sync::Arc;
use tagged::Tagged;

/// A piece of what a model writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    Text(&'a str),
    /// A control token, by its content.
    Control(&'a str),
}

/// A part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Content(String),
    Reasoning(String),
    /// The call with this number, from 0, begins.
    Call {
        index: usize,
        name: String,
    },
    /// More of its arguments, which are JSON if the model wrote them well.
    Arguments {
        index: usize,
        text: String,
    },
}

/// Takes one answer apart.
pub enum Transcript {
    /// Everything is for the reader.
    Plain,
    Tagged(Box<Tagged>),
    Harmony(Harmony),
}

impl Transcript {
    /// For an answer whose prompt ends with `prompt_end`: a template may open the reasoning
    /// there. `tools`: the functions that may be called, if any may.
    pub fn new(dialect: &Dialect, tools: Option<Arc<Signatures>>, prompt_end: &str) -> Self {
        if dialect.is_harmony() {
            return Self::Harmony(Harmony::new(tools.is_some()));
        }
        match Tagged::new(dialect, tools, prompt_end) {
            Some(tagged) => Self::Tagged(Box::new(tagged)),
            None => Self::Plain,
        }
    }

    /// Whether this control token means something here.
    pub fn reads(&self, control: &str) -> bool {
        match self {
            Self::Plain => false,
            Self::Tagged(tagged) => tagged.reads(control),
            Self::Harmony(_) => Harmony::reads(control),
        }
    }

    pub fn push(&mut self, piece: Piece<'_>, out: &mut Vec<Part>) {
        match (self, piece) {
            (Self::Plain, Piece::Text(text)) => Sink::new(&mut 0, out).content(text),
            (Self::Plain, Piece::Control(_)) => {}
            (Self::Tagged(tagged), piece) => tagged.push(piece, out),
            (Self::Harmony(harmony), piece) => harmony.push(piece, out),
        }
    }

    /// The answer ends.
    pub fn finish(&mut self, out: &mut Vec<Part>) {
        match self {
            Self::Plain => {}
            Self::Tagged(tagged) => tagged.finish(out),
            Self::Harmony(harmony) => harmony.finish(out),
        }
    }

    /// Everything is text.
    pub fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }

    /// What comes next is reasoning, as far as is known.
    pub fn is_reasoning(&self) -> bool {
        match self {
            Self::Plain => false,
            Self::Tagged(tagged) => tagged.is_reasoning(),
            Self::Harmony(harmony) => harmony.is_reasoning(),
        }
    }

    /// A call was begun and is not complete. That of a message which the answer's end ends is.
    pub fn is_in_call(&self) -> bool {
        match self {
            Self::Plain | Self::Harmony(_) => false,
            Self::Tagged(tagged) => tagged.is_in_call(),
        }
    }

    pub fn num_calls(&self) -> usize {
        match self {
            Self::Plain => 0,
            Self::Tagged(tagged) => tagged.num_calls(),
            Self::Harmony(harmony) => harmony.num_calls(),
        }
    }
}

/// Where parts go; neighbours of one kind become one.
pub(super) struct Sink<'a> {
    num_calls: &'a mut usize,
    out: &'a mut Vec<Part>,
}

impl<'a> Sink<'a> {
    fn new(num_calls: &'a mut usize, out: &'a mut Vec<Part>) -> Self {
        Self { num_calls, out }
    }

    fn content(&mut self, text: &str) {
        match self.out.last_mut() {
            _ if text.is_empty() => {}
            Some(Part::Content(last)) => last.push_str(text),
            _ => self.out.push(Part::Content(text.to_owned())),
        }
    }

    fn reasoning(&mut self, text: &str) {
        match self.out.last_mut() {
            _ if text.is_empty() => {}
            Some(Part::Reasoning(last)) => last.push_str(text),
            _ => self.out.push(Part::Reasoning(text.to_owned())),
        }
    }

    /// A call begins; its number.
    fn call(&mut self, name: &str) -> usize {
        let index = *self.num_calls;
        *self.num_calls += 1;
        let name = name.to_owned();
        self.out.push(Part::Call { index, name });
        index
    }

    fn argument(&mut self, index: usize, more: char) {
        self.arguments(index, more.encode_utf8(&mut [0; 4]));
    }

    fn arguments(&mut self, index: usize, more: &str) {
        match self.out.last_mut() {
            _ if more.is_empty() => {}
            Some(Part::Arguments { index: last, text }) if *last == index => text.push_str(more),
            _ => self.out.push(Part::Arguments {
                index,
                text: more.to_owned(),
            }),
        }
    }
}
