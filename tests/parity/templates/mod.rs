//! Chat templates of real models: text and token ids as `transformers` (5.23) makes them.
//!
//! `tests/fixtures/templates` holds templates that may be passed on, with what `transformers`
//! renders of some conversations; `scripts/prove-templates` makes it. That script also asks for
//! [`real_tokenizers_make_the_ids_of_transformers`], with tokenizers that are fetched.

mod conversation;
mod report;

use conversation::{Conversation, Expected, Family, Fixture, families};
use guichet::text::{ChatTemplate, Tokenizer};
use report::Report;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Where the script puts what it wants compared.
const CASES: &str = "GUICHET_TEMPLATE_CASES";

/// What `scripts/prove-templates` wants compared.
#[derive(Deserialize)]
struct Cases {
    /// Unix seconds.
    clock: u64,
    tokenizers: Vec<RealTokenizer>,
}

#[derive(Deserialize)]
struct RealTokenizer {
    name: String,
    /// How `transformers` calls what it loads the directory as.
    class: String,
    dir: PathBuf,
    /// All added tokens.
    tokens: Vec<AddedToken>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct AddedToken {
    content: String,
    /// Its text is this token without being one that is added, too.
    is_plain: bool,
}

#[derive(Deserialize)]
struct Case {
    conversation: Conversation,
    expected: Expected,
    /// What `transformers` makes of the text, where there is one.
    #[serde(default)]
    ids: Vec<u32>,
    /// What tokenizer.json alone makes of it.
    #[serde(default)]
    file_ids: Vec<u32>,
}

fn at(clock: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(clock)
}

#[test]
fn published_templates_render_as_in_transformers() {
    let tokenizer = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-llama");
    let tokenizer = Tokenizer::from_dir(&tokenizer).unwrap();
    let Fixture {
        clock,
        conversations,
    } = conversation::fixture();
    let (mut num_texts, mut num_refusals) = (0, 0);
    let mut wrong = Vec::new();
    for Family {
        name,
        config,
        expected,
    } in families()
    {
        let template = template(&config);
        for conversation in &conversations {
            let expected = &expected[&conversation.name];
            let rendered = template.render(&tokenizer, &conversation.prompt(), at(clock));
            let rendered = rendered.map(|text| text.as_str().to_owned());
            match expected {
                Expected::Text(_) => num_texts += 1,
                Expected::Refuses(_) => num_refusals += 1,
                Expected::Fails(_) => {}
            }
            if let Err(difference) = expected.compare(rendered.map_err(|e| e.to_string())) {
                wrong.push(format!("{name}, {}: {difference}", conversation.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(num_texts >= 150, "{num_texts} texts");
    assert!(num_refusals >= 5, "{num_refusals} refusals");
}

fn template(config: &Map<String, Value>) -> ChatTemplate {
    let dir = tempfile::tempdir().unwrap();
    let config = serde_json::to_string(config).unwrap();
    std::fs::write(dir.path().join("tokenizer_config.json"), config).unwrap();
    ChatTemplate::from_dir(dir.path()).unwrap().unwrap()
}

#[test]
#[ignore = "scripts/prove-templates makes what is compared here"]
fn real_tokenizers_make_the_ids_of_transformers() {
    let path = std::env::var(CASES).unwrap_or_else(|_| panic!("{CASES} names no file"));
    let cases: Cases = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut report = Report::default();
    for real in &cases.tokenizers {
        let tokenizer = Tokenizer::from_dir(&real.dir).unwrap_or_else(|e| panic!("{e}"));
        let template = ChatTemplate::from_dir(&real.dir).unwrap_or_else(|e| panic!("{e}"));
        let template = template.unwrap_or_else(|| panic!("{} has no template", real.name));
        let row = report.row(&real.name, &real.class);
        for case in &real.cases {
            let prompt = case.conversation.prompt();
            let rendered = template.render(&tokenizer, &prompt, at(cases.clock));
            let ids = rendered
                .as_ref()
                .ok()
                .map(|text| tokenizer.encode_guarded(text).unwrap());
            let text = rendered.map(|text| text.as_str().to_owned());
            row.compare(case, text.map_err(|e| e.to_string()), ids.as_deref());
        }
        for case in &real.cases {
            row.guard(case, &real.tokens, |conversation| {
                let prompt = conversation.prompt();
                let text = template.render(&tokenizer, &prompt, at(cases.clock)).ok()?;
                let mut counts = BTreeMap::new();
                for id in tokenizer.encode_guarded(&text).unwrap() {
                    *counts.entry(id).or_insert(0) += 1;
                }
                let id = |token: &AddedToken| tokenizer.token_to_id(&token.content);
                let count = |token| id(token).and_then(|id| counts.get(&id)).copied();
                Some(
                    real.tokens
                        .iter()
                        .map(|token| count(token).unwrap_or(0))
                        .collect(),
                )
            });
        }
    }
    report.finish();
}
