//! Vectors from arrays and back. With debug assertions the load and store intrinsics go
//! through the stack, and raw pointers are checked each time; arrays do neither.

use half::bf16;
use std::arch::x86_64::*;

/// A vector of pairs.
pub type Pairs = [bf16; 32];

#[target_feature(enable = "avx512f")]
#[inline]
pub fn load(x: &[f32; 16]) -> __m512 {
    // SAFETY: plain numbers of the same size.
    unsafe { std::mem::transmute(*x) }
}

#[target_feature(enable = "avx512f")]
#[inline]
pub fn store(x: __m512) -> [f32; 16] {
    // SAFETY: as above.
    unsafe { std::mem::transmute(x) }
}

#[target_feature(enable = "avx512f")]
#[inline]
pub fn pairs(x: &Pairs) -> __m512bh {
    // SAFETY: as above.
    unsafe { std::mem::transmute(*x) }
}

#[target_feature(enable = "avx512f")]
#[inline]
pub fn store_pairs(x: __m512bh) -> [u32; 16] {
    // SAFETY: as above.
    unsafe { std::mem::transmute(x) }
}

#[target_feature(enable = "avx512f")]
#[inline]
pub fn broadcast(pair: u32) -> __m512bh {
    // SAFETY: as above.
    unsafe { std::mem::transmute(_mm512_set1_epi32(pair as i32)) }
}

/// Asks for a line of 64 bytes, into the second level of caches: more of them can be under
/// way to it than to the first.
#[target_feature(enable = "avx512f")]
#[inline]
pub fn prefetch<T>(start: &[T], line: usize) {
    let line = start.as_ptr().wrapping_byte_add(line.wrapping_mul(64));
    _mm_prefetch::<_MM_HINT_T1>(line.cast());
}

/// The pairs with only the halves that `keep` has.
#[target_feature(enable = "avx512f")]
#[inline]
pub fn mask(x: &Pairs, keep: u32) -> __m512bh {
    // SAFETY: as above.
    unsafe {
        let x: __m512i = std::mem::transmute(*x);
        std::mem::transmute(_mm512_and_si512(x, _mm512_set1_epi32(keep as i32)))
    }
}
