//! Documents in a prompt: each between marks that its text cannot forge.
//!
//! The marks of a request carry a word that none of its texts holds. It follows from the request
//! alone, so that the same request makes the same prompt; a text cannot foresee it either, since
//! the word depends on the text and is drawn anew while any text holds it.

use super::limits::MAX_MARK_TRIES;
use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, State, Value};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Templates cannot write a variable of this name, so they can neither read nor set it.
const MARK: &str = "mark of blocks";

/// No vowels: no word of a language, and none that a model takes for one.
const LETTERS: &[u8; 16] = b"bcdfghjkmnpqrstv";

/// Characters of a document's name that are shown.
const MAX_NAME_CHARS: usize = 120;

/// A document, as a prompt shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptDocument {
    /// Of the request's documents, from 1.
    pub number: usize,
    pub name: String,
    /// How many it has, where that is known.
    pub pages: Option<usize>,
    pub text: String,
}

/// What stands in the marks of one request, and in none of its texts.
#[derive(Debug)]
pub(super) struct Mark(String);

impl Mark {
    /// `None` if every word that was tried stands in a text, which does not happen by chance.
    pub fn drawn(seed: &str, texts: &[&str]) -> Option<Self> {
        let mut request = Sha256::new();
        for text in std::iter::once(&seed).chain(texts) {
            // Each length before its text: what is split otherwise is another request.
            request.update((text.len() as u64).to_le_bytes());
            request.update(text.as_bytes());
        }
        let lower: Vec<String> = texts.iter().map(|text| text.to_ascii_lowercase()).collect();
        let words = (0..MAX_MARK_TRIES).map(|attempt| {
            let digest = request
                .clone()
                .chain_update(attempt.to_le_bytes())
                .finalize();
            let letters = digest
                .iter()
                .take(8)
                .map(|byte| LETTERS[usize::from(byte % 16)]);
            letters.map(char::from).collect::<String>()
        });
        let mut free = words.filter(|word| !lower.iter().any(|text| text.contains(word)));
        free.next().map(Self)
    }

    /// A member of a template's context.
    pub fn member(&self) -> (&'static str, Value) {
        (MARK, Value::from(self.0.as_str()))
    }
}

/// Documents between marks that none of them holds, each by itself. `None` if every word that was
/// tried stands in one, which does not happen by chance.
pub fn marked(documents: &[PromptDocument]) -> Option<Vec<String>> {
    let texts = documents
        .iter()
        .flat_map(|document| [&*document.name, &*document.text]);
    let Mark(mark) = Mark::drawn("", &texts.collect::<Vec<_>>())?;
    let block = |document: &PromptDocument| {
        let mut out = String::new();
        document.write(&mut out, &mark);
        out.truncate(out.trim_end_matches('\n').len());
        out
    };
    Some(documents.iter().map(block).collect())
}

impl PromptDocument {
    fn write(&self, out: &mut String, mark: &str) {
        // Writing to a string cannot fail.
        let _ = write!(out, "<document-{mark} number=\"{}\"", self.number);
        let _ = write!(out, " name=\"{}\"", shown(&self.name));
        if let Some(pages) = self.pages {
            let _ = write!(out, " pages=\"{pages}\"");
        }
        let _ = write!(out, ">\n{}\n</document-{mark}>\n\n", self.text);
    }

    pub(super) fn to_value(&self) -> Value {
        Value::from_pairs([
            ("number", Value::from(self.number)),
            ("name", Value::from(self.name.as_str())),
            ("pages", self.pages.map_or(Value::from(()), Value::from)),
            ("text", Value::from(self.text.as_str())),
        ])
    }
}

/// The filter `block`: a document, a text, or a list of either, between marks.
pub(super) fn block(state: &mut State, value: &Value) -> Result<String, Error> {
    let mark = state.lookup(MARK);
    let mark = mark.as_ref().and_then(Value::as_str);
    let mark = mark.ok_or_else(|| invalid("there is no mark for blocks"))?;
    let mut out = String::new();
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            for item in value.try_iter()? {
                write_block(&mut out, mark, &item)?;
            }
        }
        _ => write_block(&mut out, mark, value)?,
    }
    out.truncate(out.trim_end_matches('\n').len());
    Ok(out)
}

fn write_block(out: &mut String, mark: &str, value: &Value) -> Result<(), Error> {
    // Writing to a string cannot fail.
    match value.kind() {
        ValueKind::Map => {
            let text = |name: &str| {
                let value = value.get_attr(name)?;
                Ok::<_, Error>(value.as_str().unwrap_or_default().to_owned())
            };
            let document = PromptDocument {
                number: value.get_attr("number")?.as_usize().unwrap_or(1),
                name: text("name")?,
                pages: value.get_attr("pages")?.as_usize(),
                text: text("text")?,
            };
            document.write(out, mark);
        }
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            let _ = write!(out, "<text-{mark}>\n{text}\n</text-{mark}>\n\n");
        }
        kind => {
            return Err(invalid(format!(
                "`block` takes documents and texts, and this is {kind}"
            )));
        }
    }
    Ok(())
}

/// A file's name on one line, and within its quotation marks.
fn shown(name: &str) -> String {
    let plain = name.chars().map(|character| match character {
        '"' | '<' | '>' => '\'',
        character if character.is_control() => ' ',
        character => character,
    });
    let mut shown: String = plain.clone().take(MAX_NAME_CHARS).collect();
    if plain.count() > MAX_NAME_CHARS {
        shown.push('…');
    }
    shown
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}
