//! What a template finds of what messages say.

use super::fixtures::{added, byte_level_json, message, prompt, template, tokenizer};
use super::{ChatMessage, ChatPrompt, Content, Ending, Tokenizer};
use serde_json::json;
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

static TOKENIZER: LazyLock<Arc<Tokenizer>> = LazyLock::new(|| tokenizer(&byte_level_json()));

/// Shows a text, or each of several, and nothing between them.
const TAKES_PARTS: &str = "{% for m in messages %}[{% if m.content is string %}{{ m.content }}{% else %}\
     {% for part in m.content %}{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}{% endif %}]{% endfor %}";
const TAKES_TEXTS: &str = "{% for m in messages %}[{{ m.content }}]{% endfor %}";
/// As Gemma 3 does with those of the system.
const TAKES_THE_FIRST: &str = "{% for m in messages %}[{{ m.content if m.content is string else m.content[0].text }}]{% endfor %}";

fn render(source: &str, messages: &[ChatMessage]) -> Result<String, String> {
    let text = template(source).render(&TOKENIZER, &prompt(messages), SystemTime::UNIX_EPOCH);
    text.map(|text| text.as_str().to_owned())
        .map_err(|error| error.to_string())
}

fn saying(role: &str, content: Content) -> ChatMessage {
    ChatMessage {
        content,
        ..message(role, "")
    }
}

fn parts(texts: &[&str]) -> Content {
    Content::Parts(texts.iter().map(|text| (*text).to_owned()).collect())
}

#[test]
fn a_message_that_says_nothing_has_no_content() {
    let source = "{% for m in messages %}{{ m.content is defined }} {% endfor %}";
    let messages = [saying("assistant", Content::Absent), message("user", "")];
    assert_eq!(render(source, &messages).unwrap(), "False True ");
}

#[test]
fn a_template_that_cannot_do_without_a_content_is_given_one() {
    let nothing = [saying("assistant", Content::Absent)];
    let asks_for_none = "{% if messages[0].content is none %}calls{% else %}\
         {{ 'says ' + messages[0].content }}{% endif %}";
    assert_eq!(render(asks_for_none, &nothing).unwrap(), "calls");
    let asks_for_nothing = "{{ 'says ' + messages[0].content }}";
    assert_eq!(render(asks_for_nothing, &nothing).unwrap(), "says ");
    // Its own refusal stands.
    let refuses =
        "{% if messages[0].content is not defined %}{{ raise_exception('no') }}{% endif %}";
    assert_eq!(render(refuses, &nothing).unwrap_err(), "no");
    let fails = "{{ 'says ' + messages[0].nothing }}";
    assert!(render(fails, &nothing).unwrap_err().contains("undefined"));
}

#[test]
fn reasoning_stands_under_both_of_its_names() {
    let thought = ChatMessage {
        reasoning: Some("Hm.".to_owned()),
        ..message("assistant", "Ja.")
    };
    let source =
        "{{ messages[0].thinking }} {{ messages[0].reasoning_content }} {{ messages[0] | list }}";
    assert_eq!(
        render(source, &[thought]).unwrap(),
        "Hm. Hm. ['thinking', 'role', 'content', 'reasoning_content']"
    );
}

#[test]
fn a_template_that_takes_parts_is_given_them_and_another_one_their_text() {
    for role in ["system", "user", "assistant", "tool"] {
        let several = [saying(role, parts(&["a <|im_end|>", "b"]))];
        assert_eq!(
            render(TAKES_PARTS, &several).unwrap(),
            "[a <|im_end|>b]",
            "{role}"
        );
        assert_eq!(render(TAKES_TEXTS, &several).unwrap(), "[a <|im_end|>\nb]");
    }
    let one = [saying("user", parts(&["a"]))];
    for source in [TAKES_PARTS, TAKES_TEXTS, TAKES_THE_FIRST] {
        assert_eq!(render(source, &one).unwrap(), "[a]");
    }
}

#[test]
fn no_part_is_lost_in_a_template_that_shows_the_first_alone() {
    let several = [saying("system", parts(&["a", "b"]))];
    assert_eq!(render(TAKES_THE_FIRST, &several).unwrap(), "[a\nb]");
}

#[test]
fn a_message_in_parts_goes_on_where_its_last_part_ends() {
    let prompt = ChatPrompt {
        ending: Ending::Open,
        ..prompt(&[saying("assistant", parts(&["a", "b "]))])
    };
    for (source, expected) in [(TAKES_PARTS, "[ab "), (TAKES_TEXTS, "[a\nb ")] {
        let text = template(source).render(&TOKENIZER, &prompt, SystemTime::UNIX_EPOCH);
        assert_eq!(text.unwrap().as_str(), expected);
    }
}

#[test]
fn the_words_for_parts_are_found_where_a_control_token_holds_them() {
    let mut json = byte_level_json();
    let tokens = json["added_tokens"].as_array_mut().unwrap();
    tokens.push(added("<|endoftext|>", 1000, true));
    let tokenizer = tokenizer(&json);
    let messages = [saying("user", parts(&["text", "b"]))];
    let text = template(TAKES_PARTS).render(&tokenizer, &prompt(&messages), SystemTime::UNIX_EPOCH);
    assert_eq!(text.unwrap().as_str(), "[textb]");
    let tools = ChatPrompt {
        tools: vec![json!({"type": "function", "function": {"name": "text"}})],
        ..prompt(&[message("user", "a")])
    };
    let source = "{{ tools[0].function.name }} {{ tools[0].type == 'function' }}";
    let text = template(source).render(&tokenizer, &tools, SystemTime::UNIX_EPOCH);
    assert_eq!(text.unwrap().as_str(), "text True");
}

#[test]
fn more_is_said_at_the_end() {
    for (mut content, expected) in [
        (Content::Absent, Content::from("!")),
        ("a".into(), "a!".into()),
        (parts(&["a", "b"]), parts(&["a", "b!"])),
    ] {
        content.push_str("!");
        assert_eq!(content, expected);
        assert!(content.text().ends_with('!') && !content.is_empty());
    }
}
