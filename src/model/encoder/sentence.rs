//! The files of `sentence-transformers` beside a checkpoint: a chain of modules, each of which must be
//! one that is computed, and what stands before texts.

use super::super::ModelError;
use super::Pooling;
use crate::kernels::Activation;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What the files say about the checkpoint's use.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SentenceConfig {
    pub pooling: Option<Pooling>,
    /// Linear layers behind it, in order.
    pub projections: Vec<ProjectionConfig>,
    /// Of a reranker that answers: what it says.
    pub answers: Option<AnswerTokens>,
    /// Longest text that the model was made for, in tokens.
    pub max_seq_length: Option<usize>,
    /// What stands before a text, by the name of its use: `query`, `passage`.
    pub prompts: BTreeMap<String, String>,
    /// Of these, the one for a text whose use is not named.
    pub default_prompt: Option<String>,
}

/// A linear layer over a text's vector.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectionConfig {
    /// Where its weights lie.
    pub dir: PathBuf,
    pub num_inputs: usize,
    pub num_outputs: usize,
    pub has_bias: bool,
    pub activation: Activation,
}

/// Tokens whose logits behind a question are held against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerTokens {
    pub yes: u32,
    pub no: u32,
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

#[derive(Deserialize)]
struct Dense {
    in_features: usize,
    out_features: usize,
    #[serde(default = "on")]
    bias: bool,
    activation_function: String,
    module_input_name: Option<String>,
    module_output_name: Option<String>,
}

#[derive(Deserialize)]
struct LogitScore {
    true_token_id: u32,
    false_token_id: Option<u32>,
}

fn on() -> bool {
    true
}

const ORDER: &str = "supported are Transformer, Pooling, Dense and Normalize in this order, or Transformer and LogitScore";

impl SentenceConfig {
    /// Empty where there are no such files; an error for what is not computed.
    pub fn from_dir(dir: &Path) -> Result<Self, ModelError> {
        let sentence: SentenceBert = read_optional(&dir.join("sentence_bert_config.json"))?;
        let path = dir.join("config_sentence_transformers.json");
        let prompts: Prompts = read_optional(&path)?;
        if let Some(name) = &prompts.default_prompt_name
            && !prompts.prompts.contains_key(name)
        {
            let message = format!("`default_prompt_name` is {name}, which `prompts` lacks");
            return Err(ModelError::file(path, message));
        }
        let mut config = Self {
            max_seq_length: sentence.max_seq_length.filter(|len| *len > 0),
            prompts: prompts.prompts,
            default_prompt: prompts.default_prompt_name,
            ..Self::default()
        };
        let path = dir.join("modules.json");
        let modules: Vec<Module> = read_optional(&path)?;
        let mut last = "";
        for module in &modules {
            let kind = module.kind.rsplit('.').next().unwrap_or_default();
            if !["Transformer", "Pooling", "Dense", "Normalize", "LogitScore"].contains(&kind) {
                let message = format!("the module {kind} is not supported; {ORDER}");
                return Err(ModelError::file(&path, message));
            }
            if !may_follow(last, kind) {
                let message = match last {
                    "" => format!("the module {kind} comes first; {ORDER}"),
                    last => format!("the module {kind} follows {last}; {ORDER}"),
                };
                return Err(ModelError::file(&path, message));
            }
            config.add(dir, &path, kind, module)?;
            last = kind;
        }
        Ok(config)
    }

    fn add(
        &mut self,
        dir: &Path,
        modules: &Path,
        kind: &str,
        module: &Module,
    ) -> Result<(), ModelError> {
        match kind {
            "Transformer" if module.path.is_empty() => {}
            "Transformer" => {
                let message = format!(
                    "the Transformer lies in `{}`; supported is the directory itself",
                    module.path
                );
                return Err(ModelError::file(modules, message));
            }
            "Pooling" => {
                let path = folder(dir, modules, module)?.join("config.json");
                let modes: BTreeMap<String, Value> = read(&path)?;
                let found = pooling(&modes).map_err(|e| ModelError::file(&path, e))?;
                self.pooling = Some(found);
            }
            "Dense" => {
                let dir = folder(dir, modules, module)?;
                let path = dir.join("config.json");
                let dense: Dense = read(&path)?;
                let found = projection(dir, dense).map_err(|e| ModelError::file(&path, e))?;
                self.projections.push(found);
            }
            "LogitScore" => {
                let path = folder(dir, modules, module)?.join("config.json");
                let score: LogitScore = read(&path)?;
                let Some(no) = score.false_token_id else {
                    let message =
                        "`false_token_id` is absent; supported is the score of two tokens";
                    return Err(ModelError::file(path, message));
                };
                let yes = score.true_token_id;
                self.answers = Some(AnswerTokens { yes, no });
            }
            // Embeddings are made 1 long in any case.
            _ => {}
        }
        Ok(())
    }
}

fn may_follow(last: &str, kind: &str) -> bool {
    match kind {
        "Transformer" => last.is_empty(),
        "Pooling" | "LogitScore" => last == "Transformer",
        _ => last == "Pooling" || last == "Dense",
    }
}

/// The files of a module; `modules.json` may name folders of its own directory only.
fn folder(dir: &Path, modules: &Path, module: &Module) -> Result<PathBuf, ModelError> {
    if Path::new(&module.path).file_name() == Some(module.path.as_ref()) {
        return Ok(dir.join(&module.path));
    }
    let message = format!("`{}` is not a plain folder name", module.path);
    Err(ModelError::file(modules, message))
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
        "lasttoken" => Ok(Pooling::LastToken),
        other => Err(format!(
            "the pooling mode {other} is not supported; supported are mean, cls and lasttoken"
        )),
    }
}

fn projection(dir: PathBuf, dense: Dense) -> Result<ProjectionConfig, String> {
    const VECTOR: &str = "sentence_embedding";
    for (key, name) in [
        ("module_input_name", &dense.module_input_name),
        ("module_output_name", &dense.module_output_name),
    ] {
        if let Some(other) = name.as_deref().filter(|name| *name != VECTOR) {
            return Err(format!("`{key}` is {other}; supported is {VECTOR}"));
        }
    }
    let name = dense.activation_function.rsplit('.').next();
    Ok(ProjectionConfig {
        dir,
        num_inputs: dense.in_features,
        num_outputs: dense.out_features,
        has_bias: dense.bias,
        activation: match name.unwrap_or_default() {
            "Identity" => Activation::None,
            "Tanh" => Activation::Tanh,
            "GELU" => Activation::Gelu,
            "ReLU" => Activation::Relu,
            other => {
                return Err(format!(
                    "`activation_function` is {other}; supported are Identity, Tanh, GELU and ReLU"
                ));
            }
        },
    })
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ModelError> {
    let text = std::fs::read_to_string(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => ModelError::file(path, "is missing, and modules.json names it"),
        _ => ModelError::file(path, e),
    })?;
    serde_json::from_str(&text).map_err(|e| ModelError::file(path, e))
}

/// The default where there is no such file.
fn read_optional<T: DeserializeOwned + Default>(path: &Path) -> Result<T, ModelError> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(T::default()),
        _ => read(path),
    }
}

#[cfg(test)]
mod tests;
