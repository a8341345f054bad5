/// What differs from layer to layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerConfig {
    /// Tokens that a token sees, itself included; all before it without one.
    pub window: Option<usize>,
    /// An index into [`super::DecoderConfig::ropes`]; `None`: positions are not told.
    pub rope: Option<usize>,
    pub mlp: MlpConfig,
}

#[derive(Debug, Clone, PartialEq)]
pub enum MlpConfig {
    Dense {
        /// Inputs of the last product.
        width: usize,
        activation: Activation,
    },
    Experts(ExpertsConfig),
}

/// What stands between the first and the last product of an MLP.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// `silu(gate) * up` (Shazeer 2020).
    SwiGlu,
    /// `gelu(gate) * up`, by tanh.
    GeGlu,
    /// xIELU (Huang and Schlag 2024) of `up`, without a gate; its two numbers are weights.
    Xielu,
    /// `(up + 1) * gate * sigmoid(alpha * gate)`, gate at most `limit` and up within it (gpt-oss);
    /// products have biases.
    ClampedSwiGlu { alpha: f32, limit: f32 },
}

/// A mixture of experts (Shazeer et al. 2017): each token goes through a few of many MLPs.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpertsConfig {
    pub num_experts: usize,
    /// Experts of a token.
    pub num_used: usize,
    /// Inputs of an expert's last product.
    pub width: usize,
    pub activation: Activation,
    pub weighting: Weighting,
    /// The width of an MLP that every token goes through beside its experts, and whose output a
    /// gate of its own weighs.
    pub shared_width: Option<usize>,
}

/// What the outputs of a token's experts are multiplied with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weighting {
    /// Their probabilities among all experts.
    OfAll,
    /// Their probabilities among those used.
    OfUsed,
}

/// Where the norms of a block stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormPlacement {
    /// `x + f(norm(x))`.
    Before,
    /// `x + norm(f(x))`.
    After,
    /// `x + norm(f(norm(x)))`.
    Around,
}

/// What a norm of queries and keys goes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QkNorm {
    /// Each head by itself, all with the same weights.
    Heads,
    /// All heads of a token together.
    Tokens,
}

impl MlpConfig {
    /// Elements of its weights.
    pub fn num_parameters(&self, hidden: usize) -> usize {
        match self {
            Self::Dense { width, activation } => activation.num_products() * hidden * width,
            Self::Experts(experts) => {
                let products = experts.activation.num_products() * hidden;
                let shared = experts.shared_width.unwrap_or(0);
                let width = experts.num_experts * experts.width + shared;
                products
                    .saturating_mul(width)
                    .saturating_add(experts.num_experts * hidden)
            }
        }
    }

    /// Inputs of its last products.
    pub fn widths(&self) -> impl Iterator<Item = usize> {
        let (width, shared) = match self {
            Self::Dense { width, .. } => (*width, None),
            Self::Experts(experts) => (experts.width, experts.shared_width),
        };
        std::iter::once(width).chain(shared)
    }
}

impl Activation {
    /// Products of an MLP: up and down, and a gate where there is one.
    pub fn num_products(self) -> usize {
        match self {
            Self::Xielu => 2,
            Self::SwiGlu | Self::GeGlu | Self::ClampedSwiGlu { .. } => 3,
        }
    }
}
