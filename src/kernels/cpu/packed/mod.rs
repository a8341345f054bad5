//! Weights of linear layers in the order in which their kernels read them.

mod form;
mod memory;
mod packing;
mod quantize;
mod random;
mod rotation;
mod source;
#[cfg(test)]
mod tests;

pub use form::{Form, Int4, Int8, Quantized, STRIP};
#[cfg(feature = "cuda")]
pub use packing::{Importance, int4_groups, int8_groups};
pub use quantize::largest_bits;
pub use random::RandomRows;
pub use rotation::{ROTATION, rotate_inline};
pub use source::{Float, Fp8Matrix, Matrix, MatrixRows, RowSource, Strided};

use super::{KernelSet, SplitMut, ThreadPool, math};
use memory::WeightMemory;
#[cfg(not(feature = "cuda"))]
use packing::Importance;
use packing::{pack_strip, strip_rows};
use rotation::rotate;

/// Type of a weight in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightType {
    F32,
    Bf16,
    /// Whole numbers of 8 bits, 64 inputs of an output to a bf16 scale: 8.25 bits a weight.
    Int8,
    /// One of 16 levels, 32 inputs of an output to a bf16 scale: 4.5 bits a weight.
    Int4,
}

/// How the outputs of a weight are put together from its sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrangement {
    /// One source below the other.
    Stacked,
    /// Two sources of the same size, half a strip of the first beside half a strip of the second,
    /// so that a gate meets what it gates in one kernel.
    Paired,
}

/// A weight `[n, k]` of a linear layer in the order in which its kernel reads it.
///
/// The original is not kept. Outputs past `n`, and inputs past `k` that fill a pair or a rotation
/// up, are zero.
pub struct PackedWeight {
    n: usize,
    k: usize,
    arrangement: Arrangement,
    set: KernelSet,
    form: Form,
    data: WeightMemory,
}

impl PackedWeight {
    /// Packs `sources`, each of rows of `k` elements, for the kernels of `set`.
    ///
    /// Values that bf16 cannot hold are rounded to nearest even when `weight_type` is bf16.
    ///
    /// `importance`, for each input the mean of its square up to a factor, tells 4 bits where to
    /// err least; without it all inputs count alike.
    ///
    /// # Panics
    /// If `arrangement` is paired and `sources` are not two of the same size, or if there are not
    /// `k` importances.
    pub fn pack(
        sources: &[RowSource<'_>],
        k: usize,
        arrangement: Arrangement,
        weight_type: WeightType,
        importance: Option<&[f32]>,
        set: KernelSet,
        pool: &ThreadPool,
    ) -> Self {
        let form = Form::new(weight_type, set);
        let importance = Importance::new(importance, k);
        let rows = strip_rows(sources, k, arrangement);
        let num_rows: usize = sources.iter().map(|s| s.num_elements() / k.max(1)).sum();
        let strip_bytes = form.strip_bytes(k);
        let num_strips = rows.len() / STRIP;
        let mut data = WeightMemory::zeroed(num_strips * strip_bytes);
        let out = SplitMut::new(data.as_mut_slice());
        pool.run(num_strips, &|strip| {
            // SAFETY: each strip is written by its own tile.
            let out = unsafe { out.part(strip * strip_bytes, strip_bytes) };
            let rows = &rows[strip * STRIP..][..STRIP];
            pack_strip(form, set, rows, k, &importance, out);
        });
        Self {
            n: num_rows,
            k,
            arrangement,
            set,
            form,
            data,
        }
    }

    /// Number of outputs, the halves of pairs counted each.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Number of inputs.
    pub fn k(&self) -> usize {
        self.k
    }

    pub fn arrangement(&self) -> Arrangement {
        self.arrangement
    }

    pub fn num_bytes(&self) -> usize {
        self.data.num_bytes()
    }

    pub(super) fn form(&self) -> Form {
        self.form
    }

    pub(super) fn num_strips(&self) -> usize {
        match self.arrangement {
            Arrangement::Stacked => self.n.div_ceil(STRIP),
            Arrangement::Paired => (self.n / 2).div_ceil(STRIP / 2),
        }
    }

    /// A strip as elements, pairs or bytes.
    pub(super) fn strip<T: super::buffer::Plain>(&self, strip: usize) -> &[T] {
        let len = self.form.strip_bytes(self.k) / size_of::<T>();
        &self.data.as_slice::<T>()[strip * len..][..len]
    }

    /// Row `row` of a stacked weight, widened to f32: how a tied embedding is looked up.
    pub fn copy_row(&self, row: usize, out: &mut [f32]) {
        debug_assert_eq!(self.arrangement, Arrangement::Stacked);
        let (strip, column) = (row / STRIP, row % STRIP);
        match self.form {
            Form::F32Columns => {
                let (inputs, _) = self.strip::<f32>(strip).as_chunks::<STRIP>();
                for (x, input) in out.iter_mut().zip(inputs) {
                    *x = input[column];
                }
            }
            Form::Bf16Columns => {
                let (inputs, _) = self.strip::<u16>(strip).as_chunks::<STRIP>();
                for (x, input) in out.iter_mut().zip(inputs) {
                    *x = math::from_bf16_bits(input[column]);
                }
            }
            Form::Bf16Pairs => {
                let (pairs, _) = self.strip::<u16>(strip).as_chunks::<{ 2 * STRIP }>();
                for (x, pair) in out.chunks_mut(2).zip(pairs) {
                    for (i, x) in x.iter_mut().enumerate() {
                        *x = math::from_bf16_bits(pair[2 * column + i]);
                    }
                }
            }
            Form::Int8 => self.copy_quantized::<Int8>(strip, column, out, |codes, i| {
                i32::from(codes[i / 4 * STRIP * 4 + column * 4 + i % 4])
            }),
            Form::Int4 => self.copy_quantized::<Int4>(strip, column, out, |codes, i| {
                let byte = codes[i / 8 * STRIP * 4 + column * 4 + i % 4];
                let number = if i / 4 % 2 == 0 { byte & 15 } else { byte >> 4 };
                i32::from(Int4::CODES[usize::from(number)])
            }),
        }
    }

    fn copy_quantized<Q: Quantized>(
        &self,
        strip: usize,
        column: usize,
        out: &mut [f32],
        code: impl Fn(&[u8], usize) -> i32,
    ) {
        let groups = self.strip::<u8>(strip).chunks_exact(Q::GROUP_BYTES);
        let mut inputs = vec![0.0; Q::num_groups(self.k) * Q::GROUP];
        for (inputs, group) in inputs.chunks_exact_mut(Q::GROUP).zip(groups) {
            let (codes, scales) = group.split_at(Q::CODE_BYTES);
            let scale = u16::from_le_bytes([scales[2 * column], scales[2 * column + 1]]);
            let scale = math::from_bf16_bits(scale);
            for (i, x) in inputs.iter_mut().enumerate() {
                *x = (code(codes, i) - Q::ZERO) as f32 * scale;
            }
        }
        if Q::IS_ROTATED {
            for block in inputs.as_chunks_mut().0 {
                rotate(self.set, block);
            }
        }
        out.copy_from_slice(&inputs[..self.k]);
    }
}
