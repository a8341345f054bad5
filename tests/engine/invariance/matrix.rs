//! Every way to schedule, with every number of threads and kernel set: the same bits.
//!
//! Here a chunk is cut below the scheduler, so that every batch meets every chunk; its own cuts,
//! which no batch may exceed, are in `invariance.rs`.

use crate::harness::{Noise, options, tiny};
use crate::way::{Answer, Model, WHOLE, Way};
use guichet::engine::{Dtype, ModelOptions, Quantize, SamplingParams, SequenceRequest};
use guichet::kernels::{KernelSet, KvType};
use std::time::Instant;

const BATCHES: [usize; 7] = [1, 2, 3, 5, 8, 16, 32];
const CHUNKS: [usize; 4] = [1, 7, 64, WHOLE];
const THREADS: [usize; 3] = [1, 2, 16];
const VOCAB: usize = 320;

#[test]
fn no_way_to_schedule_changes_a_bit_with_avx512() {
    check_all(KernelSet::Avx512Bf16, options());
}

#[test]
fn no_way_to_schedule_changes_a_bit_with_avx2() {
    check_all(KernelSet::Avx2, options());
}

#[test]
fn no_way_to_schedule_changes_a_bit_with_portable_kernels() {
    check_all(KernelSet::Portable, options());
}

#[test]
fn no_way_to_schedule_changes_a_bit_of_f32() {
    check_all(
        KernelSet::best(),
        ModelOptions {
            dtype: Some(Dtype::F32),
            ..options()
        },
    );
}

#[test]
fn no_way_to_schedule_changes_a_bit_with_avx512_without_bf16() {
    check_all(KernelSet::Avx512Vnni, options());
}

#[test]
fn no_way_to_schedule_changes_a_bit_of_int8() {
    check_all(KernelSet::best(), quantized(Quantize::Int8));
}

#[test]
fn no_way_to_schedule_changes_a_bit_of_int4() {
    check_all(KernelSet::best(), quantized(Quantize::Int4));
}

#[test]
fn no_way_to_schedule_changes_a_bit_of_an_int8_cache() {
    for set in [KernelSet::best(), KernelSet::Portable] {
        check_all(
            set,
            ModelOptions {
                kv_type: Some(KvType::Int8),
                ..options()
            },
        );
    }
}

fn quantized(quantize: Quantize) -> ModelOptions {
    ModelOptions {
        quantize: Some(quantize),
        ..options()
    }
}

fn check_all(set: KernelSet, options: ModelOptions) {
    if !set.is_supported() {
        return;
    }
    let what = format!(
        "{:?} {:?} {:?}",
        options.dtype, options.quantize, options.kv_type
    );
    let began = Instant::now();
    let requests = requests(40);
    let mut expected: Option<Vec<Answer>> = None;
    let mut num_checked = 0;
    for num_threads in THREADS {
        let model = Model::load(
            &tiny(),
            &ModelOptions {
                kernels: Some(set.to_string()),
                dtype: options.dtype.or(Some(Dtype::Bf16)),
                num_threads: Some(num_threads),
                ..options.clone()
            },
        );
        let expected = expected.get_or_insert_with(|| model.answer_alone(&requests));
        for way in ways() {
            // More than run at once, so that some wait; few where each takes long.
            let num_requests = (way.batch * 5 / 4).max(12);
            let answered = model.answer(way, &requests[..num_requests]);
            for (index, (got, expected)) in answered.answers.iter().zip(&*expected).enumerate() {
                assert_eq!(
                    got, expected,
                    "request {index}, {set} {what}, {num_threads} threads, {way:?}"
                );
            }
            assert_eq!(
                (answered.num_preemptions > 0, answered.num_cached_tokens > 0),
                (way.preempts, way.cache),
                "preempted, and found in the cache: {num_threads} threads, {way:?}"
            );
            assert!(
                way.preempts || answered.largest_batch == way.batch,
                "computed {} together: {way:?}",
                answered.largest_batch
            );
            num_checked += 1;
        }
    }
    println!(
        "{set} {what}: {num_checked} ways in {:.1} s",
        began.elapsed().as_secs_f64()
    );
}

fn ways() -> impl Iterator<Item = Way> {
    BATCHES.into_iter().flat_map(|batch| {
        CHUNKS.into_iter().flat_map(move |chunk| {
            [false, true].into_iter().flat_map(move |cache| {
                [false, true].into_iter().map(move |preempts| Way {
                    batch,
                    chunk,
                    cache,
                    preempts,
                })
            })
        })
    })
}

/// Four that begin with the same two blocks and more, four that do not, and so on. Half of each
/// four is sampled, and one of them long.
fn requests(count: usize) -> Vec<SequenceRequest> {
    let mut noise = Noise::new(11);
    let mut draw =
        move |len: usize| -> Vec<u32> { (0..len).map(|_| noise.below(VOCAB) as u32).collect() };
    let mut prefix = Vec::new();
    (0..count)
        .map(|index| {
            let is_shared = index / 4 % 2 == 0;
            if index % 8 == 0 {
                prefix = draw(66);
            }
            let own = draw(1 + index * 7 % if is_shared { 12 } else { 40 });
            let prompt = match is_shared {
                true => [&prefix[..], &own].concat(),
                false => own,
            };
            SequenceRequest {
                sampling: SamplingParams {
                    temperature: if index % 4 < 2 { 0.0 } else { 1.0 },
                    seed: index as u64,
                    num_top_logprobs: 2,
                    ..SamplingParams::default()
                },
                prompt_logprobs: (index % 5 == 4).then_some(2),
                ..SequenceRequest::new(prompt, if index % 8 == 6 { 40 } else { 12 })
            }
        })
        .collect()
}
