//! `out[m, n] (+)= x[m, k] · w[n, k]ᵀ` over a packed weight.
//!
//! Every output is one sum over k from first to last, whatever m is and whichever thread
//! computes it; kernels only choose how many of these sums they run side by side.

use super::packed_weight::Form;
use super::{AlignedBuffer, KernelSet, PackedWeight, SplitMut, ThreadPool, math};

/// Where the sums go.
pub(super) struct Output {
    pub ptr: *mut f32,
    /// Distance between rows, in elements.
    pub stride: usize,
    /// Outputs of this strip that exist; the others are padding.
    pub num_columns: usize,
    /// Add to what is there instead of replacing it.
    pub add: bool,
}

/// Rows of activations at a stride, as pairs of bf16 or as f32.
#[derive(Clone, Copy)]
pub(super) struct Rows<T> {
    pub ptr: *const T,
    pub stride: usize,
}

impl<T> Rows<T> {
    /// `R` rows of `len` elements. Slices of one length let the compiler drop the checks
    /// that raw pointers keep under debug assertions.
    ///
    /// # Safety
    /// The rows exist.
    #[inline(always)]
    pub unsafe fn slices<'a, const R: usize>(self, first: usize, len: usize) -> [&'a [T]; R] {
        std::array::from_fn(|r| {
            let start = self.ptr.wrapping_add((first + r) * self.stride);
            // SAFETY: the row exists by the caller's promise.
            unsafe { std::slice::from_raw_parts(start, len) }
        })
    }
}

/// Rows of `x` are `w.k()` long, rows of `out` `w.n()`.
pub fn gemm(
    set: KernelSet,
    pool: &ThreadPool,
    scratch: &mut AlignedBuffer,
    x: &[f32],
    w: &PackedWeight,
    out: &mut [f32],
    add: bool,
) {
    let (n, k) = (w.n(), w.k());
    let m = out.len() / n.max(1);
    assert!(
        x.len() == m * k && out.len() == m * n,
        "the shapes of a product do not fit"
    );
    assert!(
        w.form() != Form::Bf16Pairs || set == KernelSet::Avx512Bf16,
        "pairs of bf16 are multiplied by AVX-512 only"
    );
    if m == 0 {
        return;
    }
    let pairs = k.div_ceil(2);
    if w.form() == Form::Bf16Pairs {
        scratch.resize::<u32>(m * pairs);
        round_rows(
            set,
            pool,
            x,
            k,
            &mut scratch.as_mut_slice::<u32>()[..m * pairs],
        );
    }
    let rounded = scratch.as_slice::<u32>();
    let out = SplitMut::new(out);
    let strips_per_tile = strips_per_tile(w.num_strips(), pool.num_threads(), m);
    pool.run(w.num_strips().div_ceil(strips_per_tile), &|tile| {
        let first = tile * strips_per_tile;
        let last = (first + strips_per_tile).min(w.num_strips());
        for strip in first..last {
            let column = strip * w.form().columns();
            debug_assert!(out.len() >= column);
            let output = Output {
                // SAFETY: the strip starts inside the first row.
                ptr: unsafe { out.as_ptr().add(column) },
                stride: n,
                num_columns: (n - column).min(w.form().columns()),
                add,
            };
            // SAFETY: m rows of k inputs and n outputs exist by the assertion above; strips
            // write disjoint columns; a set's kernels run only where it is supported.
            unsafe {
                match w.form() {
                    #[cfg(target_arch = "x86_64")]
                    Form::Bf16Pairs => {
                        let rows = Rows {
                            ptr: rounded.as_ptr(),
                            stride: pairs,
                        };
                        super::gemm_avx512::strip_bf16(rows, m, w.strip::<u32>(strip), &output);
                    }
                    #[cfg(not(target_arch = "x86_64"))]
                    Form::Bf16Pairs => unreachable!("pairs are packed for AVX-512 only"),
                    Form::Bf16Columns => columns(
                        set,
                        Rows {
                            ptr: x.as_ptr(),
                            stride: k,
                        },
                        m,
                        w.strip::<u16>(strip),
                        &output,
                    ),
                    Form::F32Columns => columns(
                        set,
                        Rows {
                            ptr: x.as_ptr(),
                            stride: k,
                        },
                        m,
                        w.strip::<f32>(strip),
                        &output,
                    ),
                }
            }
        }
    });
}

/// # Safety
/// As [`super::gemm_portable::strip`].
unsafe fn columns<W: ColumnWeight>(set: KernelSet, x: Rows<f32>, m: usize, w: &[W], out: &Output) {
    // SAFETY: passed on.
    unsafe {
        match set {
            #[cfg(target_arch = "x86_64")]
            KernelSet::Avx512Bf16 | KernelSet::Avx2 => super::gemm_avx2::strip(x, m, w, out),
            _ => super::gemm_portable::strip(x, m, w, out),
        }
    }
}

/// A weight of the `[n/16][k][16]` forms.
pub(super) trait ColumnWeight: Copy {
    const BF16: bool;
    fn widen(self) -> f32;
}

impl ColumnWeight for f32 {
    const BF16: bool = false;
    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }
}

impl ColumnWeight for u16 {
    const BF16: bool = true;
    #[inline(always)]
    fn widen(self) -> f32 {
        math::from_bf16_bits(self)
    }
}

/// Enough tiles that threads finish together, few enough that claiming them costs nothing.
fn strips_per_tile(num_strips: usize, num_threads: usize, m: usize) -> usize {
    let tiles_per_thread = if m < 8 { 4 } else { 16 };
    (num_strips / (num_threads * tiles_per_thread)).max(1)
}

/// Rounds rows of f32 to pairs of bf16; an odd row is padded with a zero.
fn round_rows(set: KernelSet, pool: &ThreadPool, x: &[f32], k: usize, out: &mut [u32]) {
    const ROWS: usize = 16;
    let pairs = k.div_ceil(2);
    let m = out.len() / pairs.max(1);
    let out = SplitMut::new(out);
    pool.run(m.div_ceil(ROWS), &|tile| {
        for row in tile * ROWS..((tile + 1) * ROWS).min(m) {
            // SAFETY: each row is written by its own tile.
            round_row(set, &x[row * k..][..k], unsafe {
                out.part(row * pairs, pairs)
            });
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

super::versions::versions!(pub fn round_row(x: &[f32], out: &mut [u32]) = round_row_body);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{RowSource, WeightType};
    use half::bf16;

    fn noise(seed: u32, len: usize) -> Vec<f32> {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        (0..len)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect()
    }

    fn product(
        set: KernelSet,
        weight_type: WeightType,
        threads: usize,
        x: &[f32],
        w: &[f32],
        k: usize,
        start: &[f32],
    ) -> Vec<f32> {
        let pool = ThreadPool::new(threads).unwrap();
        let bytes: Vec<u8> = w.iter().flat_map(|x| x.to_le_bytes()).collect();
        let packed = PackedWeight::pack(&[RowSource::F32(&bytes)], k, weight_type, set, &pool);
        let mut out = start.to_vec();
        gemm(
            set,
            &pool,
            &mut AlignedBuffer::default(),
            x,
            &packed,
            &mut out,
            true,
        );
        out
    }

    #[test]
    fn products_agree_with_the_definition_on_odd_shapes() {
        for set in KernelSet::ALL.into_iter().filter(|set| set.is_supported()) {
            for weight_type in [WeightType::F32, WeightType::Bf16] {
                for (m, n, k) in [
                    (1, 1, 1),
                    (1, 33, 7),
                    (2, 16, 3),
                    (7, 31, 64),
                    (8, 32, 65),
                    (9, 100, 48),
                    (23, 65, 129),
                ] {
                    let (x, w, start) = (noise(1, m * k), noise(2, n * k), noise(3, m * n));
                    let got = product(set, weight_type, 3, &x, &w, k, &start);
                    for i in 0..m * n {
                        let (row, column) = (i / n, i % n);
                        let exact: f64 = (0..k)
                            .map(|j| {
                                let (mut a, mut b) = (x[row * k + j], w[column * k + j]);
                                if weight_type == WeightType::Bf16 {
                                    b = bf16::from_f32(b).to_f32();
                                    if set == KernelSet::Avx512Bf16 {
                                        a = bf16::from_f32(a).to_f32();
                                    }
                                }
                                f64::from(a) * f64::from(b)
                            })
                            .sum::<f64>()
                            + f64::from(start[i]);
                        assert!(
                            (f64::from(got[i]) - exact).abs() < 2e-5,
                            "{set} {weight_type:?} {m}x{n}x{k}: {} for {exact}",
                            got[i]
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_row_has_the_same_bits_alone_and_among_others() {
        let (m, n, k) = (29, 130, 96);
        let (x, w, start) = (noise(4, m * k), noise(5, n * k), vec![0.0; m * n]);
        for set in KernelSet::ALL.into_iter().filter(|set| set.is_supported()) {
            for weight_type in [WeightType::F32, WeightType::Bf16] {
                let together = product(set, weight_type, 2, &x, &w, k, &start);
                for num_rows in 1..m {
                    let first = m - num_rows;
                    let alone = product(
                        set,
                        weight_type,
                        5,
                        &x[first * k..],
                        &w,
                        k,
                        &start[first * n..],
                    );
                    assert_eq!(
                        alone.iter().map(|x| x.to_bits()).collect::<Vec<_>>(),
                        together[first * n..]
                            .iter()
                            .map(|x| x.to_bits())
                            .collect::<Vec<_>>(),
                        "{set} {weight_type:?} with {num_rows} rows"
                    );
                }
            }
        }
    }

    #[test]
    fn infinities_and_nans_stay_in_their_row_and_column() {
        let (m, n, k) = (3, 40, 10);
        for set in KernelSet::ALL.into_iter().filter(|set| set.is_supported()) {
            let mut x = vec![1.0f32; m * k];
            let w = vec![1.0f32; n * k];
            x[k] = f32::INFINITY;
            x[2 * k] = f32::NAN;
            let out = product(set, WeightType::Bf16, 1, &x, &w, k, &vec![0.0; m * n]);
            assert!(out[..n].iter().all(|y| *y == 10.0));
            assert!(out[n..2 * n].iter().all(|y| *y == f32::INFINITY));
            assert!(out[2 * n..].iter().all(|y| y.is_nan()));
        }
    }
}
