use super::fixtures::{
    CHATML, added, byte_level_json, message, prompt, sentencepiece_json, template, tokenizer,
    unigram_json,
};
use super::{TextError, Tokenizer};
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime};

fn from_files(files: &[(&str, &Value)]) -> Result<Tokenizer, TextError> {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let content = content
            .as_str()
            .map_or_else(|| content.to_string(), str::to_owned);
        std::fs::write(dir.path().join(name), content).unwrap();
    }
    Tokenizer::from_dir(dir.path())
}

#[test]
fn nothing_is_cut_or_padded() {
    let mut json = byte_level_json();
    json["truncation"] =
        json!({"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"});
    json["padding"] = json!({"strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
        "pad_type_id": 0, "pad_token": "!"});
    assert_eq!(
        tokenizer(&json).encode_prompt("abcdefghij").unwrap().len(),
        10
    );
}

#[test]
fn a_prompt_is_template_text_framed_as_the_tokenizer_says() {
    let mut json = byte_level_json();
    let start = tokenizer(&json).token_to_id("<|im_start|>").unwrap();
    json["post_processor"] = json!({"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<|im_start|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"<|im_start|>": {"id": "<|im_start|>", "ids": [start], "tokens": ["<|im_start|>"]}}});
    let tokenizer = tokenizer(&json);
    let ids = tokenizer.encode_prompt("a<|im_end|>").unwrap();
    assert_eq!(
        ids,
        ["<|im_start|>", "a", "<|im_end|>"].map(|token| tokenizer.token_to_id(token).unwrap())
    );
    let chat = template(CHATML)
        .render(
            &tokenizer,
            &prompt(&[message("user", "a")]),
            SystemTime::UNIX_EPOCH,
        )
        .unwrap();
    let ids = tokenizer.encode_guarded(&chat).unwrap();
    assert_eq!(
        ids.iter().filter(|id| **id == start).count(),
        2,
        "a chat is framed by its template"
    );
}

#[test]
fn every_id_is_below_the_vocabulary_s_size() {
    let tokenizer = tokenizer(&byte_level_json());
    let last = tokenizer.vocab_size() as u32 - 1;
    assert!(tokenizer.pipeline.id_to_token(last).is_some());
    assert!(tokenizer.pipeline.id_to_token(last + 1).is_none());
}

#[test]
fn tokens_that_only_the_configuration_declares_are_added() {
    let config = json!({
        "added_tokens_decoder": {"263": {"content": "<x>", "special": false}, "264": {"content": "<y>", "special": true}},
        "eos_token": "<eos>", "additional_special_tokens": ["<z>", {"content": "<w>"}]
    });
    let mut json = byte_level_json();
    json["added_tokens"] = json!([]);
    let tokenizer = from_files(&[
        ("tokenizer.json", &json),
        ("tokenizer_config.json", &config),
    ])
    .unwrap();
    for token in ["<x>", "<y>", "<eos>", "<z>", "<w>"] {
        assert_eq!(
            tokenizer.encode_prompt(token).unwrap(),
            [tokenizer.token_to_id(token).unwrap()],
            "{token}"
        );
    }
}

#[test]
fn broken_files_are_named() {
    let good = byte_level_json();
    let with = |key: &str, value: Value| {
        let mut json = byte_level_json();
        json[key] = value;
        json
    };
    let text = |text: &str| json!(text);
    let cases = [
        text(""),
        text("{"),
        text("\u{0}\u{1}"),
        json!([]),
        json!({}),
        with("version", json!("9")),
        with("model", Value::Null),
        with(
            "model",
            json!({"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b"]]}),
        ),
        with(
            "model",
            json!({"type": "BPE", "vocab": {"a": -1}, "merges": []}),
        ),
        with(
            "model",
            json!({"type": "Unigram", "unk_id": 7, "vocab": [["a", 0.0]]}),
        ),
        with(
            "model",
            json!({"type": "Unigram", "unk_id": 0, "vocab": []}),
        ),
        with(
            "pre_tokenizer",
            json!({"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": false}),
        ),
        with(
            "normalizer",
            json!({"type": "Precompiled", "precompiled_charsmap": "%%"}),
        ),
        with("added_tokens", json!([{"id": 1}])),
        with("decoder", json!({"type": "Nonsense"})),
    ];
    for case in &cases {
        let error = from_files(&[("tokenizer.json", case)])
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("tokenizer.json: "), "{error}");
    }
    let error = from_files(&[]).err().unwrap().to_string();
    assert!(error.contains("tokenizer.json: cannot be read"), "{error}");
    let config = json!({"added_tokens_decoder": {"x": {}}});
    let error = from_files(&[
        ("tokenizer.json", &good),
        ("tokenizer_config.json", &config),
    ])
    .err()
    .unwrap()
    .to_string();
    assert!(
        error.contains("tokenizer_config.json: added_tokens_decoder: \"x\" is not a token id"),
        "{error}"
    );
}

#[test]
fn an_added_token_without_text_is_ignored() {
    let mut json = byte_level_json();
    json["added_tokens"]
        .as_array_mut()
        .unwrap()
        .push(added("", 300, true));
    assert_eq!(tokenizer(&json).encode_prompt("ab").unwrap().len(), 2);
}

#[test]
fn a_mebibyte_without_a_space_is_encoded_in_linear_time() {
    for json in [byte_level_json(), sentencepiece_json(), unigram_json()] {
        let tokenizer = tokenizer(&json);
        for unit in ["a", " ", "é", "<s>"] {
            let text = unit.repeat((1 << 20) / unit.len());
            let start = Instant::now();
            let chat = template(CHATML)
                .render(
                    &tokenizer,
                    &prompt(&[message("user", &text)]),
                    SystemTime::UNIX_EPOCH,
                )
                .unwrap();
            assert!(!tokenizer.encode_guarded(&chat).unwrap().is_empty());
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "{unit:?}: {:?}",
                start.elapsed()
            );
        }
    }
}
