//! The chat templates of a checkpoint, as its files hold them.

use super::TextError;
use super::checkpoint::{file_error, read_optional};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The template that is used where nothing speaks for another.
pub(super) const DEFAULT: &str = "default";

/// Cohere's models have three; nobody is known to have more.
const MAX_TEMPLATES: usize = 16;

/// A template with the file that it comes from.
pub(super) struct TemplateSource {
    pub path: PathBuf,
    pub text: String,
}

/// By name, the default among them; empty if the checkpoint has none. As in `transformers`,
/// files of their own (`chat_template.jinja` and `additional_chat_templates/NAME.jinja`) hide
/// what `config`, the content of `tokenizer_config.json`, holds.
pub(super) fn read(
    dir: &Path,
    config: &Map<String, Value>,
) -> Result<BTreeMap<String, TemplateSource>, TextError> {
    let mut sources = in_files(dir)?;
    let mut path = dir.to_path_buf();
    if sources.is_empty() {
        path = dir.join("tokenizer_config.json");
        sources = configured(&path, config)?;
    }
    if !sources.is_empty() && !sources.contains_key(DEFAULT) {
        let message = format!("chat_template names no template \"{DEFAULT}\"");
        return Err(file_error(&path, message));
    }
    if sources.len() > MAX_TEMPLATES {
        let message = format!("there are more than {MAX_TEMPLATES} chat templates");
        return Err(file_error(&path, message));
    }
    Ok(sources)
}

fn in_files(dir: &Path) -> Result<BTreeMap<String, TemplateSource>, TextError> {
    let mut sources = BTreeMap::new();
    let path = dir.join("chat_template.jinja");
    if let Some(text) = read_optional(&path)? {
        sources.insert(DEFAULT.to_owned(), TemplateSource { path, text });
    }
    let dir = dir.join("additional_chat_templates");
    if !dir.is_dir() {
        return Ok(sources);
    }
    let unreadable = |error| file_error(&dir, format!("cannot be read: {error}"));
    for entry in std::fs::read_dir(&dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_stem().and_then(|name| name.to_str());
        let is_template = path.extension().is_some_and(|kind| kind == "jinja");
        let (Some(name), true) = (name.map(str::to_owned), is_template) else {
            continue;
        };
        if let Some(text) = read_optional(&path)? {
            sources.insert(name, TemplateSource { path, text });
        }
    }
    Ok(sources)
}

/// A string, which is the default, or a list of `{name, template}`.
fn configured(
    path: &Path,
    config: &Map<String, Value>,
) -> Result<BTreeMap<String, TemplateSource>, TextError> {
    let source = |text: &str| TemplateSource {
        path: path.to_path_buf(),
        text: text.to_owned(),
    };
    match config.get("chat_template") {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::String(text)) => Ok(BTreeMap::from([(DEFAULT.to_owned(), source(text))])),
        Some(Value::Array(named)) => named
            .iter()
            .map(|entry| {
                let part = |name: &str| entry.get(name).and_then(Value::as_str);
                match (part("name"), part("template")) {
                    (Some(name), Some(text)) => Ok((name.to_owned(), source(text))),
                    _ => Err(file_error(
                        path,
                        "chat_template holds an entry without a name and a template",
                    )),
                }
            })
            .collect(),
        Some(_) => Err(file_error(
            path,
            "chat_template is neither a string nor a list of named templates",
        )),
    }
}
