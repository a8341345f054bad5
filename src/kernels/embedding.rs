use super::{Kernels, PackedWeight, storage};
use candle_core::{CpuStorage, Error, InplaceOp1, Layout, Result, Tensor};

struct Embedding<'a> {
    kernels: &'a Kernels,
    table: &'a PackedWeight,
    ids: &'a [u32],
}

impl Kernels {
    /// `out [ids, hidden]` = the rows of `table` `[vocab, hidden]` that `ids` name.
    pub fn embedding(&self, out: &Tensor, ids: &[u32], table: &PackedWeight) -> Result<()> {
        if let Some(id) = ids.iter().find(|id| **id as usize >= table.n()) {
            return Err(Error::Msg(format!(
                "embedding: id {id} is not among {} rows",
                table.n()
            )));
        }
        out.inplace_op1(&Embedding {
            kernels: self,
            table,
            ids,
        })
    }
}

impl InplaceOp1 for Embedding<'_> {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn cpu_fwd(&self, out: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let out = storage::f32s_mut(self.name(), out, layout)?;
        self.kernels.for_rows(out, self.table.k(), |row, out| {
            self.table.copy_row(self.ids[row] as usize, out);
        });
        Ok(())
    }
}
