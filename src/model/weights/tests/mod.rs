mod elements;
mod refusals;
mod selections;
mod surveys;

use super::*;
use crate::kernels::RowSource;
use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::json;
use std::fs;
use tempfile::TempDir;

/// A checkpoint directory in the making.
struct Directory {
    dir: TempDir,
    tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)>,
}

impl Directory {
    /// With this `quantization_config`, if it is not null.
    fn new(quantization: Value) -> Self {
        let dir = TempDir::new().unwrap();
        let config = json!({ "quantization_config": quantization });
        fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
        Self {
            dir,
            tensors: Vec::new(),
        }
    }

    fn with(mut self, name: &str, dtype: Dtype, shape: &[usize], bytes: Vec<u8>) -> Self {
        self.tensors
            .push((name.into(), dtype, shape.to_vec(), bytes));
        self
    }

    fn words(self, name: &str, shape: &[usize], words: &[u32]) -> Self {
        self.with(name, Dtype::I32, shape, bytes(words, |x| x.to_le_bytes()))
    }

    fn f16(self, name: &str, shape: &[usize], values: &[f32]) -> Self {
        let values = bytes(values, |x| f16::from_f32(x).to_le_bytes());
        self.with(name, Dtype::F16, shape, values)
    }

    fn bf16(self, name: &str, shape: &[usize], values: &[f32]) -> Self {
        let values = bytes(values, |x| bf16::from_f32(x).to_le_bytes());
        self.with(name, Dtype::BF16, shape, values)
    }

    fn f32(self, name: &str, shape: &[usize], values: &[f32]) -> Self {
        self.with(name, Dtype::F32, shape, bytes(values, f32::to_le_bytes))
    }

    fn open(&self) -> Result<Checkpoint, ModelError> {
        let views = self.tensors.iter().map(|(name, dtype, shape, bytes)| {
            let view = TensorView::new(*dtype, shape.clone(), bytes).unwrap();
            (name.clone(), view)
        });
        let path = self.dir.path().join("model.safetensors");
        safetensors::serialize_to_file(views, None, &path).unwrap();
        Checkpoint::open(self.dir.path())
    }

    /// The rows of the matrix that `name` reads as.
    fn rows(&self, name: &str, shape: [usize; 2]) -> Vec<Vec<f32>> {
        let checkpoint = self.open().unwrap();
        let rows = rows(checkpoint.take(name, &shape).unwrap(), shape[1]);
        checkpoint.finish().unwrap();
        rows
    }
}

fn bytes<T: Copy, const N: usize>(values: &[T], bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|x| bytes(*x)).collect()
}

fn rows(source: RowSource<'_>, k: usize) -> Vec<Vec<f32>> {
    let mut values = vec![0.0; source.num_elements()];
    source.read(0, &mut values);
    // One by one is as all at once.
    assert!((0..values.len()).all(|i| source.get(i).to_bits() == values[i].to_bits()));
    values.chunks(k).map(<[f32]>::to_vec).collect()
}

fn gptq(more: Value) -> Value {
    merged(
        json!({"quant_method": "gptq", "bits": 4, "group_size": 4}),
        more,
    )
}

fn awq(more: Value) -> Value {
    merged(
        json!({"quant_method": "awq", "bits": 4, "group_size": 3, "version": "gemm"}),
        more,
    )
}

fn fp8(more: Value) -> Value {
    merged(json!({"quant_method": "fp8", "fmt": "e4m3"}), more)
}

/// One group, of all linear layers, in this format and with these weights.
fn compressed(format: &str, weights: Value) -> Value {
    json!({
        "quant_method": "compressed-tensors",
        "format": format,
        "quantization_status": "compressed",
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}},
        "ignore": ["lm_head"],
    })
}

fn merged(mut config: Value, more: Value) -> Value {
    if let (Some(config), Value::Object(more)) = (config.as_object_mut(), more) {
        config.extend(more);
    }
    config
}

/// Two groups of four inputs of eight outputs, of which two are not zero.
fn gptq_directory(quantization: Value) -> Directory {
    let mut scales = [1.0; 16];
    (scales[0], scales[1], scales[8], scales[9]) = (0.5, 2.0, 0.25, 1.0);
    Directory::new(quantization)
        .words(
            "a.qweight",
            &[1, 8],
            &[0x7654_3210, u32::MAX, 0, 0, 0, 0, 0, 0],
        )
        .words("a.qzeros", &[2, 1], &[0xe7, 0x0f])
        .f16("a.scales", &[2, 8], &scales)
}
