//! Formats that keep a weight in codes and scales, one file each: from the tensors of a checkpoint
//! to matrices whose elements are worked out as they are read. `quantization_config` of
//! `config.json` chooses the format; what it does not know it refuses by the name of the field.

mod awq;
mod compressed_tensors;
mod dequantized;
mod fp8;
mod gptq;
mod modules;
mod mxfp4;
mod numbers;
mod parts;
mod sharing;

use super::shards::Tensors;
use super::tensor::Tensor;
use crate::kernels::Matrix;
use parts::Parts;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

/// A format of quantised weights, as a checkpoint's configuration chooses it.
pub trait Format: Debug + Send + Sync {
    /// The module whose weight `tensor` begins, if its weight is quantised.
    fn module<'a>(&self, tensor: &'a Tensor) -> Option<&'a str>;

    /// What the weight of a module would be called unquantised.
    fn weight_name(&self, module: &str) -> String {
        format!("{module}.weight")
    }

    /// Ends of the names of all tensors that a weight can be made of.
    fn parts(&self) -> &'static [&'static str];

    /// Ends of the names of tensors that are not needed here.
    fn unused(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether modules without a bias may have one of zeros.
    fn may_have_zero_bias(&self) -> bool {
        false
    }

    /// Why the configuration says that a module is not quantised, if it does.
    fn excludes(&self, module: &str) -> Option<String> {
        let _ = module;
        None
    }

    /// The weight of a module, or what is wrong with its tensors.
    fn read(&self, parts: &Parts<'_>) -> Result<Quantized, String>;
}

/// A weight that is made of several tensors.
#[derive(Debug)]
pub struct Quantized {
    /// `[n, k]`, or `[e, n, k]` for a stack of experts.
    pub shape: Vec<usize>,
    /// All rows, those of the second expert behind those of the first.
    pub matrix: Box<dyn Matrix>,
    /// For people.
    pub label: String,
    /// Whether bf16 holds each of its values.
    pub is_bf16: bool,
}

/// What is found of a quantised weight.
#[derive(Debug)]
pub struct Found {
    /// The tensors that it is made of.
    pub parts: Vec<Arc<Tensor>>,
    pub weight: Result<Quantized, String>,
}

/// Scales and zero points of activations and of a KV cache. Activations are not rounded here as
/// they would be where these are used, and the KV cache has a type of its own.
const ACTIVATION_SCALES: &[&str] = &[
    ".input_scale",
    ".input_zero_point",
    ".output_scale",
    ".output_zero_point",
    ".activation_scale",
    ".q_scale",
    ".k_scale",
    ".v_scale",
    ".k_zero_point",
    ".v_zero_point",
];

/// The format that a `config.json` chooses, if any.
pub fn of_config(config: &Map<String, Value>) -> Result<Option<Box<dyn Format>>, String> {
    let in_text = || config.get("text_config")?.get("quantization_config");
    let Some(config) = config
        .get("quantization_config")
        // What compressed-tensors was called at first.
        .or_else(|| config.get("compression_config"))
        .or_else(in_text)
        .filter(|value| !value.is_null())
    else {
        return Ok(None);
    };
    let Some(method) = config.get("quant_method").and_then(Value::as_str) else {
        return Err("`quantization_config.quant_method` must name a method".into());
    };
    let format: Box<dyn Format> = match method {
        "awq" => Box::new(awq::Awq::read(config)?),
        "compressed-tensors" => Box::new(compressed_tensors::CompressedTensors::read(config)?),
        "fp8" => Box::new(fp8::Fp8::read(config)?),
        "gptq" => Box::new(gptq::Gptq::read(config)?),
        "mxfp4" => Box::new(mxfp4::Mxfp4::read(config)?),
        other => {
            return Err(format!(
                "`quantization_config.quant_method` is {other}; supported are awq, \
                 compressed-tensors, fp8, gptq and mxfp4"
            ));
        }
    };
    Ok(Some(format))
}

/// The quantised weights among `tensors`, by the names that they would have unquantised.
pub fn find(format: &dyn Format, tensors: &Tensors) -> BTreeMap<String, Found> {
    tensors
        .values()
        .filter_map(|tensor| {
            let module = format.module(tensor)?;
            Some((format.weight_name(module), found(format, tensors, module)))
        })
        .collect()
}

fn found(format: &dyn Format, tensors: &Tensors, module: &str) -> Found {
    let parts = Parts::new(tensors, module);
    let mut names: Vec<_> = format
        .parts()
        .iter()
        .filter_map(|part| parts.find(part))
        .collect();
    if format.may_have_zero_bias() {
        let bias = parts.find(".bias");
        names.extend(bias.filter(|bias| bias.bytes().iter().all(|byte| *byte == 0)));
    }
    Found {
        parts: names.into_iter().cloned().collect(),
        weight: match format.excludes(module) {
            Some(why) => Err(format!("{why}, but the tensors of {module} are quantised")),
            None => format.read(&parts),
        },
    }
}

/// Reads a `quantization_config`; an error names the field.
fn read_config<T: DeserializeOwned>(config: &Value) -> Result<T, String> {
    serde_path_to_error::deserialize(config).map_err(|e| match e.path().to_string().as_str() {
        "." => format!("`quantization_config`: {}", e.inner()),
        path => format!("`quantization_config.{path}`: {}", e.inner()),
    })
}

/// Inputs that share a scale; none where -1 says that all do.
fn group_size(field: &str, size: i64) -> Result<Option<usize>, String> {
    match (size, usize::try_from(size)) {
        (-1, _) => Ok(None),
        (1.., Ok(size)) => Ok(Some(size)),
        _ => Err(format!(
            "`quantization_config.{field}` is {size}; it must be from 1, or -1 for all inputs"
        )),
    }
}
