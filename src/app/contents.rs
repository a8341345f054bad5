//! The files of a model's directory before any of them is used: whether it is a model at all, and
//! whether each file that loading reads is a plain file that holds what its name says.
//!
//! Knows names and outer forms. What the files say is for those who read them.

use super::AppError;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

/// A file that loading reads where it is there.
struct Known {
    name: &'static str,
    form: Form,
    /// Far more than any published model has in it, so that a broken file cannot ask for memory.
    max_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Object,
    Array,
    /// A template.
    Text,
}

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const POOLING: &str = "_Pooling";
const ADAPTER: &str = "adapter_config.json";

const KNOWN: [Known; 10] = [
    Known::new(CONFIG, Form::Object, 16),
    Known::new(TOKENIZER, Form::Object, 256),
    Known::new("tokenizer_config.json", Form::Object, 64),
    Known::new("special_tokens_map.json", Form::Object, 16),
    Known::new("chat_template.jinja", Form::Text, 16),
    Known::new("generation_config.json", Form::Object, 16),
    Known::new("modules.json", Form::Array, 16),
    Known::new("sentence_bert_config.json", Form::Object, 16),
    Known::new("config_sentence_transformers.json", Form::Object, 16),
    Known::new(INDEX, Form::Object, MAX_INDEX_MIB),
];

const MAX_INDEX_MIB: u64 = 64;

/// What stands in place of a file that Git LFS has not fetched.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// More than any model's directory has.
const MAX_FILES: usize = 100_000;

/// The first of [`mistakes`].
pub(super) fn check(dir: &Path) -> Result<(), AppError> {
    mistakes(dir).into_iter().next().map_or(Ok(()), Err)
}

/// All that is wrong. One that names `dir` itself leaves nothing to look at.
pub(super) fn mistakes(dir: &Path) -> Vec<AppError> {
    let names = match names(dir) {
        Ok(names) => names,
        Err(message) => return vec![mistake(dir, message)],
    };
    let has = |name: &str| names.contains(name);
    let has_weights = has(SINGLE) || has(INDEX) || names.iter().any(|name| is_shard(name));
    if !has_weights && let Some(message) = other_kind(dir, &names) {
        return vec![mistake(dir, message)];
    }
    let mut mistakes = Vec::new();
    if !has(CONFIG) {
        mistakes.push(mistake(&dir.join(CONFIG), "is missing".to_owned()));
    }
    if !has(TOKENIZER) {
        mistakes.push(mistake(&dir.join(TOKENIZER), no_tokenizer(&names)));
    }
    for known in &KNOWN {
        let path = dir.join(known.name);
        if let Err(message) = known.check(&path) {
            mistakes.push(mistake(&path, message));
        }
    }
    // The folders of a sentence-transformers model.
    let pooling = Known::new("config.json", Form::Object, 16);
    for name in names.iter().filter(|name| name.ends_with(POOLING)) {
        let path = dir.join(name).join(pooling.name);
        if let Err(message) = pooling.check(&path) {
            mistakes.push(mistake(&path, message));
        }
    }
    mistakes.extend(weights(dir, &names));
    mistakes
}

/// Sizes of the files with weights, in bytes.
pub(super) fn weight_files(dir: &Path) -> Vec<u64> {
    let names = names(dir).unwrap_or_default();
    let size = |name: &String| Some(std::fs::metadata(dir.join(name)).ok()?.len());
    if names.contains(SINGLE) {
        return size(&SINGLE.to_owned()).into_iter().collect();
    }
    let index = read_index(&dir.join(INDEX)).unwrap_or_default();
    index.keys().filter_map(size).collect()
}

fn mistake(path: &Path, message: String) -> AppError {
    AppError::Checkpoint {
        path: path.to_owned(),
        message,
    }
}

fn names(dir: &Path) -> Result<BTreeSet<String>, String> {
    let metadata = std::fs::metadata(dir).map_err(|error| match error.kind() {
        ErrorKind::NotFound => "there is no such directory".to_owned(),
        _ => unreadable(&error),
    })?;
    if !metadata.is_dir() {
        let is_gguf = dir.extension().is_some_and(|extension| extension == "gguf");
        return Err(match is_gguf {
            true => format!("is a file of GGUF: {}", to_import(dir)),
            false => "is not a directory".to_owned(),
        });
    }
    let entries = std::fs::read_dir(dir).map_err(|error| unreadable(&error))?;
    let mut names = BTreeSet::new();
    for entry in entries.take(MAX_FILES) {
        let entry = entry.map_err(|error| unreadable(&error))?;
        // A name that is not Unicode is no file of a model.
        names.extend(entry.file_name().into_string().ok());
    }
    Ok(names)
}

/// A directory that is something else than a model which can be served.
fn other_kind(dir: &Path, names: &BTreeSet<String>) -> Option<String> {
    let ending = |endings: &[&str]| {
        let ends = |name: &&String| endings.iter().any(|ending| name.ends_with(ending));
        names.iter().find(ends)
    };
    if names.is_empty() {
        return Some("is empty".to_owned());
    }
    if names.contains(ADAPTER) {
        return Some(format!(
            "holds an adapter ({ADAPTER}) and not a model: merge it into the model that it was \
             trained for, and serve what that gives"
        ));
    }
    if let Some(name) = ending(&[".gguf"]) {
        let what_to_do = to_import(&dir.join(name));
        return Some(format!("holds GGUF and no safetensors: {what_to_do}"));
    }
    if let Some(name) = names.iter().find(|name| is_consolidated(name)) {
        return Some(format!(
            "holds weights in Mistral's own layout ({name}): take {CONFIG} and the files \
             model*.safetensors of the same model"
        ));
    }
    if let Some(name) = ending(&[".bin", ".pt", ".pth", ".ckpt", ".pkl"]) {
        return Some(format!(
            "holds weights as a pickle of Python ({name}), which may run any code when it is \
             read: take the model's safetensors, or write them with save_pretrained"
        ));
    }
    let name = ending(&[".h5", ".msgpack", ".onnx", ".tflite", ".npz"])?;
    Some(format!(
        "holds weights as {name}: take the model's safetensors"
    ))
}

fn to_import(file: &Path) -> String {
    let file = file.display();
    format!("`guichet import {file} DIR` makes a directory that can be served of it")
}

fn no_tokenizer(names: &BTreeSet<String>) -> String {
    let others = ["tokenizer.model", "tekken.json", "vocab.json", "vocab.txt"];
    match others.into_iter().find(|name| names.contains(*name)) {
        Some(other) => format!(
            "is missing, and {other} alone is not read: transformers writes it, when it loads the \
             tokenizer and saves it again"
        ),
        None => "is missing".to_owned(),
    }
}

/// `model-00001-of-00002.safetensors`.
fn is_shard(name: &str) -> bool {
    name.starts_with("model-") && name.contains("-of-") && name.ends_with(".safetensors")
}

fn is_consolidated(name: &str) -> bool {
    name.starts_with("consolidated") && name.ends_with(".safetensors")
}

/// Each file with weights, and whether the index names those that are there.
fn weights(dir: &Path, names: &BTreeSet<String>) -> Vec<AppError> {
    let path = dir.join(SINGLE);
    if names.contains(SINGLE) {
        let checked = plain_file(&path).and_then(|_| check_fetched(&path));
        return Vec::from_iter(checked.err().map(|message| mistake(&path, message)));
    }
    let path = dir.join(INDEX);
    let shards = names.iter().filter(|name| is_shard(name));
    if !names.contains(INDEX) {
        let message = match shards.count() {
            0 => format!("there is neither {SINGLE} nor {INDEX}"),
            1 => format!("{INDEX} is missing, which says what stands in the file with weights"),
            n => {
                format!("{INDEX} is missing, which says what stands in the {n} files with weights")
            }
        };
        return vec![mistake(dir, message)];
    }
    // An index that is no JSON is told of already.
    let Ok(index) = read_index(&path) else {
        return Vec::new();
    };
    if index.is_empty() {
        return vec![mistake(&path, "`weight_map` names no tensor".to_owned())];
    }
    let mut mistakes = Vec::new();
    for (file, count) in &index {
        let path = dir.join(file);
        if !names.contains(file) {
            let message = format!("is missing; {INDEX} places {count} tensors in it");
            mistakes.push(mistake(&path, message));
        } else if let Err(message) = plain_file(&path).and_then(|_| check_fetched(&path)) {
            mistakes.push(mistake(&path, message));
        }
    }
    for shard in shards.filter(|name| !index.contains_key(*name)) {
        let message = format!("is not named in {INDEX}, which is that of other files");
        mistakes.push(mistake(&dir.join(shard), message));
    }
    mistakes
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// How many tensors each file of an index has; an error where others tell what is wrong.
fn read_index(path: &Path) -> Result<BTreeMap<String, usize>, ()> {
    let size = plain_file(path).map_err(drop)?.len();
    if size > MAX_INDEX_MIB << 20 {
        return Err(());
    }
    let bytes = std::fs::read(path).map_err(drop)?;
    let index: Index = serde_json::from_slice(&bytes).map_err(drop)?;
    let mut files = BTreeMap::new();
    for file in index.weight_map.into_values() {
        // The index may name files of this directory only, which loading tells.
        if Path::new(&file).file_name() != Some(file.as_ref()) {
            return Err(());
        }
        *files.entry(file).or_default() += 1;
    }
    Ok(files)
}

fn plain_file(path: &Path) -> Result<Metadata, String> {
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => "is a symbolic link that leads nowhere".to_owned(),
        _ => unreadable(&error),
    })?;
    let message = if metadata.is_dir() {
        "is a directory and not a file"
    } else if !metadata.is_file() {
        "is a device or a pipe and not a file"
    } else if metadata.len() == 0 {
        "is empty"
    } else {
        return Ok(metadata);
    };
    Err(message.to_owned())
}

/// A file that is there, and not what Git LFS puts in its place.
fn check_fetched(path: &Path) -> Result<(), String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LFS_POINTER.len() as u64).read_to_end(&mut bytes))
        .map_err(|error| unreadable(&error))?;
    match bytes == LFS_POINTER {
        true => {
            Err("is a pointer of Git LFS and not the file: fetch it with `git lfs pull`".into())
        }
        false => Ok(()),
    }
}

fn unreadable(error: &io::Error) -> String {
    match (error.kind(), error.raw_os_error()) {
        (_, Some(libc::ELOOP)) => "is a symbolic link that leads back to itself".to_owned(),
        (ErrorKind::PermissionDenied, _) => "cannot be read: permission denied".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

impl Known {
    const fn new(name: &'static str, form: Form, max_mib: u64) -> Self {
        Self {
            name,
            form,
            max_bytes: max_mib << 20,
        }
    }

    /// A file that is not there is right.
    fn check(&self, path: &Path) -> Result<(), String> {
        if path.symlink_metadata().is_err() {
            return Ok(());
        }
        let metadata = plain_file(path)?;
        if metadata.len() > self.max_bytes {
            return Err(format!(
                "is {} bytes long; {} are enough for any model",
                metadata.len(),
                self.max_bytes
            ));
        }
        check_fetched(path)?;
        let bytes = std::fs::read(path).map_err(|error| unreadable(&error))?;
        self.check_form(&bytes)
    }

    fn check_form(&self, bytes: &[u8]) -> Result<(), String> {
        if bytes.starts_with(b"\xef\xbb\xbf") {
            return Err("begins with a byte order mark: save it as UTF-8 without one".to_owned());
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err("is not UTF-8".to_owned());
        };
        let first = text.trim_start().chars().next();
        let expected = match self.form {
            Form::Text => return Ok(()),
            Form::Object => ('{', "a JSON object"),
            Form::Array => ('[', "a JSON array"),
        };
        if first == Some('<') {
            return Err("is a web page and not the file".to_owned());
        }
        serde_json::from_str::<IgnoredAny>(text)
            .map_err(|error| format!("is not valid JSON: {error}"))?;
        match first == Some(expected.0) {
            true => Ok(()),
            false => Err(format!("is JSON, but not {}", expected.1)),
        }
    }
}

#[cfg(test)]
mod tests;
