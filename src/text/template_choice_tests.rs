//! Which of a model's templates is used, and where a prompt ends that goes on in a message.

use super::fixtures::{CHATML, byte_level_json, message, prompt, template, tokenizer};
use super::{ChatPrompt, ChatTemplate, Ending, TextError, Tokenizer};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;
use tempfile::TempDir;

static TOKENIZER: LazyLock<Arc<Tokenizer>> = LazyLock::new(|| tokenizer(&byte_level_json()));

/// Templates that print their names.
fn checkpoint(files: &[(&str, &str)], configured: &Value) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let config = json!({"chat_template": configured});
    write("tokenizer_config.json", &config.to_string());
    for (name, text) in files {
        write(name, text);
    }
    dir
}

fn chosen(dir: &Path, name: Option<&str>, has_tools: bool) -> Result<String, TextError> {
    let template = ChatTemplate::from_dir(dir).unwrap().unwrap();
    let prompt = ChatPrompt {
        template: name.map(str::to_owned),
        tools: has_tools.then(|| json!({})).into_iter().collect(),
        ..prompt(&[message("user", "hi")])
    };
    let text = template.render(&TOKENIZER, &prompt, SystemTime::UNIX_EPOCH)?;
    assert_eq!(template.source_for(name, has_tools), text.as_str());
    Ok(text.as_str().to_owned())
}

#[test]
fn a_template_is_chosen_by_name_or_by_whether_there_are_tools() {
    let named = |names: &[&str]| -> Value {
        let entry = |name: &&str| json!({"name": name, "template": name});
        names.iter().map(entry).collect()
    };
    let three = checkpoint(&[], &named(&["rag", "default", "tool_use"]));
    for (name, has_tools, expected) in [
        (None, false, "default"),
        (None, true, "tool_use"),
        (Some("rag"), false, "rag"),
        (Some("rag"), true, "rag"),
        (Some("default"), true, "default"),
    ] {
        assert_eq!(chosen(three.path(), name, has_tools).unwrap(), expected);
    }
    assert!(chosen(three.path(), Some("unknown"), false).is_err());
    let two = checkpoint(&[], &named(&["rag", "default"]));
    assert_eq!(chosen(two.path(), None, true).unwrap(), "default");
    let one = checkpoint(&[], &json!("alone"));
    assert_eq!(chosen(one.path(), Some("default"), true).unwrap(), "alone");
}

#[test]
fn files_of_their_own_hide_what_is_configured() {
    let files = [
        ("chat_template.jinja", "default file"),
        ("additional_chat_templates/rag.jinja", "rag file"),
        ("additional_chat_templates/README.md", "none"),
    ];
    let configured =
        json!([{"name": "default", "template": "a"}, {"name": "tool_use", "template": "b"}]);
    let dir = checkpoint(&files, &configured);
    let template = ChatTemplate::from_dir(dir.path()).unwrap().unwrap();
    assert_eq!(template.names().collect::<Vec<_>>(), ["default", "rag"]);
    assert_eq!(chosen(dir.path(), None, true).unwrap(), "default file");
    assert_eq!(chosen(dir.path(), Some("rag"), false).unwrap(), "rag file");
}

#[test]
fn templates_without_a_default_or_a_name_are_refused() {
    let rag = json!([{"name": "rag", "template": "r"}]);
    let nameless = json!([{"name": "default", "template": "d"}, {"template": "r"}]);
    let many: Value = (0..17)
        .map(|i| json!({"name": if i == 0 { "default".to_owned() } else { i.to_string() }, "template": ""}))
        .collect();
    let broken =
        json!([{"name": "default", "template": ""}, {"name": "rag", "template": "{% if %}"}]);
    for (files, configured, words) in [
        (&[][..], rag, "names no template \"default\""),
        (&[], nameless, "an entry without a name and a template"),
        (&[], many, "more than 16"),
        (&[], broken, "the chat template is invalid"),
        (
            &[("additional_chat_templates/rag.jinja", "r")],
            json!("d"),
            "names no template \"default\"",
        ),
    ] {
        let dir = checkpoint(files, &configured);
        let error = ChatTemplate::from_dir(dir.path()).err().unwrap();
        assert!(error.to_string().contains(words), "{error}");
    }
}

fn open(source: &str, said: &str) -> Result<String, String> {
    let prompt = ChatPrompt {
        ending: Ending::Open,
        ..prompt(&[message("user", "im"), message("assistant", said)])
    };
    let text = template(source).render(&TOKENIZER, &prompt, SystemTime::UNIX_EPOCH);
    text.map(|text| text.as_str().to_owned())
        .map_err(|error| error.to_string())
}

#[test]
fn a_message_goes_on_where_its_text_ends() {
    let user = "<|im_start|>user\nim<|im_end|>\n<|im_start|>assistant\n";
    // Some of it stands in what the template writes behind it, too.
    for said in ["im", "<|im_end|>", "end", "|", "a\n", "b  ", "é"] {
        assert_eq!(open(CHATML, said), Ok(format!("{user}{said}")), "{said}");
    }
    let trimming = "{% for m in messages %}[{{ m.content | trim }}]{% endfor %}";
    assert_eq!(open(trimming, " a b \n"), Ok("[im][a b".to_owned()));
    assert_eq!(open(trimming, "im"), Ok("[im][im".to_owned()));
    // It counts where it stands last, and nothing of ours stays where it stood before.
    let twice = "{% for m in messages %}{{ m.content }};{{ m.content }}.{% endfor %}";
    assert_eq!(open(twice, "a b"), Ok("im;im.a b;a b".to_owned()));
    let silent = "{% for m in messages %}{{ m.role }}{% endfor %}";
    assert!(open(silent, "a").unwrap_err().contains("cannot go on"));
}
