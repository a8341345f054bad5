use super::numbers::Groups;
use super::parts::check_shape;
use crate::model::weights::tensor::Tensor;
use std::fmt;

/// Which elements of a matrix `[n, k]` share a scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sharing {
    /// All of them.
    Tensor,
    /// Those of an output.
    Channel,
    /// Blocks of so many outputs and inputs; at the edges they may be smaller.
    Blocks([usize; 2]),
}

/// Where the scale of an element lies among all.
#[derive(Debug)]
pub struct Grid {
    /// Outputs of a block.
    rows: usize,
    width: usize,
}

impl Sharing {
    /// Shapes that a tensor of scales may have.
    fn shapes(self, [n, k]: [usize; 2]) -> Vec<Vec<usize>> {
        match self {
            Self::Tensor => vec![vec![], vec![1], vec![1, 1]],
            Self::Channel => vec![vec![n], vec![n, 1]],
            Self::Blocks([rows, columns]) => vec![vec![n.div_ceil(rows), k.div_ceil(columns)]],
        }
    }

    pub fn is_that_of(self, scales: &Tensor, shape: [usize; 2]) -> bool {
        self.shapes(shape).contains(&scales.shape)
    }

    /// Fails unless there are as many scales as a matrix of this shape needs.
    pub fn check(self, scales: &Tensor, shape: [usize; 2]) -> Result<(), String> {
        let shapes = self.shapes(shape);
        let shapes: Vec<_> = shapes.iter().map(Vec::as_slice).collect();
        check_shape(scales, &shapes, &format!("{self} of a matrix {shape:?}"))
    }

    pub fn grid(self, k: usize) -> Grid {
        match self {
            Self::Tensor => Grid {
                rows: usize::MAX,
                width: 1,
            },
            Self::Channel => Grid { rows: 1, width: 1 },
            Self::Blocks([rows, columns]) => Grid {
                rows,
                width: k.div_ceil(columns),
            },
        }
    }

    /// Of `k` inputs, those that share a scale.
    pub fn groups(self, k: usize) -> Groups {
        Groups::Of(self.inputs(k))
    }

    /// How many of `k` inputs share a scale.
    pub fn inputs(self, k: usize) -> usize {
        match self {
            Self::Tensor | Self::Channel => k.max(1),
            Self::Blocks([_, columns]) => columns,
        }
    }
}

impl fmt::Display for Sharing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tensor => out.write_str("a scale per tensor"),
            Self::Channel => out.write_str("a scale per output"),
            Self::Blocks([1, columns]) => write!(out, "group {columns}"),
            Self::Blocks([rows, columns]) => write!(out, "blocks of {rows}x{columns}"),
        }
    }
}

impl Grid {
    /// Blocks beside each other.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Which scale belongs to output `row` and to group `group` of its inputs.
    pub fn at(&self, row: usize, group: usize) -> usize {
        row / self.rows * self.width + group
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_count_row_by_row_and_the_last_ones_may_be_small() {
        let blocks = Sharing::Blocks([128, 64]);
        assert_eq!(blocks.shapes([130, 129]), [[2, 3]]);
        let (grid, groups) = (blocks.grid(129), blocks.groups(129));
        assert_eq!([grid.at(0, 2), grid.at(127, 2), grid.at(128, 0)], [2, 2, 3]);
        assert_eq!(
            [groups.get(63), groups.get(64), groups.get(120)],
            [(0, 1), (1, 64), (1, 8)]
        );
        assert_eq!(Sharing::Channel.grid(9).at(7, 0), 7);
        assert_eq!(Sharing::Tensor.grid(9).at(7, 0), 0);
    }
}
