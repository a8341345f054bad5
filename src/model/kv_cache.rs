use super::zeros::zeros;
use super::{DecoderConfig, ModelError};
use crate::kernels::{KV_BLOCK_SIZE, KvType, PagedLayout};
use candle_core::Tensor;
use half::bf16;

/// Keys and values of every layer, in blocks of [`KV_BLOCK_SIZE`] tokens.
pub struct KvCache {
    layers: Vec<Tensor>,
}

impl KvCache {
    /// Memory that one block takes over all layers, in bytes.
    pub fn block_bytes(config: &DecoderConfig, kv_type: KvType) -> usize {
        let block_len = PagedLayout::new(config.attention, kv_type).block_len();
        config.num_layers * block_len * kv_type.num_bytes()
    }

    /// Pages that no token has reached are not backed by memory yet.
    pub fn new(
        config: &DecoderConfig,
        kv_type: KvType,
        num_blocks: usize,
    ) -> Result<Self, ModelError> {
        let block_len = PagedLayout::new(config.attention, kv_type).block_len();
        let layers = (0..config.num_layers)
            .map(|_| match kv_type {
                KvType::F32 => zeros::<f32>(num_blocks, block_len),
                KvType::Bf16 => zeros::<bf16>(num_blocks, block_len),
                KvType::Int8 => zeros::<u8>(num_blocks, block_len),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { layers })
    }

    pub fn layer(&self, layer: usize) -> &Tensor {
        &self.layers[layer]
    }

    /// Tokens in a block.
    pub const fn block_size() -> usize {
        KV_BLOCK_SIZE
    }
}
