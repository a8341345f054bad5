//! AWQ (Lin et al. 2023) as AutoAWQ's version "gemm" writes it: codes of 4 bits, eight outputs of
//! an input in a word, `weight = (code - zero) * scale` with the zero point and the scale of the
//! input's group.

use super::dequantized::{Dequantized, Layout};
use super::modules::Named;
use super::numbers::{Groups, Scales, Words};
use super::parts::{Parts, check_shape, matrix_shape};
use super::{Format, Quantized, group_size, read_config};
use crate::model::weights::tensor::Tensor;
use safetensors::Dtype;
use serde::Deserialize;
use serde_json::Value;

/// `quant_method` awq.
#[derive(Debug)]
pub struct Awq {
    /// None: all inputs are one.
    group_size: Option<usize>,
    excluded: Named,
}

#[derive(Deserialize)]
struct Config {
    #[serde(alias = "w_bit")]
    bits: usize,
    #[serde(alias = "q_group_size")]
    group_size: i64,
    version: Option<String>,
    zero_point: Option<bool>,
    modules_to_not_convert: Option<Vec<String>>,
}

impl Awq {
    pub fn read(config: &Value) -> Result<Self, String> {
        let config: Config = read_config(config)?;
        if config.bits != 4 {
            return Err(format!(
                "`quantization_config.bits` is {}; supported is 4",
                config.bits
            ));
        }
        let version = config.version.as_deref().unwrap_or("gemm");
        if !version.eq_ignore_ascii_case("gemm") {
            return Err(format!(
                "`quantization_config.version` is {version}; supported is gemm"
            ));
        }
        if config.zero_point == Some(false) {
            return Err("`quantization_config.zero_point` is false; supported is true".into());
        }
        Ok(Self {
            group_size: group_size("group_size", config.group_size)?,
            excluded: Named::new(config.modules_to_not_convert),
        })
    }
}

impl Format for Awq {
    fn module<'a>(&self, tensor: &'a Tensor) -> Option<&'a str> {
        tensor.name.strip_suffix(".qweight")
    }

    fn parts(&self) -> &'static [&'static str] {
        &[".qweight", ".qzeros", ".scales"]
    }

    fn excludes(&self, module: &str) -> Option<String> {
        self.excluded
            .find(module)
            .map(|name| format!("`modules_to_not_convert` of `quantization_config` names `{name}`"))
    }

    fn read(&self, parts: &Parts<'_>) -> Result<Quantized, String> {
        let codes = parts.need(".qweight", &[Dtype::I32])?;
        let zeros = parts.need(".qzeros", &[Dtype::I32])?;
        let scales = parts.need(".scales", &[Dtype::F16, Dtype::BF16, Dtype::F32])?;
        let [k, words] = matrix_shape(codes)?;
        let n = words.saturating_mul(8);
        let group_size = self.group_size.unwrap_or(k).max(1);
        let num_groups = k.div_ceil(group_size);
        let why = format!("{} of the shape {:?}", codes.name, codes.shape);
        check_shape(scales, &[&[num_groups, n]], &why)?;
        check_shape(zeros, &[&[num_groups, words]], &why)?;
        let group = match self.group_size {
            Some(size) => format!("group {size}"),
            None => "a scale per output".to_owned(),
        };
        Ok(Quantized {
            shape: vec![n, k],
            label: format!("awq int4, {group}"),
            is_bf16: false,
            matrix: Box::new(Dequantized {
                groups: Groups::Of(group_size),
                layout: InWordsOfOutputs {
                    codes: Words::new(codes, 4),
                    zeros: Words::new(zeros, 4),
                    scales: Scales::new(scales)?,
                    n,
                },
            }),
        })
    }
}

#[derive(Debug)]
struct InWordsOfOutputs {
    /// `[k, n / 8]`.
    codes: Words,
    /// `[groups, n / 8]`.
    zeros: Words,
    /// `[groups, n]`.
    scales: Scales,
    n: usize,
}

/// Where in a word each of eight outputs lies: from its lowest bits on it holds the outputs 0, 2,
/// 4, 6, 1, 3, 5 and 7.
const PLACES: [usize; 8] = [0, 4, 1, 5, 2, 6, 3, 7];

impl InWordsOfOutputs {
    fn integer(&self, words: &Words, line: usize, row: usize) -> f32 {
        words.in_word(line * (self.n / 8) + row / 8, PLACES[row % 8]) as f32
    }
}

impl Layout for InWordsOfOutputs {
    fn code(&self, row: usize, input: usize) -> f32 {
        self.integer(&self.codes, input, row)
    }

    fn zero(&self, row: usize, group: usize) -> f32 {
        self.integer(&self.zeros, group, row)
    }

    fn scale(&self, row: usize, group: usize) -> f32 {
        self.scales.get(group * self.n + row)
    }
}
