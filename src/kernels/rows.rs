use super::Kernels;
use super::cpu::SplitMut;

/// Rows that one tile takes: enough that claiming it costs nothing beside computing it.
const ROWS: usize = 8;

impl Kernels {
    /// Calls `write` with each row of `out` and its number, spread over the pool; a few rows
    /// stay on this thread.
    pub(super) fn for_rows(
        &self,
        out: &mut [f32],
        width: usize,
        write: impl Fn(usize, &mut [f32]) + Sync,
    ) {
        let num_rows = out.len() / width;
        let out = SplitMut::new(out);
        self.pool.run(num_rows.div_ceil(ROWS), &|tile| {
            for row in tile * ROWS..((tile + 1) * ROWS).min(num_rows) {
                // SAFETY: each row is written by its own tile.
                write(row, unsafe { out.part(row * width, width) });
            }
        });
    }
}
