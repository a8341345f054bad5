use super::{DecoderConfig, ModelError};
use crate::kernels::{Array, KV_BLOCK_SIZE, Kernels, KvType};

/// Keys and values of every layer, in blocks of [`KV_BLOCK_SIZE`] tokens.
pub struct KvCache {
    layers: Vec<Array>,
}

impl KvCache {
    /// Memory that one block of each KV group takes over the group's layers, in bytes.
    pub fn block_bytes(config: &DecoderConfig, kernels: &Kernels, kv_type: KvType) -> Vec<usize> {
        config.per_kv_group(kernels.kv_block_bytes(config.attention, kv_type))
    }

    /// `num_blocks` of each KV group.
    pub fn new(
        config: &DecoderConfig,
        kernels: &Kernels,
        kv_type: KvType,
        num_blocks: &[usize],
    ) -> Result<Self, ModelError> {
        let layers = (0..config.num_layers)
            .map(|layer| {
                let num_blocks = num_blocks.get(config.kv_group(layer)).copied();
                kernels.kv_cache(config.attention, kv_type, num_blocks.unwrap_or(0))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { layers })
    }

    /// One layer's blocks for all layers: for sequences that are computed whole, in one step, and then
    /// forgotten.
    pub fn of_one_batch(
        config: &DecoderConfig,
        kernels: &Kernels,
        kv_type: KvType,
        num_blocks: usize,
    ) -> Result<Self, ModelError> {
        let blocks = kernels.kv_cache(config.attention, kv_type, num_blocks)?;
        Ok(Self {
            layers: vec![blocks; config.num_layers],
        })
    }

    pub fn layer(&self, layer: usize) -> &Array {
        &self.layers[layer]
    }

    /// Tokens in a block.
    pub const fn block_size() -> usize {
        KV_BLOCK_SIZE
    }
}
