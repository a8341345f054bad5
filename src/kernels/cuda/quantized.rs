//! Weights that are codes with scales: how they get to the device, and products of many rows with
//! them.
//!
//! Whole numbers and their scales are those of the CPU's forms, rounded by the same code. Activations
//! stay bf16 here, so that there is nothing to rotate. FP8 is kept as a checkpoint has it. How codes
//! lie is said in `gemm_weights.cuh`.

use super::device::{Address, Launch};
use super::product::{Mode, Operands};
use super::weight::{Form, Weight};
use super::{Cuda, Scratch};
use crate::kernels::cpu::{Importance, Int4, Int8, Quantized, SplitMut, int4_groups, int8_groups};
use crate::kernels::{Kernels, RowSource};
use candle_core::Result;

/// Bytes of codes that are made ready at once.
const STAGE: usize = 64 << 20;

/// Inputs that a kernel takes in one step, and of them one chunk.
const STEP: usize = 64;
const CHUNK: usize = 32;

/// Bytes of bf16 weights that exist at once while many rows are multiplied: few enough to stay in
/// the cache of a large GPU.
const NUMBERS: usize = 32 << 20;

/// A part of the outputs is whole tiles.
const TILE_OUTPUTS: usize = 128;

/// Where code `i` of a row lies: its byte, of int4 the half-byte.
fn place(form: Form, i: usize) -> usize {
    let (step, half, lane, at) = (i / STEP, i / CHUNK % 2, i / 8 % 4, i % 8);
    match form {
        // The two in the middle of four are exchanged.
        Form::Int8 | Form::Fp8 => {
            STEP * step + 16 * lane + 8 * half + at / 4 * 4 + [0, 2, 1, 3][at % 4]
        }
        _ => STEP * step + 16 * lane + 8 * half + at,
    }
}

/// The codes of a row in their places, which are zero at first, and its scales.
fn pack_row(
    form: Form,
    kernels: &Kernels,
    (source, row): (&RowSource<'_>, usize),
    k: usize,
    importance: &Importance,
    (codes, scales): (&mut [u8], &mut [u8]),
) {
    let start = row * k;
    match form {
        Form::F32 | Form::Bf16 => {}
        Form::Fp8 => {
            let RowSource::Matrix(rows) = source else {
                return;
            };
            let Some(matrix) = rows.matrix.fp8() else {
                return;
            };
            let row = rows.first + row * rows.step;
            let at = |i| rows.column + i;
            for (step, out) in scales.as_chunks_mut().0.iter_mut().enumerate() {
                let mut scale = matrix.scale(row, at(step * STEP));
                for i in step * STEP..k.min((step + 1) * STEP) {
                    let code = matrix.code(row, at(i));
                    codes[place(form, i)] = code;
                    // What is no number has no place among the kernel's: its step is none.
                    scale = if code & 0x7f == 0x7f { f32::NAN } else { scale };
                }
                *out = scale.to_le_bytes();
            }
        }
        Form::Int8 => int8_groups(kernels.set, source, start, k, |group, numbers, scale| {
            for (i, number) in (group * Int8::GROUP..).zip(numbers) {
                codes[place(form, i)] = *number;
            }
            scales[2 * group..][..2].copy_from_slice(&scale.to_le_bytes());
        }),
        Form::Int4 => {
            let set = kernels.set;
            int4_groups(
                set,
                source,
                start,
                k,
                importance,
                |group, numbers, scale| {
                    for (i, number) in (group * Int4::GROUP..).zip(numbers) {
                        let place = place(form, i);
                        codes[place / 2] |= number << (4 * (place % 2));
                    }
                    scales[2 * group..][..2].copy_from_slice(&scale.to_le_bytes());
                },
            );
        }
    }
}

impl Cuda {
    /// Fills a weight's memory from row `first` on with the rows of `source`, rounded by the
    /// threads of `kernels`.
    pub(super) fn fill_codes(
        &self,
        weight: &Weight,
        first: usize,
        source: &RowSource<'_>,
        importance: Option<&[f32]>,
        kernels: &Kernels,
    ) -> Result<()> {
        let (form, k) = (weight.form, weight.k());
        let (code_bytes, scale_bytes) = (form.row_bytes(k), form.scale_bytes(k));
        let importance = Importance::new(importance, k);
        let num_rows = source.num_elements() / k.max(1);
        let rows_at_once = (STAGE / code_bytes.max(1)).max(1);
        for row in (0..num_rows).step_by(rows_at_once) {
            let count = rows_at_once.min(num_rows - row);
            let mut codes = vec![0; count * code_bytes];
            let mut scales = vec![0; count * scale_bytes];
            let (all_codes, all_scales) = (SplitMut::new(&mut codes), SplitMut::new(&mut scales));
            kernels.pool.run(count, &|index| {
                // SAFETY: each row is written by its own tile.
                let (codes, scales) = unsafe {
                    (
                        all_codes.part(index * code_bytes, code_bytes),
                        all_scales.part(index * scale_bytes, scale_bytes),
                    )
                };
                let from = (source, row + index);
                pack_row(form, kernels, from, k, &importance, (codes, scales));
            });
            let at = first + row;
            self.device.write(weight.row(at), &codes)?;
            self.device.write(weight.scales_of_row(at), &scales)?;
        }
        Ok(())
    }

    /// By bf16 weights that are made of the codes, some outputs at a time.
    pub(super) fn multiply_by_parts(
        &self,
        mode: Mode,
        operands: &Operands<'_>,
        out: Address,
        out_stride: usize,
        n: usize,
    ) -> Result<()> {
        let weight = operands.weight;
        let num_matrices = if mode == Mode::SwiGlu { 2 } else { 1 };
        let row_bytes = Form::Bf16.row_bytes(weight.k());
        let most = NUMBERS / (num_matrices * row_bytes) / TILE_OUTPUTS * TILE_OUTPUTS;
        let most = most.max(TILE_OUTPUTS).min(n);
        let numbers = self.scratch(Scratch::Numbers, num_matrices * most * row_bytes)?;
        for first in (0..n).step_by(most.max(1)) {
            let count = most.min(n - first);
            for matrix in 0..num_matrices {
                let to = numbers.offset(matrix * count * row_bytes);
                self.dequantize(weight, matrix * n + first, count, to)?;
            }
            let out = out.offset(first * mode.out_bytes());
            self.multiply_bf16(mode, operands, numbers, out, out_stride, count)?;
        }
        Ok(())
    }

    fn dequantize(&self, weight: &Weight, first: usize, count: usize, to: Address) -> Result<()> {
        let num_units = count * weight.k_padded() / 16;
        self.device.launch(
            &Launch {
                name: weight.form.dequantize()?,
                grid: [num_units.div_ceil(256).min(4096), 1, 1],
                threads: 256,
                shared: 0,
            },
            &[
                weight.row(first).into(),
                weight.scales_of_row(first).into(),
                to.into(),
                count.into(),
                weight.k_padded().into(),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Fp8Matrix, KernelSet, Matrix, MatrixRows, ThreadPool};
    use half::bf16;

    #[test]
    fn every_code_of_a_row_has_a_place_of_its_own_in_the_order_of_lanes() {
        for form in [Form::Int8, Form::Int4, Form::Fp8] {
            let mut places: Vec<_> = (0..192).map(|i| place(form, i)).collect();
            let first = match form {
                Form::Int8 | Form::Fp8 => [0, 2, 1, 3],
                _ => [0, 1, 2, 3],
            };
            assert_eq!(places[..4], first);
            // The second chunk of a lane follows its first, and the next lane that.
            assert_eq!([places[32], places[8], places[64]], [8, 16, 64]);
            places.sort_unstable();
            assert!(places.into_iter().eq(0..192));
        }
    }

    const K: usize = 100;

    /// The codes in the order of inputs, and each one's scale, of row 1 of `source`.
    fn packed(form: Form, source: &RowSource<'_>) -> Vec<(u8, f32)> {
        let kernels = Kernels::new(KernelSet::best(), ThreadPool::new(1).unwrap());
        let mut codes = vec![0; form.row_bytes(K)];
        let mut scales = vec![0; form.scale_bytes(K)];
        let importance = Importance::new(None, K);
        let out = (&mut codes[..], &mut scales[..]);
        pack_row(form, &kernels, (source, 1), K, &importance, out);
        let of_input = |i: usize| {
            let place = place(form, i);
            match form {
                Form::Fp8 => {
                    let bytes = scales.as_chunks().0[i / STEP];
                    (codes[place], f32::from_le_bytes(bytes))
                }
                Form::Int4 => {
                    let bytes = scales.as_chunks().0[i / CHUNK];
                    let code = codes[place / 2] >> (4 * (place % 2)) & 15;
                    (code, bf16::from_le_bytes(bytes).to_f32())
                }
                _ => {
                    let bytes = scales.as_chunks().0[i / STEP];
                    (codes[place], bf16::from_le_bytes(bytes).to_f32())
                }
            }
        };
        (0..K).map(of_input).collect()
    }

    #[test]
    fn a_row_of_whole_numbers_is_near_what_it_was() {
        let values: Vec<f32> = (0..2 * K).map(|i| (i * i % 97) as f32 - 48.0).collect();
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        let source = RowSource::F32(&bytes);
        for ((code, scale), x) in packed(Form::Int8, &source).iter().zip(&values[K..]) {
            let number = (i32::from(*code) - Int8::ZERO) as f32;
            assert!((number * scale - x).abs() <= scale / 2.0, "{x}");
        }
        for ((code, scale), x) in packed(Form::Int4, &source).iter().zip(&values[K..]) {
            let level = f32::from(Int4::LEVELS[usize::from(*code)]);
            // The furthest from any level lies between the outermost two, or beyond the last.
            assert!((level * scale - x).abs() < 12.0, "{x}");
        }
    }

    /// Bytes that count up, the last of a row no number, and a scale for each 64 inputs of a row.
    #[derive(Debug)]
    struct Counting;

    impl Matrix for Counting {
        fn read(&self, row: usize, start: usize, out: &mut [f32]) {
            for (input, out) in (start..).zip(out) {
                *out = f32::from(self.code(row, input)) * self.scale(row, input);
            }
        }

        fn fp8(&self) -> Option<&dyn Fp8Matrix> {
            Some(self)
        }
    }

    impl Fp8Matrix for Counting {
        fn code(&self, row: usize, input: usize) -> u8 {
            if input == K - 1 {
                0xff
            } else {
                (row + input) as u8
            }
        }

        fn scale(&self, row: usize, input: usize) -> f32 {
            (row * 10 + input / 64) as f32
        }
    }

    #[test]
    fn fp8_is_kept_as_it_is_and_what_is_no_number_stays_none() {
        let source = RowSource::Matrix(MatrixRows {
            matrix: &Counting,
            column: 0,
            k: K,
            first: 1,
            step: 2,
            count: 2,
        });
        // Row 1 of every second one from 1 on.
        let row = packed(Form::Fp8, &source);
        assert_eq!(row[..2], [(3, 30.0), (4, 30.0)]);
        assert_eq!(row[63], (66, 30.0));
        assert!(row[64..].iter().all(|(_, scale)| scale.is_nan()));
    }

    #[test]
    fn kernels_have_the_levels_of_the_cpu() {
        let source = include_str!("gemm_weights.cuh");
        let (_, levels) = source.split_once("LEVELS[16] = {").unwrap();
        let (levels, _) = levels.split_once('}').unwrap();
        let levels: Vec<i8> = levels
            .split(',')
            .map(|level| level.trim().parse().unwrap())
            .collect();
        assert_eq!(levels, Int4::LEVELS);
    }
}
