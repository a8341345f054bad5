use serde_json::{Value, json};
use std::borrow::Cow;

/// Between texts that a client keeps apart, where a template takes one.
const SEPARATOR: &str = "\n";

/// What a message says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Content {
    /// Nothing, not even an empty text, as where an assistant only calls functions.
    #[default]
    Absent,
    Text(String),
    /// Several texts. A template that takes parts is given them, another one their joined text.
    Parts(Vec<String>),
}

/// What a template finds where a message says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absence {
    /// No key, as in `transformers` (5.23).
    NoKey,
    /// None, as in its older versions, which templates of their time ask for.
    Null,
    /// A text, for templates that ask for nothing.
    Empty,
}

impl Content {
    /// Everything that it says, as one text.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Absent => Cow::Borrowed(""),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Parts(parts) => Cow::Owned(parts.join(SEPARATOR)),
        }
    }

    pub fn is_empty(&self) -> bool {
        match self {
            Self::Absent => true,
            Self::Text(text) => text.is_empty(),
            Self::Parts(parts) => parts.iter().all(String::is_empty),
        }
    }

    /// Says more, at the end of what it says last.
    pub fn push_str(&mut self, more: &str) {
        match self {
            Self::Text(text) => text.push_str(more),
            Self::Parts(parts) => match parts.last_mut() {
                Some(last) => last.push_str(more),
                None => parts.push(more.to_owned()),
            },
            Self::Absent => *self = Self::Text(more.to_owned()),
        }
    }

    /// As a template that takes parts, or none, finds it.
    pub(super) fn to_value(&self, takes_parts: bool, absence: Absence) -> Option<Value> {
        match self {
            Self::Absent => match absence {
                Absence::NoKey => None,
                Absence::Null => Some(Value::Null),
                Absence::Empty => Some("".into()),
            },
            Self::Parts(parts) if takes_parts => Some(parts_value(parts)),
            Self::Text(_) | Self::Parts(_) => Some(self.text().into_owned().into()),
        }
    }
}

/// Text parts as clients of OpenAI's interface write them.
pub(super) fn parts_value(parts: &[impl AsRef<str>]) -> Value {
    let part = |text: &str| json!({"type": "text", "text": text});
    parts.iter().map(|text| part(text.as_ref())).collect()
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
