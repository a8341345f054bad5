//! The portable form of [`super::activations`] for AVX-512, where rotating by hand is several
//! times as fast as what the compiler makes of it. The results are the same.

use super::activations::Group;
use crate::kernels::cpu::math;
use crate::kernels::cpu::packed::{Quantized, ROTATION};
use std::arch::x86_64::*;

type Block = [__m512; ROTATION / 16];

/// Quantises a row, rotated if the weights are.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn quantize_row<Q: Quantized>(x: &[f32], quads: &mut [u32], groups: &mut [Group]) {
    let (blocks, rest) = x.as_chunks::<ROTATION>();
    let mut last = [0.0; ROTATION];
    last[..rest.len()].copy_from_slice(rest);
    let last = (!rest.is_empty()).then_some(&last);
    let quads = quads.chunks_mut(ROTATION / 4);
    let groups = groups.chunks_mut(ROTATION / Q::GROUP);
    for ((x, quads), groups) in blocks.iter().chain(last).zip(quads).zip(groups) {
        // SAFETY: plain numbers of the same size.
        let mut x: Block = unsafe { std::mem::transmute::<[f32; ROTATION], Block>(*x) };
        if Q::IS_ROTATED {
            x = rotate(x);
        }
        let vectors = Q::GROUP / 16;
        for (g, group) in groups.iter_mut().enumerate() {
            let mut largest = _mm512_setzero_si512();
            let mask = _mm512_set1_epi32(0x7fff_ffff);
            for x in &x[g * vectors..][..vectors] {
                let bits = _mm512_and_si512(_mm512_castps_si512(*x), mask);
                largest = _mm512_max_epu32(largest, bits);
            }
            let (scale, steps) = math::byte_steps(_mm512_reduce_max_epu32(largest));
            let steps = _mm512_set1_ps(steps);
            let mut sums = _mm512_setzero_si512();
            for (i, x) in x[g * vectors..][..vectors].iter().enumerate() {
                let codes = _mm512_cvtps_epi32(_mm512_mul_ps(*x, steps));
                sums = _mm512_add_epi32(sums, codes);
                let at = (g * vectors + i) * 4;
                // SAFETY: plain numbers of the same size.
                let bytes: [u32; 4] = unsafe { std::mem::transmute(_mm512_cvtepi32_epi8(codes)) };
                quads[at..at + 4].copy_from_slice(&bytes);
            }
            *group = Group {
                scale,
                start: _mm512_reduce_add_epi32(sums).wrapping_mul(-Q::ZERO),
            };
        }
    }
}

/// As `packed::rotate`.
#[target_feature(enable = "avx512f,avx512dq")]
#[inline]
fn rotate(x: Block) -> Block {
    let [a, b, c, d] = x;
    let (a, b, c, d) = (mix(a), mix(b), mix(c), mix(d));
    let (sum, difference) = (_mm512_add_ps(a, b), _mm512_sub_ps(a, b));
    let (sums, differences) = (_mm512_add_ps(c, d), _mm512_sub_ps(c, d));
    let eighth = _mm512_set1_ps(0.125);
    [
        _mm512_mul_ps(_mm512_add_ps(sum, sums), eighth),
        _mm512_mul_ps(_mm512_add_ps(difference, differences), eighth),
        _mm512_mul_ps(_mm512_sub_ps(sum, sums), eighth),
        _mm512_mul_ps(_mm512_sub_ps(difference, differences), eighth),
    ]
}

/// Sums and differences within a vector, of elements 1, 2, 4 and 8 apart.
#[target_feature(enable = "avx512f,avx512dq")]
#[inline]
fn mix(x: __m512) -> __m512 {
    let x = butterfly::<0xaaaa>(x, _mm512_permute_ps::<0b10_11_00_01>(x));
    let x = butterfly::<0xcccc>(x, _mm512_permute_ps::<0b01_00_11_10>(x));
    let x = butterfly::<0xf0f0>(x, _mm512_shuffle_f32x4::<0b10_11_00_01>(x, x));
    butterfly::<0xff00>(x, _mm512_shuffle_f32x4::<0b01_00_11_10>(x, x))
}

/// `other + x`, and `other - x` in the lanes of `MINUS`.
#[target_feature(enable = "avx512f")]
#[inline]
fn butterfly<const MINUS: u16>(x: __m512, other: __m512) -> __m512 {
    _mm512_mask_sub_ps(_mm512_add_ps(other, x), MINUS, other, x)
}
