//! Broken checkpoints end in one sentence that names the file, never in a panic.

use crate::golden::fixtures;
use guichet::engine::{ModelOptions, load};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn options() -> ModelOptions {
    ModelOptions {
        num_threads: Some(1),
        kv_cache_bytes: Some(1 << 20),
        max_num_batched_tokens: Some(64),
        max_num_seqs: 4,
        max_num_waiting: 4,
        ..ModelOptions::default()
    }
}

fn copy_of(name: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    for entry in fs::read_dir(fixtures().join(name)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    dir
}

fn refusal(dir: &Path) -> String {
    match load(dir, &options()) {
        Ok(_) => panic!("a broken checkpoint was loaded"),
        Err(error) => error.to_string(),
    }
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} is not in {}", path.display());
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// Rewrites the JSON header of a safetensors file, leaving the data.
fn edit_header(path: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let bytes = fs::read(path).unwrap();
    let len = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + len]).unwrap();
    change(&mut header);
    let header = serde_json::to_vec(&header).unwrap();
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend(header);
    out.extend(&bytes[8 + len..]);
    fs::write(path, out).unwrap();
}

#[test]
fn the_fixtures_load() {
    for name in ["tiny-llama", "tiny-llama-tied"] {
        load(&fixtures().join(name), &options()).unwrap();
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let dir = copy_of("tiny-llama");
    let path = dir.path().join("model.safetensors");
    let whole = fs::read(&path).unwrap();
    for len in [0, 1, 7, 8, 9, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..len]).unwrap();
        assert!(refusal(dir.path()).contains("model.safetensors"));
    }
    fs::write(&path, [&u64::MAX.to_le_bytes()[..], &whole[8..]].concat()).unwrap();
    assert!(refusal(dir.path()).contains("header"));
}

#[test]
fn wrong_shapes_offsets_and_names_are_refused_by_name() {
    type Change = fn(&mut serde_json::Value);
    let norm = "model.norm.weight";
    let changes: [(&str, Change); 6] = [
        ("model.norm.weight", |h| {
            h["model.norm.weight"]["shape"] = serde_json::json!([24, 2])
        }),
        ("overflow", |h| {
            h["model.norm.weight"]["shape"] = serde_json::json!([u64::MAX, 2])
        }),
        ("invalid", |h| {
            h["model.norm.weight"]["data_offsets"] = serde_json::json!([0, 192])
        }),
        ("invalid", |h| {
            h["model.norm.weight"]["data_offsets"] =
                serde_json::json!([1_u64 << 40, (1_u64 << 40) + 192])
        }),
        ("model.norm.weight", |h| {
            h["model.norm.weight"]["dtype"] = serde_json::json!("I32")
        }),
        ("model.norm.weight is missing", |h| {
            let header = h.as_object_mut().unwrap();
            let norm = header.remove("model.norm.weight").unwrap();
            header.insert("model.other.weight".into(), norm);
        }),
    ];
    for (word, change) in changes {
        let dir = copy_of("tiny-llama");
        edit_header(&dir.path().join("model.safetensors"), change);
        let message = refusal(dir.path());
        assert!(
            message.to_lowercase().contains(word),
            "{word} is not in: {message} ({norm})"
        );
    }
}

#[test]
fn missing_and_surplus_shards_and_tensors_are_refused_by_name() {
    let shard = "model-00002-of-00002.safetensors";
    let dir = copy_of("tiny-llama-tied");
    fs::remove_file(dir.path().join(shard)).unwrap();
    assert!(refusal(dir.path()).contains(shard));

    let dir = copy_of("tiny-llama-tied");
    edit(
        &dir.path().join("model.safetensors.index.json"),
        shard,
        "../../etc/passwd",
    );
    assert!(refusal(dir.path()).contains("not a plain file name"));

    let dir = copy_of("tiny-llama-tied");
    edit(
        &dir.path().join("model.safetensors.index.json"),
        "model.norm.weight",
        "model.norm.other",
    );
    assert!(refusal(dir.path()).contains("model.norm.other is missing"));

    let dir = copy_of("tiny-llama");
    edit(
        &dir.path().join("config.json"),
        "\"num_hidden_layers\": 3",
        "\"num_hidden_layers\": 2",
    );
    assert!(refusal(dir.path()).contains("model.layers.2"));

    let dir = copy_of("tiny-llama");
    edit(
        &dir.path().join("config.json"),
        "\"num_hidden_layers\": 3",
        "\"num_hidden_layers\": 4",
    );
    assert!(refusal(dir.path()).contains("model.layers.3.input_layernorm.weight is missing"));

    let dir = copy_of("tiny-llama");
    fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    assert!(refusal(dir.path()).contains("neither model.safetensors nor"));

    let dir = copy_of("tiny-llama");
    edit(
        &dir.path().join("config.json"),
        "\"tie_word_embeddings\": false",
        "\"tie_word_embeddings\": true",
    );
    assert!(refusal(dir.path()).contains("lm_head.weight differs"));
}

#[test]
fn a_tensor_in_two_shards_is_refused() {
    let dir = copy_of("tiny-llama-tied");
    let (first, second) = (
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    );
    // Every tensor of the second shard stands in a copy of it that is indexed for another.
    fs::copy(dir.path().join(second), dir.path().join("copy.safetensors")).unwrap();
    let index = dir.path().join("model.safetensors.index.json");
    let mut json: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&index).unwrap()).unwrap();
    let map = json["weight_map"].as_object_mut().unwrap();
    let moved = map
        .iter()
        .find(|(_, file)| *file == second)
        .unwrap()
        .0
        .clone();
    map.insert(moved, serde_json::json!("copy.safetensors"));
    fs::write(&index, json.to_string()).unwrap();
    assert!(refusal(dir.path()).contains("does not place the tensor"));
    assert!(dir.path().join(first).exists());
}

#[test]
fn sizes_that_no_memory_holds_are_refused() {
    let dir = fixtures().join("tiny-llama");
    let absurd = ModelOptions {
        max_num_batched_tokens: Some(1 << 45),
        ..options()
    };
    let error = load(&dir, &absurd).err().unwrap();
    assert!(error.to_string().contains("no memory"), "{error}");
}

#[test]
fn settings_that_cannot_be_met_are_refused() {
    let dir = fixtures().join("tiny-llama");
    let error = load(
        &dir,
        &ModelOptions {
            kernels: Some("sse9".into()),
            ..options()
        },
    )
    .err()
    .unwrap();
    assert!(
        error
            .to_string()
            .contains("known are avx512-bf16, avx512-vnni, avx2, neon and portable")
    );
    let error = load(
        &dir,
        &ModelOptions {
            kv_cache_bytes: Some(10),
            ..options()
        },
    )
    .err()
    .unwrap();
    assert!(error.to_string().contains("do not hold one block"));
}
