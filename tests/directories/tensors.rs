//! Files that are sound, with tensors that are not those of the model.

use super::damage::{Damage, llama, sharded};
use super::edit::{append, config, header, json};
use serde_json::{Map, Value, json};
use std::path::Path;

const FILE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const FIRST: &str = "model-00001-of-00002.safetensors";
const SECOND: &str = "model-00002-of-00002.safetensors";

pub fn damages() -> Vec<Damage> {
    let mut damages = in_one_file();
    damages.extend(in_shards());
    damages
}

fn in_one_file() -> Vec<Damage> {
    vec![
        llama(
            "a tensor has whole numbers",
            "model.layers.1.mlp.up_proj.weight has type I32",
            |dir| {
                header(dir, FILE, |header| {
                    header["model.layers.1.mlp.up_proj.weight"]["dtype"] = json!("I32");
                })
            },
        ),
        llama(
            "a tensor is transposed",
            "q_proj.weight has shape [48, 96]",
            |dir| {
                header(dir, FILE, |header| {
                    header["model.layers.2.self_attn.q_proj.weight"]["shape"] = json!([48, 96]);
                })
            },
        ),
        llama(
            "two tensors are swapped",
            "up_proj.weight has shape [48, 80]",
            |dir| {
                header(dir, FILE, |header| {
                    swap(
                        header,
                        "model.layers.0.mlp.up_proj.weight",
                        "model.layers.0.mlp.down_proj.weight",
                    );
                })
            },
        ),
        llama(
            "a vector is a matrix",
            "model.norm.weight has shape [1, 48]",
            |dir| {
                header(dir, FILE, |header| {
                    header["model.norm.weight"]["shape"] = json!([1, 48])
                })
            },
        ),
        llama(
            "a tensor is missing",
            "the tensor model.norm.weight is missing",
            |dir| rename(dir, "model.norm.weight", "model.norm.weights"),
        ),
        llama("a layer is missing", "the tensor model.layers.3.", |dir| {
            config(dir, "num_hidden_layers", json!(4))
        }),
        llama(
            "a layer is left over",
            "no place in the model that config.json describes",
            |dir| config(dir, "num_hidden_layers", json!(2)),
        ),
        llama("a tensor is left over", "model.vision.patch", |dir| {
            append(dir, FILE, "model.vision.patch", "F32", &[1], &[0; 4]);
            Some(())
        }),
        llama("a bias is left over", "q_proj.bias", |dir| {
            let name = "model.layers.0.self_attn.q_proj.bias";
            append(dir, FILE, name, "F32", &[96], &[0; 384]);
            Some(())
        }),
        llama(
            "all names have a prefix",
            "model.embed_tokens.weight is missing",
            |dir| {
                header(dir, FILE, |header| {
                    let tensors = std::mem::take(header).into_iter();
                    let tensors = tensors.filter(|(name, _)| name != "__metadata__");
                    header.extend(tensors.map(|(name, entry)| (format!("base.{name}"), entry)));
                })
            },
        ),
        llama(
            "the head is missing",
            "the tensor lm_head.weight is missing",
            |dir| rename(dir, "lm_head.weight", "head.weight"),
        ),
    ]
}

fn in_shards() -> Vec<Damage> {
    vec![
        sharded(
            "the index places a tensor in another file",
            "model.norm.weight is missing, although",
            |dir| {
                json(dir, INDEX, |index| {
                    index["weight_map"]["model.norm.weight"] = json!(FIRST)
                })
            },
        ),
        sharded(
            "the index places a tensor that is nowhere",
            "nonesuch.weight is missing, although",
            |dir| {
                json(dir, INDEX, |index| {
                    index["weight_map"]["nonesuch.weight"] = json!(SECOND)
                })
            },
        ),
        sharded(
            "the index leads out of the directory",
            "`../other.safetensors` is not a plain file name",
            |dir| {
                json(dir, INDEX, |index| {
                    index["weight_map"]["model.norm.weight"] = json!("../other.safetensors");
                })
            },
        ),
        sharded("the index has no map", "weight_map", |dir| {
            json(dir, INDEX, |index| {
                index.as_object_mut().unwrap().remove("weight_map");
            })
        }),
        sharded(
            "the index is empty",
            "`weight_map` names no tensor",
            |dir| json(dir, INDEX, |index| index["weight_map"] = json!({})),
        ),
        sharded("the index holds numbers", "expected a string", |dir| {
            json(dir, INDEX, |index| {
                index["weight_map"]["model.norm.weight"] = json!(2)
            })
        }),
        sharded(
            "the tied head differs",
            "lm_head.weight differs from",
            |dir| {
                append(
                    dir,
                    SECOND,
                    "lm_head.weight",
                    "BF16",
                    &[320, 64],
                    &[1; 2 * 320 * 64],
                );
                json(dir, INDEX, |index| {
                    index["weight_map"]["lm_head.weight"] = json!(SECOND)
                })
            },
        ),
        sharded(
            "a shard is that of another model",
            "the tensor model.",
            |dir| {
                rename_in(
                    dir,
                    SECOND,
                    "model.norm.weight",
                    "model.layers.7.norm.weight",
                )
            },
        ),
    ]
}

fn swap(header: &mut Map<String, Value>, one: &str, other: &str) {
    let first = header[one].take();
    header[one] = header[other].take();
    header[other] = first;
}

fn rename(dir: &Path, from: &str, to: &str) -> Option<()> {
    rename_in(dir, FILE, from, to)
}

fn rename_in(dir: &Path, file: &str, from: &str, to: &str) -> Option<()> {
    header(dir, file, |header| {
        let entry = header.remove(from).unwrap();
        header.insert(to.to_owned(), entry);
    })
}
