use super::config::{DecoderConfig, NormPlacement, QkNorm, RankHeads};
use super::family::{Qkv, WeightNames};
use super::linear::{Linear, Loader, Part};
use super::norm::RmsNorm;
use super::residual::Output;
use super::rotary::Ropes;
use super::workspace::Workspace;
use super::{ModelError, importance};
use crate::kernels::{
    Arrangement, Array, AttentionOptions, AttentionShape, Epilogue, HeadNorms, Kernels, Step,
    Vector,
};

/// Grouped-query attention (Ainslie et al. 2023): `x += o(attend(rope(qkv(norm(x)))))`.
pub struct Attention {
    norm: Option<RmsNorm>,
    qkv: Linear,
    qkv_bias: Option<Vector>,
    qk_norm: Option<HeadNorms>,
    output: Output,
    sinks: Option<Vector>,
    shape: AttentionShape,
    scale: f32,
    softcap: Option<f32>,
    window: Option<usize>,
    is_bidirectional: bool,
    /// Which of the decoder's rotary embeddings the layer has.
    rope: Option<usize>,
    /// Which of the step's block tables the layer uses.
    kv_group: usize,
}

impl Attention {
    /// `name` gives the full name of a tensor of layer `index`.
    pub fn load(
        loader: &Loader<'_>,
        config: &DecoderConfig,
        index: usize,
        name: &dyn Fn(&str) -> String,
    ) -> Result<Self, ModelError> {
        let (layer, names) = (&config.layers[index], &config.names);
        let heads = RankHeads::new(config.attention, loader.shard());
        let shape = heads.shape();
        let hidden = config.hidden_size;
        let checkpoint = loader.checkpoint;
        let norm = RmsNorm::load_if(
            config.norm_placement != NormPlacement::After,
            loader,
            config,
            &name(names.attention_norm),
        )?;
        let normed = importance::of_normed(loader, norm.as_ref())?;
        let parts = qkv_parts(names.qkv, &heads, name);
        let values = parts[2].take(checkpoint, hidden)?;
        let attended = importance::of_attended(loader, shape, values, &normed);
        let output_bias = WeightNames::bias(&name(names.o));
        let sinks = config
            .has_sinks
            .then(|| checkpoint.take_vec(&name(names.sinks), heads.whole.num_heads))
            .transpose()?
            .map(|sinks| loader.kernels.vector(sinks[heads.queries.clone()].to_vec()));
        Ok(Self {
            norm,
            qkv: Linear::load_parts(loader, Arrangement::Stacked, &parts, hidden, &normed)?,
            qkv_bias: match config.has_qkv_bias {
                true => {
                    let bias = qkv_bias(loader, names.qkv, &heads, name)?;
                    Some(loader.kernels.vector(bias)?)
                }
                false => None,
            },
            qk_norm: match config.qk_norm {
                Some(over) => Some(head_norms(loader, config, over, name)?),
                None => None,
            },
            output: Output::load(
                loader,
                config,
                Part::whole(name(names.o), hidden)
                    .of_columns(heads.q_rows(), heads.whole.q_width()),
                shape.q_width(),
                config.has_output_bias.then_some(&*output_bias),
                &name(names.attention_output_norm),
                &attended,
            )?,
            sinks: sinks.transpose()?,
            shape,
            scale: config.attention_scale,
            softcap: config.attention_softcap,
            window: layer.window,
            is_bidirectional: config.is_bidirectional,
            rope: layer.rope,
            kv_group: config.kv_group(index),
        })
    }

    pub fn num_bytes(&self) -> usize {
        self.qkv.num_bytes() + self.output.num_bytes()
    }

    /// `cache` holds the layer's blocks.
    pub fn forward(
        &self,
        kernels: &Kernels,
        work: &Workspace,
        step: &Step<'_>,
        ropes: &Ropes,
        cache: &Array,
    ) -> Result<(), ModelError> {
        let (qkv, shape) = (&work.qkv, self.shape);
        let spans = step.spans(self.kv_group);
        let norm = self.norm.as_ref();
        self.qkv
            .forward_normed(kernels, qkv, &work.x, norm, Epilogue::Store)?;
        if let Some(bias) = &self.qkv_bias {
            kernels.add_bias(qkv, bias)?;
        }
        if let Some(norms) = &self.qk_norm {
            kernels.norm_heads(qkv, shape, norms)?;
        }
        let table = self.rope.map(|rope| ropes.table(rope)).transpose()?;
        kernels.rope_and_write(qkv, cache, shape, table, step.positions(), spans)?;
        kernels.paged_attention(
            &work.attended,
            qkv,
            cache,
            shape,
            self.scale,
            AttentionOptions {
                window: self.window,
                softcap: self.softcap,
                sinks: self.sinks.as_ref(),
                is_bidirectional: self.is_bidirectional,
            },
            spans,
        )?;
        self.output.add(kernels, work, &work.attended)
    }
}

/// Queries, keys and values.
fn qkv_parts(names: Qkv, heads: &RankHeads, name: &dyn Fn(&str) -> String) -> [Part; 3] {
    let (q, kv) = (heads.whole.q_width(), heads.whole_kv_width());
    let [queries, keys, values] = match names {
        Qkv::Separate {
            q: q_name,
            k: k_name,
            v: v_name,
        } => [
            Part::whole(name(q_name), q),
            Part::whole(name(k_name), kv),
            Part::whole(name(v_name), kv),
        ],
        Qkv::Fused(fused) => {
            let rows = |first, count| Part::rows(name(fused), q + 2 * kv, first, count);
            [rows(0, q), rows(q, kv), rows(q + kv, kv)]
        }
    };
    [
        queries.of_rows(heads.q_rows()),
        keys.of_rows(heads.kv_rows()),
        values.of_rows(heads.kv_rows()),
    ]
}

fn qkv_bias(
    loader: &Loader<'_>,
    names: Qkv,
    heads: &RankHeads,
    name: &dyn Fn(&str) -> String,
) -> Result<Vec<f32>, ModelError> {
    let take = |weight: &str, len| {
        let bias = WeightNames::bias(&name(weight));
        loader.checkpoint.take_vec(&bias, len)
    };
    let (q_len, kv) = (heads.whole.q_width(), heads.whole_kv_width());
    let all = match names {
        Qkv::Separate { q, k, v } => [take(q, q_len)?, take(k, kv)?, take(v, kv)?].concat(),
        Qkv::Fused(fused) => take(fused, heads.whole.qkv_width())?,
    };
    let (queries, rest) = all.split_at(q_len);
    let (keys, values) = rest.split_at(kv);
    Ok([
        &queries[heads.q_rows()],
        &keys[heads.kv_rows()],
        &values[heads.kv_rows()],
    ]
    .concat())
}

fn head_norms(
    loader: &Loader<'_>,
    config: &DecoderConfig,
    over: QkNorm,
    name: &dyn Fn(&str) -> String,
) -> Result<HeadNorms, ModelError> {
    let shape = config.attention;
    let (q_len, k_len) = match over {
        QkNorm::Heads => (shape.head_dim, shape.head_dim),
        QkNorm::Tokens => (shape.q_width(), shape.num_kv_heads * shape.head_dim),
    };
    let load = |weight: &str, len| RmsNorm::load(loader, config, &name(weight), len);
    Ok(HeadNorms {
        q: load(config.names.q_norm, q_len)?.weight,
        k: load(config.names.k_norm, k_len)?.weight,
        eps: config.norm_eps,
    })
}
