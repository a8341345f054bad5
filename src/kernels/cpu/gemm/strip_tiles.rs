use super::TILE_ROWS;
use std::ops::Range;

/// The strips of a product, cut into tiles; kept, so that a product allocates nothing.
#[derive(Default)]
pub(super) struct StripTiles {
    /// Where each tile starts, then where the last one ends.
    starts: Vec<usize>,
}

impl StripTiles {
    /// Cuts `num_strips` for some threads that share `num_rows` rows.
    ///
    /// Few rows: each tile takes its part of what is left (guided self-scheduling; Polychronopoulos
    /// and Kuck 1987), so that threads finish within a strip of each other and claim seldom. Many
    /// rows: even tiles, small enough to stay in a cache while other rows come to them.
    pub fn cut(&mut self, num_strips: usize, num_threads: usize, num_rows: usize) {
        let even = (num_strips / (num_threads * 16)).max(1);
        self.starts.clear();
        let mut start = 0;
        while start < num_strips {
            self.starts.push(start);
            start += if num_rows < TILE_ROWS {
                (num_strips - start).div_ceil(2 * num_threads)
            } else {
                even.min(num_strips - start)
            };
        }
        self.starts.push(num_strips);
    }

    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    pub fn get(&self, tile: usize) -> Range<usize> {
        self.starts[tile]..self.starts[tile + 1]
    }
}
