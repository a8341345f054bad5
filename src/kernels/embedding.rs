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
        let op = "embedding";
        if let Some(candle) = &self.candle {
            return candle.embedding(out.candle(op)?, ids, table.candle(op)?);
        }
        let table = table.cpu(op)?;
        self.change_rows(op, out, |row, out| {
            table.copy_row(ids.host[row] as usize, out);
        })
    }
}
