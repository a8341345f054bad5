//! Edits of a copied fixture.

use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};

/// Copies what belongs to a model of `tests/fixtures` into a directory `model` below `parent`.
pub fn copy(fixture: &str, parent: &Path) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(fixture);
    let to = parent.join("model");
    copy_files(&from, &to);
    to
}

fn copy_files(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let (from, to) = (entry.path(), to.join(&name));
        if from.is_dir() {
            copy_files(&from, &to);
        } else if !name.to_string_lossy().starts_with("golden") {
            fs::copy(from, to).unwrap();
        }
    }
}

pub fn remove(dir: &Path, name: &str) -> Option<()> {
    fs::remove_file(dir.join(name)).unwrap();
    Some(())
}

pub fn write(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) -> Option<()> {
    fs::write(dir.join(name), bytes).unwrap();
    Some(())
}

/// Leaves nothing but `files`.
pub fn leave(dir: &Path, files: &[(&str, &str)]) -> Option<()> {
    fs::remove_dir_all(dir).unwrap();
    fs::create_dir(dir).unwrap();
    for (name, text) in files {
        write(dir, name, text)?;
    }
    Some(())
}

pub fn bytes(dir: &Path, name: &str, edit: impl FnOnce(&mut Vec<u8>)) -> Option<()> {
    let mut bytes = fs::read(dir.join(name)).unwrap();
    edit(&mut bytes);
    write(dir, name, bytes)
}

pub fn json(dir: &Path, name: &str, edit: impl FnOnce(&mut Value)) -> Option<()> {
    let text = fs::read_to_string(dir.join(name)).unwrap();
    let mut value = serde_json::from_str(&text).unwrap();
    edit(&mut value);
    write(dir, name, serde_json::to_string(&value).unwrap())
}

/// Sets a key of config.json.
pub fn config(dir: &Path, key: &str, to: Value) -> Option<()> {
    json(dir, "config.json", |config| config[key] = to)
}

/// Another header before the same data, written as it is given.
pub fn header_text(dir: &Path, name: &str, edit: impl FnOnce(String) -> String) -> Option<()> {
    bytes(dir, name, |bytes| {
        let end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header = edit(String::from_utf8(bytes[8..end].to_vec()).unwrap());
        let length = (header.len() as u64).to_le_bytes();
        bytes.splice(..end, [&length[..], header.as_bytes()].concat());
    })
}

/// The header's entries, edited.
pub fn header(dir: &Path, name: &str, edit: impl FnOnce(&mut Map<String, Value>)) -> Option<()> {
    header_text(dir, name, |text| {
        let mut header = serde_json::from_str(&text).unwrap();
        edit(&mut header);
        serde_json::to_string(&header).unwrap()
    })
}

/// Adds a tensor behind all others.
pub fn append(dir: &Path, file: &str, name: &str, dtype: &str, shape: &[usize], data: &[u8]) {
    header(dir, file, |header| {
        let ends = header
            .values()
            .filter_map(|entry| entry["data_offsets"][1].as_u64());
        let start = ends.max().unwrap();
        let offsets = [start, start + data.len() as u64];
        let entry = serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": offsets});
        header.insert(name.to_owned(), entry);
    });
    bytes(dir, file, |bytes| bytes.extend_from_slice(data));
}
