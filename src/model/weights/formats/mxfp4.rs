//! MXFP4 (OCP Microscaling Formats 1.0): 32 numbers of four bits, E2M1, share a power of two, E8M0.
//! As gpt-oss stores its experts: `{name}_blocks` of the shape `[e, n, k / 32, 16]`, the first of
//! two numbers in the low half of a byte, and `{name}_scales` of the shape `[e, n, k / 32]`.

use super::dequantized::{Dequantized, Layout};
use super::modules::Named;
use super::numbers::{Groups, Scales};
use super::parts::{Parts, check_shape};
use super::{Format, Quantized, read_config};
use crate::model::weights::tensor::Tensor;
use safetensors::Dtype;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// `quant_method` mxfp4.
#[derive(Debug)]
pub struct Mxfp4 {
    excluded: Named,
}

#[derive(Deserialize)]
struct Config {
    modules_to_not_convert: Option<Vec<String>>,
}

/// Numbers that share a power of two, and bytes that they lie in.
const BLOCK: usize = 32;
const BLOCK_BYTES: usize = BLOCK / 2;

impl Mxfp4 {
    pub fn read(config: &Value) -> Result<Self, String> {
        let config: Config = read_config(config)?;
        Ok(Self {
            excluded: Named::new(config.modules_to_not_convert),
        })
    }
}

impl Format for Mxfp4 {
    fn module<'a>(&self, tensor: &'a Tensor) -> Option<&'a str> {
        tensor.name.strip_suffix("_blocks")
    }

    fn weight_name(&self, module: &str) -> String {
        module.to_owned()
    }

    fn parts(&self) -> &'static [&'static str] {
        &["_blocks", "_scales"]
    }

    fn excludes(&self, module: &str) -> Option<String> {
        self.excluded
            .find(module)
            .map(|name| format!("`modules_to_not_convert` of `quantization_config` names `{name}`"))
    }

    fn read(&self, parts: &Parts<'_>) -> Result<Quantized, String> {
        let blocks = parts.need("_blocks", &[Dtype::U8])?;
        let scales = parts.need("_scales", &[Dtype::U8])?;
        let [e, n, groups, BLOCK_BYTES] = *blocks.shape.as_slice() else {
            return Err(format!(
                "the tensor {} has shape {:?}, but in this format it counts experts, outputs, \
                 blocks and the 16 bytes of each",
                blocks.name, blocks.shape
            ));
        };
        let why = format!("{} of the shape {:?}", blocks.name, blocks.shape);
        check_shape(scales, &[&[e, n, groups]], &why)?;
        Ok(Quantized {
            shape: vec![e, n, groups.saturating_mul(BLOCK)],
            label: "mxfp4".into(),
            is_bf16: true,
            matrix: Box::new(Dequantized {
                groups: Groups::Of(BLOCK),
                layout: Nibbles {
                    blocks: Arc::clone(blocks),
                    scales: Scales::new(scales)?,
                    groups,
                },
            }),
        })
    }
}

#[derive(Debug)]
struct Nibbles {
    /// `[e * n, k / 2]`.
    blocks: Arc<Tensor>,
    /// `[e * n, groups]`.
    scales: Scales,
    groups: usize,
}

impl Layout for Nibbles {
    fn code(&self, row: usize, input: usize) -> f32 {
        let byte = self.blocks.bytes()[row * self.groups * BLOCK_BYTES + input / 2];
        let code = if input.is_multiple_of(2) {
            byte & 15
        } else {
            byte >> 4
        };
        E2M1[usize::from(code)]
    }

    fn zero(&self, _row: usize, _group: usize) -> f32 {
        0.0
    }

    fn scale(&self, row: usize, group: usize) -> f32 {
        self.scales.get(row * self.groups + group)
    }
}

/// The value of each half of a byte.
const E2M1: [f32; 16] = [
    0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0,
];
