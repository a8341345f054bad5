//! What Jinja2 and Python do, and templates rely on.

use super::fixtures::{byte_level_json, message, prompt, template, tokenizer};
use serde::Deserialize;
use std::time::SystemTime;

/// What `transformers` renders; `bless_chat_templates.py` beside it makes it.
const GOLDEN: &str = include_str!("../../tests/fixtures/text/expressions.json");

#[derive(Deserialize)]
struct Golden {
    messages: Vec<Message>,
    templates: Vec<Case>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: String,
}

#[derive(Deserialize)]
struct Case {
    template: String,
    expected: Expected,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Text(String),
    Error(String),
}

#[test]
fn expressions_are_what_jinja2_makes_of_them() {
    let tokenizer = tokenizer(&byte_level_json());
    let golden: Golden = serde_json::from_str(GOLDEN).unwrap();
    let messages = golden.messages.iter();
    let messages: Vec<_> = messages
        .map(|one| message(&one.role, &one.content))
        .collect();
    let mut wrong = Vec::new();
    for case in &golden.templates {
        let rendered =
            template(&case.template).render(&tokenizer, &prompt(&messages), SystemTime::UNIX_EPOCH);
        match (&case.expected, rendered) {
            (Expected::Text(expected), Ok(text)) if *expected == text.as_str() => {}
            (Expected::Error(_), Err(_)) => {}
            (Expected::Text(expected), Ok(text)) => wrong.push(format!(
                "{}\nis       {:?}\nand not  {expected:?}",
                case.template,
                text.as_str()
            )),
            (Expected::Text(_), Err(error)) => wrong.push(format!("{}\n{error}", case.template)),
            (Expected::Error(error), Ok(_)) => {
                wrong.push(format!("{}\nis no error: {error}", case.template));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(golden.templates.len() >= 60);
}
