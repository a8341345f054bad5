use super::*;
use std::path::PathBuf;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn options() -> ModelOptions {
    ModelOptions {
        kv_cache_bytes: Some(64 << 20),
        ..ModelOptions::default()
    }
}

#[test]
fn a_sound_decoder_would_be_served_and_is_described_on_one_screen() {
    let report = check(&fixture("tiny-llama"), &options());
    assert_eq!(report.problems, [""; 0]);
    let screen = report.to_string();
    for words in [
        "would be served.",
        "llama (LlamaForCausalLM), 3 layers, 512 tokens of context, for chat and completions",
        "f32 in 1 file",
        "64 MiB for all sequences, where",
        "320 tokens, answers end with <|im_end|>",
        "functions explained to it by the server; no reasoning",
        "licence    unknown",
        "without a lock",
    ] {
        assert!(screen.contains(words), "{words} is not in:\n{screen}");
    }
    assert!(screen.lines().count() <= 24, "{screen}");
}

#[test]
fn shards_and_what_is_tied_are_counted() {
    let report = check(&fixture("tiny-llama-tied"), &options());
    assert_eq!(report.problems, [""; 0]);
    let memory = report.memory.unwrap();
    assert_eq!((memory.num_files, memory.formats.as_str()), (2, "bf16"));
    assert_eq!(memory.weight_bytes, 2 * memory.num_parameters);
    assert_eq!(report.text.unwrap().end_tokens.len(), 2);
}

#[test]
fn encoders_for_both_of_their_tasks_would_be_served() {
    for (name, task) in [
        ("tiny-bert", "embeddings"),
        ("tiny-xlm-roberta", "reranking"),
    ] {
        let report = check(&fixture(name), &options());
        assert_eq!(report.problems, [""; 0]);
        assert!(report.model.as_ref().unwrap().task.starts_with(task));
        assert!(report.memory.as_ref().unwrap().kv.is_none());
    }
}

#[test]
fn options_change_what_memory_is_needed_and_how_long_a_context_is() {
    let plain = check(&fixture("tiny-llama"), &options());
    let options = ModelOptions {
        quantize: Some(crate::engine::Quantize::Int8),
        max_model_len: Some(64),
        ..options()
    };
    let [plain, small] =
        [plain, check(&fixture("tiny-llama"), &options)].map(|report| report.memory.unwrap());
    assert!(small.weight_bytes < plain.weight_bytes);
    let [plain, small] = [plain, small].map(|memory| memory.kv.unwrap());
    assert_eq!((plain.context, small.context), (512, 64));
    assert!(small.sequence_bytes < plain.sequence_bytes);
}

#[test]
fn memory_that_holds_no_block_is_a_reason_and_a_short_one_a_note() {
    let with = |kv_cache_bytes| ModelOptions {
        kv_cache_bytes: Some(kv_cache_bytes),
        ..ModelOptions::default()
    };
    let report = check(&fixture("tiny-llama"), &with(1000));
    assert_eq!(report.problems.len(), 1, "{report}");
    assert!(report.problems[0].contains("sequences of 0 of the 512 tokens"));
    let report = check(&fixture("tiny-llama"), &with(100_000));
    assert!(report.would_serve(), "{report}");
    assert!(report.notes[0].contains("sequences of 128 of the 512 tokens"));
}

#[test]
fn reasons_are_all_counted_and_the_first_of_them_shown() {
    let mut report = Report::new(Path::new("DIR"));
    report.problems = (0..40).map(|n| format!("reason {n}")).collect();
    let screen = report.to_string();
    assert!(
        screen.contains("for 40 reasons") && screen.contains("and 34 more"),
        "{screen}"
    );
    assert!(
        screen.contains("reason 5") && !screen.contains("reason 6"),
        "{screen}"
    );
}
