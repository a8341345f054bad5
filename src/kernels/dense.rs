use super::cpu::elementwise::{self, Activation};
use super::{Array, Kernels, storage};
use candle_core::{CpuStorage, InplaceOp1, InplaceOp2, Layout, Result};
use std::ops::Range;

struct Bias<'a> {
    kernels: &'a Kernels,
    bias: &'a [f32],
    activation: Activation,
}

struct LayerNorm<'a> {
    kernels: &'a Kernels,
    bias: &'a [f32],
    weight: &'a [f32],
    shift: &'a [f32],
    eps: f32,
}

struct NormedRows<'a> {
    kernels: &'a Kernels,
    weight: &'a [f32],
    shift: &'a [f32],
    eps: f32,
}

struct Gate<'a> {
    kernels: &'a Kernels,
    activation: Activation,
}

struct AddRows<'a> {
    kernels: &'a Kernels,
    rows: &'a [u32],
}

struct MeanRows<'a> {
    kernels: &'a Kernels,
    spans: &'a [Range<usize>],
}

impl Kernels {
    /// `x = activation(x + bias)` for each row of `x`, in place.
    pub fn bias(&self, x: &Array, bias: &[f32], activation: Activation) -> Result<()> {
        x.cpu("bias")?.inplace_op1(&Bias {
            kernels: self,
            bias,
            activation,
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
        x.cpu("layer_norm")?.inplace_op1(&LayerNorm {
            kernels: self,
            bias,
            weight,
            shift,
            eps,
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
        out.cpu("layer_norm_of")?.inplace_op2(
            x.cpu("layer_norm_of")?,
            &NormedRows {
                kernels: self,
                weight,
                shift,
                eps,
            },
        )
    }

    /// `out [rows, n] = activation(first half) * second half` of each row of `x [rows, 2 n]`
    /// (Shazeer 2020).
    pub fn gate_rows(&self, out: &Array, x: &Array, activation: Activation) -> Result<()> {
        out.cpu("gate_rows")?.inplace_op2(
            x.cpu("gate_rows")?,
            &Gate {
                kernels: self,
                activation,
            },
        )
    }

    /// Adds to each row of `x` the row of `table` `[_, width]` that `rows` names for it.
    pub fn add_rows(&self, x: &Array, table: &Array, rows: &[u32]) -> Result<()> {
        x.cpu("add_rows")?.inplace_op2(
            table.cpu("add_rows")?,
            &AddRows {
                kernels: self,
                rows,
            },
        )
    }

    /// `out [spans, width]` = the mean of the rows of `x` in each span, none of which is empty.
    pub fn mean_rows(&self, out: &Array, x: &Array, spans: &[Range<usize>]) -> Result<()> {
        out.cpu("mean_rows")?.inplace_op2(
            x.cpu("mean_rows")?,
            &MeanRows {
                kernels: self,
                spans,
            },
        )
    }
}

impl InplaceOp1 for Bias<'_> {
    fn name(&self) -> &'static str {
        "bias"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let x = storage::f32s_mut(self.name(), x, layout)?;
        self.kernels.for_rows(x, self.bias.len(), |_, row| {
            elementwise::bias(self.kernels.set, row, self.bias, self.activation);
        });
        Ok(())
    }
}

impl InplaceOp1 for LayerNorm<'_> {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let x = storage::f32s_mut(self.name(), x, layout)?;
        self.kernels.for_rows(x, self.weight.len(), |_, row| {
            let set = self.kernels.set;
            elementwise::layer_norm(set, row, self.bias, self.weight, self.shift, self.eps);
        });
        Ok(())
    }
}

impl InplaceOp2 for NormedRows<'_> {
    fn name(&self) -> &'static str {
        "layer_norm_of"
    }

    fn cpu_fwd(
        &self,
        out: &mut CpuStorage,
        out_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
    ) -> Result<()> {
        let width = storage::row_len(out_layout);
        let x = storage::f32s(self.name(), x, x_layout)?;
        let out = storage::f32s_mut(self.name(), out, out_layout)?;
        self.kernels.for_rows(out, width, |row, out| {
            out.copy_from_slice(&x[row * width..][..width]);
            let set = self.kernels.set;
            elementwise::layer_norm(set, out, &[], self.weight, self.shift, self.eps);
        });
        Ok(())
    }
}

impl InplaceOp2 for Gate<'_> {
    fn name(&self) -> &'static str {
        "gate_rows"
    }

    fn cpu_fwd(
        &self,
        out: &mut CpuStorage,
        out_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
    ) -> Result<()> {
        let width = storage::row_len(out_layout);
        let x = storage::f32s(self.name(), x, x_layout)?;
        let out = storage::f32s_mut(self.name(), out, out_layout)?;
        self.kernels.for_rows(out, width, |row, out| {
            let halves = &x[2 * row * width..][..2 * width];
            elementwise::gate(self.kernels.set, halves, self.activation, out);
        });
        Ok(())
    }
}

impl InplaceOp2 for AddRows<'_> {
    fn name(&self) -> &'static str {
        "add_rows"
    }

    fn cpu_fwd(
        &self,
        x: &mut CpuStorage,
        x_layout: &Layout,
        table: &CpuStorage,
        table_layout: &Layout,
    ) -> Result<()> {
        let width = storage::row_len(table_layout);
        let table = storage::f32s(self.name(), table, table_layout)?;
        let x = storage::f32s_mut(self.name(), x, x_layout)?;
        self.kernels.for_rows(x, width, |row, x| {
            let added = &table[self.rows[row] as usize * width..][..width];
            for (x, added) in x.iter_mut().zip(added) {
                *x += added;
            }
        });
        Ok(())
    }
}

impl InplaceOp2 for MeanRows<'_> {
    fn name(&self) -> &'static str {
        "mean_rows"
    }

    fn cpu_fwd(
        &self,
        out: &mut CpuStorage,
        out_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
    ) -> Result<()> {
        let width = storage::row_len(out_layout);
        let x = storage::f32s(self.name(), x, x_layout)?;
        let out = storage::f32s_mut(self.name(), out, out_layout)?;
        self.kernels.for_rows(out, width, |span, out| {
            let span = &self.spans[span];
            out.fill(0.0);
            for row in x[span.start * width..span.end * width].chunks_exact(width) {
                for (out, x) in out.iter_mut().zip(row) {
                    *out += x;
                }
            }
            let scale = 1.0 / span.len() as f32;
            out.iter_mut().for_each(|out| *out *= scale);
        });
        Ok(())
    }
}
