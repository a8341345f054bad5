use super::activations::Quads;
use super::{STRIP, Sums};
use crate::kernels::cpu::math;
use crate::kernels::cpu::packed::{Form, Int4, Quantized};
use crate::kernels::cpu::versions::versions;

/// The sums of a strip of quantised weights for some rows: the specification of the vector
/// forms. Whole numbers are summed exactly; only adding the groups up rounds.
#[inline(always)]
fn strip_body<const FMA: bool, Q: Quantized>(
    x: Quads<'_>,
    first: usize,
    num: usize,
    w: &[u8],
    sums: &mut Sums,
) {
    for (row, totals) in (first..first + num).zip(&mut sums.0) {
        let ([quads], [groups]) = (x.quads.get::<1>(row), x.groups.get::<1>(row));
        *totals = [0.0; STRIP];
        let rows = quads.chunks_exact(Q::QUADS).zip(groups);
        for (w, (quads, group)) in w.chunks_exact(Q::GROUP_BYTES).zip(rows) {
            let (codes, scales) = w.split_at(Q::CODE_BYTES);
            let mut sums = [group.start; STRIP];
            let (lines, _) = codes.as_chunks::<{ STRIP * 4 }>();
            if Q::FORM == Form::Int8 {
                for (line, quad) in lines.iter().zip(quads) {
                    multiply(&mut sums, line, *quad, |byte| byte);
                }
            } else {
                for (line, quads) in lines.iter().zip(quads.as_chunks::<2>().0) {
                    multiply(&mut sums, line, quads[0], |byte| {
                        Int4::CODES[usize::from(byte & 15)]
                    });
                    multiply(&mut sums, line, quads[1], |byte| {
                        Int4::CODES[usize::from(byte >> 4)]
                    });
                }
            }
            let (scales, _) = scales.as_chunks::<2>();
            for ((total, sum), scale) in totals.iter_mut().zip(sums).zip(scales) {
                let scale = math::from_bf16_bits(u16::from_le_bytes(*scale));
                *total = math::fma::<FMA>(sum as f32 * group.scale, scale, *total);
            }
        }
    }
}

#[inline(always)]
fn multiply(sums: &mut [i32; STRIP], line: &[u8; STRIP * 4], quad: u32, code: impl Fn(u8) -> u8) {
    let x = quad.to_le_bytes().map(|byte| i32::from(byte.cast_signed()));
    for (sum, codes) in sums.iter_mut().zip(line.as_chunks::<4>().0) {
        for (code_byte, x) in codes.iter().zip(x) {
            *sum += i32::from(code(*code_byte)) * x;
        }
    }
}

versions!(pub(super) fn strip<Q: Quantized>(x: Quads<'_>, first: usize, num: usize, w: &[u8], sums: &mut Sums) = strip_body);
