//! compressed-tensors (the library of that name, which llm-compressor writes with): groups of
//! modules, each with its own scheme, in the formats pack-quantized, int-quantized and
//! float-quantized. `weight = (code - zero) * scale` in all of them.

mod config;
mod integers;

pub use config::CompressedTensors;

use crate::model::weights::formats::fp8::fp8;
use crate::model::weights::formats::numbers::Scales;
use crate::model::weights::formats::parts::Parts;
use crate::model::weights::formats::{Format, Quantized};
use crate::model::weights::tensor::Tensor;
use config::{Group, Storage};
use safetensors::Dtype;

impl CompressedTensors {
    /// The group whose target names a module most specifically.
    fn group(&self, module: &str) -> Result<&Group, String> {
        let ranked = self.groups.iter().filter_map(|group| {
            let rank = group
                .targets
                .iter()
                .filter_map(|target| target.rank(module))
                .max()?;
            Some((rank, group))
        });
        // The first one among equals.
        let best = ranked.reduce(|best, next| if next.0 > best.0 { next } else { best });
        match best {
            Some((_, group)) => Ok(group),
            None => Err(format!(
                "no `targets` in `quantization_config.config_groups` name {module}, whose tensors \
                 are quantised"
            )),
        }
    }
}

impl Format for CompressedTensors {
    fn module<'a>(&self, tensor: &'a Tensor) -> Option<&'a str> {
        let is_coded = matches!(tensor.dtype, Dtype::I8 | Dtype::F8_E4M3);
        let name = tensor.name.as_str();
        name.strip_suffix(".weight_packed")
            .or_else(|| name.strip_suffix(".weight").filter(|_| is_coded))
    }

    fn parts(&self) -> &'static [&'static str] {
        &[
            ".weight",
            ".weight_packed",
            ".weight_scale",
            ".weight_zero_point",
            ".weight_shape",
            ".weight_g_idx",
        ]
    }

    fn unused(&self) -> &'static [&'static str] {
        super::ACTIVATION_SCALES
    }

    fn excludes(&self, module: &str) -> Option<String> {
        let is_ignored = self
            .ignored
            .iter()
            .any(|target| target.rank(module).is_some());
        is_ignored.then(|| format!("`ignore` of `quantization_config` names {module}"))
    }

    fn read(&self, parts: &Parts<'_>) -> Result<Quantized, String> {
        let group = self.group(parts.module())?;
        match group.storage {
            Storage::Packed => integers::packed(parts, group),
            Storage::Bytes => integers::bytes(parts, group),
            Storage::Float => {
                let weight = parts.need(".weight", &[Dtype::F8_E4M3])?;
                let scales = parts.need(".weight_scale", &Scales::DTYPES)?;
                fp8(weight, scales, group.sharing, "compressed-tensors fp8 e4m3")
            }
        }
    }
}
