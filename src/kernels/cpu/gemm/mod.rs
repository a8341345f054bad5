//! `out[m, n] = x[m, k] · w[n, k]ᵀ` over a packed weight, and what follows each product.
//!
//! Every output is one sum over k from first to last, whatever m is and whichever thread
//! computes it; kernels only choose how many of these sums they run side by side.

mod activations;
#[cfg(target_arch = "x86_64")]
mod bf16_avx512;
#[cfg(target_arch = "x86_64")]
mod columns_avx2;
#[cfg(target_arch = "x86_64")]
mod columns_avx512;
mod columns_portable;
mod epilogue;
#[cfg(target_arch = "x86_64")]
mod int_avx2;
#[cfg(target_arch = "x86_64")]
mod int_avx512;
mod int_portable;
#[cfg(target_arch = "x86_64")]
mod quantize_avx512;
#[cfg(test)]
mod tests;

pub use activations::{Activations, Input, Norm};
pub use epilogue::Epilogue;

use super::packed::{Arrangement, Form, Int4, Int8, PackedWeight, Quantized, STRIP};
use super::{KernelSet, SplitMut, ThreadPool};
use activations::{Prepared, Quads};
use columns_portable::ColumnWeight;
use epilogue::{Place, finish};
use std::ops::Range;

/// Rows that a kernel computes side by side: with two vectors of outputs each, 16 chains of
/// sums hide the latency of an AVX-512 dot product and leave registers for the weights.
const MAX_ROWS: usize = 8;
/// Rows of a tile: their activations stay in a second-level cache while strip after strip
/// passes.
const TILE_ROWS: usize = 64;

/// The sums of a strip for some rows.
#[repr(align(64))]
struct Sums([[f32; STRIP]; MAX_ROWS]);

/// Rows of one length, one after another.
#[derive(Clone, Copy)]
struct Rows<'a, T> {
    values: &'a [T],
    len: usize,
}

impl<'a, T> Rows<'a, T> {
    /// `R` rows. Slices of one length let the compiler drop the checks inside a kernel.
    #[inline(always)]
    fn get<const R: usize>(self, first: usize) -> [&'a [T]; R] {
        std::array::from_fn(|r| &self.values[(first + r) * self.len..][..self.len])
    }
}

/// Calls `$block::<R>` with as many rows as there are.
macro_rules! by_rows {
    ($num_rows:expr, $block:ident $(::<$($param:tt),+>)? ($($arg:expr),*)) => {
        match $num_rows {
            1 => $block::<1 $($(, $param)+)?>($($arg),*),
            2 => $block::<2 $($(, $param)+)?>($($arg),*),
            3 => $block::<3 $($(, $param)+)?>($($arg),*),
            4 => $block::<4 $($(, $param)+)?>($($arg),*),
            5 => $block::<5 $($(, $param)+)?>($($arg),*),
            6 => $block::<6 $($(, $param)+)?>($($arg),*),
            7 => $block::<7 $($(, $param)+)?>($($arg),*),
            _ => $block::<8 $($(, $param)+)?>($($arg),*),
        }
    };
}
use by_rows;

/// Multiplies the rows of `input` by `w` into the rows of `out`, which are as many.
///
/// # Panics
/// If the shapes do not fit, or the epilogue does not fit the arrangement of `w`.
pub fn gemm(
    set: KernelSet,
    pool: &ThreadPool,
    activations: &mut Activations,
    input: Input<'_>,
    w: &PackedWeight,
    out: &mut [f32],
    epilogue: Epilogue,
) {
    let (n, columns) = match (epilogue, w.arrangement()) {
        (Epilogue::Store | Epilogue::Add, Arrangement::Stacked) => (w.n(), STRIP),
        (Epilogue::SwiGlu, Arrangement::Paired) => (w.n() / 2, STRIP / 2),
        _ => panic!("{epilogue:?} does not fit the arrangement of the weight"),
    };
    let m = out.len() / n.max(1);
    assert!(
        input.x.len() == m * w.k() && out.len() == m * n,
        "the shapes of a product do not fit"
    );
    if m == 0 {
        return;
    }
    let x = activations.prepare(set, pool, input, w.k(), w.form());
    let out = SplitMut::new(out);
    let num_strips = w.num_strips();
    let tile_strips = tile_strips(num_strips, pool.num_threads(), m);
    let row_tiles = m.div_ceil(TILE_ROWS);
    // Tiles of the same strips follow each other, so that memory is read once for all rows.
    pool.run(num_strips.div_ceil(tile_strips) * row_tiles, &|tile| {
        let rows = tile % row_tiles * TILE_ROWS;
        let rows = rows..(rows + TILE_ROWS).min(m);
        let first = tile / row_tiles * tile_strips;
        let mut sums = Sums([[0.0; STRIP]; MAX_ROWS]);
        for strip in first..(first + tile_strips).min(num_strips) {
            for block in blocks(rows.clone()) {
                let column = strip * columns;
                let place = Place {
                    first_row: block.start,
                    row_len: n,
                    column,
                    num_columns: (n - column).min(columns),
                };
                place.prefetch(&out, block.len());
                strip_sums(set, x, block.clone(), w, strip, &mut sums);
                finish(set, &sums.0[..block.len()], &out, place, epilogue);
            }
        }
    });
}

/// The sums of one strip for at most [`MAX_ROWS`] rows.
fn strip_sums(
    set: KernelSet,
    x: Prepared<'_>,
    rows: Range<usize>,
    w: &PackedWeight,
    strip: usize,
    sums: &mut Sums,
) {
    let (first, num) = (rows.start, rows.len());
    // SAFETY: a set is only selected where `KernelSet::is_supported` holds.
    match (x, w.form()) {
        #[cfg(target_arch = "x86_64")]
        (Prepared::Pairs(x), Form::Bf16Pairs) => unsafe {
            bf16_avx512::strip(x, first, num, w.strip(strip), sums);
        },
        (Prepared::F32(x), Form::Bf16Columns) => {
            columns::<u16>(set, x, first, num, w.strip(strip), sums);
        }
        (Prepared::F32(x), Form::F32Columns) => {
            columns::<f32>(set, x, first, num, w.strip(strip), sums);
        }
        (Prepared::Quads(x), Form::Int8) => {
            integers::<Int8>(set, x, first, num, w.strip(strip), sums);
        }
        (Prepared::Quads(x), Form::Int4) => {
            integers::<Int4>(set, x, first, num, w.strip(strip), sums);
        }
        _ => unreachable!("activations are prepared for the form of their weight"),
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
    sums: &mut Sums,
) {
    match set {
        // SAFETY: a set is only selected where `KernelSet::is_supported` holds.
        #[cfg(target_arch = "x86_64")]
        KernelSet::Avx512Bf16 | KernelSet::Avx512Vnni => unsafe {
            int_avx512::strip::<Q>(x, first, num, w, sums);
        },
        #[cfg(target_arch = "x86_64")]
        KernelSet::Avx2 => unsafe { int_avx2::strip::<Q>(x, first, num, w, sums) },
        _ => int_portable::strip::<Q>(set, x, first, num, w, sums),
    }
}

/// Cuts rows into blocks of nearly the same size, because a block of a single row costs as much
/// as one of several.
fn blocks(rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let num_blocks = rows.len().div_ceil(MAX_ROWS);
    let len = rows.len().div_ceil(num_blocks.max(1)).max(1);
    let end = rows.end;
    rows.step_by(len)
        .map(move |first| first..(first + len).min(end))
}

/// Enough tiles that threads finish together, few enough that claiming them costs nothing.
fn tile_strips(num_strips: usize, num_threads: usize, m: usize) -> usize {
    let tiles_per_thread = if m < TILE_ROWS { 4 } else { 16 };
    (num_strips / (num_threads * tiles_per_thread)).max(1)
}
