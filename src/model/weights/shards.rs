//! Which files of a directory a checkpoint is in.

use super::header;
use super::tensor::{MappedFile, Tensor};
use crate::model::ModelError;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// Tensors by their names.
pub type Tensors = BTreeMap<String, Arc<Tensor>>;

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

#[derive(Deserialize)]
struct Index {
    /// The file that each tensor is in.
    weight_map: BTreeMap<String, String>,
}

/// The tensors of `model.safetensors`, else of the files that `model.safetensors.index.json`
/// lists, each where it says and none beside.
pub fn open(dir: &Path) -> Result<Tensors, ModelError> {
    let single = dir.join(SINGLE);
    if single.exists() {
        let tensors = open_file(&single)?.into_iter();
        return Ok(tensors.map(|t| (t.name.clone(), Arc::new(t))).collect());
    }
    let path = dir.join(INDEX);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return Err(ModelError::file(
                dir,
                format!("there is neither {SINGLE} nor {INDEX}"),
            ));
        }
        Err(e) => return Err(ModelError::file(&path, e)),
    };
    let index: Index = serde_json::from_str(&text).map_err(|e| ModelError::file(&path, e))?;
    let mut by_file: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (tensor, file) in &index.weight_map {
        by_file.entry(file).or_default().push(tensor);
    }
    let mut tensors = Tensors::new();
    for (file, names) in by_file {
        // The index may name files of this directory only.
        if Path::new(file).file_name() != Some(file.as_ref()) {
            return Err(ModelError::file(
                &path,
                format!("`{file}` is not a plain file name"),
            ));
        }
        let path = dir.join(file);
        let here = open_file(&path)?;
        let present: BTreeSet<_> = here.iter().map(|tensor| tensor.name.as_str()).collect();
        if let Some(name) = names.into_iter().find(|name| !present.contains(name)) {
            let message = format!("the tensor {name} is missing, although {INDEX} places it here");
            return Err(ModelError::file(&path, message));
        }
        for tensor in here {
            if index.weight_map.get(&tensor.name).map(String::as_str) != Some(file) {
                let message = format!("{INDEX} does not place the tensor {} here", tensor.name);
                return Err(ModelError::file(&path, message));
            }
            tensors.insert(tensor.name.clone(), Arc::new(tensor));
        }
    }
    Ok(tensors)
}

fn open_file(path: &Path) -> Result<Vec<Tensor>, ModelError> {
    let file = MappedFile::open(path)?;
    let entries = header::read(file.bytes()).map_err(|e| ModelError::file(path, e))?;
    Ok(entries
        .into_iter()
        .map(|entry| Tensor::new(entry, &file))
        .collect())
}
