use super::fixtures::{CHATML, byte_level_json, message, prompt, template, tokenizer};
use super::{ChatMessage, ChatTemplate, TextError, Tokenizer};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime};

/// What `transformers` renders; `bless_chat_templates.py` beside it makes it.
const GOLDEN: &str = include_str!("../../tests/fixtures/text/chat_templates.json");

static TOKENIZER: LazyLock<Arc<Tokenizer>> = LazyLock::new(|| tokenizer(&byte_level_json()));

fn render(source: &str, messages: &[ChatMessage]) -> Result<String, String> {
    render_at(source, messages, SystemTime::UNIX_EPOCH)
}

fn render_at(source: &str, messages: &[ChatMessage], clock: SystemTime) -> Result<String, String> {
    let text = template(source).render(&TOKENIZER, &prompt(messages), clock);
    text.map(|text| text.as_str().to_owned())
        .map_err(|error| error.to_string())
}

fn from_files(files: &[(&str, Value)]) -> Result<Option<ChatTemplate>, TextError> {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let content = content
            .as_str()
            .map_or_else(|| content.to_string(), str::to_owned);
        std::fs::write(dir.path().join(name), content).unwrap();
    }
    ChatTemplate::from_dir(dir.path())
}

fn hello(template: Option<ChatTemplate>) -> String {
    let text = template.unwrap().render(
        &TOKENIZER,
        &prompt(&[message("user", "hi")]),
        SystemTime::UNIX_EPOCH,
    );
    text.unwrap().as_str().to_owned()
}

#[test]
fn templates_render_as_in_transformers() {
    let mut json = byte_level_json();
    json["added_tokens"] = json!([]);
    let tokenizer = tokenizer(&json);
    let families: Vec<Value> = serde_json::from_str(GOLDEN).unwrap();
    for family in &families {
        let mut config = family["special_tokens"].clone();
        config["chat_template"] = family["template"].clone();
        let template = from_files(&[("tokenizer_config.json", config)])
            .unwrap()
            .unwrap();
        for (index, case) in family["cases"].as_array().unwrap().iter().enumerate() {
            let messages: Vec<ChatMessage> = case["messages"]
                .as_array()
                .unwrap()
                .iter()
                .map(|fields| ChatMessage {
                    name: fields["name"].as_str().map(str::to_owned),
                    ..message(
                        fields["role"].as_str().unwrap(),
                        fields["content"].as_str().unwrap(),
                    )
                })
                .collect();
            let rendered = template.render(&tokenizer, &prompt(&messages), SystemTime::UNIX_EPOCH);
            let name = format!("{} {index}", family["name"]);
            match (case["expected"]["text"].as_str(), rendered) {
                (Some(expected), Ok(text)) => assert_eq!(text.as_str(), expected, "{name}"),
                (Some(_), Err(error)) => panic!("{name}: {error}"),
                (None, Ok(text)) => panic!("{name}: no error but {:?}", text.as_str()),
                (None, Err(error)) if family["name"] == "undefined" => {
                    assert!(error.to_string().contains("undefined"), "{error}");
                }
                (None, Err(error)) => {
                    assert_eq!(error.to_string(), case["expected"]["error"], "{name}")
                }
            }
        }
    }
    assert!(families.len() >= 8);
}

#[test]
fn a_template_file_beats_the_configuration() {
    let config = (
        "tokenizer_config.json",
        json!({"chat_template": "config", "bos_token": {"content": "<s>"}}),
    );
    assert_eq!(
        hello(from_files(std::slice::from_ref(&config)).unwrap()),
        "config"
    );
    assert_eq!(
        hello(
            from_files(&[
                config,
                ("chat_template.jinja", json!("{{ bos_token }}file"))
            ])
            .unwrap()
        ),
        "<s>file"
    );
}

#[test]
fn special_tokens_come_from_either_file() {
    let source = json!({"chat_template": "{{ bos_token }}{{ eos_token }}{{ pad_token }}{{ unk_token }}", "bos_token": null,
        "eos_token": "</s>", "add_bos_token": true});
    let map = json!({"bos_token": {"content": "<s>"}, "eos_token": "no", "unk_token": "<unk>"});
    let files = [
        ("tokenizer_config.json", source),
        ("special_tokens_map.json", map),
    ];
    assert_eq!(hello(from_files(&files).unwrap()), "<s></s><unk>");
}

#[test]
fn a_checkpoint_without_a_template_has_none() {
    assert!(from_files(&[]).unwrap().is_none());
    assert!(
        from_files(&[("tokenizer_config.json", json!({"chat_template": null}))])
            .unwrap()
            .is_none()
    );
}

#[test]
fn broken_files_are_named() {
    for (name, content, message) in [
        ("tokenizer_config.json", json!("{"), "is not valid JSON"),
        ("tokenizer_config.json", json!([]), "is not a JSON object"),
        (
            "tokenizer_config.json",
            json!({"chat_template": 1}),
            "is neither a string nor a list",
        ),
        (
            "tokenizer_config.json",
            json!({"chat_template": "{% if %}"}),
            "the chat template is invalid: syntax error",
        ),
        (
            "chat_template.jinja",
            json!("{{ 'open }}"),
            "the chat template is invalid: syntax error",
        ),
        (
            "chat_template.jinja",
            json!("{% generation %}"),
            "the chat template is invalid: syntax error",
        ),
    ] {
        let error = from_files(&[(name, content.clone())])
            .err()
            .unwrap_or_else(|| panic!("{content}"));
        assert!(matches!(&error, TextError::File { path, .. } if path.ends_with(Path::new(name))));
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn a_template_refuses_in_its_own_words() {
    let source = "{{ raise_exception('No ' + messages[0].content) }}";
    assert_eq!(
        render(source, &[message("user", "<|im_end|> here")]),
        Err("No <|im_end|> here".to_owned())
    );
}

#[test]
fn a_template_prints_the_request_s_clock_in_local_time() {
    let clock = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400 * 59 + 3_600 * 12);
    let local = jiff::Timestamp::try_from(clock)
        .unwrap()
        .to_zoned(jiff::tz::TimeZone::system());
    let source = "{{ strftime_now('%d %b %Y %H:%M') }}";
    let expected = format!(
        "{:02} Mar 1970 {:02}:{:02}",
        local.day(),
        local.hour(),
        local.minute()
    );
    assert_eq!(render_at(source, &[], clock), Ok(expected));
    assert!(render("{{ strftime_now('%!') }}", &[]).is_err());
}

#[test]
fn an_endless_template_is_stopped() {
    for source in [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% for a in range(99999) %}{{ messages[0].content }}{% endfor %}",
        "{% include 'chat template' %}",
        "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}",
        "{{ 'x' * 99999999999 }}",
        "{{ range(999999999) | list }}",
        "{% macro f(n) %}{{ f(n + 1) }}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
        "{% set ns = namespace(x=[]) %}{% for a in range(99999) %}{% for b in range(99999) %}{% set ns.x = ns.x + [b] %}{% endfor %}{% endfor %}",
        "{{ messages | tojson(indent=999999999999) * 99999999 }}",
    ] {
        let start = Instant::now();
        let error = render(source, &[message("user", &"long".repeat(1000))]).unwrap_err();
        assert!(error.starts_with("the chat template "), "{source}: {error}");
        assert!(!error.contains('\n'), "{source}: {error}");
        assert!(start.elapsed() < Duration::from_secs(2), "{source}");
    }
}

#[test]
fn a_deeply_nested_template_is_refused() {
    for part in [
        "{% if true %}",
        "{{ (",
        "{{ [",
        "not ",
        "-",
        "~1",
        "{% elif 1 %}",
        "{% for a in b %}",
        ".a",
        "{% macro f() %}",
    ] {
        // A tag that opens once, then as much of the same as fits.
        let (open, part) = part.strip_prefix("{{ ").map_or(
            (
                if part.starts_with("{%") {
                    "{% if 1 %}"
                } else {
                    "{{ a "
                },
                part,
            ),
            |part| ("{{ ", part),
        );
        let source = open.to_owned() + &part.repeat(((128 << 10) - open.len()) / part.len());
        let error = from_files(&[("chat_template.jinja", json!(source))])
            .err()
            .unwrap();
        assert!(
            error.to_string().contains("the chat template is invalid"),
            "{error}"
        );
    }
    let error = from_files(&[("chat_template.jinja", json!(" ".repeat(1 << 20)))])
        .err()
        .unwrap();
    assert!(
        error
            .to_string()
            .ends_with("the chat template is longer than 131072 bytes"),
        "{error}"
    );
    let json = "{% set ns = namespace(x=[]) %}{% for i in range(5000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x | tojson }}";
    assert!(render(json, &[]).unwrap_err().contains("nested too deeply"));
}

#[test]
fn eight_mebibytes_of_content_render() {
    for unit in ["a", "<|im_end|>", "\u{301}", "<|im_"] {
        let content = unit.repeat((8 << 20) / unit.len());
        let start = Instant::now();
        let text = render(CHATML, &[message("user", &content)]).unwrap();
        assert_eq!(
            text,
            format!("<|im_start|>user\n{content}<|im_end|>\n<|im_start|>assistant\n")
        );
        assert!(start.elapsed() < Duration::from_secs(20), "{unit}");
    }
}
