//! Tensors to bf16 safetensors, some rows at a time.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

use candle_core::quantized::gguf_file::TensorInfo;
use candle_core::{Device, Shape};
use half::bf16;
use serde_json::json;

use super::header::{Header, TensorEntry};
use super::names::PlannedTensor;
use super::{ImportError, Progress};

/// Elements converted at once: bounds the memory, whatever the tensor's size.
const CHUNK_ELEMENTS: usize = 1 << 22;

/// Writes all planned tensors in order, rounded to the nearest bf16 (ties to even).
pub(super) fn write_safetensors<R: Read + Seek>(
    path: &Path,
    plan: &[PlannedTensor],
    header: &Header,
    reader: &mut BufReader<R>,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), ImportError> {
    let failed = |source| ImportError::Write {
        path: path.to_owned(),
        source,
    };
    let mut writer = BufWriter::with_capacity(1 << 20, File::create(path).map_err(failed)?);
    writer
        .write_all(&safetensors_header(plan))
        .map_err(failed)?;
    for (done, tensor) in plan.iter().enumerate() {
        progress(Progress {
            done,
            total: plan.len(),
        });
        let Some(entry) = header.tensors.get(&tensor.source) else {
            return Err(ImportError::Malformed(format!(
                "the tensor {} is missing",
                tensor.source
            )));
        };
        let rows = if tensor.shape.len() > 1 {
            tensor.shape[0]
        } else {
            1
        };
        let columns = tensor.num_elements / rows;
        let unit = tensor.permuted_head_rows.unwrap_or(1);
        let step = (CHUNK_ELEMENTS / columns / unit).max(1) * unit;
        for first in (0..rows).step_by(step) {
            let values = read_floats(entry, first, step.min(rows - first), reader, &tensor.source)?;
            let bytes = match tensor.permuted_head_rows {
                Some(head_rows) => {
                    to_bf16(&unpermute(&values, columns, head_rows), &tensor.source)?
                }
                None => to_bf16(&values, &tensor.source)?,
            };
            writer.write_all(&bytes).map_err(failed)?;
        }
    }
    progress(Progress {
        done: plan.len(),
        total: plan.len(),
    });
    writer.flush().map_err(failed)
}

/// Rows `first .. first + count` of a tensor as f32. A tensor of one dimension is one row.
pub(super) fn read_floats<R: Read + Seek>(
    entry: &TensorEntry,
    first: usize,
    count: usize,
    reader: &mut BufReader<R>,
    name: &str,
) -> Result<Vec<f32>, ImportError> {
    let rows = if entry.shape.len() > 1 {
        entry.shape[0]
    } else {
        1
    };
    let columns = entry.shape.iter().product::<usize>() / rows;
    // Blocks lie along rows, so that rows are a whole number of bytes.
    let row_bytes = columns / entry.dtype.block_size() * entry.dtype.type_size();
    let part = TensorInfo {
        ggml_dtype: entry.dtype,
        shape: Shape::from((count, columns)),
        offset: entry.offset + (first * row_bytes) as u64,
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
fn unpermute(values: &[f32], columns: usize, head_rows: usize) -> Vec<f32> {
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

fn to_bf16(values: &[f32], name: &str) -> Result<Vec<u8>, ImportError> {
    let mut bytes = Vec::with_capacity(values.len() * 2);
    for value in values {
        let rounded = bf16::from_f32(*value);
        if !rounded.is_finite() {
            return Err(ImportError::Malformed(format!(
                "the tensor {name} holds {value}, which is no bf16 number"
            )));
        }
        bytes.extend_from_slice(&rounded.to_le_bytes());
    }
    Ok(bytes)
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
