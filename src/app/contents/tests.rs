use super::*;
use std::fs;

fn told(fill: impl FnOnce(&Path)) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    let prefix = format!("{}", dir.path().display());
    mistakes(dir.path())
        .iter()
        .map(|mistake| mistake.to_string().replace(&prefix, "DIR"))
        .collect()
}

fn write(dir: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        fs::write(dir.join(name), text).unwrap();
    }
}

const SOUND: [(&str, &str); 3] = [
    (CONFIG, "{}"),
    (TOKENIZER, "{}"),
    (SINGLE, "weights, as far as is looked at here"),
];

#[test]
fn a_directory_with_what_loading_reads_passes() {
    assert_eq!(told(|dir| write(dir, &SOUND)), [""; 0]);
    let index = r#"{"weight_map": {"a": "model-00001-of-00001.safetensors"}}"#;
    let files = [
        SOUND[0],
        SOUND[1],
        (INDEX, index),
        ("model-00001-of-00001.safetensors", "weights"),
        // What is beside them is not looked at.
        ("pytorch_model.bin", "pickle"),
        ("consolidated.safetensors", "weights"),
    ];
    assert_eq!(told(|dir| write(dir, &files)), [""; 0]);
}

#[test]
fn what_is_no_model_that_can_be_served_is_told_what_to_do_with_it() {
    for (name, words) in [
        (
            "model.Q4_K_M.gguf",
            "`guichet import DIR/model.Q4_K_M.gguf DIR`",
        ),
        ("pytorch_model.bin", "pickle of Python (pytorch_model.bin)"),
        ("adapter_config.json", "holds an adapter"),
        ("consolidated.safetensors", "Mistral's own layout"),
        ("tf_model.h5", "tf_model.h5"),
    ] {
        let told = told(|dir| write(dir, &[(CONFIG, "{}"), (name, "x")]));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with("DIR: ") && told[0].contains(words),
            "{told:?}"
        );
    }
    assert_eq!(told(|_| {}), ["DIR: is empty"]);
}

#[test]
fn the_form_of_every_file_is_looked_at_before_any_is_used() {
    let told = told(|dir| {
        write(dir, &SOUND);
        write(
            dir,
            &[
                (CONFIG, "\u{feff}{}"),
                (TOKENIZER, "<!DOCTYPE html>"),
                ("generation_config.json", "[]"),
                ("modules.json", "{}"),
                ("special_tokens_map.json", ""),
                (
                    SINGLE,
                    "version https://git-lfs.github.com/spec/v1\noid sha256:0",
                ),
            ],
        );
        fs::create_dir(dir.join("chat_template.jinja")).unwrap();
    });
    for words in [
        "DIR/config.json: begins with a byte order mark",
        "DIR/tokenizer.json: is a web page",
        "DIR/generation_config.json: is JSON, but not a JSON object",
        "DIR/modules.json: is JSON, but not a JSON array",
        "DIR/special_tokens_map.json: is empty",
        "DIR/model.safetensors: is a pointer of Git LFS",
        "DIR/chat_template.jinja: is a directory",
    ] {
        assert!(
            told.iter().any(|line| line.starts_with(words)),
            "{words}: {told:#?}"
        );
    }
    assert_eq!(told.len(), 7, "{told:#?}");
}

#[test]
fn shards_and_their_index_belong_together() {
    let told = told(|dir| {
        write(dir, &SOUND[..2]);
        let map = r#"{"weight_map": {"a": "model-00001-of-00003.safetensors",
            "b": "model-00001-of-00003.safetensors", "c": "model-00002-of-00003.safetensors"}}"#;
        write(
            dir,
            &[
                (INDEX, map),
                ("model-00002-of-00003.safetensors", "weights"),
                ("model-00003-of-00003.safetensors", "weights"),
            ],
        );
    });
    assert_eq!(
        told,
        [
            "DIR/model-00001-of-00003.safetensors: is missing; model.safetensors.index.json places 2 tensors in it",
            "DIR/model-00003-of-00003.safetensors: is not named in model.safetensors.index.json, which is that of other files",
        ]
    );
}

#[test]
fn a_file_of_absurd_size_is_not_read() {
    let told = told(|dir| {
        write(dir, &SOUND);
        let file = File::create(dir.join(CONFIG)).unwrap();
        file.set_len(1 << 40).unwrap();
    });
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("is 1099511627776 bytes long"), "{told:?}");
}
