//! What is read of rows of logits: summaries, chosen tokens, and the rows themselves where the CPU
//! has to see them.

use super::array::Type;
use super::choices::{CHOSEN, TOP, max_words, pack, unpack};
use super::device::{Address, Launch};
use super::memory::Pinned;
use super::{Cuda, Scratch, State};
use crate::kernels::{Array, Choice, Chosen, RowSummary, RowUse};
use candle_core::Result;

/// Rows that are read together.
pub const ROWS_AT_ONCE: usize = 16;

/// Bytes of a row's summary as the kernels write it.
const SUMMARY: usize = 16;

/// Summaries of all rows, and what was chosen from each that was asked about.
pub type Answers = (Vec<RowSummary>, Vec<Option<Chosen>>);

impl Cuda {
    /// Takes the memory for reading up to so many rows of logits, and for choosing from each.
    pub fn reserve_logits(&self, num_rows: usize, vocab: usize) -> Result<()> {
        let num_parts = vocab.div_ceil(super::variants::SUMMARY_PART);
        let upload = 4 * max_words(num_rows, vocab);
        self.scratch(Scratch::Parts, num_rows * num_parts * SUMMARY)?;
        self.scratch(Scratch::Summaries, num_rows * SUMMARY)?;
        self.scratch(Scratch::Choices, upload)?;
        self.scratch(Scratch::Chosen, num_rows * CHOSEN)?;
        self.scratch(Scratch::Top, num_rows * TOP)?;
        let mut state = self.state();
        self.make_room(&mut state.choices, upload)?;
        let answers = num_rows * (SUMMARY + CHOSEN + TOP);
        let rows = ROWS_AT_ONCE.min(num_rows) * vocab * 4;
        self.make_room(&mut state.results, answers.max(rows))
    }

    /// The summaries of all rows, and what is chosen from those of which `uses` asks it. Nothing else
    /// is read.
    pub fn choose(&self, logits: &Array, uses: &[RowUse]) -> Result<Answers> {
        let op = "choose";
        let num_rows = logits.num_rows();
        let choices: Vec<(usize, &Choice)> = uses
            .iter()
            .take(num_rows)
            .enumerate()
            .filter_map(|(row, of_row)| match of_row {
                RowUse::Choice(choice) => Some((row, choice)),
                RowUse::Summary | RowUse::Values => None,
            })
            .collect();
        let summaries = self.summarize(logits)?;
        let chosen = self.scratch(Scratch::Chosen, choices.len() * CHOSEN)?;
        let top = self.scratch(Scratch::Top, choices.len() * TOP)?;
        if !choices.is_empty() {
            let words = self.upload_choices(&choices)?;
            let logits = logits.cuda(op)?;
            self.device.launch(
                &Launch {
                    name: "choose",
                    grid: [choices.len(), 1, 1],
                    threads: 1024,
                    shared: 0,
                },
                &[
                    logits.expect(Type::F32, op)?.into(),
                    logits.width().into(),
                    logits.stride.into(),
                    summaries.into(),
                    words.into(),
                    chosen.into(),
                    top.into(),
                ],
            )?;
        }
        let tops = match choices.iter().any(|(_, choice)| choice.num_top > 0) {
            true => choices.len(),
            false => 0,
        };
        let [chosen_at, top_at] = [0, choices.len() * CHOSEN].map(|at| num_rows * SUMMARY + at);
        let mut state = self.state();
        self.make_room(&mut state.results, top_at + tops * TOP)?;
        let State { results, .. } = &mut *state;
        self.device
            .read_later(results, 0, summaries, num_rows * SUMMARY)?;
        for (at, from, num_bytes) in [
            (chosen_at, chosen, choices.len() * CHOSEN),
            (top_at, top, tops * TOP),
        ] {
            if num_bytes > 0 {
                self.device.read_later(results, at, from, num_bytes)?;
            }
        }
        self.device.wait()?;

        let bytes = results.bytes();
        let (records, _) = bytes[..chosen_at].as_chunks::<SUMMARY>();
        let summaries: Vec<_> = records.iter().map(summary).collect();
        let (records, _) = bytes[chosen_at..top_at].as_chunks::<CHOSEN>();
        let mut answers = vec![None; num_rows];
        for (index, (record, (row, choice))) in records.iter().zip(&choices).enumerate() {
            let num_top = match summaries[*row].log_sum_exp.is_nan() {
                true => 0,
                false => choice.num_top,
            };
            let top = top_at + index.min(tops) * TOP;
            answers[*row] = Some(unpack(record, &bytes[top..top + num_top * 8]));
        }
        Ok((summaries, answers))
    }

    /// Calls `with` with these rows, at most [`ROWS_AT_ONCE`].
    pub fn read_rows<R>(
        &self,
        logits: &Array,
        rows: &[usize],
        with: impl FnOnce(&[&[f32]]) -> R,
    ) -> Result<R> {
        let logits = logits.cuda("read_rows")?;
        let row_bytes = logits.width() * 4;
        let needed = rows.len() * row_bytes;
        let mut state = self.state();
        self.make_room(&mut state.results, needed)?;
        let results = &mut state.results;
        for (index, row) in rows.iter().enumerate() {
            let from = logits.address().offset(row * logits.stride * 4);
            self.device
                .read_later(results, index * row_bytes, from, row_bytes)?;
        }
        self.device.wait()?;
        // The memory begins at a page.
        let values: &[f32] = bytemuck::cast_slice(&results.bytes()[..needed]);
        let rows: Vec<&[f32]> = values.chunks_exact(logits.width().max(1)).collect();
        Ok(with(&rows))
    }

    fn summarize(&self, logits: &Array) -> Result<Address> {
        let op = "summarize";
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
        Ok(summaries)
    }

    /// Adds the copy of choices to the stream. Whoever asked for the last ones has waited for them.
    fn upload_choices(&self, choices: &[(usize, &Choice)]) -> Result<Address> {
        let mut state = self.state();
        let mut words = std::mem::take(&mut state.choice_words);
        pack(choices, &mut words);
        let num_bytes = 4 * words.len();
        self.make_room(&mut state.choices, num_bytes)?;
        state.choices.bytes_mut()[..num_bytes].copy_from_slice(bytemuck::cast_slice(&words));
        state.choice_words = words;
        drop(state);
        let to = self.scratch(Scratch::Choices, num_bytes)?;
        self.device
            .write_later(to, &self.state().choices, num_bytes)?;
        Ok(to)
    }

    fn make_room(&self, pinned: &mut Pinned, num_bytes: usize) -> Result<()> {
        if pinned.num_bytes() < num_bytes {
            *pinned = Pinned::new(&self.device, num_bytes.next_power_of_two())?;
        }
        Ok(())
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
