//! Ops that look at one row at a time.

use super::Cuda;
use super::array::Type;
use super::device::{Argument, Launch};
use crate::kernels::{Array, Indices, Weight};
use candle_core::{Error, Result};

impl Cuda {
    pub fn embedding(&self, out: &Array, ids: Indices<'_>, table: &Weight) -> Result<()> {
        let op = "embedding";
        let (out, table) = (out.cuda(op)?, table.cuda(op)?);
        let ids = ids.cuda.ok_or_else(|| missing(op))?;
        let mut arguments = table.arguments();
        arguments.extend::<[Argument; 4]>([
            ids.into(),
            out.expect(Type::F32, op)?.into(),
            out.width().into(),
            table.k_padded().into(),
        ]);
        self.device.launch(
            &Launch {
                name: table.form.embedding()?,
                grid: [out.num_rows(), 1, 1],
                threads: 256,
                shared: 0,
            },
            &arguments,
        )
    }

    pub fn gather_rows(&self, out: &Array, x: &Array, rows: Indices<'_>) -> Result<()> {
        let op = "gather_rows";
        let (out, x) = (out.cuda(op)?, x.cuda(op)?);
        let rows = rows.cuda.ok_or_else(|| missing(op))?;
        self.device.launch(
            &Launch {
                name: "gather_rows",
                grid: [out.num_rows(), 1, 1],
                threads: 256,
                shared: 0,
            },
            &[
                x.expect(Type::F32, op)?.into(),
                rows.into(),
                out.expect(Type::F32, op)?.into(),
                out.width().into(),
            ],
        )
    }
}

fn missing(op: &'static str) -> Error {
    Error::Msg(format!("{op}: the step is not on the device"))
}
