//! Which kernel computes a product of so many rows, and how it is launched.

use super::device::Launch;

/// Logits that one block of `summarize` looks at.
pub const SUMMARY_PART: usize = 8192;

/// A kernel for tiles of many rows.
struct Tiles {
    name: &'static str,
    /// Rows of a tile.
    rows: usize,
    /// Blocks that compute a tile together.
    cluster: usize,
    shared: usize,
}

/// Outputs of a tile; with SwiGLU half as many.
const TILE_OUTPUTS: usize = 128;

const SMALL: Tiles = Tiles {
    name: "small",
    rows: 64,
    cluster: 4,
    shared: 98_304,
};
const MEDIUM: Tiles = Tiles {
    name: "medium",
    rows: 128,
    cluster: 4,
    shared: 135_168,
};
const LARGE: Tiles = Tiles {
    name: "large",
    rows: 128,
    cluster: 1,
    shared: 131_072,
};
const WIDE: Tiles = Tiles {
    name: "wide",
    rows: 256,
    cluster: 1,
    shared: 229_376,
};

/// Rows from which on each is preferred, the last first.
const PREFERENCE: [(usize, Tiles); 4] = [(2048, WIDE), (257, LARGE), (65, MEDIUM), (0, SMALL)];

/// How `rows` rows and `n` outputs are computed in the mode of this name, and by which kernel, where
/// a block has `max_shared` bytes of shared memory at most. All kernels compute the same bits.
pub fn product(mode: &str, rows: usize, n: usize, max_shared: usize) -> (Launch<'static>, String) {
    let is_gated = mode == "swiglu";
    if rows <= 16 {
        let row_tiles = rows.div_ceil(8);
        let outputs = if row_tiles == 1 || is_gated { 16 } else { 32 };
        let launch = Launch {
            name: "",
            grid: [n.div_ceil(outputs), 1, 1],
            threads: 256,
            shared: 0,
        };
        return (launch, format!("gemm_rows_{row_tiles}_{mode}"));
    }
    let tiles = PREFERENCE
        .iter()
        .find(|(from, tiles)| rows >= *from && tiles.shared <= max_shared)
        .map_or(&SMALL, |(_, tiles)| tiles);
    let outputs = TILE_OUTPUTS / if is_gated { 2 } else { 1 };
    let num_tiles = n.div_ceil(outputs) * rows.div_ceil(tiles.rows);
    let launch = Launch {
        name: "",
        grid: [tiles.cluster * num_tiles, 1, 1],
        threads: 256,
        shared: tiles.shared,
    };
    (launch, format!("gemm_tiles_{}_{mode}", tiles.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOPPER: usize = 232_448;

    #[test]
    fn every_row_and_output_has_a_block() {
        for mode in ["store_bf16", "swiglu"] {
            for rows in [1, 8, 9, 16, 17, 64, 65, 256, 257, 5000] {
                for n in [1, 16, 33, 4096] {
                    let (launch, name) = product(mode, rows, n, HOPPER);
                    let outputs = launch.grid[0] * launch.threads;
                    assert!(launch.grid[0] > 0 && outputs >= n, "{name}: {rows} {n}");
                    assert!(name.ends_with(mode));
                }
            }
        }
    }

    #[test]
    fn a_card_with_little_shared_memory_takes_smaller_tiles() {
        let name = |rows, max_shared| product("add_f32", rows, 4096, max_shared).1;
        assert_eq!(name(8192, HOPPER), "gemm_tiles_wide_add_f32");
        assert_eq!(name(8192, 163 << 10), "gemm_tiles_large_add_f32");
        assert_eq!(name(8192, 99 << 10), "gemm_tiles_small_add_f32");
        assert_eq!(name(100, HOPPER), "gemm_tiles_medium_add_f32");
        assert_eq!(name(9, 99 << 10), "gemm_rows_2_add_f32");
    }
}
