use super::devices::{Devices, assert_near, bits};
use guichet::kernels::{AttentionSpan, Batch, Kernels, KvType, WeightType};
use guichet::model::{Checkpoint, Decoder, DecoderConfig, DecoderLimits, KvCache};
use serde_json::{Value, json};

const MAX_ROWS: usize = 600;

fn config(num_heads: usize, num_kv_heads: usize, head_dim: usize) -> DecoderConfig {
    of_family(
        "LlamaForCausalLM",
        num_heads,
        num_kv_heads,
        head_dim,
        json!({}),
    )
}

/// A decoder of three layers with what sets its family apart.
fn of_family(
    architecture: &str,
    num_heads: usize,
    num_kv_heads: usize,
    head_dim: usize,
    apart: Value,
) -> DecoderConfig {
    let mut config = json!({
        "architectures": [architecture],
        "vocab_size": 1000,
        "hidden_size": 320,
        "intermediate_size": 900,
        "num_hidden_layers": 3,
        "num_attention_heads": num_heads,
        "num_key_value_heads": num_kv_heads,
        "head_dim": head_dim,
        "rms_norm_eps": 1e-5,
        "max_position_embeddings": 1024,
    });
    let apart = apart.as_object().unwrap().clone();
    config.as_object_mut().unwrap().extend(apart);
    DecoderConfig::parse(&config.to_string()).unwrap()
}

/// One of each feature that families have beside Llama.
fn families() -> Vec<DecoderConfig> {
    let factors = vec![1.5; 12];
    [
        ("Qwen2ForCausalLM", json!({})),
        ("Qwen3ForCausalLM", json!({})),
        ("MistralForCausalLM", json!({"sliding_window": 100})),
        ("Gemma2ForCausalLM", json!({"sliding_window": 70})),
        ("Gemma3ForCausalLM", json!({"sliding_window": 50, "sliding_window_pattern": 2})),
        ("Olmo2ForCausalLM", json!({})),
        (
            "GraniteForCausalLM",
            json!({"embedding_multiplier": 12.0, "residual_multiplier": 0.22,
                "attention_multiplier": 0.1, "logits_scaling": 8.0}),
        ),
        (
            "Phi3ForCausalLM",
            json!({"partial_rotary_factor": 0.75, "original_max_position_embeddings": 512,
                "rope_scaling": {"type": "longrope", "short_factor": factors, "long_factor": factors}}),
        ),
        ("ApertusForCausalLM", json!({})),
        ("SmolLM3ForCausalLM", json!({"no_rope_layer_interval": 2})),
        // A token that goes elsewhere for a rounding error would be another one: all are used.
        ("MixtralForCausalLM", json!({"num_local_experts": 4, "num_experts_per_tok": 4})),
        ("Qwen2MoeForCausalLM", qwen_moe(4, 4)),
        ("Qwen3MoeForCausalLM", qwen_moe(4, 4)),
        (
            "GptOssForCausalLM",
            json!({"num_local_experts": 4, "num_experts_per_tok": 4, "sliding_window": 60}),
        ),
    ]
    .map(|(architecture, apart)| of_family(architecture, 10, 2, 32, apart))
    .into()
}

/// Experts in every second layer.
fn qwen_moe(num_experts: usize, num_used: usize) -> Value {
    json!({"num_experts": num_experts, "num_experts_per_tok": num_used,
        "moe_intermediate_size": 200, "decoder_sparse_step": 2,
        "shared_expert_intermediate_size": 260})
}

struct Model {
    decoder: Decoder,
    cache: KvCache,
    block_table: Vec<u32>,
}

impl Model {
    fn new(kernels: &Kernels, config: DecoderConfig) -> Self {
        Self::of_type(WeightType::Bf16, kernels, config)
    }

    fn of_type(weight_type: WeightType, kernels: &Kernels, config: DecoderConfig) -> Self {
        let checkpoint = Checkpoint::random(3, config.num_parameters());
        let limits = DecoderLimits {
            max_rows: MAX_ROWS,
            max_output_rows: MAX_ROWS,
            max_positions: 1024,
        };
        let weights = weight_type.into();
        let num_blocks = vec![96; config.kv_groups().len()];
        let cache = KvCache::new(&config, kernels, KvType::Bf16, &num_blocks).unwrap();
        Self {
            decoder: Decoder::load(config, &checkpoint, kernels.clone(), weights, limits).unwrap(),
            cache,
            block_table: (0..96).collect(),
        }
    }

    /// Logits of sequences of which each computes some ids from a position on; a third of the cache
    /// is each one's.
    fn logits(&self, items: &[(&[u32], usize)]) -> Vec<Vec<f32>> {
        let (mut ids, mut positions, mut spans) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (tokens, start)) in items.iter().enumerate() {
            let first = ids.len();
            ids.extend_from_slice(tokens);
            positions.extend((*start..start + tokens.len()).map(|position| position as u32));
            spans.push(AttentionSpan {
                rows: first..ids.len(),
                start: *start,
                block_table: &self.block_table[index * 32..(index + 1) * 32],
            });
        }
        let output_rows: Vec<u32> = (0..ids.len() as u32).collect();
        let batch = Batch {
            token_ids: &ids,
            positions: &positions,
            spans: &vec![spans; self.decoder.config().kv_groups().len()],
            output_rows: &output_rows,
        };
        self.decoder
            .forward(&batch, &self.cache)
            .unwrap()
            .to_rows()
            .unwrap()
    }
}

fn prompt(len: usize) -> Vec<u32> {
    (0..len as u32).map(|i| i * 7919 % 1000).collect()
}

#[test]
#[ignore = "needs a GPU"]
fn logits_are_those_of_the_cpu() {
    for deterministic in [true, false] {
        let Devices { cpu, gpu } = Devices::new(deterministic);
        for (heads, kv_heads, dim) in [(10, 2, 32), (4, 4, 80), (6, 3, 50)] {
            let ids = prompt(300);
            let logits = |kernels: &Kernels| {
                let model = Model::new(kernels, config(heads, kv_heads, dim));
                let mut rows = model.logits(&[(&ids[..200], 0)]);
                for at in 200..210 {
                    rows.extend(model.logits(&[(&ids[at..=at], at)]));
                }
                rows.extend(model.logits(&[(&ids[210..], 210)]));
                rows.concat()
            };
            let what = format!("{deterministic} {heads} {kv_heads} {dim}");
            assert_near(&logits(&gpu), &logits(&cpu), 2e-2, &what);
        }
    }
}

#[test]
#[ignore = "needs a GPU"]
fn logits_of_families_are_those_of_the_cpu_in_any_step() {
    let Devices { cpu, gpu } = Devices::new(true);
    let ids = prompt(260);
    for config in families() {
        let what = config.family;
        let (cpu, gpu) = (Model::new(&cpu, config.clone()), Model::new(&gpu, config));
        let whole = gpu.logits(&[(&ids, 0)]);
        assert_near(
            &whole.concat(),
            &cpu.logits(&[(&ids, 0)]).concat(),
            3e-2,
            what,
        );
        for at in 200..204 {
            let steps = gpu.logits(&[(&ids[at..=at], at)]);
            assert_eq!(bits(&steps[0]), bits(&whole[at]), "{what}, position {at}");
        }
    }
}

/// The first, second and later steps of one size differ in how the device comes to them.
#[test]
#[ignore = "needs a GPU"]
fn logits_do_not_depend_on_the_step_and_recorded_steps_are_what_they_were() {
    let gpu = Devices::new(true).gpu;
    let experts = of_family("Qwen2MoeForCausalLM", 10, 2, 32, qwen_moe(16, 3));
    for (weight_type, config) in [
        (WeightType::Bf16, config(10, 2, 32)),
        (WeightType::Int8, config(10, 2, 32)),
        (WeightType::Int4, config(10, 2, 32)),
        (WeightType::Bf16, experts.clone()),
        (WeightType::Int4, experts.clone()),
    ] {
        let what = format!("{} {weight_type:?}", config.family);
        check_steps(&Model::of_type(weight_type, &gpu, config), &what);
    }
}

fn check_steps(model: &Model, what: &str) {
    let ids = prompt(500);
    let whole: Vec<_> = model.logits(&[(&ids, 0)]);
    let row = |at: usize| bits(&whole[at]);
    for _ in 0..2 {
        model.logits(&[(&ids[..100], 0), (&ids[..63], 0), (&ids[..399], 0)]);
        for step in 0..8 {
            let starts = [100 + step, 63 + step, 399 + step];
            let items = starts.map(|at| (&ids[at..=at], at));
            let logits = model.logits(&items);
            for (logits, at) in logits.iter().zip(starts) {
                assert_eq!(bits(logits), row(at), "{what}: step {step}, position {at}");
            }
        }
    }
    let mixed = model.logits(&[(&ids[..90], 0), (&ids[71..72], 71), (&ids[407..470], 407)]);
    let expected = (0..90).chain([71]).chain(407..470);
    for (logits, at) in mixed.iter().zip(expected) {
        assert_eq!(bits(logits), row(at), "{what}: mixed, position {at}");
    }
}

/// Their step has more rows than there are sequences, up to the next number that is recorded.
#[test]
#[ignore = "needs a GPU"]
fn as_many_sequences_as_there_is_room_for_decode_together() {
    const NUM: usize = 130;
    let gpu = Devices::new(true).gpu;
    let config = config(10, 2, 32);
    let checkpoint = Checkpoint::random(3, config.num_parameters());
    let cache = KvCache::new(&config, &gpu, KvType::Bf16, &[NUM]).unwrap();
    let limits = DecoderLimits {
        max_rows: NUM,
        max_output_rows: NUM,
        max_positions: 64,
    };
    let weights = WeightType::Bf16.into();
    let decoder = Decoder::load(config, &checkpoint, gpu.clone(), weights, limits).unwrap();
    let tables: Vec<[u32; 1]> = (0..NUM as u32).map(|block| [block]).collect();
    let spans = tables.iter().enumerate().map(|(row, block_table)| {
        let rows = row..row + 1;
        AttentionSpan {
            rows,
            start: 0,
            block_table,
        }
    });
    let rows: Vec<u32> = (0..NUM as u32).collect();
    let batch = Batch {
        token_ids: &[7; NUM],
        positions: &[0; NUM],
        spans: &[spans.collect()],
        output_rows: &rows,
    };
    let logits = decoder.forward(&batch, &cache).unwrap().to_rows().unwrap();
    let first = bits(&logits[0]);
    assert!(logits[..NUM].iter().all(|row| bits(row) == first));
}
