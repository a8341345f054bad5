use super::activations::{Prepared, Quads};
use super::ahead::{Ahead, LINE};
use super::columns_portable::{self, ColumnWeight};
use super::{Rows, Sums, int_portable};
#[cfg(target_arch = "x86_64")]
use super::{bf16_avx512, columns_avx2, columns_avx512, int_avx2, int_avx512};
use crate::kernels::cpu::packed::{Form, Int4, Int8, PackedWeight, Quantized};
use crate::kernels::cpu::{AlignedBuffer, KernelSet};
use std::ops::Range;

/// Passes over a strip from which on it pays to write half-bytes out once.
#[cfg(target_arch = "x86_64")]
const UNPACK_PASSES: usize = 4;

/// A strip of a weight, as its kernel takes it.
#[derive(Clone, Copy)]
pub(super) enum Strip<'a> {
    Bf16Pairs(&'a [u32]),
    Bf16Columns(&'a [u16]),
    F32Columns(&'a [f32]),
    Int8(&'a [u8]),
    Int4(&'a [u8]),
    /// [`Form::Int4`] with a byte for each code.
    #[cfg(target_arch = "x86_64")]
    Int4Bytes(&'a [u8]),
}

impl<'a> Strip<'a> {
    pub fn new(w: &'a PackedWeight, strip: usize) -> Self {
        match w.form() {
            Form::Bf16Pairs => Self::Bf16Pairs(w.strip(strip)),
            Form::Bf16Columns => Self::Bf16Columns(w.strip(strip)),
            Form::F32Columns => Self::F32Columns(w.strip(strip)),
            Form::Int8 => Self::Int8(w.strip(strip)),
            Form::Int4 => Self::Int4(w.strip(strip)),
        }
    }

    /// The same in the form that is fastest to go over some times; `buffer` may hold it.
    pub fn for_passes(self, set: KernelSet, num: usize, buffer: &'a mut AlignedBuffer) -> Self {
        #[cfg(target_arch = "x86_64")]
        if let (Self::Int4(w), KernelSet::Avx512Bf16 | KernelSet::Avx512Vnni) = (self, set)
            && num >= UNPACK_PASSES
        {
            let bytes = buffer.resized(int_avx512::unpacked_len(w));
            // SAFETY: a set is only selected where `KernelSet::is_supported` holds.
            unsafe { int_avx512::unpack(w, bytes) };
            return Self::Int4Bytes(bytes);
        }
        let _ = (set, num, buffer);
        self
    }

    /// Lines ([`LINE`]) that a kernel goes over, scales not counted.
    pub fn num_lines(self) -> usize {
        match self {
            Self::Bf16Pairs(w) => size_of_val(w) / LINE,
            Self::Bf16Columns(w) => size_of_val(w) / LINE,
            Self::F32Columns(w) => size_of_val(w) / LINE,
            Self::Int8(w) => w.len() / Int8::GROUP_BYTES * (Int8::CODE_BYTES / LINE),
            Self::Int4(w) => w.len() / Int4::GROUP_BYTES * (Int4::CODE_BYTES / LINE),
            #[cfg(target_arch = "x86_64")]
            Self::Int4Bytes(w) => w.len() / int_avx512::UNPACKED_GROUP * Int4::QUADS,
        }
    }

    /// The sums for at most [`super::MAX_ROWS`] rows.
    pub fn sums(
        self,
        set: KernelSet,
        x: Prepared<'_>,
        rows: Range<usize>,
        ahead: &Ahead,
        sums: &mut Sums,
    ) {
        let (first, num) = (rows.start, rows.len());
        match (x, self) {
            // SAFETY: a set is only selected where `KernelSet::is_supported` holds.
            #[cfg(target_arch = "x86_64")]
            (Prepared::Pairs(x), Self::Bf16Pairs(w)) => unsafe {
                bf16_avx512::strip(x, first, num, w, ahead, sums);
            },
            (Prepared::F32(x), Self::Bf16Columns(w)) => columns(set, x, first, num, w, sums),
            (Prepared::F32(x), Self::F32Columns(w)) => columns(set, x, first, num, w, sums),
            (Prepared::Quads(x), Self::Int8(w)) => {
                integers::<Int8>(set, x, first, num, w, ahead, sums);
            }
            (Prepared::Quads(x), Self::Int4(w)) => {
                integers::<Int4>(set, x, first, num, w, ahead, sums);
            }
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            (Prepared::Quads(x), Self::Int4Bytes(w)) => unsafe {
                int_avx512::strip_of_bytes(x, first, num, w, ahead, sums);
            },
            _ => unreachable!("activations are prepared for the form of their weight"),
        }
    }
}

fn columns<W: ColumnWeight>(
    set: KernelSet,
    x: Rows<'_, f32>,
    first: usize,
    num: usize,
    w: &[W],
    sums: &mut Sums,
) {
    match set {
        // SAFETY: a set is only selected where `KernelSet::is_supported` holds.
        #[cfg(target_arch = "x86_64")]
        KernelSet::Avx512Bf16 | KernelSet::Avx512Vnni => unsafe {
            columns_avx512::strip(x, first, num, w, sums);
        },
        #[cfg(target_arch = "x86_64")]
        KernelSet::Avx2 => unsafe { columns_avx2::strip(x, first, num, w, sums) },
        _ => columns_portable::strip(set, x, first, num, w, sums),
    }
}

fn integers<Q: Quantized>(
    set: KernelSet,
    x: Quads<'_>,
    first: usize,
    num: usize,
    w: &[u8],
    ahead: &Ahead,
    sums: &mut Sums,
) {
    match set {
        // SAFETY: a set is only selected where `KernelSet::is_supported` holds.
        #[cfg(target_arch = "x86_64")]
        KernelSet::Avx512Bf16 | KernelSet::Avx512Vnni => unsafe {
            int_avx512::strip::<Q>(x, first, num, w, ahead, sums);
        },
        #[cfg(target_arch = "x86_64")]
        KernelSet::Avx2 => unsafe { int_avx2::strip::<Q>(x, first, num, w, sums) },
        _ => {
            let _ = ahead;
            int_portable::strip::<Q>(set, x, first, num, w, sums);
        }
    }
}
