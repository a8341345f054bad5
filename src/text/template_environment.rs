//! A minijinja environment that behaves like the one `transformers` renders templates in.

use super::json::tojson;
use super::python_methods::{lines, python_method, stripped};
use super::python_text::{python_text, show};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, StringInput, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value, filters};
use std::borrow::Cow;
use std::time::SystemTime;

/// What a template said with `raise_exception`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refusal(pub(super) String);

/// The widest indentation.
const MAX_INDENT: usize = 64;

pub(super) fn template_environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    // Errors reach clients: they quote neither the template nor its variables.
    environment.set_debug(false);
    environment.set_unknown_method_callback(python_method);
    environment.set_formatter(show);
    environment.add_filter("tojson", tojson);
    environment.add_filter("trim", trim);
    environment.add_filter("string", python_text);
    environment.add_filter("indent", indent);
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_filter("items", items);
    environment.add_filter("length", length);
    environment.add_filter("count", length);
    environment.add_test("sequence", is_sequence);
    environment.add_test("iterable", is_iterable);
    environment.add_test("callable", is_callable);
    environment.add_function("raise_exception", raise_exception);
    Ok(environment)
}

/// `strftime_now(format)` for a clock value, in local time as in `transformers`.
pub(super) fn strftime_now(clock: SystemTime) -> Result<Value, Error> {
    let now = jiff::Timestamp::try_from(clock)
        .map_err(invalid)?
        .to_zoned(jiff::tz::TimeZone::system());
    Ok(Value::from_function(move |format: &str| {
        jiff::fmt::strtime::format(format, &now).map_err(invalid)
    }))
}

/// Writes `{% generation %}` blocks as `{% with %}` blocks: both only open a scope. The tags'
/// white space control stays.
pub(super) fn without_generation_tags(source: &str) -> Cow<'_, str> {
    let mut rewritten = String::new();
    let mut done = 0;
    for (open, _) in source.match_indices("{%") {
        let inside = open + 2;
        let Some(length) = source[inside..].find("%}") else {
            break;
        };
        let tag = &source[inside..inside + length];
        let name = tag
            .trim_start_matches(['-', '+'])
            .trim_end_matches(['-', '+'])
            .trim();
        let replacement = match name {
            "generation" => "with",
            "endgeneration" => "endwith",
            _ => continue,
        };
        let at = inside + tag.find(name).unwrap_or(0);
        rewritten.push_str(&source[done..at]);
        rewritten.push_str(replacement);
        done = at + name.len();
    }
    if done == 0 {
        return Cow::Borrowed(source);
    }
    rewritten.push_str(&source[done..]);
    Cow::Owned(rewritten)
}

fn invalid(error: impl ToString) -> Error {
    Error::new(ErrorKind::InvalidOperation, error.to_string())
}

fn raise_exception(message: String) -> Result<Value, Error> {
    Err(invalid("the chat template refused the messages").with_source(Refusal(message)))
}

fn trim(value: StringInput<'_>, characters: Option<Cow<'_, str>>) -> String {
    let strips = stripped(characters.as_deref());
    value.as_str().trim_matches(&strips).to_owned()
}

/// As Jinja2's: a line end at the end of the text stays.
fn indent(
    value: StringInput<'_>,
    width: Option<Value>,
    first: Option<bool>,
    blank: Option<bool>,
    options: Kwargs,
) -> Result<String, Error> {
    let width = match width {
        Some(width) => Some(width),
        None => options.get("width")?,
    };
    let first = first.or(options.get("first")?).unwrap_or(false);
    let blank = blank.or(options.get("blank")?).unwrap_or(false);
    options.assert_all_used()?;
    let indentation = match &width {
        None => " ".repeat(4),
        Some(width) => match width.as_str() {
            Some(text) => text.to_owned(),
            None => " ".repeat(usize::try_from(width.clone())?.min(MAX_INDENT)),
        },
    };
    let mut text = value.as_str().to_owned();
    text.push('\n');
    let mut indented = String::with_capacity(text.len());
    for (index, line) in lines(&text, false).into_iter().enumerate() {
        if index > 0 {
            indented.push('\n');
        }
        let is_indented = match index {
            0 => first,
            _ => blank || !line.is_empty(),
        };
        if is_indented {
            indented.push_str(&indentation);
        }
        indented.push_str(line);
    }
    Ok(indented)
}

/// What stands for a value that is undefined, or where `boolean` is true for any that is not true.
fn default(
    value: &Value,
    other: Option<Value>,
    boolean: Option<bool>,
    options: Kwargs,
) -> Result<Value, Error> {
    let other = match other {
        Some(other) => Some(other),
        None => options.get("default_value")?,
    };
    let boolean = boolean.or(options.get("boolean")?).unwrap_or(false);
    options.assert_all_used()?;
    match value.is_undefined() || boolean && !value.is_true() {
        true => Ok(other.unwrap_or_else(|| Value::from(""))),
        false => Ok(value.clone()),
    }
}

/// Of what is undefined there are none.
fn items(value: &Value) -> Result<Value, Error> {
    match value.is_undefined() {
        true => Ok(Value::from(Vec::<Value>::new())),
        false => filters::items(value),
    }
}

fn length(value: &Value) -> Result<usize, Error> {
    match value.is_undefined() {
        true => Ok(0),
        false => filters::length(value),
    }
}

/// Whatever has a length and items: texts and mappings, too.
fn is_sequence(value: &Value) -> bool {
    matches!(
        value.kind(),
        ValueKind::Seq
            | ValueKind::Iterable
            | ValueKind::Map
            | ValueKind::String
            | ValueKind::Undefined
    )
}

fn is_iterable(value: &Value) -> bool {
    !value.is_none() && value.try_iter().is_ok()
}

/// Nothing that a template is given to look at is one, but for what its own macros are.
fn is_callable(value: &Value) -> bool {
    value.kind() == ValueKind::Plain
}
