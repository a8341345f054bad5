//! Checkpoints: which tensors a directory has, and what a model takes of them.
//!
//! Owns files, headers and the formats of quantised weights. Refuses to know what a model does
//! with a weight.

mod accounts;
mod formats;
mod header;
mod random;
mod rows;
mod shards;
mod suggestion;
mod tensor;
#[cfg(test)]
mod tests;

pub use rows::{Rows, Stack, StackOrder};
pub use suggestion::Suggestion;

use super::ModelError;
use crate::kernels::{Float, Matrix, RowSource};
use formats::{Format, Found};
use random::Random;
use rows::{Plain, of_matrix};
use serde_json::{Map, Value};
use shards::Tensors;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tensor::Tensor;

/// The tensors of a checkpoint directory, memory-mapped.
///
/// Strict: a tensor is handed out with the shape that its user expects or not at all, and
/// [`Checkpoint::finish`] fails when one was left over. A quantised weight goes by the name and
/// the shape that it would have unquantised, and reads as f32 what its format says it is.
pub struct Checkpoint {
    dir: PathBuf,
    tensors: Tensors,
    format: Option<Box<dyn Format>>,
    /// By the names that they would have unquantised.
    quantized: BTreeMap<String, Found>,
    taken: RefCell<BTreeSet<String>>,
    /// Those whose memory has not been given back.
    looked_at: RefCell<Vec<Arc<Tensor>>>,
    random: Option<Random>,
    /// What is wrong, where that is only noted.
    notes: Option<RefCell<Vec<String>>>,
}

/// Elements that a survey makes up at most where memory is needed for them.
const MAX_SURVEYED: usize = 1 << 26;

impl Checkpoint {
    /// Opens `model.safetensors`, else the shards that `model.safetensors.index.json` lists, as
    /// `quantization_config` of `config.json` says.
    pub fn open(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        let config: Map<String, Value> = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|e| ModelError::file(&path, e))?,
            Err(e) if e.kind() == ErrorKind::NotFound => Map::new(),
            Err(e) => return Err(ModelError::file(&path, e)),
        };
        let format = formats::of_config(&config).map_err(|e| ModelError::file(&path, e))?;
        let tensors = shards::open(dir)?;
        let quantized = match &format {
            Some(format) => formats::find(format.as_ref(), &tensors),
            None => BTreeMap::new(),
        };
        Ok(Self {
            dir: dir.to_owned(),
            tensors,
            format,
            quantized,
            taken: RefCell::default(),
            looked_at: RefCell::default(),
            random: None,
            notes: None,
        })
    }

    /// Random weights, to see how fast a model of some shape is without having it. Norms are 1.
    pub fn random(seed: u32, num_elements: usize) -> Self {
        Self {
            dir: PathBuf::new(),
            tensors: Tensors::new(),
            format: None,
            quantized: BTreeMap::new(),
            taken: RefCell::default(),
            looked_at: RefCell::default(),
            random: Some(Random { seed, num_elements }),
            notes: None,
        }
    }

    /// Whether there is a tensor of this name, or what its weight is made of.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name) || self.quantized.contains_key(name)
    }

    /// The elements of `name`, which must have exactly `shape`.
    pub fn take(&self, name: &str, shape: &[usize]) -> Result<RowSource<'_>, ModelError> {
        self.hand_out(name, num_elements(shape), || {
            if let Some(random) = &self.random {
                return Ok(random.tensor(name, shape));
            }
            if let Some(weight) = self.quantized_weight(name, shape)? {
                let [n, k] = matrix_of(shape);
                return Ok(of_matrix(weight, 0, [n, k], Rows::all(n)));
            }
            let (tensor, float) = self.plain_tensor(name, shape)?;
            Ok(RowSource::plain(float, tensor.bytes()))
        })
    }

    /// Some rows of a matrix `[n, k]`; the tensor counts as taken as a whole.
    pub fn take_rows(
        &self,
        name: &str,
        shape: [usize; 2],
        rows: Rows,
    ) -> Result<RowSource<'_>, ModelError> {
        let [n, k] = shape;
        self.hand_out(name, rows.count.checked_mul(k), || {
            rows.check(name, n)
                .map_err(|e| ModelError::file(&self.dir, e))?;
            if let Some(random) = &self.random {
                let name = format!("{name} from {} by {}", rows.first, rows.step);
                return Ok(random.tensor(&name, &[rows.count, k]));
            }
            if let Some(weight) = self.quantized_weight(name, &shape)? {
                return Ok(of_matrix(weight, 0, shape, rows));
            }
            let (tensor, float) = self.plain_tensor(name, &shape)?;
            Ok(Plain::new(tensor, float, 0, shape, StackOrder::RowsFirst).rows(rows))
        })
    }

    /// Some rows of matrix `index` of a stack; the tensor counts as taken as a whole.
    pub fn take_expert(
        &self,
        name: &str,
        stack: Stack,
        index: usize,
        rows: Rows,
    ) -> Result<RowSource<'_>, ModelError> {
        let Stack { num, n, k, order } = stack;
        self.hand_out(name, rows.count.checked_mul(k), || {
            rows.check(name, n)
                .map_err(|e| ModelError::file(&self.dir, e))?;
            if index >= num {
                let message = format!("the tensor {name} has no expert {index}, only {num}");
                return Err(ModelError::file(&self.dir, message));
            }
            if let Some(random) = &self.random {
                let name = format!("{name} {index} from {} by {}", rows.first, rows.step);
                return Ok(random.tensor(&name, &[rows.count, k]));
            }
            if let Some(weight) = self.quantized_weight(name, &[num, n, k])? {
                return Ok(of_matrix(weight, index, [n, k], rows));
            }
            let (tensor, float) = self.plain_tensor(name, &stack.shape())?;
            Ok(Plain::new(tensor, float, index, [n, k], order).rows(rows))
        })
    }

    /// A vector of f32, such as a norm's weight.
    pub fn take_vec(&self, name: &str, len: usize) -> Result<Vec<f32>, ModelError> {
        self.take_values(name, &[len])
    }

    /// All elements of a tensor of any rank, in order.
    pub fn take_values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let source = self.take(name, shape)?;
        let len = source.num_elements();
        if self.notes.is_some() && len > MAX_SURVEYED {
            let message =
                format!("the tensor {name} would have {len} elements, which no model has");
            return Err(ModelError::file(&self.dir, message));
        }
        let mut values = vec![0.0; len];
        source.read(0, &mut values);
        Ok(values)
    }

    /// The quantised weight of a name, if it is one.
    fn quantized_weight(
        &self,
        name: &str,
        shape: &[usize],
    ) -> Result<Option<&dyn Matrix>, ModelError> {
        let Some(found) = self.quantized.get(name) else {
            return Ok(None);
        };
        let path = found
            .parts
            .first()
            .map_or(self.dir.as_path(), |part| part.path());
        let weight = found
            .weight
            .as_ref()
            .map_err(|e| ModelError::file(path, e))?;
        if weight.shape != shape {
            return Err(ModelError::file(
                path,
                other_shape(name, &weight.shape, shape),
            ));
        }
        Ok(Some(weight.matrix.as_ref()))
    }

    /// The tensor of a name, if its numbers are the weight's.
    fn plain_tensor(&self, name: &str, shape: &[usize]) -> Result<(&Tensor, Float), ModelError> {
        let Some(tensor) = self.tensors.get(name) else {
            return Err(ModelError::file(&self.dir, self.missing(name)));
        };
        if tensor.shape != shape {
            let message = other_shape(name, &tensor.shape, shape);
            return Err(ModelError::file(tensor.path(), message));
        }
        let Some(float) = tensor.float() else {
            let how = match &self.format {
                Some(_) => "where `quantization_config` does not say how to read it",
                None => "without a `quantization_config` in config.json",
            };
            let message = format!(
                "the tensor {name} has type {:?}; {how}, supported are F32, F16 and BF16",
                tensor.dtype
            );
            return Err(ModelError::file(tensor.path(), message));
        };
        Ok((tensor, float))
    }

    fn missing(&self, name: &str) -> String {
        let module = name.strip_suffix(".weight").unwrap_or(name);
        let parts = [".qweight", ".weight_packed", "_blocks"];
        let part = parts
            .iter()
            .map(|part| format!("{module}{part}"))
            .find(|part| self.tensors.contains_key(part));
        match part {
            None => format!("the tensor {name} is missing"),
            Some(part) => format!(
                "the tensor {name} is missing, and how to read {part} `quantization_config` in \
                 config.json does not say"
            ),
        }
    }
}

fn other_shape(name: &str, has: &[usize], expected: &[usize]) -> String {
    format!("the tensor {name} has shape {has:?}, but config.json implies {expected:?}")
}

fn num_elements(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1, |product: usize, n| product.checked_mul(*n))
}

/// Rows and columns of a quantised weight that is taken as a whole.
fn matrix_of(shape: &[usize]) -> [usize; 2] {
    match shape {
        [rows @ .., k] => [rows.iter().product(), *k],
        [] => [1, 1],
    }
}
