mod check;
mod layer;
mod rope;
mod shard;

pub(super) use check::MAX_LAYERS;
pub use layer::{
    Activation, ExpertsConfig, LayerConfig, MlpConfig, NormPlacement, QkNorm, Weighting,
};
pub use rope::{RopeConfig, RopeScaling};
pub(super) use shard::RankHeads;

use super::family::{self, WeightNames};
use super::{Checkpoint, ModelError};
use crate::kernels::AttentionShape;
use std::path::Path;

/// A decoder, over closed axes: what every family's `config.json` comes down to.
#[derive(Debug, Clone, PartialEq)]
pub struct DecoderConfig {
    /// A name of [`super::families`].
    pub family: &'static str,
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub num_layers: usize,
    pub attention: AttentionShape,
    /// What scores are multiplied with.
    pub attention_scale: f32,
    /// Scores become `softcap * tanh(score / softcap)` (Gemma 2).
    pub attention_softcap: Option<f32>,
    /// A score for each query head that takes its share and has no value (gpt-oss).
    pub has_sinks: bool,
    pub has_qkv_bias: bool,
    pub has_output_bias: bool,
    /// Queries and keys are normed before they are rotated.
    pub qk_norm: Option<QkNorm>,
    pub norm_eps: f32,
    /// What is added to the weights of norms: 1 where checkpoints keep the difference to 1.
    pub norm_offset: f32,
    pub norm_placement: NormPlacement,
    /// What embeddings are multiplied with.
    pub embedding_scale: f32,
    /// What the output of a block is multiplied with before it joins the residual stream.
    pub residual_scale: f32,
    /// What logits are multiplied with.
    pub logit_scale: f32,
    /// Logits become `softcap * tanh(logit / softcap)`.
    pub logit_softcap: Option<f32>,
    /// Every rotary embedding that some layer has.
    pub ropes: Vec<RopeConfig>,
    pub layers: Vec<LayerConfig>,
    /// A token sees what follows it, too: an encoder in a decoder's clothes.
    pub is_bidirectional: bool,
    /// Longest sequence that the checkpoint was made for, in tokens.
    pub max_position_embeddings: usize,
    /// The output head is the embedding.
    pub tie_word_embeddings: bool,
    pub(super) names: WeightNames,
}

impl DecoderConfig {
    /// Reads and checks `config.json` of a checkpoint directory.
    pub fn from_dir(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        let text = std::fs::read_to_string(&path).map_err(|e| ModelError::file(&path, e))?;
        Self::parse(&text).map_err(|message| ModelError::file(&path, message))
    }

    /// The text of a `config.json`, or what about it is wrong or not supported.
    pub fn parse(text: &str) -> Result<Self, String> {
        let config = family::parse(text)?;
        config.check()?;
        Ok(config)
    }

    /// Windows of the KV groups: layers of equal window share their block tables.
    pub fn kv_groups(&self) -> Vec<Option<usize>> {
        let mut groups = Vec::new();
        for layer in &self.layers {
            if !groups.contains(&layer.window) {
                groups.push(layer.window);
            }
        }
        groups
    }

    /// The KV group of a layer, an index into [`Self::kv_groups`].
    pub fn kv_group(&self, layer: usize) -> usize {
        let window = self.layers[layer].window;
        let groups = self.kv_groups();
        groups.iter().position(|w| *w == window).unwrap_or(0)
    }

    /// What each KV group takes over its layers, of which each takes `bytes`.
    pub fn per_kv_group(&self, bytes: usize) -> Vec<usize> {
        let of_group = |window: &Option<usize>| {
            let layers = self.layers.iter();
            bytes * layers.filter(|layer| layer.window == *window).count()
        };
        self.kv_groups().iter().map(of_group).collect()
    }

    /// Elements of the embedding and of an output head of its own.
    pub fn num_table_elements(&self) -> u64 {
        let num_tables = if self.tie_word_embeddings { 1 } else { 2 };
        (self.vocab_size as u64 * self.hidden_size as u64).saturating_mul(num_tables)
    }

    /// Elements of all weights.
    pub fn num_parameters(&self) -> usize {
        let hidden = self.hidden_size;
        let attention = self.attention.qkv_width() + self.attention.q_width();
        // A broken file may say more than can be counted, each number within its bounds.
        let layers = self.layers.iter().fold(hidden, |sum: usize, layer| {
            sum.saturating_add(hidden.saturating_mul(attention + 2))
                .saturating_add(layer.mlp.num_parameters(hidden))
        });
        layers.saturating_add(self.num_table_elements() as usize)
    }

    /// What about this decoder ops of a GPU have no form for.
    pub fn needs_cpu(&self) -> Option<&'static str> {
        let has_too_many = |layer: &LayerConfig| match &layer.mlp {
            MlpConfig::Experts(experts) => experts.num_experts > 512 || experts.num_used > 32,
            MlpConfig::Dense { .. } => false,
        };
        let any = self.layers.iter().any(has_too_many);
        any.then_some("more than 512 experts, or 32 for a token,")
    }

    /// The names of its tensors as `checkpoint` has them.
    pub(super) fn names_in(&self, checkpoint: &Checkpoint) -> Names<'_> {
        let roots = self.names.roots;
        let is_there = |root: &&family::Root| {
            checkpoint.contains(&format!("{}{}", root.model, self.names.embedding))
        };
        let root = roots.iter().find(is_there).or(roots.first());
        Names {
            names: &self.names,
            root: root.copied().unwrap_or(family::Root {
                model: "",
                head: "",
            }),
        }
    }
}

/// The names of a checkpoint's tensors, in full.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    pub names: &'a WeightNames,
    root: family::Root,
}

impl Names<'_> {
    pub fn embedding(&self) -> String {
        format!("{}{}", self.root.model, self.names.embedding)
    }

    pub fn final_norm(&self) -> String {
        format!("{}{}", self.root.model, self.names.final_norm)
    }

    pub fn head(&self) -> String {
        format!("{}{}", self.root.head, self.names.head)
    }

    /// Of a tensor of layer `index`.
    pub fn layer(&self, index: usize, name: &str) -> String {
        format!("{}layers.{index}.{name}", self.root.model)
    }
}

#[cfg(test)]
mod tests;
