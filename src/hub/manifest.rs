//! A model as data: what it is, where it comes from, what it needs.

use serde::{Deserialize, Serialize};

use super::digest::is_sha256;
use super::{HubError, is_plain_name};

/// One file of `models/`. Unknown keys are errors.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What users type; the same as the file's name.
    pub name: String,
    pub title: String,
    /// As `guichet models` names it.
    pub family: String,
    /// An SPDX identifier; the name of a licence that has none, whose text is at `licence_url`.
    pub licence: String,
    pub licence_url: Option<String>,
    /// ISO 639-1 codes of those that its makers name; of models with very many the official ones
    /// of the European Union and some others.
    pub languages: Vec<String>,
    pub tasks: Vec<Task>,
    /// What it is good for in an administration.
    #[serde(rename = "use")]
    pub good_for: String,
    /// Longest sequence as the checkpoint is configured, in tokens.
    pub context_length: usize,
    pub parameters: u64,
    /// How many of them are the embedding and an output head of its own.
    pub table_parameters: u64,
    /// The KV cache of one sequence of [`MEASURED_TOKENS`], or of the whole context where that is
    /// shorter, in bf16; 0 for an encoder, which keeps none.
    pub kv_mib: u64,
    #[serde(default)]
    pub sampling: DefaultSampling,
    pub hub: Option<HubSource>,
    pub wheel: Option<WheelSource>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    Chat,
    Completion,
    Embedding,
    Rerank,
}

/// How weights stand in memory (`docs/quantization.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightBits {
    Bf16,
    Int8,
    /// The embedding and the output head are [`WeightBits::Int8`].
    Int4,
}

/// Length of the sequence for which [`Manifest::memory_mib`] has room, in tokens.
pub const MEASURED_TOKENS: usize = 8192;

/// Work space of a step and the tables beside the weights.
const WORKING_MIB: u64 = 256;

impl WeightBits {
    pub const ALL: [Self; 3] = [Self::Bf16, Self::Int8, Self::Int4];

    /// Eighths of a bit that an element of a layer and one of a table take, scales included: a
    /// scale of 16 bits for 64 numbers of 8 bits or 32 of 4 bits.
    fn eighths(self) -> (u64, u64) {
        match self {
            Self::Bf16 => (128, 128),
            Self::Int8 => (66, 66),
            Self::Int4 => (36, 66),
        }
    }
}

/// Far more than any published model has.
const MAX_PARAMETERS: u64 = 1 << 44;

/// And far more than a sequence takes.
const MAX_KV_MIB: u64 = 1 << 32;

/// What a request that leaves these open gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultSampling {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
}

/// A repository on a Hugging Face hub.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubSource {
    /// `org/repo`.
    pub repo: String,
    /// A commit, a tag or a branch.
    pub revision: String,
    /// Files whose digest is known beforehand; the hub's own metadata covers the others.
    #[serde(default)]
    pub files: Vec<ManifestFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    pub path: String,
    pub size: Option<u64>,
    pub sha256: Option<String>,
}

/// A GGUF file inside a Python wheel.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WheelSource {
    /// `name==version`.
    pub requirement: String,
    /// The file's path inside the wheel.
    pub member: String,
    pub size: u64,
    pub sha256: String,
}

impl Manifest {
    /// Parses the text of `file`, which is named in errors.
    pub fn parse(file: &str, text: &str) -> Result<Self, HubError> {
        let manifest: Self = toml::from_str(text).map_err(|error| HubError::Manifest {
            file: file.to_owned(),
            message: error.message().trim().replace('\n', " "),
        })?;
        match manifest.mistake() {
            None => Ok(manifest),
            Some(message) => Err(HubError::Manifest {
                file: file.to_owned(),
                message,
            }),
        }
    }

    /// Weights, the KV cache of one sequence ([`Manifest::kv_mib`]) and work space, in MiB.
    pub fn memory_mib(&self, bits: WeightBits) -> u64 {
        let (layers, tables) = bits.eighths();
        let in_layers = self.parameters - self.table_parameters;
        let eighths = in_layers * layers + self.table_parameters * tables;
        (eighths / 64).div_ceil(1 << 20) + self.kv_mib + WORKING_MIB
    }

    fn mistake(&self) -> Option<String> {
        if !is_plain_name(&self.name) || self.name.starts_with('.') {
            return Some("name must be usable as a directory's name".into());
        }
        if self.context_length == 0 || self.parameters == 0 || self.parameters > MAX_PARAMETERS {
            return Some("context_length and parameters must be above 0, and plausible".into());
        }
        if self.kv_mib > MAX_KV_MIB {
            return Some("kv_mib must be plausible".into());
        }
        if self.table_parameters >= self.parameters {
            return Some("table_parameters must be less than parameters".into());
        }
        let is_code = |code: &String| {
            code.len() == 2 && code.bytes().all(|letter| letter.is_ascii_lowercase())
        };
        if self.languages.is_empty() || !self.languages.iter().all(is_code) {
            return Some("languages must hold codes of ISO 639-1, such as \"fr\"".into());
        }
        if self.tasks.is_empty() || self.good_for.trim().is_empty() {
            return Some("tasks and use must say something".into());
        }
        if (self.licence_url.as_ref()).is_some_and(|url| !url.starts_with("https://")) {
            return Some("licence_url must be an address that begins with https://".into());
        }
        if self.hub.is_none() && self.wheel.is_none() {
            return Some("one of [hub] and [wheel] must say where the model comes from".into());
        }
        self.sampling
            .mistake()
            .or_else(|| self.hub.as_ref().and_then(HubSource::mistake))
            .or_else(|| self.wheel.as_ref().and_then(WheelSource::mistake))
    }
}

impl DefaultSampling {
    fn mistake(&self) -> Option<String> {
        if self
            .temperature
            .is_some_and(|value| !(0.0..=2.0).contains(&value))
        {
            return Some("sampling.temperature must be between 0 and 2".into());
        }
        if self
            .top_p
            .is_some_and(|value| !(value > 0.0 && value <= 1.0))
        {
            return Some("sampling.top_p must be above 0 and at most 1".into());
        }
        self.top_k
            .is_some_and(|value| value == 0)
            .then(|| "sampling.top_k must be above 0".into())
    }
}

impl HubSource {
    /// A repository that no manifest describes.
    pub fn new(repo: &str, revision: &str) -> Result<Self, String> {
        let source = Self {
            repo: repo.to_owned(),
            revision: revision.to_owned(),
            files: Vec::new(),
        };
        match source.mistake() {
            None => Ok(source),
            Some(mistake) => Err(format!("{repo}: {mistake}")),
        }
    }

    fn mistake(&self) -> Option<String> {
        let parts: Vec<&str> = self.repo.split('/').collect();
        if parts.len() != 2 || !parts.iter().all(|part| is_plain_name(part)) {
            return Some("hub.repo must have the form org/repo".into());
        }
        if self.revision.is_empty() {
            return Some("hub.revision must not be empty".into());
        }
        self.files.iter().find_map(|file| match &file.sha256 {
            _ if !is_plain_name(&file.path) => {
                Some("hub.files.path must be a plain file name".into())
            }
            Some(sha256) if !is_sha256(sha256) => {
                Some("hub.files.sha256 must be 64 hexadecimal digits".into())
            }
            _ => None,
        })
    }
}

impl WheelSource {
    fn mistake(&self) -> Option<String> {
        // Whatever stands here becomes an argument of pip: nothing but a name and a version.
        let sound = |part: &str| {
            part.starts_with(|first: char| first.is_ascii_alphanumeric())
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+'))
        };
        if !self
            .requirement
            .split_once("==")
            .is_some_and(|(name, version)| sound(name) && sound(version))
        {
            return Some("wheel.requirement must have the form name==version".into());
        }
        if !is_sha256(&self.sha256) {
            return Some("wheel.sha256 must be 64 hexadecimal digits".into());
        }
        (!self.member.ends_with(".gguf")).then(|| "wheel.member must be a .gguf file".into())
    }
}

#[cfg(test)]
mod tests;
