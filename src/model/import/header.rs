//! The header of a GGUF file: its metadata and where its tensors lie.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufReader, Read, Seek, SeekFrom};

use candle_core::quantized::GgmlDType;

use super::ImportError;
use super::mxfp4;
use super::value::{Cursor, Value};

const MAGIC: u32 = u32::from_le_bytes(*b"GGUF");
const DEFAULT_ALIGNMENT: u64 = 32;
const MAX_DIMS: u32 = 4;

/// Everything before the tensor data, checked against the file's size.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) metadata: HashMap<String, Value>,
    pub(super) tensors: BTreeMap<String, TensorEntry>,
}

/// Where a tensor lies. All of it is inside the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TensorEntry {
    pub(super) dtype: StoredType,
    /// Outermost dimension first.
    pub(super) shape: Vec<usize>,
    /// From the start of the file.
    pub(super) offset: u64,
    pub(super) num_bytes: u64,
}

/// How a tensor's numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoredType {
    /// A type that candle knows.
    Ggml(GgmlDType),
    Mxfp4,
}

impl StoredType {
    /// Numbers in a block.
    pub(super) fn block_size(self) -> usize {
        match self {
            Self::Ggml(dtype) => dtype.block_size(),
            Self::Mxfp4 => mxfp4::BLOCK_SIZE,
        }
    }

    /// Bytes of a block.
    pub(super) fn block_bytes(self) -> usize {
        match self {
            Self::Ggml(dtype) => dtype.type_size(),
            Self::Mxfp4 => mxfp4::BLOCK_BYTES,
        }
    }
}

impl TensorEntry {
    /// Rows and their length. A tensor of one dimension is one row, and one of three has the
    /// rows of all its matrices.
    pub(super) fn rows_and_columns(&self) -> (usize, usize) {
        let columns = self.shape.last().copied().unwrap_or(1);
        let rows = self.shape.iter().rev().skip(1).product();
        (rows, columns)
    }
}

impl Header {
    pub(super) fn read<R: Read + Seek>(reader: &mut BufReader<R>) -> Result<Self, ImportError> {
        let size = reader.seek(SeekFrom::End(0)).map_err(ImportError::Read)?;
        let mut cursor = Cursor::new(reader, size)?;
        if size < 24 || cursor.u32()? != MAGIC {
            return Err(ImportError::Malformed(
                "it does not start with a GGUF header".into(),
            ));
        }
        match cursor.u32()? {
            2 | 3 => {}
            version => {
                return Err(ImportError::Unsupported(format!(
                    "GGUF version {version} is not imported, only versions 2 and 3"
                )));
            }
        }
        let num_tensors = cursor.u64()?;
        let num_values = cursor.u64()?;
        // The shortest entry: a length, a type number and one byte.
        cursor.require(num_values, 13, "the metadata")?;
        let mut metadata = HashMap::new();
        for _ in 0..num_values {
            let key = cursor.text("a metadata key")?;
            let value = cursor.value(&key)?;
            if metadata.insert(key.clone(), value).is_some() {
                return Err(ImportError::Malformed(format!(
                    "the key {key:?} stands twice"
                )));
            }
        }
        // The shortest entry: a length, the dimensions' number, a type and an offset.
        cursor.require(num_tensors, 24, "the tensor list")?;
        let mut tensors = BTreeMap::new();
        for _ in 0..num_tensors {
            let name = cursor.text("a tensor name")?;
            let entry = read_entry(&mut cursor, &name)?;
            if tensors.insert(name.clone(), entry).is_some() {
                return Err(ImportError::Malformed(format!(
                    "the tensor {name} stands twice"
                )));
            }
        }
        let alignment = alignment(&metadata)?;
        let start = cursor
            .position()
            .checked_next_multiple_of(alignment)
            .ok_or_else(|| ImportError::Malformed("the alignment is absurd".into()))?;
        place(&mut tensors, start, size)?;
        Ok(Self { metadata, tensors })
    }
}

fn read_entry<R: Read + Seek>(
    cursor: &mut Cursor<'_, R>,
    name: &str,
) -> Result<TensorEntry, ImportError> {
    let num_dims = cursor.u32()?;
    if num_dims == 0 || num_dims > MAX_DIMS {
        return Err(ImportError::Malformed(format!(
            "the tensor {name} has {num_dims} dimensions"
        )));
    }
    let mut dims = (0..num_dims)
        .map(|_| cursor.u64())
        .collect::<Result<Vec<_>, _>>()?;
    let dtype = dtype(cursor.u32()?, name)?;
    let offset = cursor.u64()?;
    let absurd =
        || ImportError::Malformed(format!("the tensor {name} has the absurd shape {dims:?}"));
    let num_elements = dims
        .iter()
        .try_fold(1_u64, |product, dim| product.checked_mul(*dim))
        .ok_or_else(absurd)?;
    let block_size = dtype.block_size() as u64;
    // Blocks lie along the innermost dimension, which GGUF writes first.
    if num_elements == 0
        || num_elements > u64::from(u32::MAX) * 64
        || !dims[0].is_multiple_of(block_size)
    {
        return Err(absurd());
    }
    let num_bytes = (num_elements / block_size)
        .checked_mul(dtype.block_bytes() as u64)
        .ok_or_else(absurd)?;
    dims.reverse();
    let shape = dims.iter().map(|dim| *dim as usize).collect();
    Ok(TensorEntry {
        dtype,
        shape,
        offset,
        num_bytes,
    })
}

/// Turns offsets into places in the file; every tensor must lie inside it and alone.
fn place(
    tensors: &mut BTreeMap<String, TensorEntry>,
    start: u64,
    size: u64,
) -> Result<(), ImportError> {
    for (name, entry) in tensors.iter_mut() {
        let offset = start.checked_add(entry.offset);
        match offset.and_then(|offset| offset.checked_add(entry.num_bytes)) {
            Some(end) if end <= size => entry.offset = end - entry.num_bytes,
            _ => {
                return Err(ImportError::Malformed(format!(
                    "the tensor {name} reaches beyond the end of the file; was it copied whole?"
                )));
            }
        }
    }
    let mut placed: Vec<_> = tensors.iter().collect();
    placed.sort_by_key(|(_, entry)| entry.offset);
    for pair in placed.windows(2) {
        if pair[0].1.offset + pair[0].1.num_bytes > pair[1].1.offset {
            return Err(ImportError::Malformed(format!(
                "the tensors {} and {} overlap",
                pair[0].0, pair[1].0
            )));
        }
    }
    Ok(())
}

fn alignment(metadata: &HashMap<String, Value>) -> Result<u64, ImportError> {
    match metadata.get("general.alignment") {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(Value::Unsigned(alignment))
            if alignment.is_power_of_two() && *alignment <= 1 << 20 =>
        {
            Ok(*alignment)
        }
        Some(_) => Err(ImportError::Malformed(
            "general.alignment is not a small power of two".into(),
        )),
    }
}

fn dtype(number: u32, name: &str) -> Result<StoredType, ImportError> {
    Ok(StoredType::Ggml(match number {
        0 => GgmlDType::F32,
        1 => GgmlDType::F16,
        2 => GgmlDType::Q4_0,
        3 => GgmlDType::Q4_1,
        6 => GgmlDType::Q5_0,
        7 => GgmlDType::Q5_1,
        8 => GgmlDType::Q8_0,
        10 => GgmlDType::Q2K,
        11 => GgmlDType::Q3K,
        12 => GgmlDType::Q4K,
        13 => GgmlDType::Q5K,
        14 => GgmlDType::Q6K,
        30 => GgmlDType::BF16,
        39 => return Ok(StoredType::Mxfp4),
        other => {
            return Err(ImportError::Unsupported(format!(
                "the tensor {name} has the GGML type {other}, which is not imported; \
                 F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K to Q6_K and MXFP4 are"
            )));
        }
    }))
}
