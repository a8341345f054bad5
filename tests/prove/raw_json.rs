//! The text of a value inside a JSON document, as it was sent: two numbers are the same answer
//! only if they are written with the same digits.

/// The value that keys and indices, parted by `.`, lead to. None where there is no such value.
pub fn raw<'a>(json: &'a str, path: &str) -> Option<&'a str> {
    path.split('.').try_fold(json.trim(), |value, step| {
        step.parse()
            .map_or_else(|_| member(value, step), |index| element(value, index))
    })
}

/// The elements of an array or the members of an object.
pub fn items(container: &str) -> Vec<&str> {
    let inner = container
        .strip_prefix(['[', '{'])
        .and_then(|rest| rest.strip_suffix([']', '}']));
    let Some(inner) = inner.filter(|inner| !inner.trim().is_empty()) else {
        return Vec::new();
    };
    let (mut items, mut start, mut depth, mut text) = (Vec::new(), 0, 0usize, Text::Outside);
    for (at, c) in inner.char_indices() {
        text = match (text, c) {
            (Text::Inside, '\\') => Text::Escaped,
            (Text::Inside, '"') => Text::Outside,
            (Text::Escaped, _) | (Text::Inside, _) => Text::Inside,
            (Text::Outside, '"') => Text::Inside,
            (Text::Outside, _) => {
                match c {
                    '[' | '{' => depth += 1,
                    ']' | '}' => depth -= 1,
                    ',' if depth == 0 => {
                        items.push(inner[start..at].trim());
                        start = at + 1;
                    }
                    _ => {}
                }
                Text::Outside
            }
        };
    }
    items.push(inner[start..].trim());
    items
}

/// Where a scan stands as to strings.
#[derive(Clone, Copy)]
enum Text {
    Outside,
    Inside,
    Escaped,
}

fn element(value: &str, index: usize) -> Option<&str> {
    let array = value.starts_with('[').then(|| items(value))?;
    array.get(index).copied()
}

/// Keys are those of the API, which hold nothing that is escaped.
fn member<'a>(value: &'a str, key: &str) -> Option<&'a str> {
    let object = value.starts_with('{').then(|| items(value))?;
    object.into_iter().find_map(|member| {
        let rest = member
            .strip_prefix('"')?
            .strip_prefix(key)?
            .strip_prefix('"')?;
        Some(rest.trim_start().strip_prefix(':')?.trim_start())
    })
}

#[test]
fn a_value_is_found_as_it_was_written() {
    let json = r#"{"a": "x,]\"}", "choices":[{"n":1},{"logprobs":{"content":[{"logprob":-0.10, "t":"é{"}, {"logprob":-1e-7}]}}]}"#;
    let found = raw(json, "choices.1.logprobs.content").unwrap();
    assert_eq!(
        items(found),
        [r#"{"logprob":-0.10, "t":"é{"}"#, r#"{"logprob":-1e-7}"#]
    );
    assert_eq!(
        raw(json, "choices.1.logprobs.content.0.logprob"),
        Some("-0.10")
    );
    assert_eq!(raw(json, "a"), Some(r#""x,]\"}""#));
    for absent in ["b", "choices.2", "choices.0.logprobs", "a.0"] {
        assert_eq!(raw(json, absent), None, "{absent}");
    }
    assert_eq!(items("[ ]"), Vec::<&str>::new());
}
