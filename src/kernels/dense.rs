use super::cpu::elementwise::{self, Activation};
use super::{Array, Kernels};
use candle_core::Result;
use std::ops::Range;

impl Kernels {
    /// `x = activation(x + bias)` for each row of `x`, in place.
    pub fn bias(&self, x: &Array, bias: &[f32], activation: Activation) -> Result<()> {
        if let Some(candle) = &self.candle
            && activation == Activation::None
        {
            return candle.add_bias(x.candle("bias")?, &candle.vector(bias)?);
        }
        self.change_rows("bias", x, |_, row| {
            elementwise::bias(self.set, row, bias, activation);
        })
    }

    /// LayerNorm (Ba et al. 2016) of `x + bias` for each row of `x`, in place; `eps` inside the
    /// root, then times `weight` and plus `shift`. An empty bias is none.
    pub fn layer_norm(
        &self,
        x: &Array,
        bias: &[f32],
        weight: &[f32],
        shift: &[f32],
        eps: f32,
    ) -> Result<()> {
        self.change_rows("layer_norm", x, |_, row| {
            elementwise::layer_norm(self.set, row, bias, weight, shift, eps);
        })
    }

    /// `out` = [`Kernels::layer_norm`] of `x`, which stays as it is.
    pub fn layer_norm_of(
        &self,
        out: &Array,
        x: &Array,
        weight: &[f32],
        shift: &[f32],
        eps: f32,
    ) -> Result<()> {
        self.write_rows("layer_norm_of", out, x, |row, out, x| {
            out.copy_from_slice(&x[row * out.len()..][..out.len()]);
            elementwise::layer_norm(self.set, out, &[], weight, shift, eps);
        })
    }

    /// `out [rows, n] = activation(first half) * second half` of each row of `x [rows, 2 n]`
    /// (Shazeer 2020).
    pub fn gate_rows(&self, out: &Array, x: &Array, activation: Activation) -> Result<()> {
        self.write_rows("gate_rows", out, x, |row, out, x| {
            let halves = &x[2 * row * out.len()..][..2 * out.len()];
            elementwise::gate(self.set, halves, activation, out);
        })
    }

    /// Adds to each row of `x` the row of `table` `[_, width]` that `rows` names for it.
    pub fn add_rows(&self, x: &Array, table: &Array, rows: &[u32]) -> Result<()> {
        self.write_rows("add_rows", x, table, |row, x, table| {
            let added = &table[rows[row] as usize * x.len()..][..x.len()];
            for (x, added) in x.iter_mut().zip(added) {
                *x += added;
            }
        })
    }

    /// `out [spans, width]` = the mean of the rows of `x` in each span, none of which is empty.
    pub fn mean_rows(&self, out: &Array, x: &Array, spans: &[Range<usize>]) -> Result<()> {
        self.write_rows("mean_rows", out, x, |span, out, x| {
            let (span, width) = (&spans[span], out.len());
            out.fill(0.0);
            for row in x[span.start * width..span.end * width].chunks_exact(width) {
                for (out, x) in out.iter_mut().zip(row) {
                    *out += x;
                }
            }
            let scale = 1.0 / span.len() as f32;
            out.iter_mut().for_each(|out| *out *= scale);
        })
    }
}
