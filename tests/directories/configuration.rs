//! A config.json that says what cannot be.

use super::damage::{Damage, llama};
use super::edit::{config, json};
use serde_json::{Value, json};
use std::path::Path;

pub fn damages() -> Vec<Damage> {
    let mut damages = unsupported();
    damages.extend(numbers());
    damages
}

fn unsupported() -> Vec<Damage> {
    vec![
        llama(
            "the architecture is unknown",
            "MambaForCausalLM is not supported",
            |dir| config(dir, "architectures", json!(["MambaForCausalLM"])),
        ),
        llama(
            "there is no architecture",
            "`architectures` must name one architecture",
            |dir| config(dir, "architectures", Value::Null),
        ),
        llama(
            "architectures is a number",
            "`architectures` must name one architecture",
            |dir| config(dir, "architectures", json!(7)),
        ),
        llama(
            "the activation is unknown",
            "`hidden_act` is swoosh",
            |dir| config(dir, "hidden_act", json!("swoosh")),
        ),
        llama("the rope type is unknown", "spiral", |dir| {
            config(
                dir,
                "rope_scaling",
                json!({"rope_type": "spiral", "factor": 2.0}),
            )
        }),
        llama("the rope type has no name", "rope_type", |dir| {
            config(dir, "rope_scaling", json!({"factor": 2.0}))
        }),
        llama(
            "rope_scaling is a text",
            "`rope_scaling` must be an object",
            |dir| config(dir, "rope_scaling", json!("linear")),
        ),
        llama("a rope scaling lacks a number", "low_freq_factor", |dir| {
            json(dir, "config.json", |config| {
                config["rope_scaling"]
                    .as_object_mut()
                    .unwrap()
                    .remove("low_freq_factor");
            })
        }),
        llama(
            "the quantisation is unknown",
            "quantization_config",
            |dir| {
                config(
                    dir,
                    "quantization_config",
                    json!({"quant_method": "quip-sharp"}),
                )
            },
        ),
        llama("the quantisation is a text", "quantization_config", |dir| {
            config(dir, "quantization_config", json!("int4"))
        }),
    ]
}

fn numbers() -> Vec<Damage> {
    vec![
        llama("there are no layers", "`num_hidden_layers` is 0", |dir| {
            config(dir, "num_hidden_layers", json!(0))
        }),
        llama(
            "there are absurdly many layers",
            "`num_hidden_layers` is 1000000000",
            |dir| config(dir, "num_hidden_layers", json!(1_000_000_000)),
        ),
        llama("the hidden size is 0", "`hidden_size` is 0", |dir| {
            config(dir, "hidden_size", json!(0))
        }),
        llama("the hidden size is negative", "hidden_size", |dir| {
            config(dir, "hidden_size", json!(-48))
        }),
        llama("the hidden size is a text", "hidden_size", |dir| {
            config(dir, "hidden_size", json!("48"))
        }),
        llama("the hidden size is missing", "hidden_size", |dir| {
            json(dir, "config.json", |config| {
                config.as_object_mut().unwrap().remove("hidden_size");
            })
        }),
        llama(
            "the hidden size is larger than any number",
            "hidden_size",
            |dir| config(dir, "hidden_size", json!(1e300)),
        ),
        llama(
            "the vocabulary is absurdly large",
            "`vocab_size` is 99999999999",
            |dir| config(dir, "vocab_size", json!(99_999_999_999u64)),
        ),
        llama(
            "everything is as large as it may be",
            "config.json describes a model of",
            as_large_as_may_be,
        )
        .serve_says("do not hold one block"),
        llama(
            "heads do not share keys evenly",
            "is not a multiple of `num_key_value_heads`",
            |dir| config(dir, "num_key_value_heads", json!(4)),
        ),
        llama("there are no heads", "`num_attention_heads` is 0", |dir| {
            config(dir, "num_attention_heads", json!(0))
        }),
        llama("a head has an odd dimension", "`head_dim` is 15", |dir| {
            config(dir, "head_dim", json!(15))
        }),
        llama(
            "a head has too many dimensions",
            "`head_dim` is 4096",
            |dir| config(dir, "head_dim", json!(4096)),
        ),
        llama("heads do not divide the hidden size", "head_dim", |dir| {
            config(dir, "head_dim", Value::Null)?;
            config(dir, "hidden_size", json!(47))
        }),
        llama(
            "the context is empty",
            "`max_position_embeddings` is 0",
            |dir| config(dir, "max_position_embeddings", json!(0)),
        ),
        llama("the epsilon is 0", "rms_norm_eps", |dir| {
            config(dir, "rms_norm_eps", json!(0.0))
        }),
        llama("the epsilon is a list", "rms_norm_eps", |dir| {
            config(dir, "rms_norm_eps", json!([1e-5]))
        }),
        llama("the rope's base is negative", "rope_theta", |dir| {
            config(dir, "rope_theta", json!(-10_000.0))
        }),
        llama("a flag is a text", "tie_word_embeddings", |dir| {
            config(dir, "tie_word_embeddings", json!("yes"))
        }),
        llama(
            "the vocabulary is that of another model",
            "they belong to different models",
            |dir| config(dir, "vocab_size", json!(300)),
        ),
        llama(
            "the vocabulary is larger than the embedding",
            "model.embed_tokens.weight has shape [320, 48]",
            |dir| config(dir, "vocab_size", json!(321)),
        ),
    ]
}

/// Within each bound, and together more than any machine could count.
fn as_large_as_may_be(dir: &Path) -> Option<()> {
    json(dir, "config.json", |config| {
        let most = 1 << 24;
        for (key, value) in [
            ("vocab_size", most),
            ("hidden_size", most),
            ("intermediate_size", most),
            ("num_attention_heads", most),
            ("num_key_value_heads", most),
            ("head_dim", 128),
            ("num_hidden_layers", 4096),
            ("max_position_embeddings", most),
        ] {
            config[key] = json!(value);
        }
    })
}
