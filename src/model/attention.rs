use super::config::DecoderConfig;
use super::decoder::Workspace;
use super::family::WeightNames;
use super::linear::{Linear, Loader};
use super::norm::RmsNorm;
use super::{ModelError, importance};
use crate::kernels::{
    Arrangement, Array, AttentionOptions, AttentionShape, Epilogue, Kernels, RopeTable, Step,
};

/// Grouped-query attention (Ainslie et al. 2023): `x += o(attend(rope(qkv(norm(x)))))`.
pub struct Attention {
    norm: RmsNorm,
    qkv: Linear,
    o: Linear,
    shape: AttentionShape,
    scale: f32,
    /// Which of the step's block tables the layer uses.
    kv_group: usize,
}

impl Attention {
    pub fn load(
        loader: &Loader<'_>,
        config: &DecoderConfig,
        names: &WeightNames,
        layer: &str,
    ) -> Result<Self, ModelError> {
        let shape = config.attention;
        let (q, kv) = (shape.q_width(), shape.num_kv_heads * shape.head_dim);
        let name = |pattern: &str| pattern.replace("{}", layer);
        let hidden = config.hidden_size;
        let norm = RmsNorm::load(
            loader,
            &name(names.attention_norm),
            hidden,
            config.rms_norm_eps,
        )?;
        let normed = importance::of_normed(loader, &norm)?;
        let values = loader.checkpoint.take(&name(names.v), &[kv, hidden])?;
        let attended = importance::of_attended(loader, shape, values, &normed);
        Ok(Self {
            norm,
            qkv: Linear::load(
                loader,
                Arrangement::Stacked,
                &[(name(names.q), q), (name(names.k), kv), (name(names.v), kv)],
                hidden,
                &normed,
            )?,
            o: Linear::load(
                loader,
                Arrangement::Stacked,
                &[(name(names.o), hidden)],
                q,
                &attended,
            )?,
            shape,
            scale: 1.0 / (shape.head_dim as f32).sqrt(),
            kv_group: 0,
        })
    }

    pub fn num_bytes(&self) -> usize {
        self.qkv.num_bytes() + self.o.num_bytes()
    }

    /// `cache` holds the layer's blocks.
    pub fn forward(
        &self,
        kernels: &Kernels,
        work: &Workspace,
        step: &Step<'_>,
        rope: &RopeTable,
        cache: &Array,
    ) -> Result<(), ModelError> {
        let spans = step.spans(self.kv_group);
        self.qkv
            .forward_normed(kernels, &work.qkv, &work.x, &self.norm, Epilogue::Store)?;
        kernels.rope_and_write(&work.qkv, cache, self.shape, rope, step.positions(), spans)?;
        kernels.paged_attention(
            &work.attended,
            &work.qkv,
            cache,
            self.shape,
            self.scale,
            AttentionOptions::default(),
            spans,
        )?;
        self.o
            .forward(kernels, &work.x, &work.attended, Epilogue::Add)
    }
}
