//! Tokens, templates and what ends a generation.

use candle_core::quantized::gguf_file::Value;
use tokenizers::Tokenizer;

use super::json;
use super::sample::{CONTROL, Sample, TEMPLATE};

#[test]
fn the_end_of_a_turn_ends_a_generation_too() {
    let ends = |sample: Sample| {
        let (dir, _) = sample.import().unwrap();
        json(dir.path(), "generation_config.json")["eos_token_id"].clone()
    };
    // The template writes <|eot_id|>, which is token 2.
    assert_eq!(ends(Sample::new()), serde_json::json!([1, 2]));
    let silent = Sample::new().with(
        "tokenizer.chat_template",
        Value::String("{{ messages }}".into()),
    );
    assert_eq!(ends(silent), serde_json::json!(1));
    let silent = Sample::new().with(
        "tokenizer.chat_template",
        Value::String("{{ messages }}".into()),
    );
    assert_eq!(
        ends(silent.with("tokenizer.ggml.eot_token_id", Value::U32(2))),
        serde_json::json!([1, 2])
    );
}

#[test]
fn the_end_of_a_message_does_not_end_a_turn_that_has_an_end_of_its_own() {
    let template = "{{ messages }}<|end|><|return|><|call|>";
    let ends = |names: [&str; 3]| {
        let mut sample =
            Sample::new().with("tokenizer.chat_template", Value::String(template.into()));
        sample.rename_controls(names);
        let (dir, _) = sample.import().unwrap();
        json(dir.path(), "generation_config.json")["eos_token_id"].clone()
    };
    // The second one is EOS.
    assert_eq!(
        ends(["<|end|>", "<|return|>", "<|call|>"]),
        serde_json::json!([1, 2])
    );
    assert_eq!(
        ends(["<|bos|>", "<|eos|>", "<|end|>"]),
        serde_json::json!([1, 2])
    );
}

#[test]
fn the_tokenizer_merges_and_keeps_special_tokens_apart() {
    let (dir, _) = Sample::new().import().unwrap();
    let mut tokenizer = Tokenizer::from_file(dir.path().join("tokenizer.json")).unwrap();
    let tokens = |tokenizer: &Tokenizer, text: &str| {
        tokenizer.encode(text, true).unwrap().get_tokens().to_vec()
    };
    assert_eq!(
        tokens(&tokenizer, "the thé 42"),
        ["the", "Ġ", "th", "Ã©", "Ġ", "4", "2"]
    );
    assert_eq!(tokens(&tokenizer, "the<|eot_id|>"), ["the", "<|eot_id|>"]);
    assert_eq!(
        tokens(&tokenizer, "[PAD264]").len(),
        8,
        "unused tokens are no tokens of any text"
    );
    let text = "Grüße 👋\r\n\tthe\u{a0}end";
    let ids = tokenizer.encode(text, true).unwrap();
    assert_eq!(tokenizer.decode(ids.get_ids(), true).unwrap(), text);
    assert_eq!(
        tokenizer.decode(&[2, 263], true).unwrap(),
        "<tool>",
        "user-defined tokens are text"
    );

    tokenizer.set_encode_special_tokens(true);
    assert!(!tokens(&tokenizer, "the<|eot_id|>").contains(&"<|eot_id|>".to_owned()));
}

#[test]
fn the_tokenizer_s_configuration_names_the_special_tokens() {
    let (dir, _) = Sample::new().import().unwrap();
    let config = json(dir.path(), "tokenizer_config.json");
    assert_eq!(config["bos_token"], CONTROL[0]);
    assert_eq!(config["eos_token"], CONTROL[1]);
    assert_eq!(config["chat_template"], TEMPLATE);
    assert_eq!(config["tokenizer_class"], "PreTrainedTokenizerFast");
    assert_eq!(config["clean_up_tokenization_spaces"], false);
    assert!(
        config.get("pad_token").is_none(),
        "what the file does not name is not made up"
    );
}

#[test]
fn templates_with_names_and_ways_to_draw_tokens_are_kept() {
    let text = |text: &str| Value::String(text.into());
    let (dir, _) = Sample::new()
        .with(
            "tokenizer.chat_templates",
            Value::Array(vec![text("tool_use")]),
        )
        .with("tokenizer.chat_template.tool_use", text("{{ tools }}"))
        .with("general.sampling.top_k", Value::I32(20))
        .with("general.sampling.temp", Value::F32(0.6))
        .import()
        .unwrap();
    let templates = serde_json::json!([
        {"name": "default", "template": TEMPLATE},
        {"name": "tool_use", "template": "{{ tools }}"},
    ]);
    assert_eq!(
        json(dir.path(), "tokenizer_config.json")["chat_template"],
        templates
    );
    let config = json(dir.path(), "generation_config.json");
    assert_eq!(config["top_k"], 20);
    assert_eq!(config["temperature"], 0.6);
    assert_eq!(config["do_sample"], true);
}

#[test]
fn bos_stands_before_a_text_where_the_file_or_its_kind_asks_for_it() {
    let first = |sample: Sample| {
        let (dir, _) = sample.import().unwrap();
        let tokenizer = Tokenizer::from_file(dir.path().join("tokenizer.json")).unwrap();
        let added = json(dir.path(), "tokenizer_config.json")["add_bos_token"]
            .as_bool()
            .unwrap();
        let first = tokenizer.encode("the", true).unwrap().get_ids()[0];
        assert_eq!(added, first == 0);
        first == 0
    };
    let pre = |name: &str| Sample::new().with("tokenizer.ggml.pre", Value::String(name.into()));
    assert!(!first(pre("smollm")));
    assert!(first(pre("llama-bpe")));
    assert!(first(
        pre("gpt-2").with("tokenizer.ggml.add_bos_token", Value::Bool(true))
    ));
    assert!(!first(
        pre("llama-bpe").with("tokenizer.ggml.add_bos_token", Value::Bool(false))
    ));
}
