use super::ModelError;
use super::config::DecoderConfig;
use super::decoder::Workspace;
use super::family::WeightNames;
use super::linear::{Linear, Loader};
use super::norm::RmsNorm;
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
        Ok(Self {
            norm: RmsNorm::load(loader, &name(names.mlp_norm), hidden, config.rms_norm_eps)?,
            gate_up: Linear::load(
                loader,
                Arrangement::Paired,
                &[(name(names.gate), ffn), (name(names.up), ffn)],
                hidden,
            )?,
            down: Linear::load(
                loader,
                Arrangement::Stacked,
                &[(name(names.down), hidden)],
                ffn,
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
