//! `out[m, n] = x[m, k] · w[n, k]ᵀ` over a packed weight, and what follows each product.
//!
//! Every output is one sum over k from first to last, whatever m is and whichever thread
//! computes it; kernels only choose how many of these sums they run side by side.

mod activations;
mod ahead;
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
mod strip;
mod strip_tiles;
#[cfg(test)]
mod tests;

pub use activations::{Input, Norm};
pub use epilogue::Epilogue;

use super::packed::{Arrangement, PackedWeight, STRIP};
use super::{AlignedBuffer, KernelSet, SplitMut, ThreadPool};
use activations::Activations;
use ahead::Ahead;
use epilogue::{Place, finish};
use std::cell::RefCell;
use std::ops::Range;
use strip::Strip;
use strip_tiles::StripTiles;

/// The most that [`Form::max_rows`](super::packed::Form::max_rows) allows.
const MAX_ROWS: usize = 8;
/// Rows of a tile: their activations stay in a second-level cache while strip after strip
/// passes.
const TILE_ROWS: usize = 64;

/// The sums of a strip for some rows.
#[repr(align(64))]
struct Sums([[f32; STRIP]; MAX_ROWS]);

/// What products work with beside their operands; grows to the largest step.
#[derive(Default)]
pub struct Work {
    activations: Activations,
    strip_tiles: StripTiles,
}

thread_local! {
    /// A strip written out for many rows.
    static UNPACKED: RefCell<AlignedBuffer> = RefCell::default();
}

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
    work: &mut Work,
    input: Input<'_>,
    w: &PackedWeight,
    out: &mut [f32],
    epilogue: Epilogue,
) {
    let (n, columns) = match (epilogue, w.arrangement()) {
        (Epilogue::Store | Epilogue::Add, Arrangement::Stacked) => (w.n(), STRIP),
        (Epilogue::SwiGlu | Epilogue::GeGlu, Arrangement::Paired) => (w.n() / 2, STRIP / 2),
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
    let Work {
        activations,
        strip_tiles,
    } = work;
    let x = activations.prepare(set, pool, input, w.k(), w.form());
    let out = SplitMut::new(out);
    let max_rows = w.form().max_rows();
    let row_tiles = m.div_ceil(TILE_ROWS);
    strip_tiles.cut(w.num_strips(), pool.num_threads(), m);
    // Tiles of the same strips follow each other, so that memory is read once for all rows.
    pool.run(strip_tiles.len() * row_tiles, &|tile| {
        let rows = tile % row_tiles * TILE_ROWS;
        let rows = rows..(rows + TILE_ROWS).min(m);
        let num_passes = blocks(rows.clone(), max_rows).count();
        let mut sums = Sums([[0.0; STRIP]; MAX_ROWS]);
        UNPACKED.with_borrow_mut(|unpacked| {
            for index in strip_tiles.get(tile / row_tiles) {
                let strip = Strip::new(w, index).for_passes(set, num_passes, unpacked);
                let column = index * columns;
                for (pass, block) in blocks(rows.clone(), max_rows).enumerate() {
                    let place = Place {
                        first_row: block.start,
                        row_len: n,
                        column,
                        num_columns: (n - column).min(columns),
                    };
                    place.prefetch(&out, block.len());
                    let bytes = w.strip(index);
                    let ahead = Ahead::new(bytes, strip.num_lines(), pass, num_passes);
                    strip.sums(set, x, block.clone(), &ahead, &mut sums);
                    finish(set, &sums.0[..block.len()], &out, place, epilogue);
                }
            }
        });
    });
}

/// Cuts rows into blocks of at most `max`, of nearly the same size, because a block of a single
/// row costs as much as one of several.
fn blocks(rows: Range<usize>, max: usize) -> impl Iterator<Item = Range<usize>> {
    let num_blocks = rows.len().div_ceil(max);
    let len = rows.len().div_ceil(num_blocks.max(1)).max(1);
    let end = rows.end;
    rows.step_by(len)
        .map(move |first| first..(first + len).min(end))
}
