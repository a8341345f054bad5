use super::ModelError;
use crate::kernels::RowSource;
use memmap2::Mmap;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, SafeTensors};
use serde::Deserialize;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

/// The tensors of a checkpoint directory, memory-mapped.
///
/// Strict: a tensor is handed out with the shape that its user expects or not at all, and
/// [`Checkpoint::finish`] fails when one was left over.
pub struct Checkpoint {
    shards: Vec<Shard>,
    /// Tensor name to shard.
    tensors: BTreeMap<String, usize>,
    taken: RefCell<BTreeSet<String>>,
    dir: PathBuf,
    random: Option<Random>,
}

/// In place of files: every tensor that is asked for, made of a seed.
struct Random {
    seed: u32,
    num_elements: usize,
}

#[derive(Debug, Clone, Copy)]
pub struct Rows {
    pub first: usize,
    pub step: usize,
    pub count: usize,
}

#[derive(Debug, Clone, Copy)]
pub struct Stack {
    pub num: usize,
    pub n: usize,
    pub k: usize,
    pub order: StackOrder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StackOrder {
    RowsFirst,
    InputsFirst,
}

struct Shard {
    path: PathBuf,
    bytes: Mmap,
    /// Where tensor data starts.
    data: usize,
    metadata: Metadata,
}

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Opens `model.safetensors`, else the shards that `model.safetensors.index.json` lists.
    pub fn open(dir: &Path) -> Result<Self, ModelError> {
        let single = dir.join(SINGLE);
        let (shards, tensors) = if single.exists() {
            let shard = Shard::open(&single)?;
            let tensors = shard
                .metadata
                .tensors()
                .into_keys()
                .map(|name| (name, 0))
                .collect();
            (vec![shard], tensors)
        } else {
            open_shards(dir)?
        };
        Ok(Self {
            shards,
            tensors,
            taken: RefCell::default(),
            dir: dir.to_owned(),
            random: None,
        })
    }

    /// Random weights, to see how fast a model of some shape is without having it. Norms are 1.
    pub fn random(seed: u32, num_elements: usize) -> Self {
        Self {
            shards: Vec::new(),
            tensors: BTreeMap::new(),
            taken: RefCell::default(),
            dir: PathBuf::new(),
            random: Some(Random { seed, num_elements }),
        }
    }

    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Elements of all tensors.
    pub fn num_elements(&self) -> usize {
        if let Some(random) = &self.random {
            return random.num_elements;
        }
        let tensors = self
            .shards
            .iter()
            .flat_map(|shard| shard.metadata.tensors().into_values());
        tensors
            .map(|info| info.shape.iter().product::<usize>())
            .sum()
    }

    /// Whether every matrix is bf16.
    pub fn is_bf16(&self) -> bool {
        self.shards
            .iter()
            .flat_map(|shard| shard.metadata.tensors().into_values())
            .all(|info| info.dtype == Dtype::BF16 || info.shape.len() < 2)
    }

    /// The elements of `name`, which must have exactly `shape`.
    pub fn take(&self, name: &str, shape: &[usize]) -> Result<RowSource<'_>, ModelError> {
        let source = self.tensor(name, shape)?;
        self.taken.borrow_mut().insert(name.to_owned());
        Ok(source)
    }

    /// Marks a tensor that need not be loaded as accounted for.
    pub fn skip(&self, name: &str) {
        self.taken.borrow_mut().insert(name.to_owned());
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<RowSource<'_>, ModelError> {
        if let Some(random) = &self.random {
            return Ok(random.tensor(name, shape));
        }
        let Some(shard) = self.tensors.get(name).map(|shard| &self.shards[*shard]) else {
            return Err(ModelError::file(
                &self.dir,
                format!("the tensor {name} is missing"),
            ));
        };
        let Some(info) = shard.metadata.info(name) else {
            return Err(ModelError::file(
                &shard.path,
                format!("the tensor {name} is missing, although the index places it here"),
            ));
        };
        if info.shape != shape {
            let message = format!(
                "the tensor {name} has shape {:?}, but config.json implies {shape:?}",
                info.shape
            );
            return Err(ModelError::file(&shard.path, message));
        }
        let (start, end) = info.data_offsets;
        let Some(bytes) = shard
            .bytes
            .get(shard.data..)
            .and_then(|data| data.get(start..end))
        else {
            return Err(ModelError::file(
                &shard.path,
                format!("the tensor {name} lies outside the file"),
            ));
        };
        match info.dtype {
            Dtype::F32 => Ok(RowSource::F32(bytes)),
            Dtype::F16 => Ok(RowSource::F16(bytes)),
            Dtype::BF16 => Ok(RowSource::Bf16(bytes)),
            other => {
                let message = format!(
                    "the tensor {name} has type {other:?}; supported are F32, F16 and BF16"
                );
                Err(ModelError::file(&shard.path, message))
            }
        }
    }

    /// Some rows of a matrix, all of which count as taken.
    pub fn take_rows(
        &self,
        name: &str,
        shape: [usize; 2],
        rows: Rows,
    ) -> Result<RowSource<'_>, ModelError> {
        let source = self.take(name, &shape)?;
        let k = shape[1];
        let part = |bytes: &'_ [u8], size: usize| -> Option<std::ops::Range<usize>> {
            let start = rows.first * k * size;
            let end = start + rows.count * k * size;
            (rows.step == 1 && end <= bytes.len()).then_some(start..end)
        };
        let cut = match source {
            RowSource::F32(bytes) => part(bytes, 4).map(|r| RowSource::F32(&bytes[r])),
            RowSource::F16(bytes) => part(bytes, 2).map(|r| RowSource::F16(&bytes[r])),
            RowSource::Bf16(bytes) => part(bytes, 2).map(|r| RowSource::Bf16(&bytes[r])),
            other => Some(other),
        };
        cut.ok_or_else(|| ModelError::Unsupported("rows".into()))
    }

    pub fn take_expert(
        &self,
        _name: &str,
        _stack: Stack,
        _index: usize,
        _rows: Rows,
    ) -> Result<RowSource<'_>, ModelError> {
        Err(ModelError::Unsupported("stacks".into()))
    }

    pub fn take_values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let source = self.take(name, shape)?;
        Ok((0..shape.iter().product()).map(|i| source.get(i)).collect())
    }

    pub fn skip_under(&self, prefix: &str) {
        let names = self.tensors.keys().filter(|name| name.starts_with(prefix));
        self.taken.borrow_mut().extend(names.cloned());
    }

    /// A vector of f32, such as a norm's weight.
    pub fn take_vec(&self, name: &str, len: usize) -> Result<Vec<f32>, ModelError> {
        let source = self.take(name, &[len])?;
        Ok((0..len).map(|i| source.get(i)).collect())
    }

    /// Fails when the checkpoint has tensors that nobody took.
    pub fn finish(&self) -> Result<(), ModelError> {
        let taken = self.taken.borrow();
        let left: Vec<_> = self
            .tensors
            .keys()
            .filter(|name| !taken.contains(*name))
            .collect();
        match left.first() {
            None => Ok(()),
            Some(first) => {
                let message = format!(
                    "{} tensors have no place in the model that config.json describes, among them {first}",
                    left.len()
                );
                Err(ModelError::file(&self.dir, message))
            }
        }
    }
}

impl Random {
    fn tensor(&self, name: &str, shape: &[usize]) -> RowSource<'static> {
        let len = shape.iter().product();
        if shape.len() < 2 {
            return RowSource::Ones { len };
        }
        let mut hasher = blake3::Hasher::new();
        let digest = hasher
            .update(&self.seed.to_le_bytes())
            .update(name.as_bytes())
            .finalize();
        let [a, b, c, d, ..] = *digest.as_bytes();
        // A kernel takes it as a positive number of 32 bits.
        let seed = u32::from_le_bytes([a, b, c, d]) >> 1;
        RowSource::Random { seed, len }
    }
}

type Shards = (Vec<Shard>, BTreeMap<String, usize>);

fn open_shards(dir: &Path) -> Result<Shards, ModelError> {
    let path = dir.join(INDEX);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(ModelError::file(
                dir,
                format!("there is neither {SINGLE} nor {INDEX}"),
            ));
        }
        Err(e) => return Err(ModelError::file(&path, e)),
    };
    let index: Index = serde_json::from_str(&text).map_err(|e| ModelError::file(&path, e))?;
    let mut shards: Vec<Shard> = Vec::new();
    let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
    let mut tensors = BTreeMap::new();
    for (tensor, file) in &index.weight_map {
        let shard = match by_name.get(file.as_str()) {
            Some(shard) => *shard,
            None => {
                // The index may name files of this directory only.
                if Path::new(file).file_name() != Some(file.as_ref()) {
                    return Err(ModelError::file(
                        &path,
                        format!("`{file}` is not a plain file name"),
                    ));
                }
                shards.push(Shard::open(&dir.join(file))?);
                by_name.insert(file, shards.len() - 1);
                shards.len() - 1
            }
        };
        if shards[shard].metadata.info(tensor).is_none() {
            let message =
                format!("the tensor {tensor} is missing, although {INDEX} places it here");
            return Err(ModelError::file(&shards[shard].path, message));
        }
        tensors.insert(tensor.clone(), shard);
    }
    for (index, shard) in shards.iter().enumerate() {
        let elsewhere = |name: &String| tensors.get(name) != Some(&index);
        if let Some(name) = shard.metadata.tensors().into_keys().find(elsewhere) {
            let message = format!("{INDEX} does not place the tensor {name} here");
            return Err(ModelError::file(&shard.path, message));
        }
    }
    Ok((shards, tensors))
}

impl Shard {
    fn open(path: &Path) -> Result<Self, ModelError> {
        let file = File::open(path).map_err(|e| ModelError::file(path, e))?;
        // SAFETY: the file is only read; an operator who truncates it while it is being
        // loaded stops the server, as with any mapped file.
        let bytes = unsafe { Mmap::map(&file) }.map_err(|e| ModelError::file(path, e))?;
        let (header, metadata) =
            SafeTensors::read_metadata(&bytes).map_err(|e| ModelError::file(path, e))?;
        let data = header.saturating_add(8);
        Ok(Self {
            path: path.to_owned(),
            bytes,
            data,
            metadata,
        })
    }
}
