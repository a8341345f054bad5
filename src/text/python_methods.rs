//! Python's methods of texts: those that templates call and minijinja lacks, or does otherwise.

use minijinja::value::{Kwargs, Tuple, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat::unknown_method_callback;

pub(super) fn python_method(
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

/// What Python's `strip` takes away: the given characters, or its own idea of white space.
pub(super) fn stripped(characters: Option<&str>) -> impl Fn(char) -> bool {
    let characters: Option<Vec<char>> = characters.map(|characters| characters.chars().collect());
    move |character| match &characters {
        Some(characters) => characters.contains(&character),
        None => is_space(character),
    }
}

/// The lines of a text as Python's `splitlines` tells them apart, with their ends or without.
pub(super) fn lines(text: &str, with_ends: bool) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some((at, end)) = rest.char_indices().find(|(_, c)| ends_line(*c)) {
        let is_pair = end == '\r' && rest[at + 1..].starts_with('\n');
        let next = at + end.len_utf8() + usize::from(is_pair);
        lines.push(&rest[..if with_ends { next } else { at }]);
        rest = &rest[next..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

fn ends_line(character: char) -> bool {
    matches!(
        character,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
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
        "split" => {
            let (separator, most) = splitting(args)?;
            let parts = match separator {
                None => words(text, most),
                Some(separator) => text
                    .splitn(most.saturating_add(1), separator.as_str())
                    .collect(),
            };
            parts.into_iter().map(Value::from).collect()
        }
        "rsplit" => {
            let (separator, most) = splitting(args)?;
            let separator = separator.ok_or_else(|| invalid("rsplit needs a separator"))?;
            let parts = text.rsplitn(most.saturating_add(1), separator.as_str());
            let mut parts: Vec<Value> = parts.map(Value::from).collect();
            parts.reverse();
            Value::from(parts)
        }
        "splitlines" => {
            let (with_ends, options): (Option<bool>, Kwargs) = from_args(args)?;
            let with_ends = with_ends.or(options.get("keepends")?).unwrap_or(false);
            options.assert_all_used()?;
            lines(text, with_ends)
                .into_iter()
                .map(Value::from)
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
        _ => return Ok(None),
    }))
}

/// What a text is split at, which is white space if nothing is named, and how often at most.
fn splitting(args: &[Value]) -> Result<(Option<String>, usize), Error> {
    let (separator, most, options): (Option<String>, Option<i64>, Kwargs) = from_args(args)?;
    let separator = match separator {
        Some(separator) => Some(separator),
        None => options.get("sep")?,
    };
    let most = most.or(options.get("maxsplit")?).unwrap_or(-1);
    options.assert_all_used()?;
    if separator.as_deref() == Some("") {
        return Err(invalid("a text cannot be split at an empty one"));
    }
    Ok((separator, usize::try_from(most).unwrap_or(usize::MAX)))
}

/// Split at runs of white space, `most` times at most; what is left then stays as it is.
fn words(text: &str, most: usize) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        let end = rest.find(is_space).filter(|_| words.len() < most);
        let (word, behind) = rest.split_at(end.unwrap_or(rest.len()));
        words.push(word);
        rest = behind.trim_start_matches(is_space);
    }
    words
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

fn invalid(why: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, why.to_owned())
}
