mod families;
mod hostile;
mod sample;
mod text;

use std::path::Path;

use candle_core::quantized::gguf_file::Value;
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use half::bf16;
use safetensors::{Dtype, SafeTensors};
use sample::{HEAD_DIM, HIDDEN, Sample};

use super::llama3::Llama3Scaling;

fn json(dir: &Path, name: &str) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(dir.join(name)).unwrap()).unwrap()
}

fn unscaled() -> serde_json::Value {
    serde_json::json!({"rope_type": "default"})
}

fn to_bf16(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| bf16::from_f32(*value).to_le_bytes())
        .collect()
}

/// The weights that `dir` must hold under a Hugging Face name.
fn expect_weights(dir: &Path, expected: &[(&str, Vec<usize>, Vec<u8>)]) {
    let bytes = std::fs::read(dir.join("model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    for (name, shape, values) in expected {
        let tensor = file.tensor(name).unwrap();
        assert_eq!(tensor.dtype(), Dtype::BF16, "{name}");
        assert_eq!(tensor.shape(), shape, "{name}");
        assert!(tensor.data() == values, "{name} differs");
    }
}

#[test]
fn weights_come_out_rounded_and_in_hugging_face_s_row_order() {
    let sample = Sample::new();
    let (dir, imported) = sample.import().unwrap();
    let names = [
        ("token_embd.weight", "model.embed_tokens.weight"),
        ("output_norm.weight", "model.norm.weight"),
        (
            "blk.0.attn_norm.weight",
            "model.layers.0.input_layernorm.weight",
        ),
        (
            "blk.0.attn_q.weight",
            "model.layers.0.self_attn.q_proj.weight",
        ),
        (
            "blk.0.attn_k.weight",
            "model.layers.0.self_attn.k_proj.weight",
        ),
        (
            "blk.0.attn_v.weight",
            "model.layers.0.self_attn.v_proj.weight",
        ),
        (
            "blk.0.attn_output.weight",
            "model.layers.0.self_attn.o_proj.weight",
        ),
        (
            "blk.0.ffn_norm.weight",
            "model.layers.0.post_attention_layernorm.weight",
        ),
        (
            "blk.0.ffn_gate.weight",
            "model.layers.0.mlp.gate_proj.weight",
        ),
        ("blk.0.ffn_up.weight", "model.layers.0.mlp.up_proj.weight"),
        (
            "blk.0.ffn_down.weight",
            "model.layers.0.mlp.down_proj.weight",
        ),
    ];
    let expected: Vec<_> = names
        .iter()
        .map(|(source, target)| {
            let (shape, values) = &sample.weights[*source];
            (*target, shape.clone(), to_bf16(values))
        })
        .collect();
    expect_weights(dir.path(), &expected);
    assert_eq!(imported.num_tensors, names.len());
    assert_eq!(imported.name.as_deref(), Some("Tiny"));
}

#[test]
fn every_quantisation_comes_out_as_candle_reads_it() {
    let dtypes = [
        GgmlDType::F16,
        GgmlDType::BF16,
        GgmlDType::Q4_0,
        GgmlDType::Q4_1,
        GgmlDType::Q5_0,
        GgmlDType::Q5_1,
        GgmlDType::Q8_0,
        GgmlDType::Q2K,
        GgmlDType::Q3K,
        GgmlDType::Q4K,
        GgmlDType::Q5K,
        GgmlDType::Q6K,
    ];
    for dtype in dtypes {
        let mut sample = Sample::new();
        sample.dtype = dtype;
        let (dir, _) = sample.import().unwrap();
        let (shape, values) = &sample.weights["blk.0.ffn_down.weight"];
        let tensor = Tensor::from_slice(values, shape.as_slice(), &Device::Cpu).unwrap();
        let read = QTensor::quantize(&tensor, dtype)
            .unwrap()
            .dequantize(&Device::Cpu)
            .unwrap();
        let read = read.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        expect_weights(
            dir.path(),
            &[(
                "model.layers.0.mlp.down_proj.weight",
                shape.clone(),
                to_bf16(&read),
            )],
        );
    }
}

#[test]
fn embeddings_are_tied_exactly_when_there_is_no_output_matrix() {
    let mut sample = Sample::new();
    let (dir, _) = sample.import().unwrap();
    assert_eq!(json(dir.path(), "config.json")["tie_word_embeddings"], true);

    let (shape, mut values) = sample.weights["token_embd.weight"].clone();
    values.reverse();
    sample
        .weights
        .insert("output.weight".into(), (shape.clone(), values.clone()));
    let (dir, _) = sample.import().unwrap();
    assert_eq!(
        json(dir.path(), "config.json")["tie_word_embeddings"],
        false
    );
    expect_weights(dir.path(), &[("lm_head.weight", shape, to_bf16(&values))]);
}

#[test]
fn the_configuration_says_what_the_metadata_say() {
    let (dir, _) = Sample::new().import().unwrap();
    let config = json(dir.path(), "config.json");
    for (key, value) in [
        ("num_hidden_layers", 1),
        ("hidden_size", HIDDEN),
        ("intermediate_size", 512),
        ("num_attention_heads", 4),
        ("num_key_value_heads", 2),
        ("head_dim", HEAD_DIM),
        ("max_position_embeddings", 128),
        ("vocab_size", 265),
        ("bos_token_id", 0),
        ("eos_token_id", 1),
    ] {
        assert_eq!(config[key], value, "{key}");
    }
    assert_eq!(config["architectures"][0], "LlamaForCausalLM");
    assert_eq!(config["rope_theta"], 500_000.0);
    // The file holds the float 9.99999974e-6; the checkpoint said 1e-5.
    assert_eq!(config["rms_norm_eps"], 1e-5);
    assert_eq!(config["rope_scaling"], unscaled());
}

#[test]
fn numbers_that_bf16_does_not_have_are_counted_by_tensor() {
    let mut sample = Sample::new();
    let num_tensors = sample.weights.len();
    assert_eq!(sample.import().unwrap().1.num_rounded, num_tensors);
    if let Some((_, values)) = sample.weights.get_mut("output_norm.weight") {
        values.fill(1.5);
    }
    assert_eq!(sample.import().unwrap().1.num_rounded, num_tensors - 1);
}

#[test]
fn a_scaling_that_is_stated_is_written_down() {
    let scaling = |kind: &str| {
        let (dir, _) = Sample::new()
            .with("llama.rope.scaling.type", Value::String(kind.into()))
            .with("llama.rope.scaling.factor", Value::F32(4.0))
            .with("llama.rope.scaling.original_context_length", Value::U32(64))
            .import()
            .unwrap();
        json(dir.path(), "config.json")["rope_scaling"].clone()
    };
    assert_eq!(
        scaling("yarn"),
        serde_json::json!({
            "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64,
        })
    );
}

#[test]
fn llama_3_s_frequency_scaling_is_found_again() {
    let mut sample = Sample::new();
    let factors = Llama3Scaling::llama_3_1().factors(HEAD_DIM, 500_000.0);
    let factors: Vec<f32> = factors.into_iter().map(|factor| factor as f32).collect();
    sample
        .weights
        .insert("rope_freqs.weight".into(), (vec![HEAD_DIM / 2], factors));
    let (dir, _) = sample.import().unwrap();
    let scaling = serde_json::json!({
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    });
    assert_eq!(json(dir.path(), "config.json")["rope_scaling"], scaling);

    let unknown = (0..HEAD_DIM / 2).map(|index| 1.0 + index as f32).collect();
    sample
        .weights
        .insert("rope_freqs.weight".into(), (vec![HEAD_DIM / 2], unknown));
    assert!(sample.refusal().contains("not those of a Llama 3 model"));

    sample.weights.insert(
        "rope_freqs.weight".into(),
        (vec![HEAD_DIM / 2], vec![1.0; HEAD_DIM / 2]),
    );
    let (dir, _) = sample.import().unwrap();
    assert_eq!(json(dir.path(), "config.json")["rope_scaling"], unscaled());
}
