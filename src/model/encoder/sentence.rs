use super::super::ModelError;
use super::Pooling;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

/// What the files of `sentence-transformers` beside a checkpoint say about its use.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SentenceConfig {
    pub pooling: Option<Pooling>,
    /// Longest text that the model was made for, in tokens.
    pub max_seq_length: Option<usize>,
    /// What stands before a text, by the name of its use: `query`, `passage`.
    pub prompts: BTreeMap<String, String>,
    /// Of these, the one for a text whose use is not named.
    pub default_prompt: Option<String>,
}

#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Default, Deserialize)]
struct SentenceBert {
    max_seq_length: Option<usize>,
}

#[derive(Default, Deserialize)]
struct Prompts {
    #[serde(default)]
    prompts: BTreeMap<String, String>,
    default_prompt_name: Option<String>,
}

impl SentenceConfig {
    /// Empty where there are no such files; an error for what is not computed.
    pub fn from_dir(dir: &Path) -> Result<Self, ModelError> {
        let sentence: SentenceBert = read(&dir.join("sentence_bert_config.json"))?;
        let prompts: Prompts = read(&dir.join("config_sentence_transformers.json"))?;
        let mut config = Self {
            max_seq_length: sentence.max_seq_length.filter(|len| *len > 0),
            prompts: prompts.prompts,
            default_prompt: prompts.default_prompt_name,
            pooling: None,
        };
        let path = dir.join("modules.json");
        if let Some(name) = &config.default_prompt
            && !config.prompts.contains_key(name)
        {
            let path = dir.join("config_sentence_transformers.json");
            let message = format!("`default_prompt_name` is {name}, which `prompts` lacks");
            return Err(ModelError::file(path, message));
        }
        let modules: Vec<Module> = read(&path)?;
        for module in modules {
            match module.kind.rsplit('.').next().unwrap_or_default() {
                // Embeddings are made 1 long in any case.
                "Transformer" | "Normalize" => {}
                "Pooling" => {
                    // The file may name folders of this directory only.
                    if Path::new(&module.path).file_name() != Some(module.path.as_ref()) {
                        let message = format!("`{}` is not a plain folder name", module.path);
                        return Err(ModelError::file(&path, message));
                    }
                    let path = dir.join(&module.path).join("config.json");
                    let modes: BTreeMap<String, Value> = read(&path)?;
                    let found = pooling(&modes).map_err(|e| ModelError::file(&path, e))?;
                    config.pooling = Some(found);
                }
                other => {
                    let message = format!(
                        "the module {other} is not supported; supported are Transformer, Pooling and Normalize"
                    );
                    return Err(ModelError::file(&path, message));
                }
            }
        }
        Ok(config)
    }
}

fn pooling(modes: &BTreeMap<String, Value>) -> Result<Pooling, String> {
    if modes.get("include_prompt") == Some(&Value::Bool(false)) {
        return Err("`include_prompt` is false; supported is pooling over the prompt too".into());
    }
    if let Some(mode) = modes.get("pooling_mode").and_then(Value::as_str) {
        return named(mode);
    }
    let on: Vec<&str> = modes
        .iter()
        .filter(|(_, value)| **value == Value::Bool(true))
        .filter_map(|(name, _)| name.strip_prefix("pooling_mode_"))
        .collect();
    match on.as_slice() {
        [one] => named(one),
        [] => Err("no `pooling_mode` is on".into()),
        many => Err(format!(
            "several pooling modes together are not supported: {}",
            many.join(", ")
        )),
    }
}

fn named(mode: &str) -> Result<Pooling, String> {
    match mode {
        "mean" | "mean_tokens" => Ok(Pooling::Mean),
        "cls" | "cls_token" => Ok(Pooling::Cls),
        other => Err(format!(
            "the pooling mode {other} is not supported; supported are mean and cls"
        )),
    }
}

/// The default where there is no such file.
fn read<T: DeserializeOwned + Default>(path: &Path) -> Result<T, ModelError> {
    match std::fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).map_err(|e| ModelError::file(path, e)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(T::default()),
        Err(error) => Err(ModelError::file(path, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("1_Pooling")).unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    const MODULES: &str = r#"[{"idx":0,"name":"0","path":"","type":"sentence_transformers.models.Transformer"},
        {"idx":1,"name":"1","path":"1_Pooling","type":"sentence_transformers.models.Pooling"},
        {"idx":2,"name":"2","path":"2_Normalize","type":"sentence_transformers.models.Normalize"}]"#;

    #[test]
    fn pooling_length_and_prompts_are_read() {
        let dir = dir(&[
            ("modules.json", MODULES),
            (
                "1_Pooling/config.json",
                r#"{"word_embedding_dimension":384,"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false}"#,
            ),
            (
                "sentence_bert_config.json",
                r#"{"max_seq_length":256,"do_lower_case":false}"#,
            ),
            (
                "config_sentence_transformers.json",
                r#"{"prompts":{"query":"query: "},"default_prompt_name":"query"}"#,
            ),
        ]);
        let config = SentenceConfig::from_dir(dir.path()).unwrap();
        assert_eq!(config.pooling, Some(Pooling::Cls));
        assert_eq!(config.max_seq_length, Some(256));
        assert_eq!(config.prompts["query"], "query: ");
        assert_eq!(config.default_prompt.as_deref(), Some("query"));
    }

    #[test]
    fn without_such_files_nothing_is_said() {
        let empty = tempfile::tempdir().unwrap();
        let config = SentenceConfig::from_dir(empty.path()).unwrap();
        assert_eq!(config, SentenceConfig::default());
    }

    #[test]
    fn what_is_not_computed_is_refused_by_name() {
        let with = |modules: &str, pooling: &str| {
            let dir = dir(&[
                ("modules.json", modules),
                ("1_Pooling/config.json", pooling),
            ]);
            SentenceConfig::from_dir(dir.path())
                .unwrap_err()
                .to_string()
        };
        let mean = r#"{"pooling_mode_mean_tokens":true}"#;
        for (modules, pooling, word) in [
            (MODULES.replace("Normalize", "Dense"), mean, "Dense"),
            (MODULES.replace("\"1_Pooling\"", "\"../x\""), mean, "../x"),
            (
                MODULES.to_owned(),
                r#"{"pooling_mode_max_tokens":true}"#,
                "max_tokens",
            ),
            (
                MODULES.to_owned(),
                r#"{"pooling_mode":"lasttoken"}"#,
                "lasttoken",
            ),
            (
                MODULES.to_owned(),
                r#"{"pooling_mode_mean_tokens":true,"pooling_mode_cls_token":true}"#,
                "together",
            ),
            (MODULES.to_owned(), "{}", "pooling_mode"),
            (
                MODULES.to_owned(),
                r#"{"pooling_mode_mean_tokens":true,"include_prompt":false}"#,
                "include_prompt",
            ),
        ] {
            let error = with(&modules, pooling);
            assert!(error.contains(word), "{error}");
        }
    }
}
