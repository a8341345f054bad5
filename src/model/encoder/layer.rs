use super::super::ModelError;
use super::super::linear::{Linear, Loader};
use super::Workspace;
use super::config::EncoderConfig;
use crate::kernels::{
    Activation, Arrangement, Array, AttentionOptions, AttentionShape, AttentionSpan, Epilogue,
    Kernels,
};

/// `norm(x + o(attend(qkv(x))))`, then `norm(x + down(activation(up(x))))`.
pub struct Layer {
    qkv: Dense,
    o: Dense,
    attention_norm: LayerNorm,
    up: Dense,
    down: Dense,
    norm: LayerNorm,
    shape: AttentionShape,
    activation: Activation,
}

/// A linear layer and its bias, which whoever uses the product adds.
pub struct Dense {
    linear: Linear,
    bias: Vec<f32>,
}

pub struct LayerNorm {
    weight: Vec<f32>,
    shift: Vec<f32>,
    eps: f32,
    /// Added where nothing is.
    zeros: Vec<f32>,
}

impl Dense {
    /// The outputs of `names`, one after another.
    pub fn load(
        loader: &Loader<'_>,
        names: &[(String, usize)],
        k: usize,
    ) -> Result<Self, ModelError> {
        let weights: Vec<_> = names
            .iter()
            .map(|(name, n)| (format!("{name}.weight"), *n))
            .collect();
        let mut bias = Vec::new();
        for (name, n) in names {
            bias.extend(loader.checkpoint.take_vec(&format!("{name}.bias"), *n)?);
        }
        let linear = Linear::load(loader, Arrangement::Stacked, &weights, k, &None)?;
        Ok(Self { linear, bias })
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
        Ok(kernels.bias(out, &self.bias, activation)?)
    }

    fn num_bytes(&self) -> usize {
        self.linear.num_bytes()
    }
}

impl LayerNorm {
    pub fn load(
        loader: &Loader<'_>,
        name: &str,
        config: &EncoderConfig,
    ) -> Result<Self, ModelError> {
        // Checkpoints that were made with TensorFlow say gamma and beta.
        let old = format!("{name}.gamma");
        let (weight, shift) = match loader.checkpoint.contains(&old) {
            true => (old, format!("{name}.beta")),
            false => (format!("{name}.weight"), format!("{name}.bias")),
        };
        let take = |name: &str| loader.checkpoint.take_vec(name, config.hidden_size);
        Ok(Self {
            weight: take(&weight)?,
            shift: take(&shift)?,
            eps: config.layer_norm_eps,
            zeros: vec![0.0; config.hidden_size],
        })
    }

    /// `x = norm(x + bias)`.
    pub fn forward(
        &self,
        kernels: &Kernels,
        x: &Array,
        bias: Option<&[f32]>,
    ) -> Result<(), ModelError> {
        let bias = bias.unwrap_or(&self.zeros);
        Ok(kernels.layer_norm(x, bias, &self.weight, &self.shift, self.eps)?)
    }
}

impl Layer {
    pub fn load(
        loader: &Loader<'_>,
        config: &EncoderConfig,
        name: &str,
    ) -> Result<Self, ModelError> {
        let (hidden, ffn) = (config.hidden_size, config.intermediate_size);
        let dense = |parts: &[&str], n: usize, k: usize| {
            let names: Vec<_> = parts
                .iter()
                .map(|part| (format!("{name}.{part}"), n))
                .collect();
            Dense::load(loader, &names, k)
        };
        let norm = |part: &str| LayerNorm::load(loader, &format!("{name}.{part}"), config);
        let qkv = [
            "attention.self.query",
            "attention.self.key",
            "attention.self.value",
        ];
        Ok(Self {
            qkv: dense(&qkv, hidden, hidden)?,
            o: dense(&["attention.output.dense"], hidden, hidden)?,
            attention_norm: norm("attention.output.LayerNorm")?,
            up: dense(&["intermediate.dense"], ffn, hidden)?,
            down: dense(&["output.dense"], hidden, ffn)?,
            norm: norm("output.LayerNorm")?,
            shape: config.attention,
            activation: config.activation,
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
        keys_and_values: &Array,
        spans: &[AttentionSpan<'_>],
    ) -> Result<(), ModelError> {
        let (x, shape) = (&work.x, self.shape);
        self.qkv.forward(kernels, &work.qkv, x, Activation::None)?;
        kernels.write_kv(keys_and_values, &work.qkv, shape, spans)?;
        kernels.paged_attention(
            &work.attended,
            &work.qkv,
            keys_and_values,
            shape,
            1.0 / (shape.head_dim as f32).sqrt(),
            AttentionOptions {
                is_bidirectional: true,
                ..AttentionOptions::default()
            },
            spans,
        )?;
        let o = &self.o;
        o.linear
            .forward(kernels, x, &work.attended, Epilogue::Add)?;
        self.attention_norm.forward(kernels, x, Some(&o.bias))?;
        self.up
            .forward(kernels, &work.activated, x, self.activation)?;
        let down = &self.down;
        down.linear
            .forward(kernels, x, &work.activated, Epilogue::Add)?;
        self.norm.forward(kernels, x, Some(&down.bias))
    }
}
