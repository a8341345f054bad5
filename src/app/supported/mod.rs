//! What is supported: the families of decoders and encoders, formats and precisions of weights,
//! and the models that have a manifest; all from the tables that loading and pulling use.

mod page;
mod screen;

use crate::hub::{Catalogue, HubError, MEASURED_TOKENS, Manifest, Task, WeightBits};
use crate::model::{encoders, families, weight_formats};
use serde::Serialize;
use std::path::Path;

/// Everything that `guichet models` lists.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Supported {
    pub decoders: Vec<FamilyEntry>,
    pub encoders: Vec<FamilyEntry>,
    pub weight_formats: Vec<FormatEntry>,
    pub precisions: Vec<PrecisionEntry>,
    pub models: Vec<ModelEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FamilyEntry {
    pub name: &'static str,
    /// Values of `architectures` in config.json.
    pub architectures: &'static [&'static str],
    pub models: &'static str,
    pub features: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FormatEntry {
    pub name: &'static str,
    /// Where it is found.
    pub files: &'static str,
    /// What becomes of it while it is loaded.
    pub in_memory: &'static str,
}

/// A type of numbers in memory.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PrecisionEntry {
    /// `weights` or `KV cache`.
    pub of: &'static str,
    pub name: &'static str,
    /// Bits of a number, scales included.
    pub bits: f64,
    /// What asks for it.
    pub option: &'static str,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelEntry {
    pub name: String,
    pub title: String,
    pub family: String,
    pub licence: String,
    pub licence_url: Option<String>,
    pub languages: Vec<String>,
    pub tasks: Vec<Task>,
    #[serde(rename = "use")]
    pub good_for: String,
    /// In tokens.
    pub context_length: usize,
    pub parameters: u64,
    pub memory_mib: MemoryEntry,
    /// On the hub.
    pub repo: Option<String>,
}

/// Memory of a model with room for one sequence of [`MEASURED_TOKENS`], by what its weights are
/// in, in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MemoryEntry {
    pub bf16: u64,
    pub int8: u64,
    pub int4: u64,
}

const PRECISIONS: [PrecisionEntry; 7] = [
    PrecisionEntry::new("weights", "f32", 32.0, "--dtype f32"),
    PrecisionEntry::new("weights", "bf16", 16.0, "--dtype bf16"),
    PrecisionEntry::new("weights", "int8", 8.25, "--quantize int8"),
    PrecisionEntry::new("weights", "int4", 4.5, "--quantize int4, tables as int8"),
    PrecisionEntry::new("KV cache", "f32", 32.0, "that of f32 weights"),
    PrecisionEntry::new("KV cache", "bf16", 16.0, "that of all other weights"),
    PrecisionEntry::new("KV cache", "int8", 8.25, "--kv-cache-dtype int8"),
];

impl PrecisionEntry {
    const fn new(of: &'static str, name: &'static str, bits: f64, option: &'static str) -> Self {
        Self {
            of,
            name,
            bits,
            option,
        }
    }
}

impl Supported {
    /// With the manifests of the program, and those of the directory `own`.
    pub fn load(own: Option<&Path>) -> Result<Self, HubError> {
        let catalogue = Catalogue::load(own)?;
        let mut models: Vec<_> = catalogue.iter().map(ModelEntry::of).collect();
        // What answers before what searches, the small before the large.
        models.sort_by_key(|model| (!model.tasks.contains(&Task::Chat), model.parameters));
        Ok(Self {
            decoders: Vec::from_iter(families().iter().map(|family| FamilyEntry {
                name: family.name,
                architectures: family.architectures,
                models: family.models,
                features: family.features,
            })),
            encoders: Vec::from_iter(encoders().iter().map(|family| FamilyEntry {
                name: family.name,
                architectures: family.architectures,
                models: family.models,
                features: family.features,
            })),
            weight_formats: Vec::from_iter(weight_formats().iter().map(|format| FormatEntry {
                name: format.name,
                files: format.files,
                in_memory: format.in_memory,
            })),
            precisions: PRECISIONS.to_vec(),
            models,
        })
    }

    /// Lists that fit a terminal.
    pub fn screen(&self) -> String {
        screen::of(self)
    }

    /// All that is known of one model.
    pub fn model(&self, name: &str) -> Option<&ModelEntry> {
        self.models.iter().find(|model| model.name == name)
    }

    /// The text of `docs/models.md`.
    pub fn page(&self) -> String {
        page::of(self)
    }
}

impl ModelEntry {
    fn of(manifest: &Manifest) -> Self {
        let [bf16, int8, int4] = WeightBits::ALL.map(|bits| manifest.memory_mib(bits));
        Self {
            name: manifest.name.clone(),
            title: manifest.title.clone(),
            family: manifest.family.clone(),
            licence: manifest.licence.clone(),
            licence_url: manifest.licence_url.clone(),
            languages: manifest.languages.clone(),
            tasks: manifest.tasks.clone(),
            good_for: manifest.good_for.clone(),
            context_length: manifest.context_length,
            parameters: manifest.parameters,
            memory_mib: MemoryEntry { bf16, int8, int4 },
            repo: manifest.hub.as_ref().map(|hub| hub.repo.clone()),
        }
    }

    /// What it is asked for: chats, embeddings or an order.
    fn kind(&self) -> &'static str {
        // A manifest names at least one, the first before the others.
        match self.tasks.first() {
            Some(Task::Chat) => "chat",
            Some(Task::Completion) => "completion",
            Some(Task::Embedding) => "embedding",
            Some(Task::Rerank) | None => "rerank",
        }
    }
}

/// `8.0B`, `135M`.
fn parameters(count: u64) -> String {
    match count {
        0..1_000_000_000 => format!("{}M", count / 1_000_000),
        1_000_000_000..100_000_000_000 => format!("{:.1}B", count as f64 / 1e9),
        _ => format!("{:.0}B", count as f64 / 1e9),
    }
}

fn gib(mib: u64) -> String {
    format!("{:.1}", mib as f64 / 1024.0)
}

/// `en fr`, or how many.
fn languages(codes: &[String], most: usize) -> String {
    match codes.len() {
        n if n <= most => codes.join(" "),
        n => format!("{n}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_is_of_a_family_that_the_program_has() {
        let supported = Supported::load(None).unwrap();
        let families: Vec<_> = (supported.decoders.iter().chain(&supported.encoders))
            .map(|family| family.name)
            .collect();
        for model in &supported.models {
            assert!(
                families.contains(&model.family.as_str()),
                "{}: {}",
                model.name,
                model.family
            );
        }
        assert!(supported.models.len() >= 50);
    }

    #[test]
    fn a_screen_has_every_family_and_every_model() {
        let supported = Supported::load(None).unwrap();
        let screen = supported.screen();
        let page = supported.page();
        for text in [&screen, &page] {
            for family in supported.decoders.iter().chain(&supported.encoders) {
                assert!(text.contains(family.name), "{}", family.name);
            }
            for model in &supported.models {
                assert!(text.contains(&model.name), "{}", model.name);
            }
        }
        assert!(
            screen.lines().all(|line| line.chars().count() <= 110),
            "{screen}"
        );
    }

    #[test]
    fn memory_of_a_known_model_is_what_its_parameters_take() {
        let supported = Supported::load(None).unwrap();
        let model = supported.model("eurollm-9b-instruct").unwrap();
        // 9,152,319,488 parameters of 16 bits, 672 MiB for a sequence, and work space.
        assert_eq!(model.memory_mib.bf16, 17457 + 672 + 256);
        assert!(model.memory_mib.int4 < 7 * 1024, "{:?}", model.memory_mib);
        assert_eq!(MEASURED_TOKENS, 8192);
    }
}
