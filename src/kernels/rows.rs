use super::cpu::{SplitMut, elementwise};
use super::{Array, Kernels, storage};
use candle_core::{CpuStorage, InplaceOp1, InplaceOp2, Layout, Result};
use std::cell::RefCell;

/// Rows that one tile takes: enough that claiming it costs nothing beside computing it.
const ROWS: usize = 8;

/// An op that changes each row of an array by itself.
struct ChangeRows<'a, F> {
    op: &'static str,
    kernels: &'a Kernels,
    change: F,
}

/// An op that writes each row of an array from another array.
struct WriteRows<'a, F> {
    op: &'static str,
    kernels: &'a Kernels,
    write: F,
}

thread_local! {
    /// A row after its norm.
    static NORMED: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

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

    /// The op of this name: `change` is called with each row of `x` and its number, as
    /// [`Kernels::for_rows`] does.
    pub(super) fn change_rows(
        &self,
        op: &'static str,
        x: &Array,
        change: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Result<()> {
        x.cpu(op)?.inplace_op1(&ChangeRows {
            op,
            kernels: self,
            change,
        })
    }

    /// The same with all of `x` beside each row of `out`.
    pub(super) fn write_rows(
        &self,
        op: &'static str,
        out: &Array,
        x: &Array,
        write: impl Fn(usize, &mut [f32], &[f32]) + Sync,
    ) -> Result<()> {
        out.cpu(op)?.inplace_op2(
            x.cpu(op)?,
            &WriteRows {
                op,
                kernels: self,
                write,
            },
        )
    }

    /// Calls `with` with `x / rms(x) * weight`.
    pub(super) fn with_normed<R>(
        &self,
        x: &[f32],
        weight: &[f32],
        eps: f32,
        with: impl FnOnce(&[f32]) -> R,
    ) -> R {
        NORMED.with_borrow_mut(|normed| {
            norm(self, x, weight, eps, normed);
            with(normed)
        })
    }

    /// `x = x / rms(x) * weight`.
    pub(super) fn norm_in_place(&self, x: &mut [f32], weight: &[f32], eps: f32) {
        NORMED.with_borrow_mut(|normed| {
            norm(self, x, weight, eps, normed);
            x.copy_from_slice(normed);
        });
    }
}

fn norm(kernels: &Kernels, x: &[f32], weight: &[f32], eps: f32, normed: &mut Vec<f32>) {
    normed.resize(x.len(), 0.0);
    elementwise::rms_norm(kernels.set, x, weight, eps, normed);
}

impl<F: Fn(usize, &mut [f32]) + Sync> InplaceOp1 for ChangeRows<'_, F> {
    fn name(&self) -> &'static str {
        self.op
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let width = storage::row_len(layout);
        let x = storage::f32s_mut(self.op, x, layout)?;
        self.kernels.for_rows(x, width, &self.change);
        Ok(())
    }
}

impl<F: Fn(usize, &mut [f32], &[f32]) + Sync> InplaceOp2 for WriteRows<'_, F> {
    fn name(&self) -> &'static str {
        self.op
    }

    fn cpu_fwd(
        &self,
        out: &mut CpuStorage,
        out_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
    ) -> Result<()> {
        let width = storage::row_len(out_layout);
        let x = storage::f32s(self.op, x, x_layout)?;
        let out = storage::f32s_mut(self.op, out, out_layout)?;
        self.kernels
            .for_rows(out, width, |row, out| (self.write)(row, out, x));
        Ok(())
    }
}
