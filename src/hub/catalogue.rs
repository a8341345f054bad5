use std::collections::BTreeMap;
use std::path::Path;

use super::{HubError, Manifest};

/// The manifests that are part of the program.
const EMBEDDED: [(&str, &str); 3] = [
    (
        "models/eurollm-1.7b-instruct.toml",
        include_str!("../../models/eurollm-1.7b-instruct.toml"),
    ),
    (
        "models/smollm2-1.7b-instruct.toml",
        include_str!("../../models/smollm2-1.7b-instruct.toml"),
    ),
    (
        "models/smollm2-135m-instruct.toml",
        include_str!("../../models/smollm2-135m-instruct.toml"),
    ),
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
        for (file, text) in EMBEDDED {
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
    use super::*;

    #[test]
    fn every_manifest_of_the_repository_is_part_of_the_program() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
        let on_disk = Catalogue::load(Some(&dir)).unwrap();
        assert_eq!(on_disk, Catalogue::load(None).unwrap());
    }

    #[test]
    fn a_model_needs_more_memory_than_its_weights() {
        for manifest in Catalogue::load(None).unwrap().iter() {
            assert!(
                manifest.memory_mib << 20 > 2 * manifest.parameters,
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
        let text = EMBEDDED[2].1.replace("SmolLM2 135M Instruct", "Ours");
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
