use super::super::ModelError;
use super::super::linear::Loader;
use super::Workspace;
use super::config::{EncoderConfig, EncoderNorms};
use super::dense::{Dense, LayerNorm};
use crate::kernels::{
    Activation, Array, AttentionOptions, AttentionShape, AttentionSpan, Kernels, RopeTable,
};
use std::sync::Arc;

/// Attention, then an MLP, each added to what it is given.
pub struct Layer {
    qkv: Dense,
    o: Dense,
    up: Dense,
    down: Dense,
    norms: Norms,
    shape: AttentionShape,
    /// `None` where positions are learned.
    rope: Option<Arc<RopeTable>>,
    window: Option<usize>,
    activation: Activation,
    has_gate: bool,
}

enum Norms {
    /// `x = norm(x + f(x))`.
    Behind {
        attention: LayerNorm,
        mlp: LayerNorm,
    },
    /// `x += f(norm(x))`; the first layer's attention takes what the embedding's norm made.
    InFront {
        attention: Option<LayerNorm>,
        mlp: LayerNorm,
    },
}

/// What a layer's attention works with beside the rows.
pub struct Context<'a> {
    pub keys_and_values: &'a Array,
    pub spans: &'a [AttentionSpan<'a>],
    /// Of each row, in its text.
    pub positions: &'a [u32],
}

impl Layer {
    pub fn load(
        loader: &Loader<'_>,
        config: &EncoderConfig,
        prefix: &str,
        index: usize,
        rope: Option<Arc<RopeTable>>,
    ) -> Result<Self, ModelError> {
        let (hidden, ffn) = (config.hidden_size, config.intermediate_size);
        let names = config.names;
        let name = |pattern: &str| format!("{prefix}{}", pattern.replace("{}", &index.to_string()));
        let dense = |patterns: &[&str], n: usize, k: usize| {
            let share = n / patterns.len();
            let names: Vec<_> = patterns.iter().map(|part| (name(part), share)).collect();
            Dense::load(loader, &names, k, config.has_biases)
        };
        let norm = |pattern: &str| {
            let eps = config.layer_norm_eps;
            LayerNorm::load(loader, &name(pattern), hidden, eps, config.has_biases)
        };
        let norms = match config.norms {
            EncoderNorms::Behind => Norms::Behind {
                attention: norm(names.attention_norm)?,
                mlp: norm(names.mlp_norm)?,
            },
            EncoderNorms::InFront => Norms::InFront {
                attention: match index {
                    0 => None,
                    _ => Some(norm(names.attention_norm)?),
                },
                mlp: norm(names.mlp_norm)?,
            },
        };
        let halves = if config.has_gate { 2 } else { 1 };
        Ok(Self {
            qkv: dense(names.qkv, 3 * hidden, hidden)?,
            o: dense(&[names.o], hidden, hidden)?,
            up: dense(&[names.up], halves * ffn, hidden)?,
            down: dense(&[names.down], hidden, ffn)?,
            norms,
            shape: config.attention,
            rope,
            window: config.layers[index].window,
            activation: config.activation,
            has_gate: config.has_gate,
        })
    }

    pub fn num_bytes(&self) -> usize {
        [&self.qkv, &self.o, &self.up, &self.down]
            .map(Dense::num_bytes)
            .iter()
            .sum()
    }

    pub fn forward(
        &self,
        kernels: &Kernels,
        work: &Workspace,
        context: &Context<'_>,
    ) -> Result<(), ModelError> {
        let x = &work.x;
        let input = match &self.norms {
            Norms::Behind { .. }
            | Norms::InFront {
                attention: None, ..
            } => x,
            Norms::InFront {
                attention: Some(norm),
                ..
            } => {
                norm.forward_into(kernels, &work.normed, x)?;
                &work.normed
            }
        };
        self.attend(kernels, work, input, context)?;
        self.o.add(kernels, x, &work.attended)?;
        let input = match &self.norms {
            Norms::Behind { attention, .. } => {
                attention.forward(kernels, x, self.o.bias())?;
                x
            }
            Norms::InFront { mlp, .. } => {
                mlp.forward_into(kernels, &work.normed, x)?;
                &work.normed
            }
        };
        self.expand(kernels, work, input)?;
        self.down.add(kernels, x, &work.activated)?;
        match &self.norms {
            Norms::Behind { mlp, .. } => mlp.forward(kernels, x, self.down.bias()),
            Norms::InFront { .. } => Ok(()),
        }
    }

    fn attend(
        &self,
        kernels: &Kernels,
        work: &Workspace,
        input: &Array,
        context: &Context<'_>,
    ) -> Result<(), ModelError> {
        let (shape, spans) = (self.shape, context.spans);
        self.qkv
            .forward(kernels, &work.qkv, input, Activation::None)?;
        if let Some(rope) = &self.rope {
            kernels.rope(&work.qkv, shape, context.positions, rope)?;
        }
        kernels.write_kv(context.keys_and_values, &work.qkv, shape, spans)?;
        kernels.paged_attention(
            &work.attended,
            &work.qkv,
            context.keys_and_values,
            shape,
            1.0 / (shape.head_dim as f32).sqrt(),
            AttentionOptions {
                is_bidirectional: true,
                window: self.window,
                ..AttentionOptions::default()
            },
            spans,
        )?;
        Ok(())
    }

    /// What goes into the last layer of the MLP.
    fn expand(&self, kernels: &Kernels, work: &Workspace, input: &Array) -> Result<(), ModelError> {
        if self.has_gate {
            self.up
                .forward(kernels, &work.gated, input, Activation::None)?;
            return Ok(kernels.gate_rows(&work.activated, &work.gated, self.activation)?);
        }
        self.up
            .forward(kernels, &work.activated, input, self.activation)
    }
}
