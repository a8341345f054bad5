//! Ops that look at one row at a time.

use super::array::Type;
use super::device::{Argument, Launch};
use super::memory::Pinned;
use super::{Cuda, Scratch};
use crate::kernels::{Array, Indices, RowSummary, Weight};
use candle_core::{Error, Result};

/// Bytes of a row's summary as the kernels write it.
const SUMMARY: usize = 16;

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

    /// Calls `with` with the summaries of all rows of `logits` and the rows that `wanted` names, one
    /// after the other.
    pub fn read_logits<R>(
        &self,
        logits: &Array,
        wanted: &[usize],
        with: impl FnOnce(&[RowSummary], &[f32]) -> R,
    ) -> Result<R> {
        let op = "read_logits";
        let logits = logits.cuda(op)?;
        let (num_rows, vocab) = (logits.num_rows(), logits.width());
        let num_parts = vocab.div_ceil(super::variants::SUMMARY_PART);
        let parts = self.scratch(Scratch::Parts, num_rows * num_parts * SUMMARY)?;
        let summaries = self.scratch(Scratch::Summaries, num_rows * SUMMARY)?;
        self.device.launch(
            &Launch {
                name: "summarize",
                grid: [num_parts, num_rows, 1],
                threads: 256,
                shared: 0,
            },
            &[
                logits.expect(Type::F32, op)?.into(),
                vocab.into(),
                logits.stride.into(),
                parts.into(),
            ],
        )?;
        self.device.launch(
            &Launch {
                name: "summarize_finish",
                grid: [num_rows, 1, 1],
                threads: 32,
                shared: 0,
            },
            &[parts.into(), num_parts.into(), summaries.into()],
        )?;
        let row_bytes = vocab * 4;
        let first_row = (num_rows * SUMMARY).next_multiple_of(256);
        let mut state = self.state();
        let needed = first_row + wanted.len() * row_bytes;
        if state.results.num_bytes() < needed {
            state.results = Pinned::new(&self.device, needed.next_power_of_two())?;
        }
        let results = &mut state.results;
        self.device
            .read_later(results, 0, summaries, num_rows * SUMMARY)?;
        for (index, row) in wanted.iter().enumerate() {
            let from = logits.address().offset(row * logits.stride * 4);
            self.device
                .read_later(results, first_row + index * row_bytes, from, row_bytes)?;
        }
        self.device.wait()?;
        let bytes = results.bytes();
        let (records, _) = bytes[..num_rows * SUMMARY].as_chunks::<SUMMARY>();
        let summaries: Vec<_> = records.iter().map(summary).collect();
        // The memory begins at a page.
        Ok(with(
            &summaries,
            bytemuck::cast_slice(&bytes[first_row..needed]),
        ))
    }
}

fn summary(record: &[u8; SUMMARY]) -> RowSummary {
    let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| record[4 * at + byte]));
    RowSummary {
        argmax: word(0) as usize,
        max: f32::from_bits(word(1)),
        log_sum_exp: f32::from_bits(word(2)),
    }
}

fn missing(op: &'static str) -> Error {
    Error::Msg(format!("{op}: the step is not on the device"))
}
