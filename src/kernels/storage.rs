//! Slices of candle's CPU storage, checked: contiguous and of the type that an op takes.

use candle_core::{CpuStorage, Error, Layout, Result};
use half::bf16;

fn contiguous(op: &'static str, layout: &Layout) -> Result<(usize, usize)> {
    layout.contiguous_offsets().ok_or_else(|| {
        Error::Msg(format!(
            "{op}: a tensor of shape {:?} is not contiguous",
            layout.shape()
        ))
    })
}

fn wrong_type(op: &'static str) -> Error {
    Error::Msg(format!(
        "{op}: a tensor has a type that this op does not take"
    ))
}

pub(super) fn f32s<'a>(
    op: &'static str,
    storage: &'a CpuStorage,
    layout: &Layout,
) -> Result<&'a [f32]> {
    let (start, end) = contiguous(op, layout)?;
    match storage {
        CpuStorage::F32(values) => Ok(&values[start..end]),
        _ => Err(wrong_type(op)),
    }
}

pub(super) fn f32s_mut<'a>(
    op: &'static str,
    storage: &'a mut CpuStorage,
    layout: &Layout,
) -> Result<&'a mut [f32]> {
    let (start, end) = contiguous(op, layout)?;
    match storage {
        CpuStorage::F32(values) => Ok(&mut values[start..end]),
        _ => Err(wrong_type(op)),
    }
}

/// Type of keys and values in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KvType {
    F32,
    Bf16,
}

/// Keys and values as the cache stores them.
pub(super) enum KvRef<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
}

pub(super) enum KvMut<'a> {
    F32(&'a mut [f32]),
    Bf16(&'a mut [bf16]),
}

pub(super) fn kv<'a>(
    op: &'static str,
    storage: &'a CpuStorage,
    layout: &Layout,
) -> Result<KvRef<'a>> {
    let (start, end) = contiguous(op, layout)?;
    match storage {
        CpuStorage::F32(values) => Ok(KvRef::F32(&values[start..end])),
        CpuStorage::BF16(values) => Ok(KvRef::Bf16(&values[start..end])),
        _ => Err(wrong_type(op)),
    }
}

pub(super) fn kv_mut<'a>(
    op: &'static str,
    storage: &'a mut CpuStorage,
    layout: &Layout,
) -> Result<KvMut<'a>> {
    let (start, end) = contiguous(op, layout)?;
    match storage {
        CpuStorage::F32(values) => Ok(KvMut::F32(&mut values[start..end])),
        CpuStorage::BF16(values) => Ok(KvMut::Bf16(&mut values[start..end])),
        _ => Err(wrong_type(op)),
    }
}

/// The last dimension, which is the length of a row.
pub(super) fn row_len(layout: &Layout) -> usize {
    layout.dims().last().copied().unwrap_or(1)
}
