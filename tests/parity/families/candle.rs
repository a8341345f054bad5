//! The same decoders as candle's operations compute them, on its CPU device: what a Mac's GPU runs.

use super::bench::{Bench, Part};
use super::{Comparison, Fixture, TOLERANCE, distance, larger};
use candle_core::Device;
use guichet::kernels::{KernelSet, Kernels, ThreadPool, WeightType};

fn bench(fixture: &Fixture, weight_type: WeightType) -> Bench {
    let kernels = Kernels::new(KernelSet::best(), ThreadPool::new(2).unwrap());
    let kernels = kernels.on_candle(Device::Cpu);
    Bench::on(
        kernels,
        &fixture.dir,
        weight_type,
        fixture.golden.max_positions,
    )
}

#[test]
fn logits_by_candle_are_those_of_transformers_in_prompts_and_greedy_steps() {
    let mut unequal = Vec::new();
    for fixture in Fixture::all() {
        let found = Comparison::of(&fixture, &bench(&fixture, WeightType::F32));
        let (prefill, decode) = (found.prefill, found.decode);
        println!("{:14} {prefill:.1e} {decode:.1e}", fixture.name);
        if !found.is_equal() {
            unequal.push(format!("{}: {prefill} {decode}", fixture.name));
            unequal.extend(found.other_tokens.into_iter().take(2));
        }
    }
    assert!(unequal.is_empty(), "{unequal:#?}");
}

/// Not to the bit: candle chooses how it sums by the number of rows.
#[test]
fn logits_by_candle_hardly_depend_on_chunks_and_on_what_else_a_step_computes() {
    for fixture in Fixture::all() {
        let [short, middle, long] = &fixture.golden.prompts[..] else {
            panic!("{} has other prompts", fixture.name);
        };
        let bench = bench(&fixture, WeightType::F32);
        let whole = |ids, place| bench.step(&[Part::new(ids, 0, place)]).remove(0);
        let alone = [
            whole(&short.ids, 0),
            whole(&middle.ids, 1),
            whole(&long.ids, 2),
        ];
        let check = |rows: &[Vec<f32>], expected: &[Vec<f32>], what: &str| {
            assert_eq!(rows.len(), expected.len());
            let distances = rows.iter().zip(expected).map(|(a, b)| distance(a, b));
            let largest = distances.fold(0.0, larger);
            assert!(largest <= TOLERANCE, "{} {what}: {largest}", fixture.name);
        };
        let mut chunked = Vec::new();
        for start in (0..long.ids.len()).step_by(7) {
            let end = (start + 7).min(long.ids.len());
            let chunk = Part::new(&long.ids[start..end], start, 3);
            chunked.extend(bench.step(&[chunk]).remove(0));
        }
        check(&chunked, &alone[2], "in chunks");

        // Parts of equal lengths are computed together, here two that do not follow each other.
        let last = middle.ids.len() - 1;
        let parts = [
            Part::new(&long.ids[60..61], 60, 2),
            Part::new(&short.ids, 0, 0),
            Part::new(&middle.ids[last..], last, 1),
            Part::new(&long.ids, 0, 3),
        ];
        let expected = [&alone[2][60..61], &alone[0], &alone[1][last..], &alone[2]];
        let together = bench.step(&parts);
        for (index, (rows, expected)) in together.iter().zip(expected).enumerate() {
            check(rows, expected, &format!("part {index}"));
        }
    }
}

/// Its products round to bf16, ours sum what is bf16 and round nothing.
#[test]
fn logits_by_candle_in_bf16_are_near_those_in_f32() {
    for fixture in Fixture::all() {
        let ids = &fixture.golden.prompts[2].ids;
        let logits = |weight_type| {
            let bench = bench(&fixture, weight_type);
            bench.step(&[Part::new(ids, 0, 0)]).remove(0).concat()
        };
        let (exact, rounded) = (logits(WeightType::F32), logits(WeightType::Bf16));
        let norm = |x: &mut dyn Iterator<Item = f32>| x.map(|x| x * x).sum::<f32>().sqrt();
        let error = norm(&mut exact.iter().zip(&rounded).map(|(a, b)| a - b));
        let relative = error / norm(&mut exact.iter().copied());
        println!("{:14} {relative:.1e}", fixture.name);
        assert!(relative > 1e-5, "{}: bf16 cannot equal f32", fixture.name);
        assert!(relative < 0.1, "{}: {relative}", fixture.name);
    }
}
