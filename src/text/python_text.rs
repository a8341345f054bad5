//! Values as Python's `str` writes them, which is how a template shows what is no text.

use super::json::python_float;
use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, ErrorKind, Output, State, Value, escape_formatter};
use std::fmt::Write;

/// Deeper values are refused.
const MAX_DEPTH: usize = 200;

/// What `{{ value }}` shows.
pub(super) fn show(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    match is_like_python(value) {
        true => escape_formatter(out, state, value),
        // What nothing was written to cannot fail.
        false => out.write_str(&python_text(value)?).map_err(Error::from),
    }
}

/// The filter `string`.
pub(super) fn python_text(value: &Value) -> Result<String, Error> {
    if is_like_python(value) {
        return Ok(value.to_string());
    }
    let mut text = String::new();
    write(&mut text, value, 0)?;
    Ok(text)
}

/// minijinja writes it as Python does: all but fractions, and what may hold some.
fn is_like_python(value: &Value) -> bool {
    match value.kind() {
        ValueKind::Number => value.is_integer(),
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => false,
        _ => true,
    }
}

/// Python's `repr`.
fn write(out: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        let message = "the value is nested too deeply";
        return Err(Error::new(ErrorKind::InvalidOperation, message));
    }
    match value.kind() {
        ValueKind::Number if !value.is_integer() => {
            out.push_str(&python_float(f64::try_from(value.clone())?));
        }
        ValueKind::Seq => {
            let is_tuple = value.downcast_object_ref::<Tuple>().is_some();
            let (open, close) = if is_tuple { ('(', ')') } else { ('[', ']') };
            out.push(open);
            let mut num_items = 0;
            for item in value.try_iter()? {
                separate(out, num_items);
                write(out, &item, depth + 1)?;
                num_items += 1;
            }
            if is_tuple && num_items == 1 {
                out.push(',');
            }
            out.push(close);
        }
        // A part of a list, or lists that were joined; what has no length is no list.
        ValueKind::Iterable if value.len().is_some() => {
            out.push('[');
            for (index, item) in value.try_iter()?.enumerate() {
                separate(out, index);
                write(out, &item, depth + 1)?;
            }
            out.push(']');
        }
        ValueKind::Map => {
            out.push('{');
            for (index, key) in value.try_iter()?.enumerate() {
                separate(out, index);
                write(out, &key, depth + 1)?;
                out.push_str(": ");
                write(out, &value.get_item(&key)?, depth + 1)?;
            }
            out.push('}');
        }
        // Writing to a string cannot fail.
        _ => {
            let _ = write!(out, "{value:?}");
        }
    }
    Ok(())
}

fn separate(out: &mut String, index: usize) {
    if index > 0 {
        out.push_str(", ");
    }
}
