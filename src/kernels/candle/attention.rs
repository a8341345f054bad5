use super::plan::Group;
use super::rows::capped;
use super::{Array, Candle};
use crate::kernels::{AttentionOptions, AttentionShape, KV_BLOCK_SIZE, Spans};
use candle_core::{D, DType, Error, Result, Tensor};
use std::sync::Arc;

/// What is the same for all rows.
struct Attention<'a> {
    shape: AttentionShape,
    scale: f32,
    softcap: Option<f32>,
    /// `[1, heads, 1, 1]`.
    sinks: Option<Tensor>,
    /// `[rows, qkv_width]`.
    qkv: &'a Tensor,
    /// `[blocks, slots * kv_width]`.
    cache: &'a Tensor,
}

impl Candle {
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
        if options.is_bidirectional {
            let message = "paged_attention: encoders are computed on the CPU";
            return Err(Error::Msg(message.into()));
        }
        let (qkv, cache) = (qkv.tensor()?, cache.tensor()?);
        let make = || self.plan(spans.host, out.num_rows(), shape, options.window);
        let plan = match spans.candle {
            Some(inputs) => inputs.plan(options.window, make)?,
            None => Arc::new(make()?),
        };
        let sinks = options.sinks.map(|sinks| {
            let sinks = sinks.candle("paged_attention")?;
            sinks.reshape((1, shape.num_heads, 1, 1))
        });
        let attention = Attention {
            shape,
            scale,
            softcap: options.softcap,
            sinks: sinks.transpose()?,
            qkv: &qkv,
            cache: &cache,
        };
        let attended = plan.groups.iter().map(|group| attention.attend(group));
        let attended: Vec<Tensor> = attended.collect::<Result<_>>()?;
        let attended = match &attended[..] {
            [all] => all.clone(),
            parts => Tensor::cat(parts, 0)?,
        };
        out.put(match &plan.order {
            Some(order) => attended.index_select(order, 0)?,
            None => attended,
        })
    }
}

impl Attention<'_> {
    /// `[sequences * tokens, heads * head_dim]`.
    fn attend(&self, group: &Group) -> Result<Tensor> {
        let shape = self.shape;
        let (sequences, tokens) = (group.num_sequences, group.num_tokens);
        let (kv_heads, dim) = (shape.num_kv_heads, shape.head_dim);
        // Queries of one head of keys are one matrix: `[sequences * kv_heads, heads' tokens, dim]`.
        let shared = shape.num_heads / kv_heads;
        let q = self.qkv.index_select(&group.rows, 0)?;
        let q = q.narrow(1, 0, shape.q_width())?.contiguous()?;
        let q = q.reshape((sequences, tokens, kv_heads, shared, dim))?;
        let q = q.permute((0, 2, 3, 1, 4))?.contiguous()?;
        let q = q.reshape((sequences * kv_heads, shared * tokens, dim))?;
        let keys = group.num_blocks * KV_BLOCK_SIZE;
        let kv = self.cache.index_select(&group.blocks, 0)?;
        let kv = kv.reshape((sequences, keys, 2, kv_heads, dim))?;
        let kv = kv.permute((2, 0, 3, 1, 4))?.contiguous()?;
        let kv = kv.to_dtype(DType::F32)?;
        let kv = kv.reshape((2, sequences * kv_heads, keys, dim))?;
        let (k, v) = (kv.get(0)?, kv.get(1)?);

        let scores = (q.matmul(&k.t()?)? * f64::from(self.scale))?;
        let scores = match self.softcap {
            Some(cap) => capped(&scores, cap)?,
            None => scores,
        };
        let scores = scores.reshape((sequences, shape.num_heads, tokens, keys))?;
        let scores = scores.broadcast_add(&group.mask)?;
        let max = scores.max_keepdim(D::Minus1)?;
        let max = match &self.sinks {
            Some(sinks) => max.broadcast_maximum(sinks)?,
            None => max,
        };
        let weights = scores.broadcast_sub(&max)?.exp()?;
        let sum = weights.sum_keepdim(D::Minus1)?;
        let sum = match &self.sinks {
            Some(sinks) => (sum + sinks.broadcast_sub(&max)?.exp()?)?,
            None => sum,
        };
        let weights = weights.broadcast_div(&sum)?;
        let weights = weights.reshape((sequences * kv_heads, shared * tokens, keys))?;
        let attended = weights.matmul(&v)?;
        let attended = attended.reshape((sequences, kv_heads, shared, tokens, dim))?;
        let attended = attended.permute((0, 3, 1, 2, 4))?.contiguous()?;
        attended.reshape((sequences * tokens, shape.q_width()))
    }
}
