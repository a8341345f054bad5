use super::{DecoderConfig, ModelError};
use crate::kernels::{Array, KV_BLOCK_SIZE, Kernels, KvType};

/// Keys and values of every layer, in blocks of [`KV_BLOCK_SIZE`] tokens.
pub struct KvCache {
    layers: Vec<Array>,
}

impl KvCache {
    /// Memory that one block takes over all layers, in bytes.
    pub fn block_bytes(config: &DecoderConfig, kernels: &Kernels, kv_type: KvType) -> usize {
        config.num_layers * kernels.kv_block_bytes(config.attention, kv_type)
    }

    pub fn new(
        config: &DecoderConfig,
        kernels: &Kernels,
        kv_type: KvType,
        num_blocks: usize,
    ) -> Result<Self, ModelError> {
        let layers = (0..config.num_layers)
            .map(|_| kernels.kv_cache(config.attention, kv_type, num_blocks))
            .collect::<Result<_, _>>()?;
        Ok(Self { layers })
    }

    pub fn layer(&self, layer: usize) -> &Array {
        &self.layers[layer]
    }

    /// Tokens in a block.
    pub const fn block_size() -> usize {
        KV_BLOCK_SIZE
    }
}
