//! Rotary embeddings, the KV cache and attention.

use super::array::{Type, padded_head_dim};
use super::device::{Argument, Launch};
use super::{Cuda, Scratch, SpanInputs};
use crate::kernels::{Array, AttentionOptions, AttentionShape, Indices, RopeTable, Spans};
use candle_core::{Error, Result};

/// Query rows that a block of `attention_prefill` has.
const PREFILL_ROWS: usize = 128;

/// Blocks that attention of decoded tokens is spread over, about.
const DECODE_BLOCKS: usize = 4096;

/// Tokens of one sequence that a block of `attention_prefill` takes.
pub fn tokens_per_tile(shape: AttentionShape) -> Result<usize> {
    padded_head_dim(shape.head_dim)?;
    let group = shape.num_heads / shape.num_kv_heads;
    Ok((PREFILL_ROWS / group.min(PREFILL_ROWS)).max(1))
}

/// Memory for partial results of so many chunks; in powers of two, so that it grows seldom.
pub fn partials_bytes(shape: AttentionShape, num_chunks: usize) -> Result<usize> {
    let record = 4 * (padded_head_dim(shape.head_dim)? + 4);
    Ok((num_chunks * shape.num_heads * record).next_power_of_two())
}

/// Shared memory of a block of `attention_prefill`, in bytes.
fn prefill_shared(padded_head_dim: usize) -> usize {
    768 * padded_head_dim
}

fn missing(op: &'static str) -> Error {
    Error::Msg(format!("{op}: the step is not on the device"))
}

impl Cuda {
    pub fn rope_and_write(
        &self,
        qkv: &Array,
        cache: &Array,
        shape: AttentionShape,
        table: Option<&RopeTable>,
        positions: Indices<'_>,
        spans: Spans<'_>,
    ) -> Result<()> {
        let op = "rope_and_write";
        let (qkv, cache) = (qkv.cuda(op)?, cache.cuda(op)?);
        let positions = positions.cuda.ok_or_else(|| missing(op))?;
        let spans = spans.cuda.ok_or_else(|| missing(op))?;
        let (cos, sin, num_frequencies) = match table {
            Some(table) => (
                table.cos.cuda(op)?.address().into(),
                table.sin.cuda(op)?.address().into(),
                table.num_frequencies,
            ),
            None => (Argument::Null, Argument::Null, 0),
        };
        self.device.launch(
            &Launch {
                name: "rope_write_kv",
                grid: [qkv.num_rows(), 1, 1],
                threads: 128,
                shared: 0,
            },
            &[
                qkv.expect(Type::Bf16, op)?.into(),
                cache.expect(Type::Bf16, op)?.into(),
                cos,
                sin,
                positions.into(),
                spans.slots.into(),
                shape.num_heads.into(),
                shape.num_kv_heads.into(),
                shape.head_dim.into(),
                padded_head_dim(shape.head_dim)?.into(),
                num_frequencies.into(),
            ],
        )
    }

    #[allow(clippy::too_many_arguments)]
    pub fn paged_attention(
        &self,
        out: &Array,
        qkv: &Array,
        cache: &Array,
        shape: AttentionShape,
        scale: f32,
        options: AttentionOptions<'_>,
        spans: Spans<'_>,
    ) -> Result<()> {
        let op = "paged_attention";
        if options.is_bidirectional {
            return Err(Error::Msg(format!(
                "{op}: encoders are not supported on CUDA"
            )));
        }
        let sinks = match options.sinks {
            Some(sinks) => sinks.cuda(op)?.address().into(),
            None => Argument::Null,
        };
        let spans = spans.cuda.ok_or_else(|| missing(op))?;
        let padded = padded_head_dim(shape.head_dim)?;
        if prefill_shared(padded) > self.device.max_shared() {
            return Err(Error::Msg(format!(
                "{op}: heads of {} dimensions need more shared memory than this GPU has",
                shape.head_dim
            )));
        }
        let attention = Attention {
            cuda: self,
            out: out.cuda(op)?,
            qkv: qkv.cuda(op)?,
            cache: cache.cuda(op)?,
            shape,
            padded,
            scale,
            softcap: options.softcap.unwrap_or(0.0),
            window: options.window.unwrap_or(0),
            sinks,
            spans,
        };
        if spans.num_sequences > 0 {
            attention.decode()?;
        }
        if spans.num_tiles > 0 {
            attention.prefill()?;
        }
        Ok(())
    }
}

struct Attention<'a> {
    cuda: &'a Cuda,
    out: &'a super::Array,
    qkv: &'a super::Array,
    cache: &'a super::Array,
    shape: AttentionShape,
    padded: usize,
    scale: f32,
    softcap: f32,
    window: usize,
    /// Nothing, or a number for each query head.
    sinks: Argument,
    spans: &'a SpanInputs,
}

impl Attention<'_> {
    fn group(&self) -> usize {
        self.shape.num_heads / self.shape.num_kv_heads
    }

    /// Of sequences that compute one token: chunk by chunk, then their sums.
    fn decode(&self) -> Result<()> {
        let op = "paged_attention";
        let (shape, spans, padded) = (self.shape, self.spans, self.padded);
        let num_bytes = partials_bytes(shape, spans.num_chunks)?;
        let partials = self.cuda.scratch(Scratch::Partials, num_bytes)?;
        let kv_parts = shape.num_kv_heads * self.group().div_ceil(16);
        let workers = (DECODE_BLOCKS / (spans.num_sequences * kv_parts)).clamp(4, 256);
        self.cuda.device.launch(
            &Launch {
                name: &format!("attention_decode_{padded}"),
                grid: [
                    spans.max_chunks.map_or(workers, |most| most.min(workers)),
                    kv_parts,
                    spans.num_sequences,
                ],
                threads: 32 * (padded / 16).min(4),
                shared: 288 * padded + 4096,
            },
            &[
                self.qkv.expect(Type::Bf16, op)?.into(),
                self.cache.expect(Type::Bf16, op)?.into(),
                partials.into(),
                spans.rows.into(),
                spans.lens.into(),
                spans.table_starts.into(),
                spans.tables.into(),
                spans.chunk_starts.into(),
                shape.num_heads.into(),
                shape.num_kv_heads.into(),
                shape.head_dim.into(),
                self.scale.into(),
                self.softcap.into(),
                self.window.into(),
            ],
        )?;
        self.cuda.device.launch(
            &Launch {
                name: &format!("attention_combine_{padded}"),
                grid: [shape.num_heads, spans.num_sequences, 1],
                threads: padded.max(32),
                shared: 0,
            },
            &[
                partials.into(),
                self.out.expect(Type::Bf16, op)?.into(),
                self.sinks,
                spans.rows.into(),
                spans.lens.into(),
                spans.chunk_starts.into(),
                shape.num_heads.into(),
                shape.head_dim.into(),
                self.out.stride.into(),
                self.window.into(),
            ],
        )
    }

    /// Of sequences that compute several.
    fn prefill(&self) -> Result<()> {
        let op = "paged_attention";
        let (shape, spans, padded) = (self.shape, self.spans, self.padded);
        let parts = self.group().div_ceil(PREFILL_ROWS);
        self.cuda.device.launch(
            &Launch {
                name: &format!("attention_prefill_{padded}"),
                grid: [spans.num_tiles, shape.num_kv_heads * parts, 1],
                threads: if padded == 256 { 256 } else { 128 },
                shared: prefill_shared(padded),
            },
            &[
                self.qkv.expect(Type::Bf16, op)?.into(),
                self.cache.expect(Type::Bf16, op)?.into(),
                self.out.expect(Type::Bf16, op)?.into(),
                self.sinks,
                spans.tiles.into(),
                spans.tables.into(),
                shape.num_heads.into(),
                shape.num_kv_heads.into(),
                shape.head_dim.into(),
                self.out.stride.into(),
                self.scale.into(),
                self.softcap.into(),
                self.window.into(),
            ],
        )
    }
}
