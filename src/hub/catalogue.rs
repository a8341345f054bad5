use std::collections::BTreeMap;
use std::path::Path;

use super::{HubError, Manifest};

/// Names each file of `models/` once.
macro_rules! manifests {
    ($($name:literal),* $(,)?) => {
        &[$((
            concat!("models/", $name, ".toml"),
            include_str!(concat!("../../models/", $name, ".toml")),
        )),*]
    };
}

/// The manifests that are part of the program.
const EMBEDDED: &[(&str, &str)] = manifests![
    "apertus-70b-instruct",
    "apertus-8b-instruct",
    "bge-reranker-v2-m3",
    "croissantllm-chat",
    "embeddinggemma-300m",
    "eurollm-1.7b-instruct",
    "eurollm-22b-instruct",
    "eurollm-9b-instruct",
    "gemma-3-12b-it",
    "gemma-3-1b-it",
    "gemma-3-270m-it",
    "gemma-3-27b-it",
    "gemma-3-4b-it",
    "gpt-oss-120b",
    "gpt-oss-20b",
    "granite-3.3-2b-instruct",
    "granite-3.3-8b-instruct",
    "granite-embedding-278m-multilingual",
    "llama-3.1-8b-instruct",
    "llama-3.2-1b-instruct",
    "llama-3.2-3b-instruct",
    "llama-3.3-70b-instruct",
    "lucie-7b-instruct",
    "ministral-8b-instruct",
    "mistral-7b-instruct",
    "mistral-nemo-instruct",
    "mistral-small-24b-instruct",
    "mistral-small-3.1-24b-instruct",
    "mixtral-8x7b-instruct",
    "modernbert-embed-base",
    "modernbert-embed-large",
    "multilingual-e5-base",
    "multilingual-e5-large",
    "multilingual-e5-small",
    "olmo2-13b-instruct",
    "olmo2-32b-instruct",
    "olmo2-7b-instruct",
    "phi-4",
    "phi-4-mini-instruct",
    "qwen3-0.6b",
    "qwen3-1.7b",
    "qwen3-14b",
    "qwen3-30b-a3b",
    "qwen3-32b",
    "qwen3-4b",
    "qwen3-8b",
    "qwen3-embedding-0.6b",
    "qwen3-reranker-0.6b",
    "salamandra-2b-instruct",
    "salamandra-7b-instruct",
    "sentence-camembert-large",
    "smollm2-1.7b-instruct",
    "smollm2-135m-instruct",
    "smollm3-3b",
    "snowflake-arctic-embed-l-v2",
];

/// The models that can be pulled by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalogue {
    manifests: BTreeMap<String, Manifest>,
}

impl Catalogue {
    /// The manifests of the program, then those of `own`, which win over namesakes.
    pub fn load(own: Option<&Path>) -> Result<Self, HubError> {
        let mut catalogue = Self {
            manifests: BTreeMap::new(),
        };
        for (file, text) in EMBEDDED.iter().copied() {
            catalogue.add(file, text)?;
        }
        if let Some(dir) = own {
            for entry in std::fs::read_dir(dir).map_err(HubError::io(dir))? {
                let path = entry.map_err(HubError::io(dir))?.path();
                if path
                    .extension()
                    .is_some_and(|extension| extension == "toml")
                {
                    let text = std::fs::read_to_string(&path).map_err(HubError::io(&path))?;
                    catalogue.add(&path.display().to_string(), &text)?;
                }
            }
        }
        Ok(catalogue)
    }

    pub fn find(&self, name: &str) -> Result<&Manifest, HubError> {
        self.manifests
            .get(name)
            .ok_or_else(|| HubError::UnknownModel {
                name: name.to_owned(),
                known: self
                    .manifests
                    .keys()
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }

    /// By name.
    pub fn iter(&self) -> impl Iterator<Item = &Manifest> {
        self.manifests.values()
    }

    fn add(&mut self, file: &str, text: &str) -> Result<(), HubError> {
        let manifest = Manifest::parse(file, text)?;
        if Path::new(file)
            .file_stem()
            .is_none_or(|stem| stem != manifest.name.as_str())
        {
            let message = format!("name is {:?}, which is not the file's name", manifest.name);
            return Err(HubError::Manifest {
                file: file.to_owned(),
                message,
            });
        }
        self.manifests.insert(manifest.name.clone(), manifest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::WeightBits;
    use super::*;

    #[test]
    fn every_manifest_of_the_repository_is_part_of_the_program() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
        let on_disk = Catalogue::load(Some(&dir)).unwrap();
        assert_eq!(on_disk, Catalogue::load(None).unwrap());
    }

    #[test]
    fn a_model_needs_more_memory_than_its_weights_and_less_the_fewer_bits_they_have() {
        for manifest in Catalogue::load(None).unwrap().iter() {
            let [bf16, int8, int4] = WeightBits::ALL.map(|bits| manifest.memory_mib(bits));
            assert!(bf16 << 20 > 2 * manifest.parameters, "{}", manifest.name);
            assert!(bf16 > int8 && int8 > int4, "{}", manifest.name);
        }
    }

    #[test]
    fn every_licence_is_a_known_one_or_says_where_it_can_be_read() {
        const KNOWN: [&str; 2] = ["Apache-2.0", "MIT"];
        for manifest in Catalogue::load(None).unwrap().iter() {
            assert_eq!(
                KNOWN.contains(&manifest.licence.as_str()),
                manifest.licence_url.is_none(),
                "{}: {}",
                manifest.name,
                manifest.licence
            );
        }
    }

    #[test]
    fn no_manifest_makes_a_checksum_up() {
        // Digests are known of the two models that were fetched to write their manifests; the
        // lock beside the weights has those of all others.
        for manifest in Catalogue::load(None).unwrap().iter() {
            let hub = manifest.hub.as_ref();
            let has_digests = hub.is_some_and(|hub| !hub.files.is_empty());
            assert_eq!(
                has_digests,
                manifest.name.starts_with("smollm2-"),
                "{}",
                manifest.name
            );
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = Catalogue::load(None)
            .unwrap()
            .find("nonesuch")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("nonesuch") && error.contains("smollm2-135m-instruct"),
            "{error}"
        );
    }

    #[test]
    fn an_own_manifest_wins_over_a_namesake_and_a_broken_one_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (_, text) = (EMBEDDED.iter())
            .find(|(file, _)| *file == "models/smollm2-135m-instruct.toml")
            .unwrap();
        let text = text.replace("SmolLM2 135M Instruct", "Ours");
        std::fs::write(dir.path().join("smollm2-135m-instruct.toml"), &text).unwrap();
        let catalogue = Catalogue::load(Some(dir.path())).unwrap();
        assert_eq!(
            catalogue.find("smollm2-135m-instruct").unwrap().title,
            "Ours"
        );

        std::fs::write(dir.path().join("other.toml"), &text).unwrap();
        let error = Catalogue::load(Some(dir.path())).unwrap_err().to_string();
        assert!(
            error.contains("other.toml") && error.contains("not the file's name"),
            "{error}"
        );
    }
}
