use super::ModelError;
use super::config::DecoderConfig;
use super::decoder::Workspace;
use super::family::WeightNames;
use super::linear::{Linear, Loader};
use crate::kernels::{Epilogue, Kernels};

/// `x += down(silu(gate(normed)) * up(normed))`, gate and up as one product.
pub struct Mlp {
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
            gate_up: Linear::load(
                loader,
                &[(name(names.gate), ffn), (name(names.up), ffn)],
                hidden,
            )?,
            down: Linear::load(loader, &[(name(names.down), hidden)], ffn)?,
        })
    }

    pub fn num_bytes(&self) -> usize {
        self.gate_up.num_bytes() + self.down.num_bytes()
    }

    pub fn forward(&self, kernels: &Kernels, work: &Workspace) -> Result<(), ModelError> {
        self.gate_up
            .forward(kernels, &work.gate_up, &work.normed, Epilogue::Store)?;
        kernels.swiglu(&work.activated, &work.gate_up)?;
        self.down
            .forward(kernels, &work.x, &work.activated, Epilogue::Add)
    }
}
