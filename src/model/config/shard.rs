//! What one of several ranks has of a decoder: some heads, and a part of the width of each MLP
//! (Shoeybi et al. 2019). Norms, routers, the embedding and the residual stream are whole on each.

use super::{DecoderConfig, MlpConfig, QkNorm};
use crate::kernels::{AttentionShape, Shard};
use crate::model::ModelError;
use std::ops::Range;

/// The heads of one rank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankHeads {
    /// All heads of the model.
    pub whole: AttentionShape,
    pub queries: Range<usize>,
    /// Those of keys and values that these queries see. Where there are fewer than ranks, several
    /// ranks have the same one.
    pub keys: Range<usize>,
}

impl RankHeads {
    /// Of heads that [`DecoderConfig::of_rank`] does not refuse to split.
    pub fn new(whole: AttentionShape, shard: Shard) -> Self {
        let num_keys = whole.num_kv_heads;
        Self {
            whole,
            queries: shard.range(whole.num_heads),
            keys: match num_keys < shard.size {
                true => {
                    let first = shard.rank * num_keys / shard.size;
                    first..first + 1
                }
                false => shard.range(num_keys),
            },
        }
    }

    pub fn shape(&self) -> AttentionShape {
        AttentionShape {
            num_heads: self.queries.len(),
            num_kv_heads: self.keys.len(),
            ..self.whole
        }
    }

    /// Which of the outputs for all queries.
    pub fn q_rows(&self) -> Range<usize> {
        rows(&self.queries, self.whole)
    }

    /// Which of the outputs for all keys, and for all values.
    pub fn kv_rows(&self) -> Range<usize> {
        rows(&self.keys, self.whole)
    }

    /// Outputs for all keys.
    pub fn whole_kv_width(&self) -> usize {
        self.whole.num_kv_heads * self.whole.head_dim
    }
}

fn rows(heads: &Range<usize>, shape: AttentionShape) -> Range<usize> {
    heads.start * shape.head_dim..heads.end * shape.head_dim
}

impl DecoderConfig {
    /// What a rank has of this decoder.
    ///
    /// Errors: so many ranks cannot share it.
    pub fn of_rank(&self, shard: Shard) -> Result<Self, ModelError> {
        if shard.is_whole() {
            return Ok(self.clone());
        }
        let size = shard.size;
        let refusal = |what: String| {
            let message = format!("`tensor_parallel` is {size}, {what}");
            Err(ModelError::Unsupported(message))
        };
        let AttentionShape {
            num_heads,
            num_kv_heads,
            ..
        } = self.attention;
        if !num_heads.is_multiple_of(size) {
            return refusal(format!(
                "but the model has {num_heads} heads of queries, which it does not divide"
            ));
        }
        if !num_kv_heads.is_multiple_of(size) && !size.is_multiple_of(num_kv_heads) {
            return refusal(format!(
                "but the model has {num_kv_heads} heads of keys and values: it must divide them or be \
                 a multiple of them"
            ));
        }
        if self.qk_norm == Some(QkNorm::Tokens) {
            return refusal(
                "but the model norms the queries of all heads of a token together: set it to 1"
                    .into(),
            );
        }
        let mut widths = self.layers.iter().flat_map(|layer| layer.mlp.widths());
        if let Some(width) = widths.find(|width| !width.is_multiple_of(size)) {
            return refusal(format!(
                "but an MLP of the model is {width} wide, which it does not divide"
            ));
        }
        let mut own = self.clone();
        own.attention = RankHeads::new(self.attention, shard).shape();
        for layer in &mut own.layers {
            match &mut layer.mlp {
                MlpConfig::Dense { width, .. } => *width /= size,
                MlpConfig::Experts(experts) => {
                    experts.width /= size;
                    experts.shared_width = experts.shared_width.map(|width| width / size);
                }
            }
        }
        Ok(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(num_heads: usize, num_kv_heads: usize, size: usize) -> Vec<[Range<usize>; 2]> {
        let whole = AttentionShape {
            num_heads,
            num_kv_heads,
            head_dim: 16,
        };
        let of_rank = |rank| {
            let heads = RankHeads::new(whole, Shard { rank, size });
            [heads.queries, heads.keys]
        };
        (0..size).map(of_rank).collect()
    }

    #[test]
    fn every_rank_has_the_keys_that_its_queries_see() {
        assert_eq!(heads(8, 4, 2), [[0..4, 0..2], [4..8, 2..4]]);
        assert_eq!(heads(6, 1, 2), [[0..3, 0..1], [3..6, 0..1]]);
        let shared = [[0..2, 0..1], [2..4, 0..1], [4..6, 1..2], [6..8, 1..2]];
        assert_eq!(heads(8, 2, 4), shared);
        // Whoever asks for query head 5 of 12 finds it beside key head 5 / 4.
        for size in [1, 2, 3, 4, 6, 12] {
            let found = heads(12, 3, size);
            if 3 % size != 0 && size % 3 != 0 {
                continue;
            }
            for [queries, keys] in found {
                let group = queries.len() / keys.len();
                for (at, query) in queries.enumerate() {
                    assert_eq!(keys.start + at / group, query / 4, "{size} ranks");
                }
            }
        }
    }
}
