//! Which kernel computes a product of so many rows, and how it is launched.

use super::device::Launch;
use super::weight::Form;

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

/// Of codes, which take less of it.
const SMALL_OF_CODES: Tiles = Tiles {
    shared: 67_584,
    ..SMALL
};

/// Rows up to which kernels take codes apart by themselves: beyond, several tiles would do so with the
/// same weights.
pub const MOST_ROWS_OF_CODES: usize = 256;

/// Rows from which on each is preferred, the last first.
const PREFERENCE: [(usize, Tiles); 4] = [(2048, WIDE), (257, LARGE), (65, MEDIUM), (0, SMALL)];

/// A kernel for the rows of all experts.
pub struct ExpertTiles {
    pub name: &'static str,
    /// Rows of a tile.
    pub rows: usize,
    /// Outputs of a tile, and with SwiGLU.
    pub outputs: usize,
    pub gated_outputs: usize,
    shared: usize,
    shared_of_codes: usize,
}

impl ExpertTiles {
    /// Dynamic shared memory of a block, in bytes.
    pub fn shared(&self, form: Form) -> usize {
        match form {
            Form::F32 | Form::Bf16 => self.shared,
            Form::Int8 | Form::Int4 | Form::Fp8 => self.shared_of_codes,
        }
    }
}

/// Rows of an expert in the mean up to which each is preferred, and the kernel.
const OF_EXPERTS: [(usize, ExpertTiles); 4] = [
    (
        4,
        ExpertTiles {
            name: "rows_1",
            rows: 8,
            outputs: 16,
            gated_outputs: 16,
            shared: 0,
            shared_of_codes: 0,
        },
    ),
    (
        16,
        ExpertTiles {
            name: "rows_2",
            rows: 16,
            outputs: 32,
            gated_outputs: 16,
            shared: 0,
            shared_of_codes: 0,
        },
    ),
    (
        96,
        ExpertTiles {
            name: "single",
            rows: 64,
            outputs: 128,
            gated_outputs: 64,
            shared: 98_304,
            shared_of_codes: 67_584,
        },
    ),
    (
        usize::MAX,
        ExpertTiles {
            name: "large",
            rows: 128,
            outputs: 128,
            gated_outputs: 64,
            shared: 131_072,
            shared_of_codes: 98_304,
        },
    ),
];

/// The kernel for `rows` rows, of all experts together. All kernels compute the same bits.
pub fn expert_tiles(rows: usize, num_experts: usize, max_shared: usize) -> &'static ExpertTiles {
    let mean = rows.div_ceil(num_experts.max(1));
    let fitting = OF_EXPERTS
        .iter()
        .filter(|(_, tiles)| tiles.shared <= max_shared);
    let mut last = &OF_EXPERTS[0].1;
    for (most, tiles) in fitting {
        last = tiles;
        if mean <= *most {
            break;
        }
    }
    last
}

/// How `rows` rows and `n` outputs are computed in the mode of this name, and by which kernel, where
/// a block has `max_shared` bytes of shared memory at most. All kernels compute the same bits.
pub fn product(
    form: Form,
    mode: &str,
    rows: usize,
    n: usize,
    max_shared: usize,
) -> (Launch<'static>, String) {
    let form_name = form.prefix();
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
        return (launch, format!("gemm_{form_name}rows_{row_tiles}_{mode}"));
    }
    let tiles = match form {
        Form::Bf16 => PREFERENCE
            .iter()
            .find(|(from, tiles)| rows >= *from && tiles.shared <= max_shared)
            .map_or(&SMALL, |(_, tiles)| tiles),
        Form::F32 | Form::Int8 | Form::Int4 | Form::Fp8 => &SMALL_OF_CODES,
    };
    let outputs = TILE_OUTPUTS / if is_gated { 2 } else { 1 };
    let num_tiles = n.div_ceil(outputs) * rows.div_ceil(tiles.rows);
    let launch = Launch {
        name: "",
        grid: [tiles.cluster * num_tiles, 1, 1],
        threads: 256,
        shared: tiles.shared,
    };
    (
        launch,
        format!("gemm_{form_name}tiles_{}_{mode}", tiles.name),
    )
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
                    for form in [Form::Bf16, Form::Int8, Form::Int4, Form::Fp8] {
                        let (launch, name) = product(form, mode, rows, n, HOPPER);
                        let outputs = launch.grid[0] * launch.threads;
                        assert!(launch.grid[0] > 0 && outputs >= n, "{name}: {rows} {n}");
                        assert!(name.ends_with(mode));
                    }
                }
            }
        }
    }

    #[test]
    fn a_card_with_little_shared_memory_takes_smaller_tiles() {
        let name = |rows, max_shared| product(Form::Bf16, "add_f32", rows, 4096, max_shared).1;
        assert_eq!(name(8192, HOPPER), "gemm_tiles_wide_add_f32");
        assert_eq!(name(8192, 163 << 10), "gemm_tiles_large_add_f32");
        assert_eq!(name(8192, 99 << 10), "gemm_tiles_small_add_f32");
        assert_eq!(name(100, HOPPER), "gemm_tiles_medium_add_f32");
        assert_eq!(name(9, 99 << 10), "gemm_rows_2_add_f32");
    }

    #[test]
    fn experts_with_more_rows_have_larger_tiles_where_the_card_has_room() {
        let name = |rows, max_shared| expert_tiles(rows, 128, max_shared).name;
        assert_eq!(name(8, HOPPER), "rows_1");
        assert_eq!(name(128 * 5, HOPPER), "rows_2");
        assert_eq!(name(128 * 60, HOPPER), "single");
        assert_eq!(name(128 * 600, HOPPER), "large");
        assert_eq!(name(128 * 600, 99 << 10), "single");
    }

    #[test]
    fn codes_have_kernels_that_any_card_has_room_for() {
        let of = |rows| product(Form::Int4, "swiglu", rows, 4096, 99 << 10);
        assert_eq!(of(3).1, "gemm_int4_rows_1_swiglu");
        let (launch, name) = of(MOST_ROWS_OF_CODES);
        assert_eq!(name, "gemm_int4_tiles_small_swiglu");
        // The table of levels takes 16 KiB beside.
        assert!(launch.shared + (16 << 10) <= 99 << 10);
    }
}
