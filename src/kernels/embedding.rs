use super::{Array, Indices, Kernels, PackedWeight, Weight, storage};
use candle_core::{CpuStorage, Error, InplaceOp1, Layout, Result};

struct Embedding<'a> {
    kernels: &'a Kernels,
    table: &'a PackedWeight,
    ids: &'a [u32],
}

impl Kernels {
    /// `out [ids, hidden]` = the rows of `table` `[vocab, hidden]` that `ids` name.
    pub fn embedding<'a>(
        &self,
        out: &Array,
        ids: impl Into<Indices<'a>>,
        table: &Weight,
    ) -> Result<()> {
        let ids = ids.into();
        if let Some(id) = ids.host.iter().find(|id| **id as usize >= table.n()) {
            return Err(Error::Msg(format!(
                "embedding: id {id} is not among {} rows",
                table.n()
            )));
        }
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.embedding(out, ids, table);
        }
        out.cpu("embedding")?.inplace_op1(&Embedding {
            kernels: self,
            table: table.cpu("embedding")?,
            ids: ids.host,
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
