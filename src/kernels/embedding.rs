use super::{Array, Indices, Kernels, Weight};
use candle_core::{Error, Result};

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
        let table = table.cpu("embedding")?;
        self.change_rows("embedding", out, |row, out| {
            table.copy_row(ids.host[row] as usize, out);
        })
    }
}
