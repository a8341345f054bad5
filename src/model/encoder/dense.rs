//! Linear layers and norms with a bias, or without.

use super::super::ModelError;
use super::super::linear::{Linear, Loader};
use crate::kernels::{Activation, Arrangement, Array, Epilogue, Kernels};

/// A linear layer and its bias.
pub struct Dense {
    linear: Linear,
    bias: Vec<f32>,
    has_bias: bool,
}

pub struct LayerNorm {
    weight: Vec<f32>,
    shift: Vec<f32>,
    eps: f32,
}

impl Dense {
    /// The outputs of `names`, one after another.
    pub fn load(
        loader: &Loader<'_>,
        names: &[(String, usize)],
        k: usize,
        has_bias: bool,
    ) -> Result<Self, ModelError> {
        let weights: Vec<_> = names
            .iter()
            .map(|(name, n)| (format!("{name}.weight"), *n))
            .collect();
        let mut bias = Vec::new();
        for (name, n) in names {
            match has_bias {
                true => bias.extend(loader.checkpoint.take_vec(&format!("{name}.bias"), *n)?),
                false => bias.resize(bias.len() + n, 0.0),
            }
        }
        let linear = Linear::load(loader, Arrangement::Stacked, &weights, k, &None)?;
        Ok(Self {
            linear,
            bias,
            has_bias,
        })
    }

    /// `out = activation(x · wᵀ + bias)`.
    pub fn forward(
        &self,
        kernels: &Kernels,
        out: &Array,
        x: &Array,
        activation: Activation,
    ) -> Result<(), ModelError> {
        self.linear.forward(kernels, out, x, Epilogue::Store)?;
        if self.has_bias || activation != Activation::None {
            kernels.bias(out, &self.bias, activation)?;
        }
        Ok(())
    }

    /// `out += x · wᵀ`; the bias is left to who goes on, see [`Self::bias`].
    pub fn add(&self, kernels: &Kernels, out: &Array, x: &Array) -> Result<(), ModelError> {
        self.linear.forward(kernels, out, x, Epilogue::Add)
    }

    /// Zeros where there is none.
    pub fn bias(&self) -> &[f32] {
        &self.bias
    }

    pub fn num_outputs(&self) -> usize {
        self.bias.len()
    }

    pub fn num_bytes(&self) -> usize {
        self.linear.num_bytes()
    }
}

impl LayerNorm {
    pub fn load(
        loader: &Loader<'_>,
        name: &str,
        len: usize,
        eps: f32,
        has_shift: bool,
    ) -> Result<Self, ModelError> {
        // Checkpoints that were made with TensorFlow say gamma and beta.
        let old = format!("{name}.gamma");
        let (weight, shift) = match loader.checkpoint.contains(&old) {
            true => (old, format!("{name}.beta")),
            false => (format!("{name}.weight"), format!("{name}.bias")),
        };
        let take = |name: &str| loader.checkpoint.take_vec(name, len);
        Ok(Self {
            weight: take(&weight)?,
            shift: match has_shift {
                true => take(&shift)?,
                false => vec![0.0; len],
            },
            eps,
        })
    }

    /// `x = norm(x + bias)`; an empty bias is none.
    pub fn forward(&self, kernels: &Kernels, x: &Array, bias: &[f32]) -> Result<(), ModelError> {
        Ok(kernels.layer_norm(x, bias, &self.weight, &self.shift, self.eps)?)
    }

    /// `out = norm(x)`.
    pub fn forward_into(
        &self,
        kernels: &Kernels,
        out: &Array,
        x: &Array,
    ) -> Result<(), ModelError> {
        Ok(kernels.layer_norm_of(out, x, &self.weight, &self.shift, self.eps)?)
    }
}
