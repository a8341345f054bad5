use super::device::{Address, Device};
use super::memory::Memory;
use super::{Cuda, ROW_ALIGNMENT};
use crate::kernels::{AttentionShape, KV_BLOCK_SIZE, KvType, Use};
use candle_core::{Error, Result};
use half::bf16;
use std::sync::Arc;

/// Type of an array's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    F32,
    Bf16,
}

/// Rows of numbers in the memory of a device. Between `width` and `stride` there are zeros.
#[derive(Clone)]
pub struct Array {
    memory: Arc<Memory>,
    pub element: Type,
    num_rows: usize,
    width: usize,
    pub stride: usize,
}

impl std::fmt::Debug for Array {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} [{}, {}]", self.element, self.num_rows, self.width)
    }
}

impl Type {
    pub fn num_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 => 2,
        }
    }
}

/// Inputs of a product, those that fill its last chunk up included.
pub fn padded(k: usize) -> usize {
    k.next_multiple_of(64)
}

/// Dimensions of a head in the cache: the next for which there is a kernel.
pub fn padded_head_dim(head_dim: usize) -> Result<usize> {
    [16, 32, 64, 128, 256]
        .into_iter()
        .find(|padded| *padded >= head_dim)
        .ok_or_else(|| {
            Error::Msg(format!(
                "heads of {head_dim} dimensions are not supported on CUDA"
            ))
        })
}

impl Array {
    fn new(
        device: &Arc<Device>,
        element: Type,
        rows: usize,
        width: usize,
        stride: usize,
    ) -> Result<Self> {
        let num_bytes = rows
            .checked_next_multiple_of(ROW_ALIGNMENT)
            .and_then(|rows| rows.checked_mul(stride)?.checked_mul(element.num_bytes()))
            .ok_or_else(|| Error::Msg(format!("{rows} times {stride} numbers are too many")))?;
        Ok(Self {
            memory: Arc::new(Memory::zeroed(device, num_bytes)?),
            element,
            num_rows: rows,
            width,
            stride,
        })
    }

    pub fn num_rows(&self) -> usize {
        self.num_rows
    }

    pub fn width(&self) -> usize {
        self.width
    }

    /// Tells this memory from all others of the process, past ones too.
    pub fn memory_id(&self) -> u64 {
        self.memory.id()
    }

    pub fn address(&self) -> Address {
        self.memory.address()
    }

    /// Rows that there is memory for.
    pub fn capacity(&self) -> usize {
        self.memory.num_bytes() / (self.stride * self.element.num_bytes()).max(1)
    }

    pub fn narrow(&self, rows: usize) -> Result<Self> {
        if rows > self.capacity() {
            return Err(Error::Msg(format!(
                "{rows} rows of an array that has {}",
                self.capacity()
            )));
        }
        Ok(Self {
            num_rows: rows,
            ..self.clone()
        })
    }

    pub fn expect(&self, element: Type, op: &'static str) -> Result<Address> {
        if self.element == element {
            return Ok(self.address());
        }
        Err(Error::Msg(format!(
            "{op}: an array has a type that this op does not take"
        )))
    }

    pub fn to_rows(&self) -> Result<Vec<Vec<f32>>> {
        let row_bytes = self.stride * self.element.num_bytes();
        let mut bytes = vec![0; self.num_rows * row_bytes];
        self.memory.device().read(self.address(), &mut bytes)?;
        let rows = bytes.chunks_exact(row_bytes.max(1));
        Ok(rows
            .map(|row| match self.element {
                Type::F32 => {
                    let (values, _) = row.as_chunks::<4>();
                    let values = values.iter().map(|bytes| f32::from_le_bytes(*bytes));
                    values.take(self.width).collect()
                }
                Type::Bf16 => {
                    let (values, _) = row.as_chunks::<2>();
                    let values = values
                        .iter()
                        .map(|bytes| bf16::from_le_bytes(*bytes).to_f32());
                    values.take(self.width).collect()
                }
            })
            .collect())
    }
}

impl Cuda {
    pub fn zeros(&self, rows: usize, width: usize, used_as: Use) -> Result<Array> {
        let (element, stride) = match used_as {
            Use::Sums => (Type::F32, width),
            Use::Inputs => (Type::Bf16, padded(width)),
            Use::Heads => (Type::Bf16, width),
        };
        Array::new(&self.device, element, rows, width, stride)
    }

    /// `[blocks][keys, values][kv heads][slots][padded dimensions]`. The first block is nobody's:
    /// rows that fill a step up write there, so block `b` of a sequence is block `b + 1` here.
    pub fn kv_cache(
        &self,
        shape: AttentionShape,
        kv_type: KvType,
        num_blocks: usize,
    ) -> Result<Array> {
        if kv_type != KvType::Bf16 {
            return Err(Error::Msg("on CUDA the KV cache is bf16".into()));
        }
        let width = self.kv_block_bytes(shape) / Type::Bf16.num_bytes();
        padded_head_dim(shape.head_dim)?;
        Array::new(&self.device, Type::Bf16, num_blocks + 1, width, width)
    }

    pub fn kv_block_bytes(&self, shape: AttentionShape) -> usize {
        let head_dim = padded_head_dim(shape.head_dim).unwrap_or(shape.head_dim);
        2 * shape.num_kv_heads * KV_BLOCK_SIZE * head_dim * Type::Bf16.num_bytes()
    }

    pub fn vector(&self, values: &[f32]) -> Result<Array> {
        let array = Array::new(&self.device, Type::F32, 1, values.len(), values.len())?;
        self.device
            .write(array.address(), bytemuck::cast_slice(values))?;
        Ok(array)
    }

    /// An array of these rows of f32, rounded where it holds another type.
    pub fn rows(&self, values: &[f32], width: usize, used_as: Use) -> Result<Array> {
        let array = self.zeros(values.len() / width.max(1), width, used_as)?;
        let mut bytes = Vec::with_capacity(array.num_rows * array.stride * 4);
        for row in values.chunks_exact(width.max(1)) {
            for column in 0..array.stride {
                let value = row.get(column).copied().unwrap_or(0.0);
                match array.element {
                    Type::F32 => bytes.extend(value.to_le_bytes()),
                    Type::Bf16 => bytes.extend(bf16::from_f32(value).to_le_bytes()),
                }
            }
        }
        self.device.write(array.address(), &bytes)?;
        Ok(array)
    }
}
