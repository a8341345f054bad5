/// A rotary embedding (Su et al. 2021).
#[derive(Debug, Clone, PartialEq)]
pub struct RopeConfig {
    pub theta: f64,
    /// Dimensions of a head that are rotated, from its first on.
    pub rotary_dim: usize,
    pub scaling: RopeScaling,
}

/// How a rotary embedding reaches beyond the length that it was trained with.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    None,
    /// All frequencies divided by `factor` (Chen et al. 2023).
    Linear {
        factor: f64,
    },
    /// Nothing changes up to `max_position_embeddings`, beyond which nothing is served (the
    /// "dynamic NTK" of checkpoints).
    Dynamic {
        factor: f64,
    },
    /// Llama 3.1: low frequencies divided by `factor`, high ones kept, a ramp between.
    Llama3 {
        factor: f64,
        low_freq_factor: f64,
        high_freq_factor: f64,
        original_max_position_embeddings: usize,
    },
    /// YaRN (Peng et al. 2023).
    Yarn {
        factor: f64,
        original_max_position_embeddings: usize,
        beta_fast: f64,
        beta_slow: f64,
        /// The ramp begins and ends at whole dimensions.
        truncate: bool,
        /// What cosines and sines are multiplied with.
        attention_factor: f64,
    },
    /// LongRoPE (Ding et al. 2024): a divisor for each frequency.
    Long {
        /// Where no sequence that is served is longer than `original_max_position_embeddings`.
        short_factor: Vec<f64>,
        long_factor: Vec<f64>,
        original_max_position_embeddings: usize,
        attention_factor: f64,
    },
}

impl RopeConfig {
    /// Whether sequences of up to `num_positions` take the long factors of LongRoPE; `None` where
    /// there are none.
    pub fn takes_long_factors(&self, num_positions: usize) -> Option<bool> {
        match &self.scaling {
            RopeScaling::Long {
                original_max_position_embeddings,
                ..
            } => Some(num_positions > *original_max_position_embeddings),
            _ => None,
        }
    }

    /// Says what is wrong with its numbers.
    pub(super) fn check(&self, head_dim: usize) -> Result<(), String> {
        let Self {
            theta,
            rotary_dim,
            scaling,
        } = self;
        if !(theta.is_finite() && *theta > 1.0) {
            return Err(format!(
                "`rope_theta` is {theta}; it must be a number above 1"
            ));
        }
        if *rotary_dim == 0 || *rotary_dim > head_dim || !rotary_dim.is_multiple_of(2) {
            return Err(format!(
                "`partial_rotary_factor` leaves {rotary_dim} of {head_dim} dimensions of a head to rotate; \
                 it must leave an even number of them"
            ));
        }
        scaling.check(*rotary_dim)
    }
}

impl RopeScaling {
    fn check(&self, rotary_dim: usize) -> Result<(), String> {
        let is_positive = |numbers: &[f64]| numbers.iter().all(|x| x.is_finite() && *x > 0.0);
        match self {
            Self::None => Ok(()),
            Self::Linear { factor } | Self::Dynamic { factor } => {
                if factor.is_finite() && *factor >= 1.0 {
                    return Ok(());
                }
                Err(format!(
                    "the rope scaling's `factor` is {factor}; it must be a number from 1"
                ))
            }
            Self::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_max_position_embeddings,
            } => {
                if is_positive(&[*factor, *low_freq_factor, *high_freq_factor])
                    && *factor >= 1.0
                    && high_freq_factor > low_freq_factor
                    && *original_max_position_embeddings > 0
                {
                    return Ok(());
                }
                Err("the llama3 rope scaling needs a `factor` from 1, a positive `low_freq_factor` and a `high_freq_factor` above it".into())
            }
            Self::Yarn {
                factor,
                original_max_position_embeddings,
                beta_fast,
                beta_slow,
                attention_factor,
                ..
            } => {
                if is_positive(&[*factor, *beta_fast, *beta_slow, *attention_factor])
                    && *factor >= 1.0
                    && beta_fast >= beta_slow
                    && *original_max_position_embeddings > 0
                {
                    return Ok(());
                }
                Err("the yarn rope scaling needs a `factor` from 1, a positive `beta_slow`, a `beta_fast` from that on and a positive `attention_factor`".into())
            }
            Self::Long {
                short_factor,
                long_factor,
                original_max_position_embeddings,
                attention_factor,
            } => {
                for (name, factors) in
                    [("short_factor", short_factor), ("long_factor", long_factor)]
                {
                    if factors.len() != rotary_dim / 2 || !is_positive(factors) {
                        return Err(format!(
                            "the longrope scaling's `{name}` must have {} positive numbers, one for each pair of dimensions",
                            rotary_dim / 2
                        ));
                    }
                }
                if is_positive(&[*attention_factor]) && *original_max_position_embeddings > 0 {
                    return Ok(());
                }
                Err("the longrope scaling needs a positive `original_max_position_embeddings` and a positive attention factor".into())
            }
        }
    }
}
