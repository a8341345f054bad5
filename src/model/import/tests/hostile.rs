//! Files that lie, or are cut, or are of a kind that is not imported.

use candle_core::quantized::gguf_file::Value;

use super::sample::{HIDDEN, Sample, import_bytes};

fn text(text: &str) -> Value {
    Value::String(text.into())
}

#[test]
fn what_cannot_be_imported_exactly_is_refused_in_one_sentence() {
    let cases = [
        ("general.architecture", text("mamba"), "\"mamba\""),
        ("general.architecture", text("qwen2moe"), "\"qwen2moe\""),
        ("tokenizer.ggml.model", text("bert"), "\"bert\""),
        ("tokenizer.ggml.model", text("t5"), "\"t5\""),
        ("tokenizer.ggml.pre", text("viking"), "\"viking\""),
        ("tokenizer.ggml.pre", text("default"), "\"default\""),
        (
            "tokenizer.ggml.normalizer.lowercase",
            Value::Bool(true),
            "tokenizer.ggml.normalizer.lowercase",
        ),
        (
            "tokenizer.ggml.precompiled_charsmap",
            Value::Array(vec![Value::U8(1)]),
            "tokenizer.ggml.precompiled_charsmap",
        ),
        (
            "llama.attention.sliding_window",
            Value::U32(4096),
            "llama.attention.sliding_window",
        ),
        (
            "llama.attn_logit_softcapping",
            Value::F32(50.0),
            "llama.attn_logit_softcapping",
        ),
        (
            "llama.rope.scaling.type",
            text("yarn"),
            "\"yarn\" without a factor",
        ),
        (
            "llama.rope.dimension_count",
            Value::U32(32),
            "32 of 64 numbers of a head",
        ),
        (
            "llama.attention.value_length",
            Value::U32(32),
            "different lengths",
        ),
        ("llama.pooling_type", Value::U32(3), "llama.pooling_type"),
        (
            "llama.attention.causal",
            Value::Bool(false),
            "what follows them",
        ),
        ("split.count", Value::U16(2), "join the parts"),
        ("general.type", text("adapter"), "adapter"),
    ];
    for (key, value, word) in cases {
        let refusal = Sample::new().with(key, value).refusal();
        assert!(
            refusal.contains(word) && refusal.lines().count() == 1,
            "{key}: {refusal}"
        );
    }
}

#[test]
fn a_scaling_that_no_model_of_the_family_has_is_refused() {
    for kind in ["longrope", "dynamic"] {
        let refusal = Sample::new()
            .with("llama.rope.scaling.type", text(kind))
            .with("llama.rope.scaling.factor", Value::F32(4.0))
            .refusal();
        assert!(
            refusal.contains(kind) && refusal.contains("llama.rope.scaling.type"),
            "{refusal}"
        );
    }
}

#[test]
fn metadata_that_contradict_the_tensors_are_refused() {
    let cases = [
        (
            "llama.embedding_length",
            Value::U32(128),
            "token_embd.weight has the shape",
        ),
        (
            "llama.block_count",
            Value::U32(u32::MAX),
            "blk.1.attn_norm.weight is missing",
        ),
        (
            "llama.feed_forward_length",
            Value::U32(511),
            "ffn_gate.weight has the shape",
        ),
        (
            "llama.attention.head_count",
            Value::U32(0),
            "llama.attention.head_count is not",
        ),
        (
            "llama.attention.head_count",
            Value::Array(vec![Value::U32(4)]),
            "llama.attention.head_count is not",
        ),
        (
            "llama.attention.head_count_kv",
            Value::U32(3),
            "do not divide",
        ),
        (
            "llama.attention.layer_norm_rms_epsilon",
            Value::F32(f32::NAN),
            "not a finite number",
        ),
        (
            "llama.expert_count",
            Value::U32(8),
            "llama.expert_used_count is missing",
        ),
        (
            "llama.vocab_size",
            Value::U32(1),
            "llama.vocab_size is not the number of rows",
        ),
        (
            "tokenizer.ggml.model",
            text("llama"),
            "tokenizer.ggml.scores is missing",
        ),
        (
            "llama.rope.freq_base",
            Value::F32(f32::NAN),
            "not a finite number",
        ),
        ("llama.rope.freq_base", Value::F32(-1.0), "not above 0"),
        (
            "llama.context_length",
            text("long"),
            "llama.context_length is not",
        ),
        (
            "tokenizer.ggml.tokens",
            Value::Array(vec![text("a"), text("a")]),
            "token_type",
        ),
        (
            "tokenizer.ggml.eos_token_id",
            Value::U32(9999),
            "9999, which is no token",
        ),
        (
            "tokenizer.ggml.merges",
            Value::Array(vec![text("x yz")]),
            "\"x yz\" is not made of two tokens",
        ),
        ("general.alignment", Value::U32(0), "general.alignment"),
        ("general.alignment", Value::U32(33), "general.alignment"),
    ];
    for (key, value, word) in cases {
        let refusal = Sample::new().with(key, value).refusal();
        assert!(
            refusal.contains(word) && refusal.lines().count() == 1,
            "{key}: {refusal}"
        );
    }
}

#[test]
fn a_piece_of_absurd_length_is_refused_before_it_is_cut() {
    let mut sample = Sample::new().with("tokenizer.ggml.model", text("llama"));
    let Some(Value::Array(tokens)) = sample.metadata.get_mut("tokenizer.ggml.tokens") else {
        panic!("the sample has tokens");
    };
    tokens[0] = text(&"a".repeat(1 << 20));
    let scores = (0..tokens.len()).map(|id| Value::F32(-(id as f32)));
    let scores = Value::Array(scores.collect());
    let refusal = sample.with("tokenizer.ggml.scores", scores).refusal();
    assert!(refusal.contains("more than 1024 bytes"), "{refusal}");
}

#[test]
fn scores_that_are_no_order_are_refused() {
    let mut sample = Sample::new().with("tokenizer.ggml.model", text("llama"));
    let Some(Value::Array(tokens)) = sample.metadata.get("tokenizer.ggml.tokens") else {
        panic!("the sample has tokens");
    };
    let scores = vec![Value::F32(-1000.0); tokens.len()];
    sample = sample.with("tokenizer.ggml.scores", Value::Array(scores));
    assert!(sample.refusal().contains("are the same"));
}

#[test]
fn missing_and_left_over_tensors_are_named() {
    let mut sample = Sample::new();
    sample.weights.remove("blk.0.ffn_up.weight");
    assert!(sample.refusal().contains("blk.0.ffn_up.weight is missing"));

    let mut sample = Sample::new();
    sample.weights.insert(
        "blk.0.attn_q.bias".into(),
        (vec![HIDDEN], vec![0.0; HIDDEN]),
    );
    assert!(sample.refusal().contains("blk.0.attn_q.bias has no place"));
}

#[test]
fn a_weight_that_is_no_number_is_refused() {
    for value in [f32::NAN, f32::INFINITY, f32::MAX] {
        let mut sample = Sample::new();
        if let Some((_, values)) = sample.weights.get_mut("output_norm.weight") {
            values[7] = value;
        }
        let refusal = sample.refusal();
        assert!(
            refusal.contains("model.norm.weight") && refusal.contains("no bf16 number"),
            "{refusal}"
        );
    }
}

#[test]
fn counts_that_cannot_fit_are_refused_before_anything_is_allocated() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = Sample::new().bytes();
    // The numbers of tensors and of metadata entries.
    for place in [8, 16] {
        let mut bytes = bytes.clone();
        bytes[place..place + 8].copy_from_slice(&(u64::MAX / 2).to_le_bytes());
        let error = import_bytes(&bytes, dir.path()).unwrap_err().to_string();
        assert!(
            error.contains("bytes are left") || error.contains("unknown value type"),
            "{error}"
        );
    }
    for other in [&b""[..], b"GGUF", b"{\"a\": 1}", &[0; 100]] {
        let error = import_bytes(other, dir.path()).unwrap_err().to_string();
        assert_eq!(
            error,
            "not a usable GGUF file: it does not start with a GGUF header"
        );
    }
}

#[test]
fn a_cut_file_is_refused_wherever_it_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = Sample::new().bytes();
    let cuts = (0..bytes.len().min(12_000))
        .step_by(37)
        .chain((12_000..bytes.len()).step_by(40_009));
    let mut last = 0;
    for cut in cuts {
        let error = import_bytes(&bytes[..cut], dir.path())
            .unwrap_err()
            .to_string();
        assert_eq!(error.lines().count(), 1, "cut at {cut}: {error}");
        last = cut;
    }
    assert!(last > 1_000_000, "the cuts reach into the tensor data");
}

#[test]
fn flipped_bits_end_in_an_error_or_a_model_and_never_in_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = Sample::new().bytes();
    let mut refused = 0;
    let mut state = 1_u64;
    for round in 0..400 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mut bytes = bytes.clone();
        // Nearly all of the structure is in the first bytes; strings are most of the rest.
        let reach = if round % 2 == 0 { 700 } else { 12_000 };
        let place = (state >> 33) as usize % reach;
        bytes[place] ^= 1 << ((state >> 20) % 8);
        if let Err(error) = import_bytes(&bytes, dir.path()) {
            assert_eq!(
                error.to_string().lines().count(),
                1,
                "byte {place}: {error}"
            );
            refused += 1;
        }
    }
    assert!(refused > 50, "only {refused} of 400 flips were noticed");
}
