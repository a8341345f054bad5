//! Files that are missing, or are something else than what their name says.

use super::damage::{Damage, llama, sharded};
use super::edit::{bytes, json, leave, remove, write};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const SECOND: &str = "model-00002-of-00002.safetensors";

pub fn damages() -> Vec<Damage> {
    let mut damages = missing();
    damages.extend(other_models());
    damages.extend(no_files());
    damages.extend(other_content());
    damages
}

fn missing() -> Vec<Damage> {
    vec![
        llama("config.json is missing", "config.json: is missing", |dir| {
            remove(dir, "config.json")
        }),
        llama(
            "tokenizer.json is missing",
            "tokenizer.json: is missing",
            |dir| remove(dir, "tokenizer.json"),
        ),
        llama(
            "the weights are missing",
            "neither model.safetensors nor",
            |dir| remove(dir, SINGLE),
        ),
        sharded(
            "a shard is missing",
            "00002.safetensors: is missing; model.safetensors.index.json places",
            |dir| remove(dir, SECOND),
        ),
        sharded(
            "the index is missing",
            "index.json is missing, which says what stands in the 2 files",
            |dir| remove(dir, INDEX),
        ),
        sharded(
            "a shard is not in the index",
            "is not named in model.safetensors.index.json",
            |dir| {
                json(dir, INDEX, |index| {
                    let map = index["weight_map"].as_object_mut().unwrap();
                    map.retain(|_, file| file != SECOND);
                })
            },
        ),
        llama("nothing is there", "model: is empty", |dir| leave(dir, &[])),
        llama(
            "there is no directory",
            "there is no such directory",
            |dir| fs::remove_dir_all(dir).ok(),
        )
        .serve_says("there is no model"),
        llama(
            "only a SentencePiece model is there",
            "tokenizer.model alone is not read",
            |dir| fs::rename(dir.join("tokenizer.json"), dir.join("tokenizer.model")).ok(),
        ),
    ]
}

fn other_models() -> Vec<Damage> {
    vec![
        llama("GGUF alone", "guichet import", |dir| {
            leave(dir, &[("model.Q4_K_M.gguf", "GGUF")])
        }),
        llama(
            "GGUF beside a configuration",
            "holds GGUF and no safetensors",
            |dir| fs::rename(dir.join(SINGLE), dir.join("model.gguf")).ok(),
        ),
        llama(
            "a pickle alone",
            "which may run any code when it is read",
            |dir| fs::rename(dir.join(SINGLE), dir.join("pytorch_model.bin")).ok(),
        ),
        llama(
            "an adapter alone",
            "holds an adapter (adapter_config.json)",
            |dir| {
                leave(
                    dir,
                    &[
                        ("adapter_config.json", "{}"),
                        ("adapter_model.safetensors", "x"),
                    ],
                )
            },
        ),
        llama(
            "Mistral's own layout",
            "Mistral's own layout (consolidated.safetensors)",
            |dir| fs::rename(dir.join(SINGLE), dir.join("consolidated.safetensors")).ok(),
        ),
        llama(
            "weights for TensorFlow",
            "holds weights as tf_model.h5",
            |dir| fs::rename(dir.join(SINGLE), dir.join("tf_model.h5")).ok(),
        ),
    ]
}

fn no_files() -> Vec<Damage> {
    vec![
        llama(
            "a file in place of the directory",
            "is not a directory",
            |dir| {
                fs::remove_dir_all(dir).ok()?;
                fs::write(dir, "text").ok()
            },
        ),
        llama(
            "the directory is a link to itself",
            "a symbolic link that leads back to itself",
            |dir| {
                fs::remove_dir_all(dir).ok()?;
                symlink(dir, dir).ok()
            },
        ),
        llama(
            "config.json is a directory",
            "config.json: is a directory and not a file",
            |dir| in_place_of("config.json", dir),
        ),
        llama(
            "tokenizer.json is a directory",
            "tokenizer.json: is a directory and not a file",
            |dir| in_place_of("tokenizer.json", dir),
        ),
        llama(
            "the weights are a directory",
            "model.safetensors: is a directory and not a file",
            |dir| in_place_of(SINGLE, dir),
        ),
        llama(
            "config.json is a link to itself",
            "config.json: is a symbolic link that leads back to itself",
            |dir| {
                remove(dir, "config.json")?;
                symlink("config.json", dir.join("config.json")).ok()
            },
        ),
        llama(
            "the weights are a link to nothing",
            "model.safetensors: is a symbolic link that leads nowhere",
            |dir| {
                remove(dir, SINGLE)?;
                symlink("/nowhere/at/all", dir.join(SINGLE)).ok()
            },
        ),
        llama(
            "tokenizer.json is a pipe",
            "tokenizer.json: is a device or a pipe",
            |dir| {
                remove(dir, "tokenizer.json")?;
                let made = Command::new("mkfifo")
                    .arg(dir.join("tokenizer.json"))
                    .status();
                made.is_ok_and(|status| status.success()).then_some(())
            },
        ),
        llama(
            "generation_config.json is a device",
            "generation_config.json: is a device or a pipe",
            |dir| {
                remove(dir, "generation_config.json")?;
                symlink("/dev/zero", dir.join("generation_config.json")).ok()
            },
        ),
        llama(
            "config.json may not be read",
            "cannot be read: permission denied",
            |dir| {
                let path = dir.join("config.json");
                fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).ok()?;
                // For root nothing is forbidden.
                fs::read(&path).is_err().then_some(())
            },
        ),
    ]
}

fn other_content() -> Vec<Damage> {
    vec![
        llama("config.json is empty", "config.json: is empty", |dir| {
            write(dir, "config.json", "")
        }),
        llama(
            "tokenizer.json is empty",
            "tokenizer.json: is empty",
            |dir| write(dir, "tokenizer.json", ""),
        ),
        llama(
            "the weights are empty",
            "model.safetensors: is empty",
            |dir| write(dir, SINGLE, ""),
        ),
        llama(
            "config.json begins with a BOM",
            "begins with a byte order mark",
            |dir| {
                bytes(dir, "config.json", |bytes| {
                    bytes.splice(..0, *b"\xef\xbb\xbf");
                })
            },
        ),
        llama(
            "config.json is UTF-16",
            "config.json: is not UTF-8",
            |dir| {
                bytes(dir, "config.json", |bytes| {
                    let wide: Vec<u8> = bytes.iter().flat_map(|byte| [*byte, 0]).collect();
                    *bytes = [&b"\xff\xfe"[..], &wide].concat();
                })
            },
        ),
        llama(
            "config.json is cut off",
            "config.json: is not valid JSON: EOF",
            |dir| bytes(dir, "config.json", |bytes| bytes.truncate(100)),
        ),
        llama(
            "config.json is an array",
            "is JSON, but not a JSON object",
            |dir| write(dir, "config.json", "[1]"),
        ),
        llama(
            "config.json is nested without end",
            "recursion limit exceeded",
            |dir| {
                let (open, close) = ("[".repeat(1 << 20), "]".repeat(1 << 20));
                write(dir, "config.json", format!("{{\"a\":{open}{close}}}"))
            },
        ),
        llama(
            "config.json has a terabyte",
            "is 1099511627776 bytes long",
            |dir| {
                fs::File::create(dir.join("config.json"))
                    .ok()?
                    .set_len(1 << 40)
                    .ok()
            },
        ),
        llama(
            "the weights are a pointer of Git LFS",
            "is a pointer of Git LFS",
            |dir| {
                let oid = "0".repeat(64);
                let pointer = format!(
                    "version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 412984\n"
                );
                write(dir, SINGLE, pointer)
            },
        ),
        llama(
            "tokenizer.json is a web page",
            "tokenizer.json: is a web page",
            |dir| {
                write(
                    dir,
                    "tokenizer.json",
                    "<!DOCTYPE html><title>Sign in</title>",
                )
            },
        ),
        llama(
            "a file differs from its lock",
            "model.safetensors has 412984 bytes instead of 5",
            |dir| lock(dir, "path = \"model.safetensors\"\nsize = 5"),
        ),
        llama("the lock is no lock", "guichet.lock: ", |dir| {
            write(dir, "guichet.lock", "{}")
        }),
        llama("the lock names a file elsewhere", "../secret", |dir| {
            lock(dir, "path = \"../secret\"\nsize = 5")
        }),
    ]
}

fn in_place_of(name: &str, dir: &Path) -> Option<()> {
    remove(dir, name)?;
    fs::create_dir(dir.join(name)).ok()
}

fn lock(dir: &Path, file: &str) -> Option<()> {
    let digest = "0".repeat(64);
    let text = format!(
        "version = 1\n[source]\nkind = \"gguf\"\nfile = \"m.gguf\"\nsha256 = \"{digest}\"\n\
         [[file]]\n{file}\nsha256 = \"{digest}\"\nmtime_ns = 0\ninode = 0\n"
    );
    write(dir, "guichet.lock", text)
}
