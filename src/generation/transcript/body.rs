use super::calls::{CallReader, Read, Style};
use super::dialect::{ARGS, ToolFormat};
use super::function_tags::FunctionTagReader;
use super::gemma::GemmaReader;
use super::marker::Marker;
use super::{Signatures, Sink};
use std::mem::take;
use std::sync::Arc;

/// How calls are written.
pub struct Calls {
    pub open: Option<Marker>,
    pub close: Option<Marker>,
    pub format: ToolFormat,
    /// The functions that may be called.
    pub signatures: Arc<Signatures>,
}

/// A call that is being read.
pub struct Body {
    pub reader: Reader,
    /// The tag and the white space before it.
    pub lead: String,
    /// What was read and may belong to no call.
    pub raw: String,
}

pub enum Reader {
    Json(CallReader),
    Gemma(GemmaReader),
    FunctionTags(FunctionTagReader),
}

impl Body {
    /// `has_tag`: that it is a call needs no other proof.
    pub fn new(calls: &Calls, lead: String, has_tag: bool) -> Self {
        let known = (!has_tag).then(|| Arc::clone(&calls.signatures));
        let reader = match calls.format {
            ToolFormat::Gemma => Reader::Gemma(GemmaReader::default()),
            ToolFormat::FunctionTags => {
                Reader::FunctionTags(FunctionTagReader::new(Arc::clone(&calls.signatures)))
            }
            ToolFormat::Mistral => Reader::Json(CallReader::new(Style::Prefixed, known)),
            ToolFormat::Apertus => Reader::Json(CallReader::new(Style::Keyed, known)),
            ToolFormat::Hermes
            | ToolFormat::Llama
            | ToolFormat::Granite
            | ToolFormat::Functools
            | ToolFormat::Generic
            | ToolFormat::Harmony => Reader::Json(CallReader::new(Style::Members, known)),
        };
        Self {
            reader,
            lead,
            raw: String::new(),
        }
    }

    /// Ends it where it is. Text that turned out to be no call.
    pub fn finish(&mut self, sink: &mut Sink<'_>) -> String {
        let raw = take(&mut self.raw);
        if !self.reader.has_begun() {
            return take(&mut self.lead) + &raw;
        }
        match &mut self.reader {
            Reader::Json(reader) => reader.finish(sink),
            Reader::FunctionTags(reader) => reader.finish(sink),
            Reader::Gemma(_) => {}
        }
        raw
    }
}

impl Reader {
    pub fn push(&mut self, character: char, sink: &mut Sink<'_>) -> Read {
        match self {
            Self::Json(reader) => reader.push(character, sink),
            Self::Gemma(reader) => reader.push(character, sink),
            Self::FunctionTags(reader) => reader.push(character, sink),
        }
    }

    pub fn has_begun(&self) -> bool {
        match self {
            Self::Json(reader) => reader.has_begun(),
            Self::Gemma(reader) => reader.has_begun(),
            Self::FunctionTags(reader) => reader.has_begun(),
        }
    }

    pub fn is_certain(&self) -> bool {
        match self {
            Self::Json(reader) => reader.is_certain(),
            Self::Gemma(reader) => reader.has_begun(),
            Self::FunctionTags(reader) => reader.has_begun(),
        }
    }

    /// A control token inside of a call; `None`: it does not belong there.
    pub fn control(&mut self, control: &str, sink: &mut Sink<'_>) -> Option<Read> {
        match self {
            Self::Json(reader) if ToolFormat::Mistral.reads_inside(control) => {
                Some(reader.separator(control == ARGS, sink))
            }
            Self::Gemma(reader) if GemmaReader::reads(control) => {
                reader.escape();
                Some(Read::More)
            }
            _ => None,
        }
    }
}
