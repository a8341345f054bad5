//! Files of each architecture, as llama.cpp's converter wrote them of random checkpoints
//! (`scripts/make_gguf_fixtures.py`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokenizers::Tokenizer;

use super::super::{families, import};
use super::json;

/// What a checkpoint was before it was converted.
#[derive(Deserialize)]
struct Original {
    config: BTreeMap<String, serde_json::Value>,
    tensors: BTreeMap<String, OriginalTensor>,
    encode: Vec<Encoded>,
}

#[derive(Deserialize, Debug, PartialEq)]
struct OriginalTensor {
    shape: Vec<usize>,
    sha256: String,
}

#[derive(Deserialize)]
struct Encoded {
    text: String,
    ids: Vec<u32>,
}

fn fixtures() -> Vec<(String, PathBuf)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gguf");
    let mut fixtures: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "gguf")
        })
        .map(|path| {
            (
                path.file_stem().unwrap().to_string_lossy().into_owned(),
                path,
            )
        })
        .collect();
    fixtures.sort();
    fixtures
}

fn imported(gguf: &Path) -> (TempDir, Original) {
    let dir = tempfile::tempdir().unwrap();
    import(gguf, dir.path(), &mut |_| {}).unwrap();
    let original = std::fs::read(gguf.with_extension("json")).unwrap();
    (dir, serde_json::from_slice(&original).unwrap())
}

#[test]
fn each_architecture_has_a_file() {
    let fixtures: Vec<String> = fixtures().into_iter().map(|(name, _)| name).collect();
    for name in families::names() {
        assert!(fixtures.iter().any(|fixture| fixture == name), "{name}");
    }
}

#[test]
fn tensors_are_bit_by_bit_those_that_were_converted() {
    for (name, gguf) in fixtures() {
        let (dir, original) = imported(&gguf);
        let bytes = std::fs::read(dir.path().join("model.safetensors")).unwrap();
        let tensors: BTreeMap<String, OriginalTensor> = SafeTensors::deserialize(&bytes)
            .unwrap()
            .tensors()
            .into_iter()
            .map(|(name, tensor)| {
                let tensor = OriginalTensor {
                    shape: tensor.shape().to_vec(),
                    sha256: format!("{:x}", Sha256::digest(tensor.data())),
                };
                (name, tensor)
            })
            .collect();
        assert!(
            tensors.keys().eq(original.tensors.keys()),
            "{name}: {:?}",
            tensors.keys()
        );
        for (tensor, found) in &tensors {
            assert_eq!(found, &original.tensors[tensor], "{name}: {tensor}");
        }
    }
}

#[test]
fn configurations_say_what_those_of_the_checkpoints_said() {
    for (name, gguf) in fixtures() {
        let (dir, original) = imported(&gguf);
        let config = json(dir.path(), "config.json");
        let differing: Vec<String> = original
            .config
            .iter()
            .filter(|(field, value)| !says(&config, field, value))
            .map(|(field, value)| format!("{field}: {} instead of {value}", config[field]))
            .collect();
        assert!(differing.is_empty(), "{name}: {differing:#?}");
    }
}

/// Whether the configuration has this value; a missing field is as good as a null.
fn says(config: &serde_json::Value, field: &str, value: &serde_json::Value) -> bool {
    let found = &config[field];
    match value {
        serde_json::Value::Null => found.is_null(),
        serde_json::Value::Object(fields) => fields.iter().all(|(name, value)| {
            let name = match (name.as_str(), found.get("type")) {
                ("rope_type", Some(_)) => "type",
                (name, _) => name,
            };
            says_part(config, found, name, value)
        }),
        serde_json::Value::Number(number) => found.as_f64() == number.as_f64(),
        value => found == value,
    }
}

fn says_part(
    config: &serde_json::Value,
    scaling: &serde_json::Value,
    name: &str,
    value: &serde_json::Value,
) -> bool {
    // Makers of models write these two beside the scaling.
    let place = match scaling.get(name) {
        None if name == "partial_rotary_factor" && value == 1.0 => return true,
        None => config.get(name),
        found => found,
    };
    place == Some(value)
}

#[test]
fn a_sentence_piece_tokenizer_finds_the_ids_that_sentencepiece_finds() {
    let mut num_texts = 0;
    for (name, gguf) in fixtures() {
        let (dir, original) = imported(&gguf);
        let tokenizer = Tokenizer::from_file(dir.path().join("tokenizer.json")).unwrap();
        for Encoded { text, ids } in &original.encode {
            let found = tokenizer.encode(text.as_str(), false).unwrap();
            assert_eq!(found.get_ids(), ids, "{name}: {text:?}");
            assert_eq!(&tokenizer.decode(ids, true).unwrap(), text, "{name}");
            num_texts += 1;
        }
    }
    assert!(num_texts >= 30, "{num_texts} texts in the fixtures");
}
