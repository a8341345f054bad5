//! The templates of a prompt's messages: a small part of minijinja, so that a file says nothing
//! that its reader could not foresee. There are variables, `if`, `for` and `set`, a few filters,
//! and no functions, macros or inclusions.

use super::block::block;
use super::error::Mistake;
use super::file::MessageText;
use super::limits::{FUEL, MAX_TAG_BYTES, MAX_TAGS};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value, filters,
};
use std::collections::{BTreeMap, HashSet};
use std::io;

const STATEMENTS: [&str; 7] = ["if", "elif", "else", "endif", "for", "endfor", "set"];
const FILTERS: &str = "block, join, length, lower, trim and upper";

/// The compiled messages of one prompt, by number.
pub(super) struct Templates {
    environment: Environment<'static>,
    messages: Vec<Compiled>,
}

struct Compiled {
    /// In the environment.
    name: String,
    /// Of the first line of its text in the file.
    line: usize,
}

/// Why a message cannot be rendered.
#[derive(Debug)]
pub(super) struct Failure {
    /// In the file.
    pub line: usize,
    /// Says nothing of what a request holds.
    pub kind: String,
    /// May quote it.
    pub detail: String,
}

/// `{{ … }}` or `{% … %}`.
struct Tag<'a> {
    line: usize,
    is_statement: bool,
    inner: &'a str,
}

/// Collects what a template writes, up to a limit.
struct BoundedOutput {
    bytes: Vec<u8>,
    limit: usize,
}

impl Templates {
    pub fn new() -> Result<Self, Error> {
        let mut environment = Environment::empty();
        // Lines that hold a statement alone leave nothing behind.
        environment.set_syntax(
            SyntaxConfig::builder()
                .trim_blocks(true)
                .lstrip_blocks(true)
                .build()?,
        );
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_formatter(write_value);
        environment.set_debug(false);
        environment.set_fuel(Some(FUEL));
        environment.add_filter("block", block);
        environment.add_filter("join", filters::join);
        environment.add_filter("length", filters::length);
        environment.add_filter("lower", filters::lower);
        environment.add_filter("trim", filters::trim);
        environment.add_filter("upper", filters::upper);
        Ok(Self {
            environment,
            messages: Vec::new(),
        })
    }

    /// Compiles a message; returns its number, and the variables in it with the lines of their
    /// first uses.
    pub fn add(
        &mut self,
        message: &MessageText,
    ) -> Result<(usize, BTreeMap<String, usize>), Mistake> {
        let tags = tags(&message.text, message.text_line);
        check_tags(&tags, message.line)?;
        let (number, name) = (
            self.messages.len(),
            format!("message {}", self.messages.len()),
        );
        let line = message.text_line;
        self.environment
            .add_template_owned(name.clone(), message.text.clone())
            .map_err(|error| {
                let failure = Failure::new(&error, line);
                Mistake::new(failure.line, failure.detail)
            })?;
        let variables: HashSet<String> = self
            .environment
            .get_template(&name)
            .map_err(|error| Mistake::new(line, error.to_string()))?
            .undeclared_variables(false);
        self.messages.push(Compiled { name, line });
        let lines = variables.into_iter().map(|variable| {
            let first = tags.iter().find(|tag| tag.names(&variable));
            let line = first.map_or(line, |tag| tag.line);
            (variable, line)
        });
        Ok((number, lines.collect()))
    }

    /// At most `limit` bytes, without white space around them.
    pub fn render(&self, number: usize, context: &Value, limit: usize) -> Result<String, Failure> {
        let Some(message) = self.messages.get(number) else {
            return Err(Failure::of(0, "there is no such message"));
        };
        let mut output = BoundedOutput {
            bytes: Vec::new(),
            limit,
        };
        let rendered = self
            .environment
            .get_template(&message.name)
            .and_then(|template| template.render_captured_to(context.clone(), &mut output));
        rendered.map_err(|error| Failure::new(&error, message.line))?;
        // A template writes strings only.
        let text = String::from_utf8(output.bytes)
            .map_err(|_| Failure::of(message.line, "the message is no text"))?;
        match text.trim() {
            "" => Err(Failure::of(message.line, "the message is empty")),
            text => Ok(text.to_owned()),
        }
    }
}

impl Failure {
    fn of(line: usize, kind: &str) -> Self {
        Self {
            line,
            kind: kind.to_owned(),
            detail: kind.to_owned(),
        }
    }

    /// `first` is the line of the message's text in its file.
    fn new(error: &Error, first: usize) -> Self {
        let line = first + error.line().unwrap_or(1).saturating_sub(1);
        let kind = match error.kind() {
            ErrorKind::OutOfFuel => "the message takes too long to render".to_owned(),
            ErrorKind::WriteFailure => "the message is far too long".to_owned(),
            ErrorKind::UndefinedError => "the message uses something that there is not".to_owned(),
            ErrorKind::UnknownFilter => format!("unknown filter; there are {FILTERS}"),
            ErrorKind::UnknownTest => "`is` and its tests are not known here".to_owned(),
            ErrorKind::UnknownFunction | ErrorKind::UnknownMethod => {
                "functions and methods are not known here".to_owned()
            }
            kind => kind.to_string(),
        };
        let detail = match error.detail() {
            Some(detail) => format!("{kind}: {detail}"),
            None => kind.clone(),
        };
        Self { line, kind, detail }
    }
}

impl Tag<'_> {
    fn names(&self, variable: &str) -> bool {
        let in_name = |character: char| character.is_alphanumeric() || character == '_';
        self.inner
            .split(|character| !in_name(character))
            .any(|word| word == variable)
    }
}

impl io::Write for BoundedOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(io::Error::other(format!("more than {} bytes", self.limit)));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Texts and numbers alone: whatever else minijinja would write (`none`, `true`, `["a"]`) is a
/// mistake in a letter.
fn write_value(output: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    let advice = match value.kind() {
        ValueKind::String | ValueKind::Number => {
            return minijinja::escape_formatter(output, state, value);
        }
        ValueKind::Undefined => return Err(ErrorKind::UndefinedError.into()),
        ValueKind::None => {
            "an optional variable that was not given has no text; put it between {% if … %} and {% endif %}"
        }
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => {
            "a list has no text of its own; write {{ … | join(\", \") }}, {{ … | block }} or {% for … %}"
        }
        _ => "this value has no text; use it in {% if … %}",
    };
    Err(Error::new(ErrorKind::InvalidOperation, advice))
}

fn check_tags(tags: &[Tag<'_>], line: usize) -> Result<(), Mistake> {
    if tags.len() > MAX_TAGS {
        let message = format!(
            "the message has {} tags; {MAX_TAGS} are allowed",
            tags.len()
        );
        return Err(Mistake::new(line, message));
    }
    for tag in tags {
        if tag.inner.len() > MAX_TAG_BYTES {
            let message = format!("a tag has more than {MAX_TAG_BYTES} bytes");
            return Err(Mistake::new(tag.line, message));
        }
        let inner = tag.inner.trim_start_matches(['-', '+']).trim_start();
        let name = inner
            .split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
            .next()
            .unwrap_or_default();
        if tag.is_statement && !STATEMENTS.contains(&name) {
            let known = STATEMENTS.join(", ");
            let message = format!("unknown statement `{name}`; there are {known}");
            return Err(Mistake::new(tag.line, message));
        }
    }
    Ok(())
}

/// All tags but comments, as minijinja finds them; one that is not closed is left to its parser.
fn tags(text: &str, first_line: usize) -> Vec<Tag<'_>> {
    let mut tags = Vec::new();
    let (mut at, mut line) = (0, first_line);
    while let Some(rest) = text.get(at..) {
        let opens = ["{{", "{%", "{#"];
        let open = opens
            .iter()
            .filter_map(|open| rest.find(open).map(|place| (place, *open)));
        let Some((place, open)) = open.min() else {
            break;
        };
        let start = at + place + 2;
        line += newlines(&text[at..start]);
        let length = match open {
            "{#" => text[start..].find("#}"),
            "{%" => closing(&text[start..], b"%}"),
            _ => closing(&text[start..], b"}}"),
        };
        let Some(length) = length else {
            break;
        };
        let inner = &text[start..start + length];
        if open != "{#" {
            tags.push(Tag {
                line,
                is_statement: open == "{%",
                inner,
            });
        }
        line += newlines(inner);
        at = start + length + 2;
    }
    tags
}

/// Where a tag ends, outside of its strings.
fn closing(text: &str, close: &[u8; 2]) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut quote = None;
    let mut at = 0;
    while at + 1 < bytes.len() {
        match (quote, bytes[at]) {
            (Some(_), b'\\') => at += 1,
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, byte @ (b'"' | b'\'')) => quote = Some(byte),
            (None, _) if bytes[at..].starts_with(close) => return Some(at),
            (None, _) => {}
        }
        at += 1;
    }
    None
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}
