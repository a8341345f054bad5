use guichet::engine::NO_BLOCK;
use guichet::kernels::{
    Array, AttentionSpan, Batch, KernelSet, Kernels, KvType, ThreadPool, WeightType,
};
use guichet::model::{Checkpoint, Decoder, DecoderConfig, DecoderLimits, KvCache};
use std::path::Path;

/// Sequences that have blocks at a time.
const NUM_PLACES: usize = 4;
/// Blocks of a place in each KV group.
const NUM_BLOCKS: usize = 4;

/// A decoder on its own, whose sequences have a block table for each of its KV groups.
pub struct Bench {
    /// Its ranks, the first of which has the logits.
    ranks: Vec<(Decoder, KvCache)>,
    windows: Vec<Option<usize>>,
    keeps_all_blocks: bool,
}

/// Tokens of a sequence that a step computes.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    ids: &'a [u32],
    start: usize,
    /// Whose blocks the sequence has.
    place: usize,
}

impl<'a> Part<'a> {
    pub fn new(ids: &'a [u32], start: usize, place: usize) -> Self {
        assert!(place < NUM_PLACES);
        assert!(start + ids.len() <= NUM_BLOCKS * KvCache::block_size());
        Self { ids, start, place }
    }
}

impl Bench {
    pub fn load(dir: &Path, set: KernelSet, weight_type: WeightType, max_positions: usize) -> Self {
        let kernels = Kernels::new(set, ThreadPool::new(2).unwrap());
        Self::load_ranks(dir, vec![kernels], weight_type, max_positions)
    }

    /// The same for so many ranks.
    pub fn split(
        dir: &Path,
        set: KernelSet,
        weight_type: WeightType,
        max_positions: usize,
        num_ranks: usize,
    ) -> Self {
        let kernels = |_| Kernels::new(set, ThreadPool::new(1).unwrap());
        let ranks = Kernels::connect((0..num_ranks).map(kernels).collect()).unwrap();
        Self::load_ranks(dir, ranks, weight_type, max_positions)
    }

    fn load_ranks(
        dir: &Path,
        ranks: Vec<Kernels>,
        weight_type: WeightType,
        max_positions: usize,
    ) -> Self {
        let config = DecoderConfig::from_dir(dir).unwrap();
        let checkpoint = Checkpoint::open(dir).unwrap();
        Self::of(config, &checkpoint, ranks, weight_type, max_positions)
    }

    /// Of kernels that are connected.
    pub fn of(
        config: DecoderConfig,
        checkpoint: &Checkpoint,
        ranks: Vec<Kernels>,
        weight_type: WeightType,
        max_positions: usize,
    ) -> Self {
        let limits = DecoderLimits {
            max_rows: 256,
            max_output_rows: 256,
            max_positions,
        };
        let kv_type = match weight_type {
            WeightType::F32 => KvType::F32,
            _ => KvType::Bf16,
        };
        let windows = config.kv_groups();
        let num_blocks = vec![NUM_PLACES * NUM_BLOCKS; windows.len()];
        let rank = |kernels| {
            let precision = weight_type.into();
            let decoder = Decoder::load(config.clone(), checkpoint, kernels, precision, limits);
            let decoder = decoder.unwrap();
            let (config, kernels) = (decoder.config(), decoder.kernels());
            let cache = KvCache::new(config, kernels, kv_type, &num_blocks).unwrap();
            (decoder, cache)
        };
        Self {
            ranks: ranks.into_iter().map(rank).collect(),
            windows,
            keeps_all_blocks: false,
        }
    }

    /// The same, in whose tables no block is missing.
    pub fn keeping_all_blocks(self) -> Self {
        Self {
            keeps_all_blocks: true,
            ..self
        }
    }

    /// Logits at every position of each part.
    pub fn step(&self, parts: &[Part<'_>]) -> Vec<Vec<Vec<f32>>> {
        let tables: Vec<Vec<_>> = (0..self.windows.len())
            .map(|group| {
                parts
                    .iter()
                    .map(|part| self.block_table(group, part))
                    .collect()
            })
            .collect();
        let spans: Vec<Vec<_>> = tables.iter().map(|tables| spans(parts, tables)).collect();
        let token_ids: Vec<u32> = parts.iter().flat_map(|part| part.ids).copied().collect();
        let positions: Vec<u32> = parts
            .iter()
            .flat_map(|part| part.start..part.start + part.ids.len())
            .map(|position| position as u32)
            .collect();
        let output_rows: Vec<u32> = (0..token_ids.len() as u32).collect();
        let batch = Batch {
            token_ids: &token_ids,
            positions: &positions,
            spans: &spans,
            output_rows: &output_rows,
        };
        let logits = self.forward(&batch);
        let mut rows = logits.to_rows().unwrap().into_iter();
        parts
            .iter()
            .map(|part| rows.by_ref().take(part.ids.len()).collect())
            .collect()
    }

    /// All ranks side by side.
    fn forward(&self, batch: &Batch<'_>) -> Array {
        let compute = |(decoder, cache): &(Decoder, KvCache)| {
            let step = || decoder.forward(batch, cache);
            decoder.kernels().in_lockstep(step).unwrap()
        };
        let compute = &compute;
        std::thread::scope(|scope| {
            for rank in &self.ranks[1..] {
                scope.spawn(move || assert_eq!(compute(rank).num_rows(), 0));
            }
            compute(&self.ranks[0])
        })
    }

    /// Blocks that a sequence which goes on at `start` does not have any more, in all groups.
    pub fn num_gone(&self, start: usize) -> usize {
        self.windows
            .iter()
            .map(|window| num_gone(*window, start))
            .sum()
    }

    /// Neither in order nor beside each other, and other ones in each group.
    fn block_table(&self, group: usize, part: &Part<'_>) -> Vec<u32> {
        let num_gone = match self.keeps_all_blocks {
            true => 0,
            false => num_gone(self.windows[group], part.start),
        };
        (0..NUM_BLOCKS)
            .map(|block| {
                let slot = (NUM_BLOCKS - 1 - block) * NUM_PLACES + part.place + group;
                match block < num_gone {
                    true => NO_BLOCK,
                    false => (slot % (NUM_PLACES * NUM_BLOCKS)) as u32,
                }
            })
            .collect()
    }
}

/// Blocks before the first token that one at `start` sees.
fn num_gone(window: Option<usize>, start: usize) -> usize {
    let first = window.map_or(0, |window| (start + 1).saturating_sub(window));
    first / KvCache::block_size()
}

fn spans<'a>(parts: &[Part<'_>], tables: &'a [Vec<u32>]) -> Vec<AttentionSpan<'a>> {
    let mut first = 0;
    parts
        .iter()
        .zip(tables)
        .map(|(part, block_table)| {
            let rows = first..first + part.ids.len();
            first = rows.end;
            AttentionSpan {
                rows,
                start: part.start,
                block_table,
            }
        })
        .collect()
}
