use super::config::{Activation, DecoderConfig, MlpConfig, NormPlacement};
use super::experts::Experts;
use super::family::GateUp;
use super::importance::Importance;
use super::linear::{Linear, Loader, Part};
use super::norm::RmsNorm;
use super::residual::Output;
use super::workspace::Workspace;
use super::{ModelError, importance};
use crate::kernels::{self, Arrangement, Array, Epilogue, Kernels, Routing, Vector};

/// What a layer does with each token by itself.
pub enum Mlp {
    Dense(Box<DenseMlp>),
    Experts(Box<Experts>),
}

/// `x += down(activation(up(norm(x))))`.
pub struct DenseMlp {
    norm: Option<RmsNorm>,
    up: Up,
    /// Inputs of the last product that this rank has.
    width: usize,
    down: Output,
}

/// The first products of an MLP and what follows them.
pub enum Up {
    /// Gate and up as one product, which activates them.
    Gated { linear: Linear, epilogue: Epilogue },
    Xielu {
        linear: Linear,
        alpha_p: f32,
        alpha_n: f32,
    },
    /// Gates, then ups, with a bias each.
    Clamped {
        linear: Linear,
        bias: Vector,
        alpha: f32,
        limit: f32,
    },
}

impl Mlp {
    pub fn load(
        loader: &Loader<'_>,
        config: &DecoderConfig,
        index: usize,
        name: &dyn Fn(&str) -> String,
    ) -> Result<Self, ModelError> {
        let norm = RmsNorm::load_if(
            config.norm_placement != NormPlacement::After,
            loader,
            config,
            &name(config.names.mlp_norm),
        )?;
        match &config.layers[index].mlp {
            MlpConfig::Dense { width, activation } => {
                let width = *width;
                DenseMlp::load(loader, config, norm, width, *activation, name)
                    .map(|mlp| Self::Dense(Box::new(mlp)))
            }
            MlpConfig::Experts(experts) => Experts::load(loader, config, norm, experts, name)
                .map(|experts| Self::Experts(Box::new(experts))),
        }
    }

    pub fn num_bytes(&self) -> usize {
        match self {
            Self::Dense(mlp) => mlp.up.num_bytes() + mlp.down.num_bytes(),
            Self::Experts(experts) => experts.num_bytes(),
        }
    }

    pub fn forward(&self, kernels: &Kernels, work: &Workspace) -> Result<(), ModelError> {
        match self {
            Self::Dense(mlp) => mlp.forward(kernels, work),
            Self::Experts(experts) => experts.forward(kernels, work),
        }
    }
}

impl DenseMlp {
    fn load(
        loader: &Loader<'_>,
        config: &DecoderConfig,
        norm: Option<RmsNorm>,
        width: usize,
        activation: Activation,
        name: &dyn Fn(&str) -> String,
    ) -> Result<Self, ModelError> {
        let (hidden, names) = (config.hidden_size, &config.names.mlp);
        let normed = importance::of_normed(loader, norm.as_ref())?;
        let own = loader.shard().range(width);
        let (up, activated) = match activation {
            Activation::SwiGlu | Activation::GeGlu => {
                let parts = match names.gate_up {
                    GateUp::Separate { gate, up } => {
                        [gate, up].map(|n| Part::whole(name(n), width))
                    }
                    GateUp::Fused(fused) => {
                        [0, width].map(|first| Part::rows(name(fused), 2 * width, first, width))
                    }
                };
                let parts = parts.map(|part| part.of_rows(own.clone()));
                Up::gated(loader, activation, &parts, hidden, &normed)?
            }
            Activation::Xielu => {
                let GateUp::Separate { up, .. } = names.gate_up else {
                    return Err(unsupported());
                };
                let parts = [Part::whole(name(up), width).of_rows(own.clone())];
                let alpha = |n: &str| -> Result<f32, ModelError> {
                    Ok(loader.checkpoint.take_vec(&name(n), 1)?[0])
                };
                let up = Up::Xielu {
                    linear: Linear::load_parts(
                        loader,
                        Arrangement::Stacked,
                        &parts,
                        hidden,
                        &normed,
                    )?,
                    // Stored as what softplus takes.
                    alpha_p: softplus(alpha(names.alpha_p)?),
                    alpha_n: kernels::XIELU_BETA + softplus(alpha(names.alpha_n)?),
                };
                (up, None)
            }
            Activation::ClampedSwiGlu { .. } => return Err(unsupported()),
        };
        Ok(Self {
            norm,
            up,
            width: own.len(),
            down: Output::load(
                loader,
                config,
                Part::whole(name(names.down), hidden).of_columns(own.clone(), width),
                own.len(),
                None,
                &name(config.names.mlp_output_norm),
                &activated,
            )?,
        })
    }

    fn forward(&self, kernels: &Kernels, work: &Workspace) -> Result<(), ModelError> {
        let activated = work.activated(self.width)?;
        self.up
            .forward(kernels, activated, &work.x, self.norm.as_ref())?;
        self.down.add(kernels, work, activated)
    }
}

impl Up {
    /// Gate and up of `parts`, which take turns, one of each for each expert, and how large what
    /// they let through is.
    pub fn gated(
        loader: &Loader<'_>,
        activation: Activation,
        parts: &[Part],
        hidden: usize,
        normed: &Importance,
    ) -> Result<(Self, Importance), ModelError> {
        let mut activated = Importance::default();
        for [gate, up] in parts.as_chunks().0 {
            let of_expert = importance::of_gated(
                loader,
                gate.take(loader.checkpoint, hidden)?,
                up.take(loader.checkpoint, hidden)?,
                normed,
            );
            if let Some(of_expert) = of_expert {
                activated.get_or_insert_default().extend(of_expert);
            }
        }
        let linear = Linear::load_parts(loader, Arrangement::Paired, parts, hidden, normed)?;
        let epilogue = match activation {
            Activation::GeGlu => Epilogue::GeGlu,
            _ => Epilogue::SwiGlu,
        };
        Ok((Self::Gated { linear, epilogue }, activated))
    }

    pub fn num_bytes(&self) -> usize {
        match self {
            Self::Gated { linear, .. }
            | Self::Xielu { linear, .. }
            | Self::Clamped { linear, .. } => linear.num_bytes(),
        }
    }

    /// `out = activation(up(norm(x)))`.
    pub fn forward(
        &self,
        kernels: &Kernels,
        out: &Array,
        x: &Array,
        norm: Option<&RmsNorm>,
    ) -> Result<(), ModelError> {
        match self {
            Self::Gated { linear, epilogue } => {
                linear.forward_normed(kernels, out, x, norm, *epilogue)
            }
            Self::Xielu {
                linear,
                alpha_p,
                alpha_n,
            } => {
                linear.forward_normed(kernels, out, x, norm, Epilogue::Store)?;
                Ok(kernels.xielu(out, *alpha_p, *alpha_n)?)
            }
            Self::Clamped { .. } => Err(unsupported()),
        }
    }

    /// The same, without a norm, of rows that go through experts; `gate_up` has room for what a
    /// product does not activate.
    pub fn forward_routed(
        &self,
        kernels: &Kernels,
        out: &Array,
        x: &Array,
        routing: &Routing,
        gate_up: &Array,
    ) -> Result<(), ModelError> {
        match self {
            Self::Gated { linear, epilogue } => {
                linear.forward_routed(kernels, out, x, routing, *epilogue)
            }
            Self::Clamped {
                linear,
                bias,
                alpha,
                limit,
            } => {
                linear.forward_routed(kernels, gate_up, x, routing, Epilogue::Store)?;
                kernels.add_routed_bias(gate_up, bias, routing)?;
                Ok(kernels.clamped_swiglu(out, gate_up, *alpha, *limit)?)
            }
            Self::Xielu { .. } => Err(unsupported()),
        }
    }
}

fn softplus(x: f32) -> f32 {
    // ln(1 + e^x), which is x where e^x would be infinite.
    if x > 20.0 { x } else { x.exp().ln_1p() }
}

fn unsupported() -> ModelError {
    ModelError::Unsupported("no checkpoint has an MLP of this activation and these tensors".into())
}
