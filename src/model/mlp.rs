use super::config::DecoderConfig;
use super::decoder::Workspace;
use super::family::WeightNames;
use super::linear::{Linear, Loader};
use super::norm::RmsNorm;
use super::{ModelError, importance};
use crate::kernels::{Arrangement, Epilogue, Kernels};

/// `x += down(silu(gate(norm(x))) * up(norm(x)))`, gate and up as one product.
pub struct Mlp {
    norm: RmsNorm,
    gate_up: Linear,
    down: Linear,
}

impl Mlp {
    pub fn load(
        loader: &Loader<'_>,
        config: &DecoderConfig,
        names: &WeightNames,
        layer: &str,
    ) -> Result<Self, ModelError> {
        let (hidden, ffn) = (config.hidden_size, config.intermediate_size);
        let name = |pattern: &str| pattern.replace("{}", layer);
        let (gate, up) = (name(names.gate), name(names.up));
        let norm = RmsNorm::load(loader, &name(names.mlp_norm), hidden, config.rms_norm_eps)?;
        let normed = importance::of_normed(loader, &norm)?;
        let gated = importance::of_gated(
            loader,
            loader.checkpoint.take(&gate, &[ffn, hidden])?,
            loader.checkpoint.take(&up, &[ffn, hidden])?,
            &normed,
        );
        Ok(Self {
            norm,
            gate_up: Linear::load(
                loader,
                Arrangement::Paired,
                &[(gate, ffn), (up, ffn)],
                hidden,
                &normed,
            )?,
            down: Linear::load(
                loader,
                Arrangement::Stacked,
                &[(name(names.down), hidden)],
                ffn,
                &gated,
            )?,
        })
    }

    pub fn num_bytes(&self) -> usize {
        self.gate_up.num_bytes() + self.down.num_bytes()
    }

    pub fn forward(&self, kernels: &Kernels, work: &Workspace) -> Result<(), ModelError> {
        self.gate_up.forward_normed(
            kernels,
            &work.activated,
            &work.x,
            &self.norm,
            Epilogue::SwiGlu,
        )?;
        self.down
            .forward(kernels, &work.x, &work.activated, Epilogue::Add)
    }
}
