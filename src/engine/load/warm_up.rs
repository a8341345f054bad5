//! The first steps of a model on a GPU: they show how much memory a step takes beside the weights,
//! and let the device record those that come most often.

use crate::kernels::{AttentionSpan, Batch, KvType};
use crate::model::{Decoder, DecoderLimits, KvCache, ModelError};

/// Of what is free, the part that the KV cache leaves to the driver, in percent.
const RESERVED: u64 = 8;

/// Takes the memory for whatever may be asked of the logits of a step: before that of the KV cache is
/// measured, and before steps are recorded, which memory that moves would undo.
pub fn reserve(decoder: &Decoder, limits: DecoderLimits) -> Result<(), ModelError> {
    let vocab = decoder.config().vocab_size;
    decoder
        .kernels()
        .reserve_logits(limits.max_output_rows, vocab)?;
    Ok(())
}

/// Memory that the largest step leaves free, in bytes, less what the driver may still want.
pub fn free_memory(decoder: &Decoder, limits: DecoderLimits) -> Result<u64, ModelError> {
    let num_tokens = limits.max_rows.min(limits.max_positions);
    let num_blocks = num_tokens.div_ceil(KvCache::block_size());
    let kernels = decoder.kernels();
    let cache = KvCache::new(decoder.config(), kernels, KvType::Bf16, &[num_blocks])?;
    let block_table: Vec<u32> = (0..num_blocks as u32).collect();
    let spans = vec![AttentionSpan {
        rows: 0..num_tokens,
        start: 0,
        block_table: &block_table,
    }];
    step(decoder, &cache, &spans)?;
    drop(cache);
    let free = kernels.free_gpu_memory()?.unwrap_or(0);
    Ok(free / 100 * (100 - RESERVED))
}

/// Lets the device record the steps in which up to `max_num_seqs` sequences decode.
pub fn record(decoder: &Decoder, cache: &KvCache, max_num_seqs: usize) -> Result<(), ModelError> {
    for num_sequences in decoder.kernels().recorded_rows() {
        if num_sequences > max_num_seqs {
            break;
        }
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
            spans: &[spans.to_vec()],
            output_rows: &output_rows,
        },
        cache,
    )?;
    decoder.kernels().for_logits(&logits, &[], |_, _| ())?;
    Ok(())
}
