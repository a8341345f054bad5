//! Rotary embeddings: the fields of `config.json`, some of them found again from what GGUF stores
//! instead.

use std::io::{BufReader, Read, Seek};

use serde_json::{Map, Value, json};

use super::ImportError;
use super::architecture::{Architecture, Dimensions, Scaling};
use super::convert::read_floats;
use super::header::Header;
use super::llama3::Llama3Scaling;
use super::metadata::Metadata;
use super::value::shortest;

const SHORT_FACTORS: &str = "rope_factors_short.weight";
const LONG_FACTORS: &str = "rope_factors_long.weight";

/// Tensors that are no weights of the checkpoint: they are read here and by [`Llama3Scaling`].
pub(super) fn tensors(architecture: &Architecture) -> &'static [&'static str] {
    let scalings = architecture.rope.scalings;
    if scalings.contains(&Scaling::Llama3) {
        &[super::llama3::FACTORS]
    } else if scalings.contains(&Scaling::LongRope) {
        &[SHORT_FACTORS, LONG_FACTORS]
    } else {
        &[]
    }
}

/// `rope_theta`, `rope_scaling` and what goes with them, where makers of models write them.
pub(super) fn fields<R: Read + Seek>(
    architecture: &Architecture,
    dimensions: &Dimensions,
    metadata: &Metadata<'_>,
    header: &Header,
    reader: &mut BufReader<R>,
) -> Result<Map<String, Value>, ImportError> {
    let reading = Reading {
        architecture,
        dimensions,
        metadata,
    };
    let mut fields = Map::new();
    let theta = reading.base("rope.freq_base", architecture.rope.default_theta)?;
    fields.insert("rope_theta".into(), json!(theta));
    if let Some(default) = architecture.rope.default_local_theta {
        let local = reading.base("rope.freq_base_swa", default)?;
        fields.insert("rope_local_base_freq".into(), json!(local));
    }
    let num_rotary = reading.num_rotary()?;
    if num_rotary != dimensions.head_dim {
        let part = num_rotary as f64 / dimensions.head_dim as f64;
        fields.insert("partial_rotary_factor".into(), json!(part));
    }
    let scalings = architecture.rope.scalings;
    let scaling = if scalings.contains(&Scaling::LongRope) {
        let original = reading.size("rope.scaling.original_context_length")?;
        fields.insert("original_max_position_embeddings".into(), json!(original));
        reading.long_rope(num_rotary, original, header, reader)?
    } else if scalings.contains(&Scaling::Llama3) {
        let scaling = Llama3Scaling::from_gguf(header, reader, dimensions.head_dim, theta)?;
        match (scaling, reading.stated()?) {
            (Some(_), Some(_)) => {
                return Err(ImportError::Malformed(
                    "the file scales its rotary embeddings in two ways".into(),
                ));
            }
            (scaling, stated) => scaling.map(|scaling| scaling.to_json()).or(stated),
        }
    } else {
        reading.stated()?
    };
    // Said even where there is none: some classes would else take one of their own.
    let scaling = scaling.unwrap_or_else(|| json!({"rope_type": "default"}));
    fields.insert("rope_scaling".into(), scaling);
    Ok(fields)
}

struct Reading<'a, 'm> {
    architecture: &'a Architecture,
    dimensions: &'a Dimensions,
    metadata: &'a Metadata<'m>,
}

impl Reading<'_, '_> {
    fn key(&self, rest: &str) -> String {
        format!("{}.{rest}", self.architecture.name)
    }

    fn size(&self, rest: &str) -> Result<usize, ImportError> {
        self.metadata.size(&self.key(rest))
    }

    fn optional_float(&self, rest: &str) -> Result<Option<f64>, ImportError> {
        self.metadata.optional_float(&self.key(rest))
    }

    fn base(&self, rest: &str, default: f64) -> Result<f64, ImportError> {
        match self.optional_float(rest)?.unwrap_or(default) {
            base if base > 0.0 => Ok(base),
            _ => Err(ImportError::Malformed(format!(
                "{} is not above 0",
                self.key(rest)
            ))),
        }
    }

    /// How many numbers of a head turn.
    fn num_rotary(&self) -> Result<usize, ImportError> {
        let head_dim = self.dimensions.head_dim;
        let count = self
            .metadata
            .optional_size(&self.key("rope.dimension_count"))?
            .unwrap_or(head_dim);
        let partial = self.architecture.rope.partial && count.is_multiple_of(2);
        match count == head_dim || (partial && count < head_dim) {
            true => Ok(count),
            false => Err(ImportError::Unsupported(format!(
                "rotary embeddings on {count} of {head_dim} numbers of a head are not imported"
            ))),
        }
    }

    /// A scaling that is stated in metadata.
    fn stated(&self) -> Result<Option<Value>, ImportError> {
        let kind = self
            .metadata
            .optional_text(&self.key("rope.scaling.type"))?;
        let factor = self
            .optional_float("rope.scaling.factor")?
            .filter(|factor| *factor != 0.0 && *factor != 1.0);
        // llama.cpp takes a factor without a type for linear.
        let (kind, factor) = match (kind, factor) {
            (None | Some("none"), None) => return Ok(None),
            (None, Some(factor)) => ("linear", factor),
            (Some(kind), Some(factor)) => (kind, factor),
            (Some(kind), None) => {
                return Err(ImportError::Unsupported(format!(
                    "the rotary scaling {kind:?} without a factor is not imported"
                )));
            }
        };
        let scalings = self.architecture.rope.scalings;
        match kind {
            "linear" if scalings.contains(&Scaling::Linear) => {
                Ok(Some(json!({"rope_type": "linear", "factor": factor})))
            }
            "yarn" if scalings.contains(&Scaling::Yarn) => self.yarn(factor).map(Some),
            "yarn" if scalings.contains(&Scaling::YarnUntruncated) => {
                let mut scaling = self.yarn(factor)?;
                scaling["truncate"] = json!(false);
                Ok(Some(scaling))
            }
            other => Err(ImportError::Unsupported(format!(
                "the rotary scaling {other:?} ({}) is not imported for {} models",
                self.key("rope.scaling.type"),
                self.architecture.name
            ))),
        }
    }

    fn yarn(&self, factor: f64) -> Result<Value, ImportError> {
        let original = self.size("rope.scaling.original_context_length")?;
        let mut scaling = json!({
            "rope_type": "yarn",
            "factor": factor,
            "original_max_position_embeddings": original,
        });
        for (key, field) in [
            ("rope.scaling.yarn_beta_fast", "beta_fast"),
            ("rope.scaling.yarn_beta_slow", "beta_slow"),
            ("rope.scaling.yarn_attn_factor", "attention_factor"),
        ] {
            if let Some(value) = self.optional_float(key)? {
                scaling[field] = json!(value);
            }
        }
        Ok(scaling)
    }

    /// Two factors a frequency, for contexts within what the model was first trained on and
    /// beyond.
    fn long_rope<R: Read + Seek>(
        &self,
        num_rotary: usize,
        original: usize,
        header: &Header,
        reader: &mut BufReader<R>,
    ) -> Result<Option<Value>, ImportError> {
        if !header.tensors.contains_key(LONG_FACTORS) && !header.tensors.contains_key(SHORT_FACTORS)
        {
            return Ok(None);
        }
        let mut factors = |name: &str| -> Result<Vec<f64>, ImportError> {
            match header.tensors.get(name) {
                Some(entry) if entry.shape == [num_rotary / 2] => {
                    let values = read_floats(entry, 0, 1, reader, name)?;
                    if !values.iter().all(|value| value.is_finite() && *value > 0.0) {
                        return Err(ImportError::Malformed(format!(
                            "{name} holds a factor that is not above 0"
                        )));
                    }
                    Ok(values.into_iter().map(shortest).collect())
                }
                _ => Err(ImportError::Malformed(format!(
                    "{name} does not have one factor a frequency"
                ))),
            }
        };
        let scaling = json!({
            "type": "longrope",
            "short_factor": factors(SHORT_FACTORS)?,
            "long_factor": factors(LONG_FACTORS)?,
        });
        self.check_attention_factor(original)?;
        Ok(Some(scaling))
    }

    /// Readers of `config.json` work this factor out, so it must be what they get.
    fn check_attention_factor(&self, original: usize) -> Result<(), ImportError> {
        let key = "rope.scaling.attn_factor";
        let stated = self.metadata.float(&self.key(key))?;
        let scale = self.size("context_length")? as f64 / original as f64;
        let expected = match scale > 1.0 {
            true => (1.0 + scale.ln() / (original as f64).ln()).sqrt(),
            false => 1.0,
        };
        match (stated - expected).abs() < 1e-5 {
            true => Ok(()),
            false => Err(ImportError::Unsupported(format!(
                "{} is {stated}, which is not what its contexts make it",
                self.key(key)
            ))),
        }
    }
}
