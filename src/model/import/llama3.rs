//! Llama 3's frequency scaling, found again from the factors that GGUF stores instead.

use std::io::{BufReader, Read, Seek};

use serde_json::json;

use super::ImportError;
use super::convert::read_floats;
use super::header::Header;

pub(super) const FACTORS: &str = "rope_freqs.weight";

/// `rope_scaling` of kind llama3.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Llama3Scaling {
    factor: f64,
    low_freq_factor: f64,
    high_freq_factor: f64,
    original_max_position_embeddings: f64,
}

impl Llama3Scaling {
    /// `None` without factors, or when they all are 1. GGUF keeps one factor a frequency
    /// and not the four numbers behind them: the numbers of the published models are
    /// tried, and taken only if they give every factor again.
    pub(super) fn from_gguf<R: Read + Seek>(
        header: &Header,
        reader: &mut BufReader<R>,
        head_dim: usize,
        theta: f64,
    ) -> Result<Option<Self>, ImportError> {
        let Some(entry) = header.tensors.get(FACTORS) else {
            return Ok(None);
        };
        if entry.shape != [head_dim / 2] {
            return Err(ImportError::Malformed(format!(
                "{FACTORS} does not have one factor a frequency"
            )));
        }
        let factors = read_floats(entry, 0, 1, reader, FACTORS)?;
        if factors.iter().all(|factor| *factor == 1.0) {
            return Ok(None);
        }
        let largest = factors
            .iter()
            .fold(1.0_f32, |largest, factor| largest.max(*factor));
        let candidate = Self {
            factor: f64::from(largest),
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 8192.0,
        };
        let expected = candidate.factors(head_dim, theta);
        let equal = factors
            .iter()
            .zip(expected)
            .all(|(found, expected)| (f64::from(*found) - expected).abs() <= 1e-5 * expected);
        match equal {
            true => Ok(Some(candidate)),
            false => Err(ImportError::Unsupported(format!(
                "the rotary factors in {FACTORS} are not those of a Llama 3 model, and no other scaling is imported"
            ))),
        }
    }

    pub(super) fn to_json(&self) -> serde_json::Value {
        json!({
            "rope_type": "llama3",
            "factor": self.factor,
            "low_freq_factor": self.low_freq_factor,
            "high_freq_factor": self.high_freq_factor,
            "original_max_position_embeddings": self.original_max_position_embeddings as u64,
        })
    }

    /// What the converter of llama.cpp stores: the divisor of each frequency.
    pub(super) fn factors(&self, head_dim: usize, theta: f64) -> Vec<f64> {
        let context = self.original_max_position_embeddings;
        (0..head_dim / 2)
            .map(|index| {
                let frequency = theta.powf(-2.0 * index as f64 / head_dim as f64);
                let wavelength = 2.0 * std::f64::consts::PI / frequency;
                if wavelength < context / self.high_freq_factor {
                    1.0
                } else if wavelength > context / self.low_freq_factor {
                    self.factor
                } else {
                    let smooth = (context / wavelength - self.low_freq_factor)
                        / (self.high_freq_factor - self.low_freq_factor);
                    1.0 / ((1.0 - smooth) / self.factor + smooth)
                }
            })
            .collect()
    }
}

#[cfg(test)]
impl Llama3Scaling {
    pub(super) fn llama_3_1() -> Self {
        Self {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 8192.0,
        }
    }
}
