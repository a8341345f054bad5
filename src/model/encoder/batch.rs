use super::super::{KvCache, ModelError};
use super::EncoderInput;
use crate::kernels::AttentionSpan;

/// What work space is made for.
#[derive(Debug, Clone, Copy)]
pub struct EncoderLimits {
    /// Most tokens in a batch.
    pub max_rows: usize,
    /// Most texts in a batch.
    pub max_texts: usize,
}

/// The rows of whole texts, one text after another, with blocks for keys and values that no text
/// shares.
pub struct TextBatch<'a> {
    pub token_ids: Vec<u32>,
    /// Of each token in its text, from 0 on.
    pub positions: Vec<u32>,
    pub spans: Vec<AttentionSpan<'a>>,
}

impl EncoderLimits {
    /// As many blocks as any batch needs.
    pub fn num_blocks(&self) -> usize {
        self.max_rows / KvCache::block_size() + self.max_texts
    }
}

impl<'a> TextBatch<'a> {
    /// `block_table` has [`EncoderLimits::num_blocks`]. An error for what exceeds `limits`, an empty
    /// text, or one that is longer than `max_positions`.
    pub fn new(
        texts: &[EncoderInput<'_>],
        limits: EncoderLimits,
        max_positions: usize,
        block_table: &'a [u32],
    ) -> Result<Self, ModelError> {
        let lens = || texts.iter().map(|text| text.token_ids.len());
        let rows: usize = lens().sum();
        let fits = !texts.is_empty() && texts.len() <= limits.max_texts && rows <= limits.max_rows;
        if !fits || lens().any(|len| len == 0 || len > max_positions) {
            let message = format!("a batch of {} texts and {rows} tokens", texts.len());
            return Err(ModelError::Unsupported(message));
        }
        let mut batch = Self {
            token_ids: Vec::with_capacity(rows),
            positions: Vec::with_capacity(rows),
            spans: Vec::with_capacity(texts.len()),
        };
        let mut blocks = block_table;
        for text in texts {
            let (first, len) = (batch.token_ids.len(), text.token_ids.len());
            let num_blocks = len.div_ceil(KvCache::block_size());
            let (block_table, rest) = blocks.split_at(num_blocks);
            blocks = rest;
            batch.spans.push(AttentionSpan {
                rows: first..first + len,
                start: 0,
                block_table,
            });
            batch.token_ids.extend_from_slice(text.token_ids);
            batch.positions.extend((0..len).map(|at| at as u32));
        }
        Ok(batch)
    }
}
