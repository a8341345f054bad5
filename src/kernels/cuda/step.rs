//! What a step says to its kernels, brought to the device in one copy.

use super::attention::{partials_bytes, tokens_per_tile};
use super::device::Address;
use super::memory::{Memory, Pinned};
use super::{Cuda, Scratch};
use crate::kernels::{AttentionShape, Batch, KV_BLOCK_SIZE};
use candle_core::{Error, Result};

/// Positions whose keys and values make one partial result.
pub const CHUNK: usize = 64;

/// Numbers of rows for which steps that only decode are recorded; others are filled up to the
/// next of these.
pub const RECORDED: [usize; 13] = [1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256];

/// Where on the device a step's numbers lie.
pub struct StepInputs {
    base: Address,
    num_rows: usize,
    num_outputs: usize,
    spans: Vec<SpanInputs>,
    /// The number of rows under which the step is recorded, if it is.
    pub recorded: Option<usize>,
}

/// Of one KV group.
pub struct SpanInputs {
    /// For each row, the slot of its key and value in the cache.
    pub slots: Address,
    /// Sequences that compute one token.
    pub num_sequences: usize,
    pub rows: Address,
    pub lens: Address,
    pub table_starts: Address,
    pub chunk_starts: Address,
    /// Parts of the others.
    pub num_tiles: usize,
    pub tiles: Address,
    /// The block tables of all.
    pub tables: Address,
    /// Most chunks of a sequence that computes one token; none where the step is recorded and
    /// may be any other.
    pub max_chunks: Option<usize>,
    /// Chunks of all of them.
    pub num_chunks: usize,
}

/// The memory that steps are brought to, and the numbers on their way there.
pub struct Inputs {
    words: Vec<u32>,
    pinned: Pinned,
    memory: Memory,
}

const INITIAL_BYTES: usize = 1 << 20;

impl Inputs {
    pub fn new(device: &std::sync::Arc<super::device::Device>) -> Result<Self> {
        Ok(Self {
            words: Vec::new(),
            pinned: Pinned::new(device, INITIAL_BYTES)?,
            memory: Memory::zeroed(device, INITIAL_BYTES)?,
        })
    }
}

impl StepInputs {
    pub fn num_rows(&self) -> usize {
        self.num_rows
    }

    pub fn num_outputs(&self) -> usize {
        self.num_outputs
    }

    pub fn token_ids(&self) -> Address {
        self.base
    }

    pub fn positions(&self) -> Address {
        self.base.offset(4 * self.num_rows)
    }

    pub fn output_rows(&self) -> Address {
        self.base.offset(8 * self.num_rows)
    }

    pub fn spans(&self, kv_group: usize) -> &SpanInputs {
        &self.spans[kv_group]
    }
}

/// The part of a KV group in the making.
#[derive(Default)]
struct Group {
    slots: Vec<u32>,
    rows: Vec<u32>,
    lens: Vec<u32>,
    table_starts: Vec<u32>,
    chunk_starts: Vec<u32>,
    tiles: Vec<[u32; 4]>,
    max_chunks: usize,
    num_chunks: usize,
}

impl Cuda {
    /// Copies what the kernels of a step must know; `records` whether it may be one of those that
    /// are recorded.
    pub fn upload(
        &self,
        batch: &Batch<'_>,
        shape: AttentionShape,
        records: bool,
    ) -> Result<StepInputs> {
        self.device.enter()?;
        // What the step before copies from, or computes with, is written anew.
        self.device.wait()?;
        let recorded = recorded_rows(batch).filter(|_| records);
        let num_rows = recorded.unwrap_or(batch.token_ids.len());
        let num_outputs = recorded.unwrap_or(batch.output_rows.len());
        let mut tables = Vec::new();
        let groups = (batch.spans.iter())
            .map(|spans| Group::new(spans, batch, shape, num_rows, recorded, &mut tables))
            .collect::<Result<Vec<_>>>()?;

        // A recorded step finds its memory, and does not ask for it.
        for group in &groups {
            self.scratch(Scratch::Partials, partials_bytes(shape, group.num_chunks)?)?;
        }

        let mut state = self.state();
        let inputs = &mut state.inputs;
        let words = &mut inputs.words;
        words.clear();
        let filled = |words: &mut Vec<u32>, values: &[u32], len: usize| {
            let start = words.len();
            words.extend_from_slice(values);
            words.resize(start + len, 0);
            start
        };
        filled(words, batch.token_ids, num_rows);
        filled(words, batch.positions, num_rows);
        filled(words, batch.output_rows, num_outputs);
        // What has a fixed length comes first, so that it lies at the same place in every step of
        // as many rows.
        let places: Vec<_> = groups
            .iter()
            .map(|group| {
                let num_sequences = group.rows.len();
                [
                    filled(words, &group.slots, num_rows),
                    filled(words, &group.rows, num_sequences),
                    filled(words, &group.lens, num_sequences),
                    filled(words, &group.table_starts, num_sequences),
                    filled(words, &group.chunk_starts, num_sequences),
                ]
            })
            .collect();
        let tiles: Vec<_> = groups
            .iter()
            .map(|group| {
                // A tile is read as one vector of four numbers.
                let start = words.len().next_multiple_of(4);
                words.resize(start, 0);
                words.extend(group.tiles.iter().flatten());
                start
            })
            .collect();
        let tables_start = words.len();
        words.extend_from_slice(&tables);

        let num_bytes = 4 * words.len();
        if num_bytes > inputs.pinned.num_bytes() {
            let larger = num_bytes.next_power_of_two();
            inputs.pinned = Pinned::new(&self.device, larger)?;
            inputs.memory = Memory::zeroed(&self.device, larger)?;
            state.graphs.clear();
        }
        let inputs = &mut state.inputs;
        inputs.pinned.bytes_mut()[..num_bytes].copy_from_slice(bytemuck::cast_slice(&inputs.words));
        let base = inputs.memory.address();
        self.device.write_later(base, &inputs.pinned, num_bytes)?;
        drop(state);

        let at = |word: usize| base.offset(4 * word);
        let spans: Vec<SpanInputs> = groups
            .iter()
            .zip(places)
            .zip(tiles)
            .map(
                |((group, [slots, rows, lens, table_starts, chunk_starts]), tiles)| SpanInputs {
                    slots: at(slots),
                    num_sequences: group.rows.len(),
                    rows: at(rows),
                    lens: at(lens),
                    table_starts: at(table_starts),
                    chunk_starts: at(chunk_starts),
                    num_tiles: group.tiles.len(),
                    tiles: at(tiles),
                    tables: at(tables_start),
                    max_chunks: recorded.is_none().then_some(group.max_chunks),
                    num_chunks: group.num_chunks,
                },
            )
            .collect();
        Ok(StepInputs {
            base,
            num_rows,
            num_outputs,
            spans,
            recorded,
        })
    }
}

/// The number of rows under which a step is recorded: one in which every sequence decodes one
/// token.
fn recorded_rows(batch: &Batch<'_>) -> Option<usize> {
    let len = batch.token_ids.len();
    let decodes = batch.output_rows.len() == len
        && (0..)
            .zip(batch.output_rows)
            .all(|(row, output)| row == *output)
        && batch.spans.iter().all(|spans| spans.len() == len);
    if !decodes {
        return None;
    }
    RECORDED.into_iter().find(|rows| *rows >= len)
}

impl Group {
    fn new(
        spans: &[crate::kernels::AttentionSpan<'_>],
        batch: &Batch<'_>,
        shape: AttentionShape,
        num_rows: usize,
        recorded: Option<usize>,
        tables: &mut Vec<u32>,
    ) -> Result<Self> {
        let mut group = Self {
            // Rows that belong to nobody write where nobody reads.
            slots: vec![0; num_rows],
            ..Self::default()
        };
        let tile = tokens_per_tile(shape)?;
        for span in spans {
            let table_start = tables.len() as u32;
            // The cache's first block is nobody's.
            tables.extend(span.block_table.iter().map(|block| block + 1));
            let table = &tables[table_start as usize..];
            for (row, position) in span.rows.clone().zip(span.start..) {
                let block = table.get(position / KV_BLOCK_SIZE).ok_or_else(|| {
                    Error::Msg(format!("position {position} is outside its block table"))
                })?;
                group.slots[row] = block * KV_BLOCK_SIZE as u32 + (position % KV_BLOCK_SIZE) as u32;
            }
            if span.rows.len() == 1 {
                group.add_sequence(span.rows.start, span.start + 1, table_start);
                continue;
            }
            for first in (0..span.rows.len()).step_by(tile) {
                group.tiles.push([
                    (span.rows.start + first) as u32,
                    (span.start + first) as u32,
                    tile.min(span.rows.len() - first) as u32,
                    table_start,
                ]);
            }
        }
        for _ in group.rows.len()..recorded.unwrap_or(0) {
            group.add_sequence(0, 0, 0);
        }
        // The kernel begins with the last: those that see most come there, so that the device's
        // processors finish together.
        group.tiles.sort_unstable_by_key(|tile| tile[1] + tile[2]);
        debug_assert_eq!(num_rows.max(batch.token_ids.len()), num_rows);
        Ok(group)
    }

    /// A sequence that computes one token and sees `len`.
    fn add_sequence(&mut self, row: usize, len: usize, table_start: u32) {
        let num_chunks = len.div_ceil(CHUNK);
        self.rows.push(row as u32);
        self.lens.push(len as u32);
        self.table_starts.push(table_start);
        self.chunk_starts.push(self.num_chunks as u32);
        self.num_chunks += num_chunks;
        self.max_chunks = self.max_chunks.max(num_chunks);
    }
}

#[cfg(test)]
mod tests;
