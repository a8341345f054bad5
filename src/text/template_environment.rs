//! A minijinja environment that behaves like the one `transformers` renders templates in.

use super::json::tojson;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{StringInput, Tuple, from_args};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat::unknown_method_callback;
use std::borrow::Cow;
use std::time::SystemTime;

/// Instructions that one rendering may execute. A message takes some hundreds.
const FUEL: u64 = 20_000_000;

/// What a template said with `raise_exception`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refusal(pub(super) String);

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
    environment.set_fuel(Some(FUEL));
    environment.set_unknown_method_callback(python_method);
    environment.add_filter("tojson", tojson);
    environment.add_filter("trim", trim);
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

/// What Python's `strip` takes away: the given characters, or its own idea of white space.
fn stripped(characters: Option<&str>) -> impl Fn(char) -> bool {
    let characters: Option<Vec<char>> = characters.map(|characters| characters.chars().collect());
    move |character| match &characters {
        Some(characters) => characters.contains(&character),
        None => character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character),
    }
}

/// Python's methods: those that templates use and minijinja lacks, or does otherwise.
fn python_method(
    state: &mut State,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    match value.as_str() {
        Some(text) => match string_method(text, method, args)? {
            Some(result) => Ok(result),
            None => unknown_method_callback(state, value, method, args),
        },
        None => unknown_method_callback(state, value, method, args),
    }
}

fn string_method(text: &str, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    Ok(Some(match method {
        "strip" | "lstrip" | "rstrip" => {
            let (characters,): (Option<&str>,) = from_args(args)?;
            let strips = stripped(characters);
            Value::from(match method {
                "strip" => text.trim_matches(&strips),
                "lstrip" => text.trim_start_matches(&strips),
                _ => text.trim_end_matches(&strips),
            })
        }
        "split" if args.is_empty() => {
            let strips = stripped(None);
            text.split(&strips)
                .filter(|word| !word.is_empty())
                .collect()
        }
        "title" => {
            let () = from_args(args)?;
            Value::from(title(text))
        }
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            Value::from(text.strip_prefix(prefix).unwrap_or(text))
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            Value::from(text.strip_suffix(suffix).unwrap_or(text))
        }
        "partition" => {
            let (separator,): (&str,) = from_args(args)?;
            let (before, after) = text.split_once(separator).unwrap_or((text, ""));
            let found = if before.len() == text.len() {
                ""
            } else {
                separator
            };
            Value::from(Tuple::from([before, found, after].map(Value::from)))
        }
        "rpartition" => {
            let (separator,): (&str,) = from_args(args)?;
            let (before, after) = text.rsplit_once(separator).unwrap_or(("", text));
            let found = if after.len() == text.len() {
                ""
            } else {
                separator
            };
            Value::from(Tuple::from([before, found, after].map(Value::from)))
        }
        "rsplit" => {
            let (separator, most): (&str, Option<usize>) = from_args(args)?;
            let most = most.map_or(usize::MAX, |most| most.saturating_add(1));
            let mut parts: Vec<Value> = text.rsplitn(most, separator).map(Value::from).collect();
            parts.reverse();
            Value::from(parts)
        }
        _ => return Ok(None),
    }))
}

/// Python's `str.title`: a letter begins a word wherever none stands before it.
fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut in_word = false;
    for character in text.chars() {
        if in_word {
            titled.extend(character.to_lowercase());
        } else {
            titled.extend(character.to_uppercase());
        }
        in_word = character.is_lowercase() || character.is_uppercase();
    }
    titled
}
