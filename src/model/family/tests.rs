//! Configurations in the form in which they are published, by what sets them apart.

use super::*;
use crate::model::config::{Activation, MlpConfig, NormPlacement, QkNorm, RopeScaling, Weighting};
use serde_json::{Value, json};

fn config(architecture: &str, fields: Value) -> Result<DecoderConfig, String> {
    let mut config = json!({
        "architectures": [architecture],
        "vocab_size": 1000,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 6,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-5,
        "max_position_embeddings": 4096,
    });
    let (Value::Object(config), Value::Object(fields)) = (&mut config, fields) else {
        panic!("objects");
    };
    config.extend(fields);
    DecoderConfig::parse(&Value::Object(config.clone()).to_string())
}

fn windows(config: &DecoderConfig) -> Vec<Option<usize>> {
    config.layers.iter().map(|layer| layer.window).collect()
}

fn experts(config: &DecoderConfig) -> Vec<usize> {
    let layers = config.layers.iter();
    layers
        .map(|layer| match &layer.mlp {
            MlpConfig::Experts(experts) => experts.num_experts,
            MlpConfig::Dense { .. } => 0,
        })
        .collect()
}

#[test]
fn a_family_has_one_name_and_an_architecture_one_family() {
    let mut names: Vec<_> = families().iter().map(|family| family.name).collect();
    let mut architectures: Vec<_> = families()
        .iter()
        .flat_map(|family| family.architectures)
        .collect();
    let num = (names.len(), architectures.len());
    names.sort_unstable();
    names.dedup();
    architectures.sort_unstable();
    architectures.dedup();
    assert_eq!((names.len(), architectures.len()), num);
}

#[test]
fn mistral_slides_on_all_layers_unless_the_window_is_null() {
    let slides = config("MistralForCausalLM", json!({"sliding_window": 100})).unwrap();
    assert_eq!(windows(&slides), [Some(100); 6]);
    assert_eq!(slides.kv_groups(), [Some(100)]);
    let whole = config("MistralForCausalLM", json!({"sliding_window": null})).unwrap();
    assert_eq!(windows(&whole), [None; 6]);
}

#[test]
fn layer_types_say_which_layers_slide() {
    let types = ["full_attention", "sliding_attention", "sliding_attention"].repeat(2);
    let fields = json!({"sliding_window": 100, "layer_types": types});
    let ministral = config("MinistralForCausalLM", fields).unwrap();
    assert_eq!(windows(&ministral), [None, Some(100), Some(100)].repeat(2));
    assert_eq!(ministral.kv_groups(), [None, Some(100)]);
    assert_eq!(ministral.kv_group(2), 1);
    for (types, word) in [
        (json!(["full_attention"]), "1 entries for 6 layers"),
        (json!(vec!["chunked_attention"; 6]), "chunked_attention"),
    ] {
        let fields = json!({"sliding_window": 100, "layer_types": types});
        let error = config("MinistralForCausalLM", fields).unwrap_err();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn the_text_part_of_a_checkpoint_that_sees_is_read_from_its_own_object() {
    let text = json!({"model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240,
        "num_hidden_layers": 34, "sliding_window": 1024,
        "rope_scaling": {"factor": 8.0, "rope_type": "linear"}});
    let gemma = config(
        "Gemma3ForConditionalGeneration",
        json!({"text_config": text}),
    )
    .unwrap();
    assert_eq!(gemma.vocab_size, 262_208);
    assert_eq!(
        (gemma.attention.num_heads, gemma.attention.head_dim),
        (8, 256)
    );
    assert_eq!(gemma.ropes[0].scaling, RopeScaling::Linear { factor: 8.0 });
    assert_eq!(gemma.ropes[0].theta, 1e6);
    assert_eq!(
        (gemma.ropes[1].theta, &gemma.ropes[1].scaling),
        (1e4, &RopeScaling::None)
    );
    assert_eq!(gemma.layers[5].window, None);
    assert_eq!(gemma.layers[5].rope, Some(0));
    assert_eq!(
        (gemma.layers[6].window, gemma.layers[6].rope),
        (Some(1024), Some(1))
    );
    assert!(gemma.tie_word_embeddings);

    let missing = config("Mistral3ForConditionalGeneration", json!({})).unwrap_err();
    assert!(missing.contains("`text_config` is missing"), "{missing}");
    let other = json!({"text_config": {"model_type": "mamba"}});
    let error = config("Mistral3ForConditionalGeneration", other).unwrap_err();
    assert!(error.contains("mamba"), "{error}");
}

#[test]
fn gemma_3_is_read_as_it_is_saved_today_too() {
    let fields = json!({"rope_parameters": {
        "full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 5e5},
        "sliding_attention": {"rope_type": "default", "rope_theta": 3e4}}});
    let gemma = config("Gemma3ForCausalLM", fields).unwrap();
    assert_eq!(gemma.ropes[0].theta, 5e5);
    assert_eq!(gemma.ropes[0].scaling, RopeScaling::Linear { factor: 4.0 });
    assert_eq!(gemma.ropes[1].theta, 3e4);
    assert_eq!(gemma.qk_norm, Some(QkNorm::Heads));
    assert_eq!(gemma.norm_placement, NormPlacement::Around);
}

#[test]
fn caps_of_gemma_2_are_there_unless_they_are_null() {
    let usual = config("Gemma2ForCausalLM", json!({})).unwrap();
    assert_eq!(
        (usual.attention_softcap, usual.logit_softcap),
        (Some(50.0), Some(30.0))
    );
    assert_eq!(windows(&usual), [Some(4096), None].repeat(3));
    let off = json!({"attn_logit_softcapping": null, "final_logit_softcapping": null});
    let off = config("Gemma2ForCausalLM", off).unwrap();
    assert_eq!((off.attention_softcap, off.logit_softcap), (None, None));
}

#[test]
fn qwen_slides_only_where_it_says_that_it_uses_its_window() {
    let fields =
        |uses| json!({"sliding_window": 64, "use_sliding_window": uses, "max_window_layers": 4});
    let off = config("Qwen2ForCausalLM", fields(false)).unwrap();
    assert_eq!(off.kv_groups(), [None]);
    assert!(off.has_qkv_bias && !off.has_output_bias);
    let on = config("Qwen2ForCausalLM", fields(true)).unwrap();
    assert_eq!(windows(&on)[3..], [None, Some(64), Some(64)]);
}

#[test]
fn experts_stand_where_the_configuration_puts_them() {
    let fields = json!({"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
        "head_dim": 16, "decoder_sparse_step": 2, "mlp_only_layers": [3], "norm_topk_prob": true});
    let qwen = config("Qwen3MoeForCausalLM", fields).unwrap();
    assert_eq!(experts(&qwen), [0, 8, 0, 0, 0, 8]);
    let MlpConfig::Experts(found) = &qwen.layers[1].mlp else {
        panic!("experts");
    };
    assert_eq!((found.weighting, found.width), (Weighting::OfUsed, 32));
    let none = json!({"num_experts": 2, "num_experts_per_tok": 3, "moe_intermediate_size": 32});
    let error = config("Qwen3MoeForCausalLM", none).unwrap_err();
    assert!(error.contains("num_experts_per_tok"), "{error}");
}

#[test]
fn gpt_oss_stretches_by_yarn_as_published() {
    let fields = json!({"head_dim": 64, "num_local_experts": 32, "num_experts_per_tok": 4,
        "sliding_window": 128, "rope_theta": 150000, "rope_scaling": {"rope_type": "yarn",
        "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": false,
        "original_max_position_embeddings": 4096}});
    let published = config("GptOssForCausalLM", fields.clone()).unwrap();
    assert_eq!(windows(&published), [Some(128), None].repeat(3));
    assert!(published.has_sinks && published.has_qkv_bias && published.has_output_bias);
    let Value::Object(mut fields) = fields else {
        panic!("an object");
    };
    fields.remove("rope_scaling");
    let bare = config("GptOssForCausalLM", Value::Object(fields)).unwrap();
    assert_eq!(bare.ropes, published.ropes);
}

#[test]
fn phi_4_mini_rotates_three_quarters_of_a_head_by_longrope() {
    let factors = |x: f64| vec![x; 6];
    let fields = json!({"partial_rotary_factor": 0.75, "original_max_position_embeddings": 1024,
        "rope_scaling": {"type": "longrope", "short_factor": factors(1.0), "long_factor": factors(4.0)}});
    let phi = config("Phi3ForCausalLM", fields).unwrap();
    assert_eq!(phi.ropes[0].rotary_dim, 12);
    let RopeScaling::Long {
        attention_factor, ..
    } = phi.ropes[0].scaling
    else {
        panic!("longrope");
    };
    assert!((attention_factor - (1.0 + 4f64.ln() / 1024f64.ln()).sqrt()).abs() < 1e-12);
    let short =
        json!({"rope_scaling": {"type": "longrope", "short_factor": [1.0], "long_factor": [1.0]}});
    let error = config("Phi3ForCausalLM", short).unwrap_err();
    assert!(error.contains("short_factor"), "{error}");
}

#[test]
fn smollm3_leaves_every_fourth_layer_unrotated() {
    let smollm = config("SmolLM3ForCausalLM", json!({})).unwrap();
    let rotated: Vec<_> = smollm
        .layers
        .iter()
        .map(|layer| layer.rope.is_some())
        .collect();
    assert_eq!(rotated, [true, true, true, false, true, true]);
    let listed = config(
        "SmolLM3ForCausalLM",
        json!({"no_rope_layers": [0, 1, 1, 1, 1, 0]}),
    )
    .unwrap();
    assert_eq!(listed.layers[0].rope, None);
    assert_eq!(listed.layers[5].rope, None);
}

#[test]
fn apertus_has_no_gate_and_granite_its_multipliers() {
    let apertus = json!({"hidden_act": "xielu", "qk_norm": true, "post_norm": false});
    let apertus = config("ApertusForCausalLM", apertus).unwrap();
    let expected = MlpConfig::Dense {
        width: 96,
        activation: Activation::Xielu,
    };
    assert_eq!(apertus.layers[0].mlp, expected);
    assert!(config("ApertusForCausalLM", json!({"hidden_act": "silu"})).is_err());
    let granite = json!({"embedding_multiplier": 12.0, "residual_multiplier": 0.22,
        "attention_multiplier": 0.0078125, "logits_scaling": 8.0});
    let granite = config("GraniteForCausalLM", granite).unwrap();
    assert_eq!(
        (
            granite.embedding_scale,
            granite.residual_scale,
            granite.attention_scale,
            granite.logit_scale
        ),
        (12.0, 0.22, 0.0078125, 0.125)
    );
    let zero = config("GraniteForCausalLM", json!({"logits_scaling": 0.0})).unwrap_err();
    assert!(zero.contains("multiplier of logits"), "{zero}");
}
