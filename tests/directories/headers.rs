//! Headers of safetensors that are broken, or that say what the file does not hold.

use super::damage::{Damage, llama};
use super::edit::{bytes, header, header_text, write};
use serde_json::{Map, Value, json};
use std::path::Path;

const FILE: &str = "model.safetensors";
const Q: &str = "model.layers.0.self_attn.q_proj.weight";

pub fn damages() -> Vec<Damage> {
    let mut damages = lengths();
    damages.extend(entries());
    damages
}

fn lengths() -> Vec<Damage> {
    vec![
        llama("the weights are cut off", "it ends after the file", |dir| {
            bytes(dir, FILE, |bytes| bytes.truncate(200_000))
        }),
        llama(
            "bytes follow the last tensor",
            "7 bytes after the last tensor",
            |dir| bytes(dir, FILE, |bytes| bytes.extend([0; 7])),
        ),
        llama("the file is shorter than a length", "3 bytes long", |dir| {
            write(dir, FILE, "abc")
        }),
        llama(
            "the header has 10 GB",
            "is said to be 10000000000 bytes long",
            |dir| length(dir, 10_000_000_000),
        ),
        llama(
            "the header's length is the largest number",
            "18446744073709551615",
            |dir| length(dir, u64::MAX),
        ),
        llama(
            "the header ends past the file",
            "but the file ends before",
            |dir| length(dir, 90_000_000),
        ),
        llama("the header has no bytes", "the header is invalid", |dir| {
            length(dir, 0)
        }),
        llama("the header is no JSON", "the header is invalid", |dir| {
            bytes(dir, FILE, |bytes| bytes[8..40].fill(0xff))
        }),
        llama("the header is an array", "the header is invalid", |dir| {
            header_text(dir, FILE, |_| "[]".to_owned())
        }),
        llama("the header is text", "the header is invalid", |dir| {
            header_text(dir, FILE, |_| "<!DOCTYPE html>".to_owned())
        }),
        llama(
            "the file is no safetensors",
            "the header is said to be",
            |dir| {
                write(
                    dir,
                    FILE,
                    "PK\u{3}\u{4} a zip, such as torch.save makes one",
                )
            },
        ),
    ]
}

fn entries() -> Vec<Damage> {
    vec![
        llama(
            "two tensors overlap",
            "begins inside another tensor",
            |dir| {
                entry(dir, |entry| {
                    entry["data_offsets"] = json!([193_000, 211_432])
                })
            },
        ),
        llama(
            "between tensors is a gap",
            "bytes before it belong to no tensor",
            |dir| {
                entry(dir, |entry| {
                    entry["data_offsets"] = json!([194_000, 212_432])
                })
            },
        ),
        llama(
            "an offset is negative",
            "q_proj.weight: invalid value: integer `-1`",
            |dir| entry(dir, |entry| entry["data_offsets"] = json!([-1, 18_431])),
        ),
        llama(
            "an offset is the largest number",
            "invalid offsets",
            |dir| {
                entry(dir, |entry| {
                    entry["data_offsets"] = json!([193_920, u64::MAX])
                })
            },
        ),
        llama("offsets run backwards", "invalid offsets", |dir| {
            entry(dir, |entry| {
                entry["data_offsets"] = json!([212_352, 193_920])
            })
        }),
        llama("offsets do not fit the shape", "invalid offsets", |dir| {
            entry(dir, |entry| entry["shape"] = json!([95, 48]))
        }),
        llama(
            "an entry has no offsets",
            "missing field `data_offsets`",
            |dir| {
                entry(dir, |entry| {
                    entry.as_object_mut().unwrap().remove("data_offsets");
                })
            },
        ),
        llama("a size is NaN", "the header is invalid", |dir| {
            header_text(dir, FILE, |text| text.replacen("[96,48]", "[NaN,48]", 1))
        }),
        llama(
            "a size is a fraction",
            "invalid type: floating point",
            |dir| entry(dir, |entry| entry["shape"] = json!([96.5, 48])),
        ),
        llama(
            "a size is negative",
            "invalid value: integer `-96`",
            |dir| entry(dir, |entry| entry["shape"] = json!([-96, 48])),
        ),
        llama("the elements overflow", "overflow", |dir| {
            entry(dir, |entry| {
                entry["shape"] = json!([1u64 << 33, 1u64 << 33])
            })
        }),
        llama("a type is unknown", "type `Q4_K`", |dir| {
            entry(dir, |entry| entry["dtype"] = json!("Q4_K"))
        }),
        llama("a name occurs twice", "is listed twice", |dir| {
            header_text(dir, FILE, |text| {
                let norm = "\"model.layers.0.input_layernorm.weight\"";
                text.replacen(norm, "\"model.layers.1.input_layernorm.weight\"", 1)
            })
        }),
        llama(
            "there are no tensors",
            "bytes after the last tensor",
            |dir| header(dir, FILE, Map::clear),
        ),
    ]
}

/// Says another length of the header.
fn length(dir: &Path, length: u64) -> Option<()> {
    bytes(dir, FILE, |bytes| {
        bytes[..8].copy_from_slice(&length.to_le_bytes())
    })
}

/// Edits the entry of a tensor that has others before and behind it.
fn entry(dir: &Path, edit: impl FnOnce(&mut Value)) -> Option<()> {
    header(dir, FILE, |header| edit(&mut header[Q]))
}
