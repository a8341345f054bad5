//! The front matter as TOML has it; what its values mean together is checked where they are used.

use super::checks::Checks;
use super::definition::{DocumentCount, LongDocuments};
use super::error::Mistake;
use super::sampling::Sampling;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// Unknown keys are errors.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FrontMatter {
    pub languages: Spanned<Vec<String>>,
    pub title: Spanned<BTreeMap<String, String>>,
    pub description: Spanned<BTreeMap<String, String>>,
    #[serde(default)]
    pub variables: BTreeMap<Spanned<String>, VariableTable>,
    pub documents: Option<Spanned<DocumentCount>>,
    pub long_documents: Option<Spanned<LongDocuments>>,
    /// JSON, in a string of several lines.
    pub schema: Option<Spanned<String>>,
    pub sampling: Option<Spanned<Sampling>>,
    pub checks: Option<Spanned<Checks>>,
}

/// `[variables.NAME]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VariableTable {
    #[serde(default, rename = "type")]
    pub kind: TypeName,
    pub description: BTreeMap<String, String>,
    #[serde(default)]
    pub required: bool,
    pub default: Option<toml::Value>,
    pub choices: Option<Vec<String>>,
    pub max_chars: Option<usize>,
    pub max_items: Option<usize>,
    pub min: Option<i64>,
    pub max: Option<i64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum TypeName {
    #[default]
    Text,
    Integer,
    Boolean,
    List,
}

/// Where the front matter stands in its file.
pub(super) struct Lines<'a> {
    text: &'a str,
    first: usize,
}

impl FrontMatter {
    pub fn parse(text: &str, lines: &Lines<'_>) -> Result<Self, Mistake> {
        toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let message = error.message().trim().replace('\n', " ");
            Mistake::new(lines.at(at), message)
        })
    }
}

impl<'a> Lines<'a> {
    /// Of a text whose first line is the line `first` of its file.
    pub fn new(text: &'a str, first: usize) -> Self {
        Self { text, first }
    }

    pub fn at(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().iter().take(offset);
        self.first + before.filter(|byte| **byte == b'\n').count()
    }

    pub fn of<T>(&self, value: &Spanned<T>) -> usize {
        self.at(value.span().start)
    }

    /// The first line of what stands in a string: the one after its quotes, where they are three
    /// and end their line.
    pub fn inside(&self, string: &Spanned<String>) -> usize {
        let written = self.text.get(string.span()).unwrap_or_default();
        let breaks = ["'''\n", "\"\"\"\n"]
            .iter()
            .any(|open| written.starts_with(open));
        self.of(string) + usize::from(breaks)
    }
}
