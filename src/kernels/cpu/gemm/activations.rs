use super::Rows;
use crate::kernels::cpu::packed::{
    Form, Int4, Int8, Quantized, ROTATION, largest_bits, rotate_inline,
};
use crate::kernels::cpu::versions::versions;
use crate::kernels::cpu::{AlignedBuffer, KernelSet, SplitMut, ThreadPool, elementwise, math};
use std::cell::RefCell;

/// Rows of a tile: few, so that a step of some sequences uses all threads too.
const ROWS: usize = 4;

/// The rows that a linear layer multiplies, with the norm that comes before it.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    pub x: &'a [f32],
    pub norm: Option<Norm<'a>>,
}

/// RMSNorm (Zhang and Sennrich 2019).
#[derive(Clone, Copy)]
pub struct Norm<'a> {
    pub weight: &'a [f32],
    pub eps: f32,
}

/// Work space for activations in the form that a kernel takes; grows to the largest step.
#[derive(Default)]
pub(super) struct Activations {
    rows: AlignedBuffer,
    groups: Vec<Group>,
}

/// A group of quantised activations of a row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Group {
    pub scale: f32,
    /// What the group's dot products start from, because the codes of the weights are not
    /// centred: -ZERO times the sum of the activations.
    pub start: i32,
}

/// Activations as quads of signed bytes, group by group.
#[derive(Clone, Copy)]
pub(super) struct Quads<'a> {
    pub quads: Rows<'a, u32>,
    pub groups: Rows<'a, Group>,
}

#[derive(Clone, Copy)]
pub(super) enum Prepared<'a> {
    F32(Rows<'a, f32>),
    /// Pairs of bf16; the last one of an odd row is filled up with a zero.
    Pairs(Rows<'a, u32>),
    Quads(Quads<'a>),
}

thread_local! {
    /// A row after its norm.
    static NORMED: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

impl Activations {
    /// Norms and rounds `input`, rows of `k`, to what the kernels of `form` multiply.
    pub(super) fn prepare<'a>(
        &'a mut self,
        set: KernelSet,
        pool: &ThreadPool,
        input: Input<'a>,
        k: usize,
        form: Form,
    ) -> Prepared<'a> {
        match form {
            Form::F32Columns | Form::Bf16Columns => {
                let Some(norm) = input.norm else {
                    let values = input.x;
                    return Prepared::F32(Rows { values, len: k });
                };
                let values = self.rows.resized::<f32>(input.x.len());
                for_rows(pool, values, k, |row, out| {
                    let x = &input.x[row * k..][..k];
                    elementwise::rms_norm(set, x, norm.weight, norm.eps, out);
                });
                Prepared::F32(Rows { values, len: k })
            }
            Form::Bf16Pairs => {
                let len = k.div_ceil(2);
                let values = self.rows.resized::<u32>(input.x.len() / k * len);
                for_rows(pool, values, len, |row, out| {
                    input.with_row(set, row, k, |x| round_row(set, x, out));
                });
                Prepared::Pairs(Rows { values, len })
            }
            Form::Int8 => self.quantize::<Int8>(set, pool, input, k),
            Form::Int4 => self.quantize::<Int4>(set, pool, input, k),
        }
    }

    fn quantize<'a, Q: Quantized>(
        &'a mut self,
        set: KernelSet,
        pool: &ThreadPool,
        input: Input<'_>,
        k: usize,
    ) -> Prepared<'a> {
        let num_groups = Q::num_groups(k);
        let (m, len) = (input.x.len() / k, num_groups * Q::QUADS);
        if self.groups.len() < m * num_groups {
            self.groups.resize(m * num_groups, Group::default());
        }
        let groups = &mut self.groups[..m * num_groups];
        let quads = self.rows.resized::<u32>(m * len);
        let split = SplitMut::new(groups);
        for_rows(pool, quads, len, |row, quads| {
            // SAFETY: each row is written by its own tile.
            let groups = unsafe { split.part(row * num_groups, num_groups) };
            input.with_row(set, row, k, |x| {
                quantize_row::<Q>(set, x, quads, groups);
            });
        });
        Prepared::Quads(Quads {
            quads: Rows { values: quads, len },
            groups: Rows {
                values: groups,
                len: num_groups,
            },
        })
    }
}

impl Input<'_> {
    /// Calls `with` with a row after its norm.
    fn with_row(&self, set: KernelSet, row: usize, k: usize, with: impl FnOnce(&[f32])) {
        let x = &self.x[row * k..][..k];
        let Some(norm) = self.norm else {
            return with(x);
        };
        NORMED.with_borrow_mut(|normed| {
            normed.resize(k, 0.0);
            elementwise::rms_norm(set, x, norm.weight, norm.eps, normed);
            with(normed);
        });
    }
}

/// Calls `write` with each row of `out` and its number, spread over the pool.
fn for_rows<T: Send>(
    pool: &ThreadPool,
    out: &mut [T],
    len: usize,
    write: impl Fn(usize, &mut [T]) + Sync,
) {
    let num_rows = out.len() / len.max(1);
    let out = SplitMut::new(out);
    pool.run(num_rows.div_ceil(ROWS), &|tile| {
        for row in tile * ROWS..((tile + 1) * ROWS).min(num_rows) {
            // SAFETY: each row is written by its own tile.
            write(row, unsafe { out.part(row * len, len) });
        }
    });
}

#[inline(always)]
fn round_row_body<const FMA: bool>(x: &[f32], out: &mut [u32]) {
    let (even, odd) = x.as_chunks::<2>();
    for (pair, out) in even.iter().zip(out.iter_mut()) {
        *out =
            u32::from(math::to_bf16_bits(pair[0])) | u32::from(math::to_bf16_bits(pair[1])) << 16;
    }
    if let ([last], Some(out)) = (odd, out.last_mut()) {
        *out = u32::from(math::to_bf16_bits(*last));
    }
}

versions!(fn round_row(x: &[f32], out: &mut [u32]) = round_row_body);

/// Rotated if the weights are, then symmetric, the largest magnitude of a group being 127
/// steps. A group with an infinity or a NaN gets a NaN for its scale, and so the whole row.
#[inline(always)]
fn quantize_row_body<const FMA: bool, Q: Quantized>(
    x: &[f32],
    quads: &mut [u32],
    groups: &mut [Group],
) {
    let groups = groups.chunks_mut(ROTATION / Q::GROUP);
    let parts = x.chunks(ROTATION).zip(quads.chunks_mut(ROTATION / 4));
    for ((x, quads), groups) in parts.zip(groups) {
        let mut block = [0.0; ROTATION];
        if let Ok(x) = <&[f32; ROTATION]>::try_from(x) {
            block = *x;
        } else {
            block[..x.len()].copy_from_slice(x);
        }
        if Q::IS_ROTATED {
            rotate_inline(&mut block);
        }
        let parts = block
            .chunks_exact(Q::GROUP)
            .zip(quads.chunks_exact_mut(Q::QUADS));
        for ((x, quads), group) in parts.zip(groups) {
            *group = quantize_group::<Q>(x, quads);
        }
    }
}

#[inline(always)]
fn quantize_group<Q: Quantized>(x: &[f32], quads: &mut [u32]) -> Group {
    let (scale, steps) = math::byte_steps(largest_bits(x));
    let (mut codes, mut sum) = ([0i8; ROTATION], 0i32);
    for (code, x) in codes.iter_mut().zip(x) {
        *code = math::round_to_i32(x * steps) as i8;
        // Neither this nor the product below can overflow, and a check would cost vectors.
        sum = sum.wrapping_add(i32::from(*code));
    }
    for (quad, codes) in quads.iter_mut().zip(codes.as_chunks::<4>().0) {
        *quad = u32::from_le_bytes(codes.map(i8::cast_unsigned));
    }
    Group {
        scale,
        start: sum.wrapping_mul(-Q::ZERO),
    }
}

/// Quantises a row, rotated if the weights are.
fn quantize_row<Q: Quantized>(set: KernelSet, x: &[f32], quads: &mut [u32], groups: &mut [Group]) {
    match set {
        // SAFETY: a set is only selected where `KernelSet::is_supported` holds.
        #[cfg(target_arch = "x86_64")]
        KernelSet::Avx512Bf16 | KernelSet::Avx512Vnni => unsafe {
            super::quantize_avx512::quantize_row::<Q>(x, quads, groups);
        },
        _ => quantize_row_portable::<Q>(set, x, quads, groups),
    }
}

versions!(fn quantize_row_portable<Q: Quantized>(x: &[f32], quads: &mut [u32], groups: &mut [Group]) = quantize_row_body);
