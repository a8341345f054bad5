//! The first steps of a model on a GPU: they show how much memory a step takes beside the weights,
//! and let the device record those that come most often.

use crate::kernels::{AttentionSpan, Batch, KvType, panic_message};
use crate::model::{Decoder, DecoderLimits, KvCache, ModelError};
use std::any::Any;

/// Of what is free, the part that the KV cache leaves to the driver, in percent.
const RESERVED: u64 = 8;

/// Takes the memory for whatever may be asked of the logits of a step: before that of the KV cache is
/// measured, and before steps are recorded, which memory that moves would undo. Of several ranks the
/// first alone has logits.
pub fn reserve(decoder: &Decoder, limits: DecoderLimits) -> Result<(), ModelError> {
    let (kernels, vocab) = (decoder.kernels(), decoder.config().vocab_size);
    let num_rows = kernels.room_for(limits.max_output_rows);
    Ok(kernels.reserve_logits(num_rows, vocab)?)
}

/// Memory that the largest step leaves free on the GPUs of all ranks, in bytes: as often what it
/// leaves on the fullest, less what the driver may still want.
pub fn free_memory(decoders: &mut [Decoder], limits: DecoderLimits) -> Result<u64, ModelError> {
    if let [decoder] = decoders {
        return free_memory_of(decoder, limits);
    }
    let num_ranks = decoders.len() as u64;
    let of_each = std::thread::scope(|scope| {
        let threads: Vec<_> = decoders
            .iter_mut()
            .map(|decoder| scope.spawn(move || free_memory_of(decoder, limits)))
            .collect();
        let joined = threads.into_iter().map(|thread| {
            let panicked =
                |panic: Box<dyn Any + Send>| Err(ModelError::Unsupported(panic_message(&*panic)));
            thread.join().unwrap_or_else(panicked)
        });
        joined.collect::<Result<Vec<_>, _>>()
    })?;
    Ok(of_each.into_iter().min().unwrap_or(0) * num_ranks)
}

fn free_memory_of(decoder: &Decoder, limits: DecoderLimits) -> Result<u64, ModelError> {
    let kernels = decoder.kernels();
    kernels.in_lockstep(|| {
        kernels.enter()?;
        largest_step(decoder, limits)?;
        let free = kernels.free_gpu_memory()?.unwrap_or(0);
        Ok(free / 100 * (100 - RESERVED))
    })
}

fn largest_step(decoder: &Decoder, limits: DecoderLimits) -> Result<(), ModelError> {
    let num_tokens = limits.max_rows.min(limits.max_positions);
    let num_blocks = num_tokens.div_ceil(KvCache::block_size());
    let kernels = decoder.kernels();
    let of_groups = vec![num_blocks; decoder.config().kv_groups().len()];
    let cache = KvCache::new(decoder.config(), kernels, KvType::Bf16, &of_groups)?;
    let block_table: Vec<u32> = (0..num_blocks as u32).collect();
    let spans = vec![AttentionSpan {
        rows: 0..num_tokens,
        start: 0,
        block_table: &block_table,
    }];
    step(decoder, &cache, &spans)
}

/// Lets the device record the steps in which up to `max_num_seqs` sequences decode: the last with
/// more rows than that, if those of a full step are filled up.
pub fn record(decoder: &Decoder, cache: &KvCache, max_num_seqs: usize) -> Result<(), ModelError> {
    let mut most = 0;
    for num_sequences in decoder.kernels().recorded_rows() {
        if most >= max_num_seqs {
            break;
        }
        most = num_sequences;
        let num_sequences = num_sequences.min(max_num_seqs);
        let spans: Vec<_> = (0..num_sequences)
            .map(|row| AttentionSpan {
                rows: row..row + 1,
                start: 0,
                block_table: &[0],
            })
            .collect();
        // The first is only seen, the second recorded.
        for _ in 0..2 {
            step(decoder, cache, &spans)?;
        }
    }
    Ok(())
}

fn step(decoder: &Decoder, cache: &KvCache, spans: &[AttentionSpan<'_>]) -> Result<(), ModelError> {
    let positions: Vec<u32> = spans
        .iter()
        .flat_map(|span| (span.start..).zip(span.rows.clone()))
        .map(|(position, _)| position as u32)
        .collect();
    let token_ids = vec![0; positions.len()];
    let output_rows: Vec<u32> = spans.iter().map(|span| span.rows.end as u32 - 1).collect();
    let logits = decoder.forward(
        &Batch {
            token_ids: &token_ids,
            positions: &positions,
            spans: &vec![spans.to_vec(); decoder.config().kv_groups().len()],
            output_rows: &output_rows,
        },
        cache,
    )?;
    // The first rank alone has logits.
    match logits.num_rows() {
        0 => decoder.kernels().wait()?,
        _ => {
            decoder.kernels().for_logits(&logits, &[], |_, _| ())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{KernelSet, Kernels, ThreadPool, WeightType};
    use crate::model::{Checkpoint, DecoderConfig};
    use candle_core::Device;
    use std::path::Path;

    /// Gemma's layers have two KV groups, each with blocks of its own.
    #[test]
    fn a_model_whose_layers_see_different_windows_takes_its_largest_step() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let dir = fixtures.join("families/gemma2");
        let config = DecoderConfig::from_dir(&dir).unwrap();
        assert_eq!(config.kv_groups().len(), 2);
        let checkpoint = Checkpoint::open(&dir).unwrap();
        let kernels = Kernels::new(KernelSet::best(), ThreadPool::new(1).unwrap());
        let kernels = kernels.on_candle(Device::Cpu);
        let limits = DecoderLimits {
            max_rows: 100,
            max_output_rows: 4,
            max_positions: 128,
        };
        let weights = WeightType::Bf16.into();
        let decoder = Decoder::load(config, &checkpoint, kernels, weights, limits).unwrap();
        // A CPU has no memory of its own to fill.
        assert_eq!(free_memory(&mut [decoder], limits).unwrap(), 0);
    }
}
