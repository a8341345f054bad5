//! Tensors to bf16 safetensors, some rows at a time.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::TensorInfo;
use candle_core::{Device, Shape};
use half::bf16;
use serde_json::json;

use super::header::{Header, StoredType, TensorEntry};
use super::plan::{PlannedSource, PlannedTensor};
use super::{ImportError, Progress, mxfp4};

/// Elements converted at once: bounds the memory, whatever the tensor's size. Only a matrix that
/// is turned is read as a whole.
const CHUNK_ELEMENTS: usize = 1 << 22;

/// Writes all planned tensors in order, rounded to the nearest bf16 (ties to even). Returns how
/// many of them held a number that bf16 does not have.
pub(super) fn write_safetensors<R: Read + Seek>(
    path: &Path,
    plan: &[PlannedTensor],
    header: &Header,
    reader: &mut BufReader<R>,
    progress: &mut dyn FnMut(Progress),
) -> Result<usize, ImportError> {
    let failed = |source| ImportError::Write {
        path: path.to_owned(),
        source,
    };
    let mut writer = BufWriter::with_capacity(1 << 20, File::create(path).map_err(failed)?);
    writer
        .write_all(&safetensors_header(plan))
        .map_err(failed)?;
    let mut num_rounded = 0;
    for (done, tensor) in plan.iter().enumerate() {
        progress(Progress {
            done,
            total: plan.len(),
        });
        let mut rounded = false;
        read_chunks(tensor, header, reader, &mut |values| {
            rounded |= write_bf16(values, &tensor.target, &mut writer, path)?;
            Ok(())
        })?;
        num_rounded += usize::from(rounded);
    }
    progress(Progress {
        done: plan.len(),
        total: plan.len(),
    });
    writer.flush().map_err(failed)?;
    Ok(num_rounded)
}

/// Hands on all numbers of a tensor, in the order in which the checkpoint has them.
fn read_chunks<R: Read + Seek>(
    tensor: &PlannedTensor,
    header: &Header,
    reader: &mut BufReader<R>,
    write: &mut dyn FnMut(&[f32]) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    let entry = |name: &str| {
        header
            .tensors
            .get(name)
            .ok_or_else(|| ImportError::Malformed(format!("the tensor {name} is missing")))
    };
    match &tensor.source {
        PlannedSource::Metadata(value) => write(&[*value]),
        PlannedSource::Rows { name, first } => {
            let entry = entry(name)?;
            let rows = tensor.num_elements / entry.rows_and_columns().1;
            for (first, count) in chunks(entry, *first, rows, 1) {
                write(&read_floats(entry, first, count, reader, name)?)?;
            }
            Ok(())
        }
        PlannedSource::PairedRows { name, head_rows } => {
            let entry = entry(name)?;
            let (rows, columns) = entry.rows_and_columns();
            for (first, count) in chunks(entry, 0, rows, *head_rows) {
                let values = read_floats(entry, first, count, reader, name)?;
                write(&unpair(&values, columns, *head_rows))?;
            }
            Ok(())
        }
        PlannedSource::OneAdded { name } => {
            let mut values = read_floats(entry(name)?, 0, 1, reader, name)?;
            values.iter_mut().for_each(|value| *value -= 1.0);
            write(&values)
        }
        PlannedSource::InputsFirst {
            names,
            num_matrices,
            inputs,
        } => {
            for matrix in 0..*num_matrices {
                let parts = names
                    .iter()
                    .map(|name| {
                        let entry = entry(name)?;
                        let rows = entry.rows_and_columns().0 / num_matrices;
                        read_floats(entry, matrix * rows, rows, reader, name)
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                write(&turn(&parts, *inputs))?;
            }
            Ok(())
        }
    }
}

/// First rows and numbers of rows, whole units each, together `rows` from `first` on.
fn chunks(
    entry: &TensorEntry,
    first: usize,
    rows: usize,
    unit: usize,
) -> impl Iterator<Item = (usize, usize)> {
    let columns = entry.rows_and_columns().1;
    let step = (CHUNK_ELEMENTS / columns / unit).max(1) * unit;
    (0..rows)
        .step_by(step)
        .map(move |done| (first + done, step.min(rows - done)))
}

/// Rows `first .. first + count` of a tensor as f32.
pub(super) fn read_floats<R: Read + Seek>(
    entry: &TensorEntry,
    first: usize,
    count: usize,
    reader: &mut BufReader<R>,
    name: &str,
) -> Result<Vec<f32>, ImportError> {
    let columns = entry.rows_and_columns().1;
    // Blocks lie along rows, so that rows are a whole number of bytes.
    let row_bytes = columns / entry.dtype.block_size() * entry.dtype.block_bytes();
    let offset = entry.offset + (first * row_bytes) as u64;
    match entry.dtype {
        StoredType::Mxfp4 => {
            reader
                .seek(SeekFrom::Start(offset))
                .map_err(ImportError::Read)?;
            let mut blocks = vec![0; count * row_bytes];
            reader.read_exact(&mut blocks).map_err(ImportError::Read)?;
            Ok(mxfp4::dequantize(&blocks))
        }
        StoredType::Ggml(dtype) => read_ggml(dtype, [count, columns], offset, reader, name),
    }
}

fn read_ggml<R: Read + Seek>(
    dtype: GgmlDType,
    shape: [usize; 2],
    offset: u64,
    reader: &mut BufReader<R>,
    name: &str,
) -> Result<Vec<f32>, ImportError> {
    let part = TensorInfo {
        ggml_dtype: dtype,
        shape: Shape::from((shape[0], shape[1])),
        offset,
    };
    let unreadable = |error: candle_core::Error| {
        ImportError::Malformed(format!(
            "the tensor {name} cannot be read: {}",
            first_line(&error.to_string())
        ))
    };
    part.read(reader, 0, &Device::Cpu)
        .and_then(|tensor| tensor.dequantize(&Device::Cpu))
        .and_then(|tensor| tensor.flatten_all())
        .and_then(|tensor| tensor.to_vec1::<f32>())
        .map_err(unreadable)
}

/// Undoes the row order in which llama.cpp keeps Q and K: it pairs the two halves of a
/// head row by row, Hugging Face keeps one half after the other.
fn unpair(values: &[f32], columns: usize, head_rows: usize) -> Vec<f32> {
    let mut ordered = Vec::with_capacity(values.len());
    for head in values.chunks(head_rows * columns) {
        for half in 0..2 {
            for pair in 0..head_rows / 2 {
                let row = 2 * pair + half;
                ordered.extend_from_slice(&head[row * columns..(row + 1) * columns]);
            }
        }
    }
    ordered
}

/// Matrices of equal shape, of `inputs` columns each, as one: their rows in turn, and columns
/// before rows.
fn turn(parts: &[Vec<f32>], inputs: usize) -> Vec<f32> {
    let rows = parts.first().map_or(0, |part| part.len() / inputs);
    let mut turned = Vec::with_capacity(parts.len() * rows * inputs);
    for input in 0..inputs {
        for row in 0..rows {
            turned.extend(parts.iter().map(|part| part[row * inputs + input]));
        }
    }
    turned
}

/// Returns whether a number had to be rounded.
fn write_bf16(
    values: &[f32],
    name: &str,
    writer: &mut impl Write,
    path: &Path,
) -> Result<bool, ImportError> {
    let mut bytes = Vec::with_capacity(values.len() * 2);
    let mut any_rounded = false;
    for value in values {
        let rounded = bf16::from_f32(*value);
        if !rounded.is_finite() {
            return Err(ImportError::Malformed(format!(
                "the tensor {name} holds {value}, which is no bf16 number"
            )));
        }
        any_rounded |= rounded.to_f32() != *value;
        bytes.extend_from_slice(&rounded.to_le_bytes());
    }
    writer
        .write_all(&bytes)
        .map_err(|source| ImportError::Write {
            path: path.to_owned(),
            source,
        })?;
    Ok(any_rounded)
}

fn safetensors_header(plan: &[PlannedTensor]) -> Vec<u8> {
    let mut entries = serde_json::Map::new();
    entries.insert("__metadata__".into(), json!({"format": "pt"}));
    let mut start = 0_u64;
    for tensor in plan {
        let end = start + 2 * tensor.num_elements as u64;
        entries.insert(
            tensor.target.clone(),
            json!({"dtype": "BF16", "shape": tensor.shape, "data_offsets": [start, end]}),
        );
        start = end;
    }
    let mut text = serde_json::Value::Object(entries).to_string().into_bytes();
    // The data begin at a multiple of 8.
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut text);
    bytes
}

/// Candle's messages may carry a backtrace below the first line.
fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}
