//! Tiny tokenizers and templates for tests.

use super::{ChatMessage, ChatPrompt, ChatTemplate, Tokenizer};
use serde_json::{Value, json};
use std::sync::Arc;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

pub(super) const CHATML: &str = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + \
     message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}\
     {{ '<|im_start|>assistant\\n' }}{% endif %}";

/// Control tokens of several families, and `hell`, which plain text makes too.
pub(super) const ADDED: [(&str, bool); 8] = [
    ("<|im_start|>", true),
    ("<|im_end|>", true),
    ("<|im_", true),
    ("<|user|>", true),
    ("<|assistant|>", true),
    ("<think>", false),
    ("</think>", false),
    ("hell", false),
];

pub(super) fn added(content: &str, id: usize, special: bool) -> Value {
    json!({
        "id": id, "content": content, "special": special, "normalized": false,
        "single_word": false, "lstrip": false, "rstrip": false
    })
}

/// Byte-level BPE with every byte, a few merges and [`ADDED`].
pub(crate) fn byte_level_json() -> Value {
    let mut alphabet: Vec<String> = ByteLevel::alphabet()
        .into_iter()
        .map(String::from)
        .collect();
    alphabet.sort();
    let merges = [
        ["h", "e"],
        ["l", "l"],
        ["he", "ll"],
        ["Ġ", "t"],
        ["Ċ", "Ċ"],
        ["i", "m"],
    ];
    let words = alphabet
        .into_iter()
        .chain(merges.iter().map(|pair| pair.concat()));
    let vocab: serde_json::Map<String, Value> = words
        .enumerate()
        .map(|(id, word)| (word, json!(id)))
        .collect();
    let mut added_tokens = Vec::new();
    let mut next = vocab.len();
    for (content, special) in ADDED {
        let known = vocab
            .get(content)
            .and_then(Value::as_u64)
            .map(|id| id as usize);
        added_tokens.push(added(content, known.unwrap_or(next), special));
        next += usize::from(known.is_none());
    }
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added_tokens,
        "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true},
        "post_processor": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocab, "merges": merges
        }
    })
}

/// As sentencepiece models are converted: spaces are `▁`, unknown characters are bytes.
pub(crate) fn sentencepiece_json() -> Value {
    let mut words: Vec<String> = ["<unk>", "<s>", "</s>"].map(String::from).to_vec();
    words.extend((0..=255).map(|byte| format!("<0x{byte:02X}>")));
    words.extend(
        "▁abcdefghijklmnopqrstuvwxyz<>/|_.\n"
            .chars()
            .map(String::from),
    );
    words.extend(["▁a", "▁b", "▁▁", "▁hello"].map(String::from));
    let vocab: serde_json::Map<String, Value> = words
        .into_iter()
        .enumerate()
        .map(|(id, word)| (word, json!(id)))
        .collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [added("<unk>", 0, true), added("<s>", 1, true), added("</s>", 2, true)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
        ]},
        "pre_tokenizer": null, "post_processor": null,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}
        ]},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
            "vocab": vocab, "merges": [["▁", "a"], ["▁", "b"], ["▁", "▁"]]
        }
    })
}

/// A Unigram model: by itself it makes `<s>` of the text `<s>`.
pub(super) fn unigram_json() -> Value {
    let mut vocab = vec![
        json!(["<unk>", 0.0]),
        json!(["<s>", 0.0]),
        json!(["</s>", 0.0]),
    ];
    vocab.extend(
        "▁abcdehloswx<>/"
            .chars()
            .map(|character| json!([character.to_string(), -3.0])),
    );
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [added("<unk>", 0, true), added("<s>", 1, true), added("</s>", 2, true)],
        "normalizer": null,
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false},
        "post_processor": null,
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false},
        "model": {"type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": false}
    })
}

pub(crate) fn tokenizer(json: &Value) -> Arc<Tokenizer> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("tokenizer.json"), json.to_string()).unwrap();
    Arc::new(Tokenizer::from_dir(dir.path()).unwrap())
}

pub(super) fn template(source: &str) -> ChatTemplate {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("chat_template.jinja"), source).unwrap();
    ChatTemplate::from_dir(dir.path()).unwrap().unwrap()
}

pub(super) fn message(role: &str, content: &str) -> ChatMessage {
    ChatMessage {
        role: role.to_owned(),
        content: content.into(),
        ..ChatMessage::default()
    }
}

pub(super) fn prompt(messages: &[ChatMessage]) -> ChatPrompt {
    ChatPrompt {
        messages: messages.to_vec(),
        ..ChatPrompt::default()
    }
}
