//! Models on the GPU of a Mac: whether there is one, and what of them is there.

use super::{LoadError, ModelOptions};
use crate::kernels::{Kernels, KvType, WeightType};
use crate::model::Precision;

/// Whether this build and this machine have a GPU for [`open`].
#[cfg(feature = "metal")]
pub fn is_there() -> bool {
    Kernels::has_metal()
}

#[cfg(not(feature = "metal"))]
pub fn is_there() -> bool {
    false
}

/// Puts a decoder's kernels on the GPU.
#[cfg(feature = "metal")]
pub fn open(kernels: Kernels) -> Result<Kernels, LoadError> {
    Ok(kernels.on_metal().map_err(crate::model::ModelError::from)?)
}

#[cfg(not(feature = "metal"))]
pub fn open(_: Kernels) -> Result<Kernels, LoadError> {
    Err(LoadError::NoMetal)
}

/// Refuses what candle's operations do not keep, and types that they do not have.
pub fn check(
    options: &ModelOptions,
    precision: Precision,
    kv_type: KvType,
) -> Result<(), LoadError> {
    if options.deterministic == Some(true) {
        return Err(LoadError::MetalOrder);
    }
    if options.tensor_parallel != 1 || options.replicas != 1 {
        return Err(LoadError::MetalAlone);
    }
    let has_type = |of: WeightType| matches!(of, WeightType::F32 | WeightType::Bf16);
    if has_type(precision.layers) && has_type(precision.tables) && kv_type != KvType::Int8 {
        return Ok(());
    }
    Err(LoadError::MetalTypes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_that_metal_cannot_keep_is_refused_and_no_promise_is_not() {
        let check = |deterministic| {
            let options = ModelOptions {
                deterministic,
                ..ModelOptions::default()
            };
            check(&options, WeightType::Bf16.into(), KvType::Bf16)
        };
        check(None).unwrap();
        check(Some(false)).unwrap();
        let error = check(Some(true)).unwrap_err().to_string();
        assert!(error.contains("leave `deterministic` out"), "{error}");
    }

    #[test]
    fn a_model_is_not_split_or_served_twice_on_metal() {
        let one = ModelOptions::default();
        for (tensor_parallel, replicas) in [(2, 1), (1, 2)] {
            let options = ModelOptions {
                tensor_parallel,
                replicas,
                ..one.clone()
            };
            let error = check(&options, WeightType::Bf16.into(), KvType::Bf16).unwrap_err();
            assert!(matches!(error, LoadError::MetalAlone), "{error}");
        }
    }

    #[test]
    fn whole_numbers_are_refused_on_metal_as_weights_and_in_the_cache() {
        let options = ModelOptions::default();
        let check =
            |layers, tables, kv_type| check(&options, Precision { layers, tables }, kv_type);
        let (f32, bf16, int8) = (WeightType::F32, WeightType::Bf16, WeightType::Int8);
        check(f32, f32, KvType::F32).unwrap();
        check(bf16, bf16, KvType::Bf16).unwrap();
        for (layers, tables, kv_type) in [
            (WeightType::Int4, int8, KvType::Bf16),
            (bf16, int8, KvType::Bf16),
            (int8, bf16, KvType::Bf16),
            (bf16, bf16, KvType::Int8),
        ] {
            let error = check(layers, tables, kv_type).unwrap_err().to_string();
            assert!(error.contains("leave `quantize`"), "{error}");
        }
    }

    #[cfg(not(feature = "metal"))]
    #[test]
    fn a_build_without_metal_says_so() {
        use super::super::{DeviceChoice, load};
        let options = ModelOptions {
            device: DeviceChoice::Metal,
            ..ModelOptions::default()
        };
        let dir =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-llama");
        let error = load(&dir, &options).err().unwrap().to_string();
        assert!(error.starts_with("this build has no Metal"), "{error}");
    }
}
