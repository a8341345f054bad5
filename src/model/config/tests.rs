use super::*;

const LLAMA: &str = r#"{"architectures":["LlamaForCausalLM"],"model_type":"llama","vocab_size":320,
    "hidden_size":48,"intermediate_size":80,"num_hidden_layers":3,"num_attention_heads":6,"num_key_value_heads":2,
    "hidden_act":"silu","rms_norm_eps":1e-5,"max_position_embeddings":512,"rope_theta":10000.0}"#;

fn with(from: &str, to: &str) -> Result<DecoderConfig, String> {
    assert!(LLAMA.contains(from));
    DecoderConfig::parse(&LLAMA.replace(from, to))
}

#[test]
fn head_dim_follows_from_the_hidden_size_unless_it_is_given() {
    assert_eq!(DecoderConfig::parse(LLAMA).unwrap().attention.head_dim, 8);
    assert_eq!(
        with("\"vocab_size\"", "\"head_dim\":16,\"vocab_size\"")
            .unwrap()
            .attention
            .head_dim,
        16
    );
}

#[test]
fn rope_is_read_from_old_and_new_places() {
    let new = with(
        "\"rope_theta\":10000.0",
        r#""rope_parameters":{"rope_type":"llama3","rope_theta":5e5,"factor":8.0,
        "low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":256}"#,
    )
    .unwrap();
    let old = with(
        "\"rope_theta\":10000.0",
        r#""rope_theta":5e5,"rope_scaling":{"type":"llama3","factor":8.0,
        "low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":256}"#,
    )
    .unwrap();
    assert_eq!(new, old);
    assert_eq!(new.ropes[0].theta, 5e5);
}

#[test]
fn what_is_not_computed_is_refused_by_name() {
    for (from, to, word) in [
        ("LlamaForCausalLM", "MambaForCausalLM", "MambaForCausalLM"),
        ("\"silu\"", "\"gelu\"", "hidden_act"),
        (
            "\"rope_theta\":10000.0",
            "\"rope_scaling\":{\"rope_type\":\"spiral\",\"factor\":2.0}",
            "spiral",
        ),
        (
            "\"rope_theta\":10000.0",
            "\"rope_scaling\":{\"rope_type\":\"yarn\"},\"rope_theta\":1.0",
            "rope_theta",
        ),
        (
            "\"vocab_size\"",
            "\"mlp_bias\":true,\"vocab_size\"",
            "mlp_bias",
        ),
    ] {
        let error = with(from, to).unwrap_err();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn absurd_and_broken_numbers_are_refused_by_name() {
    for (from, to, word) in [
        (
            "\"vocab_size\":320",
            "\"vocab_size\":99999999999999",
            "vocab_size",
        ),
        (
            "\"num_hidden_layers\":3",
            "\"num_hidden_layers\":0",
            "num_hidden_layers",
        ),
        (
            "\"num_key_value_heads\":2",
            "\"num_key_value_heads\":4",
            "multiple",
        ),
        (
            "\"num_key_value_heads\":2",
            "\"num_key_value_heads\":0",
            "num_key_value_heads",
        ),
        (
            "\"num_attention_heads\":6",
            "\"num_attention_heads\":0",
            "num_attention_heads",
        ),
        ("\"rope_theta\":10000.0", "\"rope_theta\":NaN", "line"),
        (
            "\"rope_theta\":10000.0",
            "\"rope_theta\":-1.0",
            "rope_theta",
        ),
        (
            "\"rope_theta\":10000.0",
            "\"rope_theta\":1e-300",
            "rope_theta",
        ),
        (
            "\"rope_theta\":10000.0",
            r#""rope_scaling":{"type":"llama3","factor":1e-300,"low_freq_factor":1.0,
            "high_freq_factor":4.0,"original_max_position_embeddings":256}"#,
            "`factor`",
        ),
        (
            "\"rms_norm_eps\":1e-5",
            "\"rms_norm_eps\":0.0",
            "rms_norm_eps",
        ),
        ("\"hidden_size\":48", "\"hidden_size\":47", "head_dim"),
        ("\"hidden_size\":48", "\"hidden_size\":-48", "hidden_size"),
        ("\"hidden_size\":48,", "", "hidden_size"),
    ] {
        let error = with(from, to).unwrap_err();
        assert!(error.contains(word), "{to}: {error}");
    }
}
