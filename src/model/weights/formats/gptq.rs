//! GPTQ (Frantar et al. 2022) as AutoGPTQ and GPTQModel write it: codes of 4 or 8 bits, eight or
//! four inputs of an output in a word, `weight = (code - zero) * scale` with the zero point and the
//! scale of the input's group.
//!
//! The first version of the format stores zero points less one; `checkpoint_format` gptq_v2 stores
//! them as they are.

use super::dequantized::{Dequantized, Layout};
use super::numbers::{Groups, Scales, Words};
use super::parts::{Parts, check_shape, matrix_shape};
use super::{Format, Quantized, group_size, read_config};
use crate::model::weights::tensor::Tensor;
use safetensors::Dtype;
use serde::Deserialize;
use serde_json::{Map, Value};

/// `quant_method` gptq.
#[derive(Debug)]
pub struct Gptq {
    bits: u32,
    /// None: all inputs are one.
    group_size: Option<usize>,
    is_ordered_by_activation: bool,
    /// What is added to a stored zero point.
    zero_offset: u32,
}

#[derive(Deserialize)]
struct Config {
    bits: u32,
    group_size: i64,
    #[serde(default)]
    desc_act: Option<bool>,
    checkpoint_format: Option<String>,
    format: Option<String>,
    is_marlin_format: Option<bool>,
    pack_dtype: Option<String>,
    dynamic: Option<Map<String, Value>>,
}

impl Gptq {
    pub fn read(config: &Value) -> Result<Self, String> {
        let config: Config = read_config(config)?;
        if !matches!(config.bits, 4 | 8) {
            return Err(format!(
                "`quantization_config.bits` is {}; supported are 4 and 8",
                config.bits
            ));
        }
        let (field, format) = match (&config.checkpoint_format, &config.format) {
            (None, Some(format)) => ("format", format.as_str()),
            (format, _) => ("checkpoint_format", format.as_deref().unwrap_or("gptq")),
        };
        let zero_offset = match format {
            "gptq" => 1,
            "gptq_v2" => 0,
            other => {
                return Err(format!(
                    "`quantization_config.{field}` is {other}; supported are gptq and gptq_v2"
                ));
            }
        };
        if config.is_marlin_format == Some(true) {
            return Err(
                "`quantization_config.is_marlin_format` is true; supported is false".into(),
            );
        }
        if let Some(other) = config.pack_dtype.filter(|dtype| dtype != "int32") {
            return Err(format!(
                "`quantization_config.pack_dtype` is {other}; supported is int32"
            ));
        }
        // `-:` leaves modules as they were, which their tensors show.
        let rules = config.dynamic.unwrap_or_default();
        if let Some(rule) = rules.keys().find(|rule| !rule.starts_with("-:")) {
            return Err(format!(
                "`quantization_config.dynamic` has the rule `{rule}`; supported are those that \
                 begin with `-:`"
            ));
        }
        Ok(Self {
            bits: config.bits,
            group_size: group_size("group_size", config.group_size)?,
            is_ordered_by_activation: config.desc_act == Some(true),
            zero_offset,
        })
    }

    fn label(&self) -> String {
        let group = match self.group_size {
            Some(size) => format!("group {size}"),
            None => "a scale per output".to_owned(),
        };
        let order = if self.is_ordered_by_activation {
            ", act-order"
        } else {
            ""
        };
        format!("gptq int{}, {group}{order}", self.bits)
    }
}

impl Format for Gptq {
    fn module<'a>(&self, tensor: &'a Tensor) -> Option<&'a str> {
        tensor.name.strip_suffix(".qweight")
    }

    fn parts(&self) -> &'static [&'static str] {
        &[".qweight", ".qzeros", ".scales", ".g_idx"]
    }

    fn may_have_zero_bias(&self) -> bool {
        true
    }

    fn read(&self, parts: &Parts<'_>) -> Result<Quantized, String> {
        let codes = parts.need(".qweight", &[Dtype::I32])?;
        let zeros = parts.need(".qzeros", &[Dtype::I32])?;
        let scales = parts.need(".scales", &[Dtype::F16, Dtype::BF16, Dtype::F32])?;
        let per_word = Words::per_word(self.bits);
        let [words, n] = matrix_shape(codes)?;
        let k = words.saturating_mul(per_word);
        let group_size = self.group_size.unwrap_or(k).max(1);
        let num_groups = k.div_ceil(group_size);
        let why = format!("{} of the shape {:?}", codes.name, codes.shape);
        check_shape(scales, &[&[num_groups, n]], &why)?;
        check_shape(zeros, &[&[num_groups, n.div_ceil(per_word)]], &why)?;
        if self.is_ordered_by_activation {
            parts.need(".g_idx", &[Dtype::I32, Dtype::I64])?;
        }
        Ok(Quantized {
            shape: vec![n, k],
            label: self.label(),
            is_bf16: false,
            matrix: Box::new(Dequantized {
                groups: Groups::read(parts, ".g_idx", k, group_size, num_groups)?,
                layout: InWordsOfInputs {
                    codes: Words::new(codes, self.bits),
                    zeros: Words::new(zeros, self.bits),
                    scales: Scales::new(scales)?,
                    n,
                    zero_words: n.div_ceil(per_word),
                    bits: self.bits,
                    zero_offset: self.zero_offset,
                },
            }),
        })
    }
}

#[derive(Debug)]
struct InWordsOfInputs {
    /// `[k / (32 / bits), n]`.
    codes: Words,
    /// `[groups, n / (32 / bits)]`.
    zeros: Words,
    /// `[groups, n]`.
    scales: Scales,
    n: usize,
    /// Words of a group's zero points.
    zero_words: usize,
    bits: u32,
    zero_offset: u32,
}

impl Layout for InWordsOfInputs {
    fn code(&self, row: usize, input: usize) -> f32 {
        self.codes.get(row, self.n, input) as f32
    }

    fn zero(&self, row: usize, group: usize) -> f32 {
        let stored = self.zeros.get(group * self.zero_words, 1, row);
        // A zero point of 0 was stored as the greatest code there is.
        ((stored + self.zero_offset) & ((1 << self.bits) - 1)) as f32
    }

    fn scale(&self, row: usize, group: usize) -> f32 {
        self.scales.get(group * self.n + row)
    }
}
