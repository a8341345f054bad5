//! FP8 E4M3 (Micikevicius et al. 2022, "FP8 Formats for Deep Learning"; OCP OFP8 1.0): a sign, four
//! bits of exponent, three of mantissa, no infinities. `weight = value * scale`, as `transformers`
//! and vLLM dequantise what DeepSeek, Qwen and others publish. A scale stands for a tensor, an
//! output or a block, and `weight_scale_inv` is multiplied by as `weight_scale` is.

use super::dequantized::{Dequantized, Layout};
use super::modules::Named;
use super::numbers::Scales;
use super::parts::{Parts, matrix_shape};
use super::sharing::{Grid, Sharing};
use super::{Format, Quantized, read_config};
use crate::kernels::Fp8Matrix;
use crate::model::weights::tensor::Tensor;
use safetensors::Dtype;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// `quant_method` fp8.
#[derive(Debug)]
pub struct Fp8 {
    block: [usize; 2],
    excluded: Named,
    /// What scales that are bytes mean.
    has_e8m0_scales: bool,
}

#[derive(Deserialize)]
struct Config {
    fmt: Option<String>,
    weight_block_size: Option<[usize; 2]>,
    scale_fmt: Option<String>,
    expert_dtype: Option<String>,
    modules_to_not_convert: Option<Vec<String>>,
    ignored_layers: Option<Vec<String>>,
}

impl Fp8 {
    pub fn read(config: &Value) -> Result<Self, String> {
        let config: Config = read_config(config)?;
        for (field, value, allowed) in [
            ("fmt", &config.fmt, &["e4m3", "float8_e4m3fn"][..]),
            ("scale_fmt", &config.scale_fmt, &["float", "ue8m0"][..]),
            ("expert_dtype", &config.expert_dtype, &["fp8"][..]),
        ] {
            if let Some(value) = value.as_deref().filter(|value| !allowed.contains(value)) {
                return Err(format!(
                    "`quantization_config.{field}` is {value}; supported are {}",
                    allowed.join(" and ")
                ));
            }
        }
        let block = config.weight_block_size.unwrap_or([128, 128]);
        if block.contains(&0) {
            return Err(format!(
                "`quantization_config.weight_block_size` is {block:?}; both sizes must be from 1"
            ));
        }
        Ok(Self {
            block,
            excluded: Named::new(config.modules_to_not_convert.or(config.ignored_layers)),
            has_e8m0_scales: config.scale_fmt.as_deref() == Some("ue8m0"),
        })
    }
}

impl Format for Fp8 {
    fn module<'a>(&self, tensor: &'a Tensor) -> Option<&'a str> {
        let is_fp8 = tensor.dtype == Dtype::F8_E4M3;
        tensor.name.strip_suffix(".weight").filter(|_| is_fp8)
    }

    fn parts(&self) -> &'static [&'static str] {
        &[".weight", ".weight_scale_inv", ".weight_scale"]
    }

    fn unused(&self) -> &'static [&'static str] {
        super::ACTIVATION_SCALES
    }

    fn excludes(&self, module: &str) -> Option<String> {
        self.excluded
            .find(module)
            .map(|name| format!("`modules_to_not_convert` of `quantization_config` names `{name}`"))
    }

    fn read(&self, parts: &Parts<'_>) -> Result<Quantized, String> {
        let weight = parts.need(".weight", &[Dtype::F8_E4M3])?;
        let name = match parts.find(".weight_scale_inv") {
            Some(_) => ".weight_scale_inv",
            None => ".weight_scale",
        };
        let mut dtypes = Scales::DTYPES.to_vec();
        if self.has_e8m0_scales {
            dtypes.push(Dtype::U8);
        }
        let scales = parts.need(name, &dtypes)?;
        let shape = matrix_shape(weight)?;
        let blocks = Sharing::Blocks(self.block);
        let sharing = [Sharing::Tensor, Sharing::Channel]
            .into_iter()
            .find(|sharing| sharing.is_that_of(scales, shape));
        fp8(weight, scales, sharing.unwrap_or(blocks), "fp8 e4m3")
    }
}

/// A weight of F8_E4M3 with its scales.
pub fn fp8(
    weight: &Arc<Tensor>,
    scales: &Arc<Tensor>,
    sharing: Sharing,
    label: &str,
) -> Result<Quantized, String> {
    let [n, k] = matrix_shape(weight)?;
    sharing.check(scales, [n, k])?;
    let scales = Scales::new(scales)?;
    Ok(Quantized {
        shape: vec![n, k],
        label: format!("{label}, {sharing}"),
        is_bf16: scales.are_powers_of_two(),
        matrix: Box::new(Dequantized {
            groups: sharing.groups(k),
            layout: Bytes {
                codes: Arc::clone(weight),
                k,
                group: sharing.inputs(k),
                grid: sharing.grid(k),
                scales,
            },
        }),
    })
}

#[derive(Debug)]
struct Bytes {
    /// `[n, k]`.
    codes: Arc<Tensor>,
    k: usize,
    /// Inputs that share a scale.
    group: usize,
    scales: Scales,
    grid: Grid,
}

impl Layout for Bytes {
    fn code(&self, row: usize, input: usize) -> f32 {
        E4M3[usize::from(self.codes.bytes()[row * self.k + input])]
    }

    fn zero(&self, _row: usize, _group: usize) -> f32 {
        0.0
    }

    fn scale(&self, row: usize, group: usize) -> f32 {
        self.scales.get(self.grid.at(row, group))
    }

    fn fp8(&self) -> Option<&dyn Fp8Matrix> {
        let is_shared = self.group.is_multiple_of(<dyn Fp8Matrix>::GROUP) || self.group >= self.k;
        is_shared.then_some(self)
    }
}

impl Fp8Matrix for Bytes {
    fn code(&self, row: usize, input: usize) -> u8 {
        self.codes.bytes()[row * self.k + input]
    }

    fn scale(&self, row: usize, input: usize) -> f32 {
        Layout::scale(self, row, input / self.group)
    }
}

/// The value of each byte.
const E4M3: [f32; 256] = {
    let mut values = [0.0; 256];
    let mut byte = 0;
    while byte < 256 {
        values[byte] = e4m3(byte as u32);
        byte += 1;
    }
    values
};

const fn e4m3(byte: u32) -> f32 {
    let (sign, exponent, mantissa) = (byte >> 7, byte >> 3 & 15, byte & 7);
    let magnitude = match (exponent, mantissa) {
        (15, 7) => f32::NAN,
        (0, _) => mantissa as f32 / 512.0,
        _ => f32::from_bits((exponent + 120) << 23 | mantissa << 20),
    };
    if sign == 1 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_the_values_that_the_format_gives_them() {
        for (byte, value) in [
            (0x00, 0.0),
            (0x01, 2f32.powi(-9)),
            (0x07, 7.0 * 2f32.powi(-9)),
            (0x08, 2f32.powi(-6)),
            (0x38, 1.0),
            (0x3c, 1.5),
            (0x7e, 448.0),
            (0xb8, -1.0),
            (0xfe, -448.0),
        ] {
            assert_eq!(E4M3[byte], value, "{byte:#x}");
        }
        assert!(E4M3[0x7f].is_nan() && E4M3[0xff].is_nan());
        assert!(E4M3[0x80] == 0.0 && E4M3[0x80].is_sign_negative());
    }
}
