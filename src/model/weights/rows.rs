use super::tensor::Tensor;
use crate::kernels::{Float, Matrix, MatrixRows, RowSource, Strided};

/// Rows of a matrix: `count` of them, `first`, `first + step` and so on.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    pub first: usize,
    pub step: usize,
    pub count: usize,
}

/// Matrices `[n, k]` of `num` experts in one tensor.
#[derive(Debug, Clone, Copy)]
pub struct Stack {
    pub num: usize,
    pub n: usize,
    pub k: usize,
    pub order: StackOrder,
}

/// How the matrices of a stack lie in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StackOrder {
    /// `[num, n, k]`.
    RowsFirst,
    /// `[num, k, n]`.
    InputsFirst,
}

impl Rows {
    /// All rows of a matrix.
    pub fn all(n: usize) -> Self {
        Self {
            first: 0,
            step: 1,
            count: n,
        }
    }

    /// Fails if not all of them are rows of a matrix of `n`.
    pub(super) fn check(self, name: &str, n: usize) -> Result<(), String> {
        let last = self.count.saturating_sub(1).checked_mul(self.step);
        let last = last.and_then(|last| last.checked_add(self.first));
        match last {
            Some(last) if last < n => Ok(()),
            _ => Err(format!(
                "of the tensor {name} with {n} rows, {} rows from {} on in steps of {} are needed",
                self.count, self.first, self.step
            )),
        }
    }
}

impl Stack {
    pub(super) fn shape(&self) -> [usize; 3] {
        match self.order {
            StackOrder::RowsFirst => [self.num, self.n, self.k],
            StackOrder::InputsFirst => [self.num, self.k, self.n],
        }
    }
}

/// Matrix `index` of the matrices `[n, k]` that follow each other in `tensor`.
pub(super) struct Plain<'a> {
    bytes: &'a [u8],
    float: Float,
    n: usize,
    k: usize,
    order: StackOrder,
}

impl<'a> Plain<'a> {
    /// `tensor` must have as many elements as `index + 1` such matrices, of type `float`.
    pub fn new(
        tensor: &'a Tensor,
        float: Float,
        index: usize,
        [n, k]: [usize; 2],
        order: StackOrder,
    ) -> Self {
        let size = n * k * float.num_bytes();
        Self {
            bytes: &tensor.bytes()[index * size..][..size],
            float,
            n,
            k,
            order,
        }
    }

    pub fn rows(&self, rows: Rows) -> RowSource<'a> {
        let at = |element: usize| element * self.float.num_bytes();
        let (row_step, step) = match self.order {
            StackOrder::RowsFirst => (rows.step * self.k, 1),
            StackOrder::InputsFirst => (rows.step, self.n),
        };
        let first = match self.order {
            StackOrder::RowsFirst => rows.first * self.k,
            StackOrder::InputsFirst => rows.first,
        };
        if self.order == StackOrder::RowsFirst && rows.step == 1 {
            let bytes = &self.bytes[at(first)..][..at(rows.count * self.k)];
            return RowSource::plain(self.float, bytes);
        }
        RowSource::Strided(Strided {
            bytes: &self.bytes[at(first)..],
            float: self.float,
            num_rows: rows.count,
            k: self.k,
            row_step,
            step,
        })
    }
}

/// Rows of matrix `index` of the matrices `[n, k]` that follow each other in `matrix`.
pub(super) fn of_matrix<'a>(
    matrix: &'a dyn Matrix,
    index: usize,
    [n, k]: [usize; 2],
    rows: Rows,
) -> RowSource<'a> {
    RowSource::Matrix(MatrixRows {
        matrix,
        column: 0,
        k,
        first: index * n + rows.first,
        step: rows.step,
        count: rows.count,
    })
}
