use super::Tokenizer;
use super::fixtures::{added, byte_level_json, sentencepiece_json, tokenizer, unigram_json};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// One tokenizer for each kind of decoder.
static TOKENIZERS: LazyLock<Vec<Arc<Tokenizer>>> = LazyLock::new(|| {
    let decoders = [
        json!({"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}
        ]}),
        json!({"type": "Sequence", "decoders": [
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}
        ]}),
        json!({"type": "Sequence", "decoders": [
            {"type": "Fuse"}, {"type": "Strip", "content": "▁", "start": 2, "stop": 0}
        ]}),
        // Replaces in the joined text, so nothing is certain before the end.
        json!({"type": "Sequence", "decoders": [
            {"type": "Fuse"}, {"type": "Replace", "pattern": {"String": "ab"}, "content": "x"}
        ]}),
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": true}),
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": true}),
        json!({"type": "WordPiece", "prefix": "<", "cleanup": true}),
        json!({"type": "BPEDecoder", "suffix": "b"}),
        json!({"type": "CTC", "pad_token": "a", "word_delimiter_token": "|", "cleanup": true}),
        Value::Null,
    ];
    let others = decoders.into_iter().map(|decoder| {
        let mut json = sentencepiece_json();
        json["decoder"] = decoder;
        json
    });
    [byte_level_json(), sentencepiece_json(), unigram_json()]
        .into_iter()
        .chain(others)
        .map(|json| tokenizer(&json))
        .collect()
});

fn stream(tokenizer: &Arc<Tokenizer>, ids: &[u32]) -> Vec<String> {
    let mut detokenizer = tokenizer.detokenizer();
    let mut deltas: Vec<String> = ids.iter().map(|id| detokenizer.push(*id)).collect();
    deltas.push(detokenizer.finish());
    deltas
}

/// What the library makes of all ids. Its decoder of suffixes panics on an empty list.
fn whole(tokenizer: &Tokenizer, ids: &[u32]) -> String {
    let skipped = tokenizer.pipeline.get_added_tokens_decoder();
    let shown: Vec<u32> = ids
        .iter()
        .copied()
        .filter(|id| tokenizer.pipeline.id_to_token(*id).is_some())
        .filter(|id| !skipped.get(id).is_some_and(|token| token.special))
        .collect();
    if shown.is_empty() {
        String::new()
    } else {
        tokenizer.pipeline.decode(&shown, true).unwrap()
    }
}

fn ids(tokenizer: &Tokenizer, tokens: &[&str]) -> Vec<u32> {
    tokens
        .iter()
        .map(|token| tokenizer.token_to_id(token).unwrap())
        .collect()
}

#[test]
fn a_character_is_shown_when_its_last_byte_has_come() {
    let tokenizer = &TOKENIZERS[0];
    let ids = tokenizer.encode_prompt("é🎉").unwrap();
    assert_eq!(stream(tokenizer, &ids), ["", "é", "", "", "", "🎉", ""]);
}

#[test]
fn bytes_that_never_become_a_character_are_replaced() {
    let tokenizer = &TOKENIZERS[0];
    let bytes = tokenizer.encode_prompt("é🎉x").unwrap();
    let broken = [bytes[2], bytes[3], bytes[6], bytes[0]];
    assert_eq!(
        stream(tokenizer, &broken),
        ["", "", "\u{FFFD}x", "", "\u{FFFD}"]
    );
}

#[test]
fn special_tokens_have_no_text_and_other_added_tokens_have() {
    let tokenizer = &TOKENIZERS[0];
    let ids = ids(
        tokenizer,
        &["<think>", "<|im_start|>", "hell", "<|im_end|>"],
    );
    assert_eq!(stream(tokenizer, &ids), ["<think>", "", "hell", "", ""]);
}

#[test]
fn the_space_before_the_first_word_is_not_shown_and_others_are() {
    let tokenizer = &TOKENIZERS[1];
    let ids = ids(
        tokenizer,
        &["<s>", "▁a", "<0xC3>", "<0xA9>", "▁b", "<0xFF>"],
    );
    assert_eq!(
        stream(tokenizer, &ids),
        ["", "a", "", "", "é b", "", "\u{FFFD}"]
    );
}

#[test]
fn a_text_that_goes_on_keeps_the_space_before_its_first_word() {
    for json in [byte_level_json(), sentencepiece_json(), unigram_json()] {
        let tokenizer = tokenizer(&json);
        let prompt = tokenizer.encode_prompt("a b").unwrap();
        let whole = tokenizer.encode_prompt("a b a b").unwrap();
        assert_eq!(whole[..prompt.len()], prompt);
        let mut detokenizer = tokenizer.detokenizer().continuing();
        let mut text: String = whole[prompt.len()..]
            .iter()
            .map(|id| detokenizer.push(*id))
            .collect();
        text.push_str(&detokenizer.finish());
        assert_eq!(text, " a b");
    }
}

#[test]
fn a_long_run_of_incomplete_characters_costs_linear_time() {
    for tokenizer in TOKENIZERS.iter() {
        let id = tokenizer
            .token_to_id("<0xF0>")
            .or(tokenizer.token_to_id("ð"))
            .unwrap_or(3);
        let ids = vec![id; 50_000];
        let start = Instant::now();
        assert_eq!(stream(tokenizer, &ids).concat(), whole(tokenizer, &ids));
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn added_tokens_in_other_alphabets_are_shown_as_they_are_written() {
    let mut json = byte_level_json();
    json["added_tokens"] = json!([added("<｜用户｜>", 263, false)]);
    let tokenizer = tokenizer(&json);
    let ids = tokenizer.encode_prompt("é<｜用户｜>é").unwrap();
    assert_eq!(stream(&tokenizer, &ids).concat(), "é<｜用户｜>é");
}

proptest! {
    #[test]
    fn deltas_join_to_the_decode_of_the_whole(ids in prop::collection::vec(0u32..320, 0..40)) {
        for tokenizer in TOKENIZERS.iter() {
            prop_assert_eq!(stream(tokenizer, &ids).concat(), whole(tokenizer, &ids));
        }
    }

    #[test]
    fn texts_come_back_from_their_ids(text in "[a-z é🎉\\n\u{301}]{0,30}") {
        let tokenizer = &TOKENIZERS[0];
        let ids = tokenizer.encode_prompt(&text).unwrap();
        prop_assert_eq!(stream(tokenizer, &ids).concat(), text);
    }
}
