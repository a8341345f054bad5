use super::{Array, Indices, Kernels, storage};
use candle_core::{CpuStorage, InplaceOp2, Layout, Result};

struct GatherRows<'a> {
    rows: &'a [u32],
}

impl Kernels {
    /// `out [rows, width]` = the rows of `x` `[_, width]` that `rows` names.
    pub fn gather_rows<'a>(
        &self,
        out: &Array,
        x: &Array,
        rows: impl Into<Indices<'a>>,
    ) -> Result<()> {
        let rows = rows.into();
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.gather_rows(out, x, rows);
        }
        let op = "gather_rows";
        if let Some(candle) = &self.candle {
            return candle.gather_rows(out.candle(op)?, x.candle(op)?, rows);
        }
        let x = x.cpu(op)?;
        out.cpu(op)?.inplace_op2(x, &GatherRows { rows: rows.host })
    }
}

impl InplaceOp2 for GatherRows<'_> {
    fn name(&self) -> &'static str {
        "gather_rows"
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
        for (out, row) in out.chunks_exact_mut(width).zip(self.rows) {
            out.copy_from_slice(&x[*row as usize * width..][..width]);
        }
        Ok(())
    }
}
