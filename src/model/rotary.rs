use super::ModelError;
use super::config::{RopeConfig, RopeScaling};
use crate::kernels::{Kernels, RopeTable};
use std::f64::consts::PI;

/// Cosines and sines of rotary embeddings (Su et al. 2021). Angles are products of f32 values, as
/// in `transformers`, whose rounding shows at long positions.
pub fn table(
    kernels: &Kernels,
    config: &RopeConfig,
    head_dim: usize,
    num_positions: usize,
) -> Result<RopeTable, ModelError> {
    let frequencies = inverse_frequencies(config, head_dim);
    let angles = (0..num_positions)
        .flat_map(|position| frequencies.iter().map(move |f| position as f32 * f));
    let (cos, sin) = angles
        .map(|angle| (f64::from(angle).cos() as f32, f64::from(angle).sin() as f32))
        .unzip();
    Ok(RopeTable {
        cos: kernels.vector(cos)?,
        sin: kernels.vector(sin)?,
    })
}

fn inverse_frequencies(config: &RopeConfig, head_dim: usize) -> Vec<f32> {
    (0..head_dim / 2)
        .map(|i| (1.0 / config.theta.powf((2 * i) as f64 / head_dim as f64)) as f32)
        .map(|frequency| match config.scaling {
            RopeScaling::None => frequency,
            RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_max_position_embeddings,
            } => {
                let original = original_max_position_embeddings as f64;
                let frequency = f64::from(frequency);
                let wavelength = 2.0 * PI / frequency;
                let scaled = if wavelength < original / high_freq_factor {
                    frequency
                } else if wavelength > original / low_freq_factor {
                    frequency / factor
                } else {
                    let smooth = (original / wavelength - low_freq_factor)
                        / (high_freq_factor - low_freq_factor);
                    (1.0 - smooth) * frequency / factor + smooth * frequency
                };
                scaled as f32
            }
        })
        .collect()
}
