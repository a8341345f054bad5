use crate::model::weights::formats::modules::Target;
use crate::model::weights::formats::read_config;
use crate::model::weights::formats::sharing::Sharing;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// `quant_method` compressed-tensors.
#[derive(Debug)]
pub struct CompressedTensors {
    pub(super) groups: Vec<Group>,
    pub(super) ignored: Vec<Target>,
}

/// Modules that are quantised in one way.
#[derive(Debug)]
pub(super) struct Group {
    pub targets: Vec<Target>,
    pub storage: Storage,
    pub bits: u32,
    pub is_symmetric: bool,
    /// Whether the group of each input is listed.
    pub is_ordered_by_activation: bool,
    pub sharing: Sharing,
}

/// Where the codes of a weight are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Storage {
    /// `weight_packed`, integers in words.
    Packed,
    /// `weight`, integers of a byte each.
    Bytes,
    /// `weight`, FP8 E4M3.
    Float,
}

#[derive(Deserialize)]
struct Config {
    format: Option<String>,
    config_groups: BTreeMap<String, Scheme>,
    ignore: Option<Vec<String>>,
    quantization_status: Option<String>,
    sparsity_config: Option<Map<String, Value>>,
    transform_config: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Scheme {
    targets: Vec<String>,
    weights: Option<Weights>,
    format: Option<String>,
}

#[derive(Deserialize)]
struct Weights {
    num_bits: u32,
    #[serde(rename = "type")]
    kind: Option<String>,
    symmetric: Option<bool>,
    strategy: Option<String>,
    group_size: Option<i64>,
    block_structure: Option<[usize; 2]>,
    actorder: Option<Value>,
}

impl CompressedTensors {
    pub fn read(config: &Value) -> Result<Self, String> {
        let config: Config = read_config(config)?;
        if let Some(status) = config
            .quantization_status
            .as_deref()
            // What was saved before there was `compressed` says `frozen`.
            .filter(|status| !matches!(*status, "compressed" | "frozen"))
        {
            return Err(format!(
                "`quantization_config.quantization_status` is {status}; supported are \
                 compressed and frozen"
            ));
        }
        let sparsity = config.sparsity_config.unwrap_or_default();
        if let Some(format) = sparsity.get("format").filter(|format| *format != "dense") {
            return Err(format!(
                "`quantization_config.sparsity_config.format` is {format}; supported is dense"
            ));
        }
        if config
            .transform_config
            .is_some_and(|config| !config.is_empty())
        {
            return Err(
                "`quantization_config.transform_config` is not empty; transforms of activations \
                 are not supported"
                    .into(),
            );
        }
        let format = config.format.as_deref();
        let groups = config
            .config_groups
            .iter()
            .filter_map(|(name, scheme)| group(name, scheme, format).transpose())
            .collect::<Result<Vec<_>, _>>()?;
        // Which modules are left out their tensors show; an entry that is not understood, such as
        // the name of a class, cannot contradict them.
        let ignored = config.ignore.unwrap_or_default();
        let ignored = ignored
            .iter()
            .filter_map(|text| Target::parse("ignore", text).ok());
        Ok(Self {
            groups,
            ignored: ignored.collect(),
        })
    }
}

/// None for a group of which only activations are quantised.
fn group(name: &str, scheme: &Scheme, format: Option<&str>) -> Result<Option<Group>, String> {
    let field = format!("quantization_config.config_groups.{name}");
    let Some(weights) = &scheme.weights else {
        return Ok(None);
    };
    let format = scheme.format.as_deref().or(format).unwrap_or("none");
    let kind = weights.kind.as_deref().unwrap_or("int");
    let storage = match (format, kind, weights.num_bits) {
        ("pack-quantized", "int", 4 | 8) => Storage::Packed,
        ("int-quantized" | "naive-quantized", "int", 4 | 8) => Storage::Bytes,
        ("float-quantized" | "naive-quantized", "float", 8) => Storage::Float,
        (format, kind, bits) => {
            return Err(format!(
                "`{field}.weights` are of type {kind} and {bits} bits in the format {format}; \
                 supported are int of 4 and 8 bits in pack-quantized and int-quantized, and float \
                 of 8 bits in float-quantized"
            ));
        }
    };
    let targets = scheme
        .targets
        .iter()
        .map(|target| Target::parse(&format!("{field}.targets"), target))
        .collect::<Result<_, _>>()?;
    let sharing = sharing(&field, weights)?;
    let is_symmetric = weights.symmetric != Some(false);
    if !is_symmetric && !can_have_zero_points(storage, sharing) {
        return Err(format!(
            "`{field}.weights.symmetric` is false with {sharing} in the format {format}; supported \
             is true"
        ));
    }
    Ok(Some(Group {
        targets,
        storage,
        bits: weights.num_bits,
        is_symmetric,
        is_ordered_by_activation: is_ordered(&field, weights.actorder.as_ref())?,
        sharing,
    }))
}

fn can_have_zero_points(storage: Storage, sharing: Sharing) -> bool {
    match (storage, sharing) {
        (Storage::Float, _) => false,
        (Storage::Bytes, _) | (Storage::Packed, Sharing::Channel | Sharing::Blocks([1, _])) => true,
        (Storage::Packed, _) => false,
    }
}

fn sharing(field: &str, weights: &Weights) -> Result<Sharing, String> {
    let strategy = match (weights.strategy.as_deref(), weights.group_size) {
        (Some(strategy), _) => strategy,
        (None, None) => "tensor",
        (None, Some(-1)) => "channel",
        (None, Some(_)) => "group",
    };
    match strategy {
        "tensor" => Ok(Sharing::Tensor),
        "channel" => Ok(Sharing::Channel),
        "group" => match weights.group_size.map(usize::try_from) {
            Some(Ok(size @ 1..)) => Ok(Sharing::Blocks([1, size])),
            _ => Err(format!(
                "`{field}.weights.group_size` must be a number from 1 with the strategy group"
            )),
        },
        "block" => match weights.block_structure {
            Some(block) if !block.contains(&0) => Ok(Sharing::Blocks(block)),
            _ => Err(format!(
                "`{field}.weights.block_structure` must be two sizes from 1 with the strategy block"
            )),
        },
        other => Err(format!(
            "`{field}.weights.strategy` is {other}; supported are tensor, channel, group and block"
        )),
    }
}

/// Whether the order of activations changed which group an input is in: `group`, once called
/// `dynamic` or true. The order `weight`, once `static`, leaves no trace.
fn is_ordered(field: &str, order: Option<&Value>) -> Result<bool, String> {
    match order {
        None | Some(Value::Null | Value::Bool(false)) => Ok(false),
        Some(Value::Bool(true)) => Ok(true),
        Some(Value::String(order)) if matches!(order.as_str(), "group" | "dynamic") => Ok(true),
        Some(Value::String(order)) if matches!(order.as_str(), "weight" | "static") => Ok(false),
        Some(other) => Err(format!(
            "`{field}.weights.actorder` is {other}; supported are group and weight"
        )),
    }
}
