use super::ModelError;
use super::config::{DecoderConfig, RopeConfig, RopeScaling};
use crate::kernels::{Kernels, RopeTable};
use std::f32::consts::PI;
use std::f64::consts::TAU;

/// The rotary embeddings of a decoder's layers.
pub struct Ropes {
    tables: Vec<RopeTable>,
}

impl Ropes {
    /// Tables for `num_positions`, which is the longest sequence that is served.
    pub fn new(
        kernels: &Kernels,
        config: &DecoderConfig,
        num_positions: usize,
    ) -> Result<Self, ModelError> {
        let table = |rope| table(kernels, rope, num_positions);
        let tables = config.ropes.iter().map(table);
        Ok(Self {
            tables: tables.collect::<Result<_, _>>()?,
        })
    }

    pub fn table(&self, index: usize) -> Result<&RopeTable, ModelError> {
        self.tables
            .get(index)
            .ok_or_else(|| ModelError::Unsupported("a layer has no rotary embedding".into()))
    }
}

/// Cosines and sines of rotary embeddings (Su et al. 2021). Angles are products of f32 values, as
/// in `transformers`, whose rounding shows at long positions.
pub fn table(
    kernels: &Kernels,
    config: &RopeConfig,
    num_positions: usize,
) -> Result<RopeTable, ModelError> {
    let frequencies = inverse_frequencies(config, num_positions);
    let magnitude = magnitude(&config.scaling);
    let angles = (0..num_positions)
        .flat_map(|position| frequencies.iter().map(move |f| position as f32 * f));
    let (cos, sin) = angles
        .map(|angle| {
            let (sin, cos) = f64::from(angle).sin_cos();
            ((cos * magnitude) as f32, (sin * magnitude) as f32)
        })
        .unzip();
    Ok(RopeTable {
        cos: kernels.vector(cos)?,
        sin: kernels.vector(sin)?,
        num_frequencies: frequencies.len(),
    })
}

/// What cosines and sines are multiplied with, so that scores keep their spread.
fn magnitude(scaling: &RopeScaling) -> f64 {
    match scaling {
        RopeScaling::Yarn {
            attention_factor, ..
        }
        | RopeScaling::Long {
            attention_factor, ..
        } => *attention_factor,
        _ => 1.0,
    }
}

/// In the steps of `transformers`, each rounded to f32 as there: at long positions the last bit of
/// a frequency shows.
fn inverse_frequencies(config: &RopeConfig, num_positions: usize) -> Vec<f32> {
    let dim = config.rotary_dim;
    let power = |i: usize| {
        let exponent = (2 * i) as f32 / dim as f32;
        config.theta.powf(f64::from(exponent)) as f32
    };
    let plain = |i: usize| 1.0 / power(i);
    let frequency = |i: usize| match &config.scaling {
        // Frequencies stretch beyond `max_position_embeddings` only, where nothing is served.
        RopeScaling::None | RopeScaling::Dynamic { .. } => plain(i),
        RopeScaling::Linear { factor } => plain(i) / *factor as f32,
        RopeScaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_max_position_embeddings,
        } => {
            let [original, factor, low, high] = [
                *original_max_position_embeddings as f64,
                *factor,
                *low_freq_factor,
                *high_freq_factor,
            ]
            .map(|x| x as f32);
            let frequency = plain(i);
            let wavelength = 2.0 * PI / frequency;
            if wavelength < original / high {
                frequency
            } else if wavelength > original / low {
                frequency / factor
            } else {
                let smooth = (original / wavelength - low) / (high - low);
                (1.0 - smooth) * frequency / factor + smooth * frequency
            }
        }
        RopeScaling::Yarn { factor, .. } => {
            let kept = 1.0 - yarn_ramp(config, i);
            1.0 / (*factor as f32 * power(i)) * (1.0 - kept) + plain(i) * kept
        }
        RopeScaling::Long {
            short_factor,
            long_factor,
            ..
        } => {
            // One set of divisors for every sequence: keys that were computed with the other
            // could not stay when a sequence grows past the boundary, nor be shared.
            let factors = match config.takes_long_factors(num_positions) {
                Some(true) => long_factor,
                _ => short_factor,
            };
            1.0 / (factors[i] as f32 * power(i))
        }
    };
    (0..dim / 2).map(frequency).collect()
}

/// How much of frequency `i` is interpolated: 0 for those that turn more than `beta_fast` times
/// in the original length, 1 for those that turn less than `beta_slow` times.
fn yarn_ramp(config: &RopeConfig, i: usize) -> f32 {
    let RopeScaling::Yarn {
        original_max_position_embeddings,
        beta_fast,
        beta_slow,
        truncate,
        ..
    } = &config.scaling
    else {
        return 0.0;
    };
    let dim = config.rotary_dim as f64;
    let original = *original_max_position_embeddings as f64;
    // The dimension whose frequency turns so many times in the original length.
    let dimension = |turns: f64| dim * (original / (turns * TAU)).ln() / (2.0 * config.theta.ln());
    let (mut low, mut high) = (dimension(*beta_fast), dimension(*beta_slow));
    if *truncate {
        (low, high) = (low.floor(), high.ceil());
    }
    let (low, mut high) = (low.max(0.0), high.min(dim - 1.0));
    if low == high {
        high += 0.001;
    }
    ((i as f32 - low as f32) / (high - low) as f32).clamp(0.0, 1.0)
}
