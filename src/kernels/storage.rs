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
    /// Whole numbers from -127 to 127, a scale for each key and for each value.
    Int8,
}

impl KvType {
    /// Bytes of an element.
    pub fn num_bytes(self) -> usize {
        match self {
            Self::F32 => size_of::<f32>(),
            Self::Bf16 => size_of::<bf16>(),
            Self::Int8 => size_of::<u8>(),
        }
    }

    /// Elements that the scale of a key or a value takes.
    pub fn scale_len(self) -> usize {
        match self {
            Self::F32 | Self::Bf16 => 0,
            Self::Int8 => size_of::<f32>(),
        }
    }
}

/// Keys and values as the cache stores them.
pub(super) enum KvRef<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
    Int8(&'a [u8]),
}

pub(super) enum KvMut<'a> {
    F32(&'a mut [f32]),
    Bf16(&'a mut [bf16]),
    Int8(&'a mut [u8]),
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
        CpuStorage::U8(values) => Ok(KvRef::Int8(&values[start..end])),
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
        CpuStorage::U8(values) => Ok(KvMut::Int8(&mut values[start..end])),
        _ => Err(wrong_type(op)),
    }
}

/// The last dimension, which is the length of a row.
pub(super) fn row_len(layout: &Layout) -> usize {
    layout.dims().last().copied().unwrap_or(1)
}
