use super::{AttentionShape, KvType};

/// Tokens in a KV block, on every device.
pub const KV_BLOCK_SIZE: usize = 32;

/// Where a head's keys and values lie inside a layer's CPU cache: `[blocks][kv heads]` of
/// keys, then values, each with the scales of its slots after it where its type has scales. How
/// they stand among themselves depends on their type (`cpu::kv`).
#[derive(Debug, Clone, Copy)]
pub struct PagedLayout {
    num_kv_heads: usize,
    key_len: usize,
    value_len: usize,
}

impl PagedLayout {
    pub fn new(shape: AttentionShape, kv_type: KvType) -> Self {
        let scale = kv_type.scale_len();
        Self {
            num_kv_heads: shape.num_kv_heads,
            key_len: (shape.head_dim.next_multiple_of(2) + scale) * KV_BLOCK_SIZE,
            value_len: (Self::padded_head_dim(shape.head_dim) + scale) * KV_BLOCK_SIZE,
        }
    }

    /// Dimensions of a value, those that fill up its last vector included.
    pub fn padded_head_dim(head_dim: usize) -> usize {
        head_dim.next_multiple_of(16)
    }

    /// Elements in a block of one layer.
    pub fn block_len(&self) -> usize {
        self.num_kv_heads * (self.key_len + self.value_len)
    }

    /// Elements of one head's keys in a block.
    pub fn key_len(&self) -> usize {
        self.key_len
    }

    /// Elements of one head's values in a block.
    pub fn value_len(&self) -> usize {
        self.value_len
    }

    /// Where a head's keys start, inside the cache.
    pub fn keys(&self, block: u32, head: usize) -> usize {
        block as usize * self.block_len() + head * (self.key_len + self.value_len)
    }

    /// Where a head's values start, inside the cache.
    pub fn values(&self, block: u32, head: usize) -> usize {
        self.keys(block, head) + self.key_len
    }
}
