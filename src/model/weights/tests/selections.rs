//! Rows, experts, and what is said of a checkpoint as a whole.

use super::*;

#[test]
fn every_second_row_of_a_quantised_matrix_is_taken() {
    let checkpoint = gptq_directory(gptq(json!({}))).open().unwrap();
    let some = Rows {
        first: 1,
        step: 2,
        count: 2,
    };
    let source = checkpoint.take_rows("a.weight", [8, 8], some).unwrap();
    assert_eq!(
        rows(source, 8),
        [[0.0, 0.0, 0.0, 0.0, 14.0, 14.0, 14.0, 14.0], [-1.0; 8]]
    );
    checkpoint.finish().unwrap();
}

/// `[2, 3, 4]`, each element its own number.
fn stack() -> (Directory, Vec<f32>) {
    let values: Vec<f32> = (0..24).map(|i| i as f32).collect();
    let directory = Directory::new(json!(null)).bf16("experts", &[2, 3, 4], &values);
    (directory, values)
}

#[test]
fn rows_of_an_expert_are_taken_from_a_stack_of_either_order() {
    let checkpoint = stack().0.open().unwrap();
    let some = Rows {
        first: 0,
        step: 2,
        count: 2,
    };
    let order = |order, n, k| Stack {
        num: 2,
        n,
        k,
        order,
    };
    let rows_first = order(StackOrder::RowsFirst, 3, 4);
    let source = checkpoint
        .take_expert("experts", rows_first, 1, some)
        .unwrap();
    assert_eq!(
        rows(source, 4),
        [[12.0, 13.0, 14.0, 15.0], [20.0, 21.0, 22.0, 23.0]]
    );
    let inputs_first = order(StackOrder::InputsFirst, 4, 3);
    let source = checkpoint
        .take_expert("experts", inputs_first, 1, some)
        .unwrap();
    assert_eq!(rows(source, 3), [[12.0, 16.0, 20.0], [14.0, 18.0, 22.0]]);
    let source = checkpoint
        .take_expert("experts", rows_first, 0, Rows::all(3))
        .unwrap();
    assert!(matches!(source, RowSource::Bf16(bytes) if bytes.len() == 24));
    checkpoint.finish().unwrap();
}

#[test]
fn rows_and_experts_that_are_not_there_are_refused() {
    let checkpoint = stack().0.open().unwrap();
    let stack = Stack {
        num: 2,
        n: 3,
        k: 4,
        order: StackOrder::RowsFirst,
    };
    let error = |index, first, step, count| {
        let rows = Rows { first, step, count };
        let result = checkpoint.take_expert("experts", stack, index, rows);
        result.unwrap_err().to_string()
    };
    assert!(error(2, 0, 1, 3).contains("no expert 2"));
    assert!(error(0, 1, 1, 3).contains("3 rows from 1 on"));
    assert!(error(0, 0, usize::MAX, 3).contains("with 3 rows"));
    let other = Stack { n: 5, ..stack };
    let result = checkpoint.take_expert("experts", other, 0, Rows::all(5));
    assert!(result.unwrap_err().to_string().contains("[2, 3, 4]"));
}

#[test]
fn values_of_any_rank_come_in_order() {
    let (directory, values) = stack();
    let checkpoint = directory.open().unwrap();
    assert_eq!(
        checkpoint.take_values("experts", &[2, 3, 4]).unwrap(),
        values
    );
}

#[test]
fn random_rows_and_experts_differ_from_each_other() {
    let checkpoint = Checkpoint::random(1, 100);
    let stack = Stack {
        num: 2,
        n: 4,
        k: 8,
        order: StackOrder::RowsFirst,
    };
    let part = |first| Rows {
        first,
        step: 2,
        count: 2,
    };
    let sources = [
        checkpoint.take("a", &[2, 8]).unwrap(),
        checkpoint.take_rows("a", [4, 8], part(0)).unwrap(),
        checkpoint.take_rows("a", [4, 8], part(1)).unwrap(),
        checkpoint.take_expert("a", stack, 0, part(0)).unwrap(),
        checkpoint.take_expert("a", stack, 1, part(0)).unwrap(),
    ];
    let values = sources.map(|source| rows(source, 16).concat());
    for (i, some) in values.iter().enumerate() {
        assert_eq!(some.len(), 16);
        assert!(values[..i].iter().all(|others| others != some));
    }
}

#[test]
fn what_a_checkpoint_is_best_kept_as_follows_from_what_bf16_loses() {
    let plain = |name: &str| {
        Directory::new(json!(null))
            .f32("norm", &[2], &[1.0; 2])
            .bf16(name, &[1, 1], &[1.0])
    };
    let suggestion = |directory: &Directory| directory.open().unwrap().suggestion();
    assert_eq!(suggestion(&plain("a")), Suggestion::Bf16);
    assert_eq!(
        suggestion(&plain("a").f16("b", &[1, 1], &[1.0])),
        Suggestion::F32
    );
    let quantized = gptq_directory(gptq(json!({}))).f16("b", &[10, 10], &[1.0; 100]);
    assert_eq!(suggestion(&quantized), Suggestion::RoundedBf16);
    let checkpoint = quantized.open().unwrap();
    assert_eq!(checkpoint.formats(), "f16 + gptq int4, group 4");
    assert_eq!(checkpoint.num_elements(), 100 + 64);
    let fp8 = |scale: f32| {
        Directory::new(fp8(json!({})))
            .with("a.weight", Dtype::F8_E4M3, &[1, 1], vec![0x38])
            .f32("a.weight_scale", &[1], &[scale])
    };
    assert_eq!(suggestion(&fp8(0.25)), Suggestion::Bf16);
    assert_eq!(suggestion(&fp8(0.3)), Suggestion::RoundedBf16);
}

#[test]
fn what_was_given_back_to_the_system_is_read_again_as_it_was() {
    let values: Vec<f32> = (0..1 << 23).map(|i| i as f32).collect();
    let directory = Directory::new(json!(null)).f32("a", &[1 << 10, 1 << 13], &values);
    let checkpoint = directory.open().unwrap();
    let source = checkpoint.take("a", &[1 << 10, 1 << 13]).unwrap();
    let mut read = vec![0.0; 1 << 23];
    source.read(0, &mut read);
    let resident = resident_bytes();
    checkpoint.release();
    let given_back = resident.saturating_sub(resident_bytes());
    // Of 32 MiB; other tests look at files meanwhile.
    assert!(given_back > 24 << 20, "{given_back} bytes");
    source.read(0, &mut read);
    assert_eq!(read, values);
}

/// Memory of this process that mirrors files, on a disk or not.
fn resident_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let lines = status
        .lines()
        .filter(|line| line.starts_with("RssFile:") || line.starts_with("RssShmem:"));
    let kib = lines.map(|line| {
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<usize>()
            .unwrap()
    });
    kib.sum::<usize>() << 10
}
