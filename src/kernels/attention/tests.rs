mod encoders;

use super::*;
use crate::kernels::cpu::attention::SPLIT;
use crate::kernels::{KV_BLOCK_SIZE, KernelSet, KvType, ThreadPool, Use};
use candle_core::{DType, Device, Tensor};
use half::bf16;

/// Head sizes on both sides of every width that the kernels work in, and 1, 2, 3, 4 and
/// more query heads to a KV head than a tile has rows.
const SHAPES: [AttentionShape; 8] = [
    shape(4, 2, 24),
    shape(3, 3, 2),
    shape(3, 1, 64),
    shape(8, 2, 64),
    shape(2, 1, 80),
    shape(3, 1, 128),
    shape(1, 1, 256),
    shape(70, 2, 16),
];

/// Tokens `first..len` of a sequence attend; those before are in the cache already.
#[derive(Debug, Clone, Copy)]
struct Case {
    shape: AttentionShape,
    set: KernelSet,
    dtype: DType,
    first: usize,
    len: usize,
    window: Option<usize>,
    softcap: Option<f32>,
    has_sinks: bool,
    is_bidirectional: bool,
}

const fn shape(num_heads: usize, num_kv_heads: usize, head_dim: usize) -> AttentionShape {
    AttentionShape {
        num_heads,
        num_kv_heads,
        head_dim,
    }
}

fn noise(len: usize) -> Vec<f32> {
    let mut state = 7u32;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 22) as f32 - 2.0
        })
        .collect()
}

impl Case {
    fn noise(&self) -> Vec<f32> {
        noise(self.len * self.shape.qkv_width())
    }

    fn scale(&self) -> f32 {
        1.5 / (self.shape.head_dim as f32).sqrt()
    }

    fn sinks(&self) -> Option<Vec<f32>> {
        let sinks = noise(self.shape.num_heads);
        self.has_sinks.then_some(sinks)
    }

    /// As far ahead as back, or nothing of what follows.
    fn seen_by(&self, token: usize) -> Range<usize> {
        let window = self.window.unwrap_or(usize::MAX);
        let end = match self.is_bidirectional {
            true => token.saturating_add(window).min(self.len),
            false => token + 1,
        };
        (token + 1).saturating_sub(window)..end
    }

    /// Softmax attention by its definition, in f64, over keys and values as stored.
    fn reference(&self, qkv: &[f32]) -> Vec<f64> {
        let (shape, width) = (self.shape, self.shape.qkv_width());
        let AttentionShape {
            num_heads,
            num_kv_heads,
            head_dim,
        } = shape;
        let head = |token: usize, head: usize| &qkv[token * width + head * head_dim..][..head_dim];
        let at = |token, index, dim| -> f32 { head(token, index)[dim] };
        let stored = |token, index, dim| match self.dtype {
            DType::BF16 => f64::from(bf16::from_f32(at(token, index, dim))),
            DType::U8 => {
                let largest = head(token, index).iter().fold(0f32, |a, x| a.max(x.abs()));
                let scale = f64::from(largest / 127.0);
                (f64::from(at(token, index, dim)) / scale).round() * scale
            }
            _ => f64::from(at(token, index, dim)),
        };
        let sinks = self.sinks();
        let mut out = Vec::new();
        for token in self.first..self.len {
            let seen = self.seen_by(token);
            for head in 0..num_heads {
                let key = num_heads + head / (num_heads / num_kv_heads);
                let weights: Vec<f64> = (seen.clone())
                    .map(|other| {
                        let product =
                            |dim| f64::from(at(token, head, dim)) * stored(other, key, dim);
                        let score = (0..head_dim).map(product).sum::<f64>();
                        let score = score * f64::from(self.scale());
                        let cap = self.softcap.map(f64::from);
                        cap.map_or(score, |cap| cap * (score / cap).tanh()).exp()
                    })
                    .collect();
                let sink = sinks
                    .as_ref()
                    .map_or(0.0, |sinks| f64::from(sinks[head]).exp());
                let total = weights.iter().sum::<f64>() + sink;
                for dim in 0..head_dim {
                    let value = |other| stored(other, key + num_kv_heads, dim);
                    let others = seen.clone().zip(&weights);
                    out.push(
                        others
                            .map(|(other, weight)| weight / total * value(other))
                            .sum(),
                    );
                }
            }
        }
        out
    }

    /// The tokens in chunks, over a cache whose unwritten slots hold NaN.
    fn attend(&self, qkv: &[f32], chunk: usize) -> Vec<f32> {
        let kernels = Kernels::new(self.set, ThreadPool::new(2).unwrap());
        let (shape, width) = (self.shape, self.shape.qkv_width());
        let num_blocks = self.len.div_ceil(KV_BLOCK_SIZE) + 1;
        let cache = nan_cache(shape, self.dtype, num_blocks);
        let block_table: Vec<u32> = (0..num_blocks as u32).rev().collect();
        let write = |tokens: Range<usize>| {
            let qkv = qkv[tokens.start * width..tokens.end * width].to_vec();
            let qkv = kernels.rows(qkv, width, Use::Heads).unwrap();
            let spans = [AttentionSpan {
                rows: 0..tokens.len(),
                start: tokens.start,
                block_table: &block_table,
            }];
            kernels.write_kv(&cache, &qkv, shape, &spans).unwrap();
            (qkv, spans)
        };
        write(0..self.first);
        let mut result = Vec::new();
        for start in (self.first..self.len).step_by(chunk) {
            let (qkv, spans) = write(start..self.len.min(start + chunk));
            let out = kernels
                .zeros(qkv.num_rows(), shape.q_width(), Use::Sums)
                .unwrap();
            let sinks = self.sinks().map(|sinks| kernels.vector(sinks).unwrap());
            let options = AttentionOptions {
                window: self.window,
                softcap: self.softcap,
                sinks: sinks.as_ref(),
                is_bidirectional: self.is_bidirectional,
            };
            kernels
                .paged_attention(&out, &qkv, &cache, shape, self.scale(), options, &spans)
                .unwrap();
            result.extend(out.to_rows().unwrap().concat());
        }
        result
    }

    fn bits(&self, qkv: &[f32], chunk: usize) -> Vec<u32> {
        self.attend(qkv, chunk)
            .into_iter()
            .map(f32::to_bits)
            .collect()
    }
}

fn nan_cache(shape: AttentionShape, dtype: DType, num_blocks: usize) -> Array {
    let kv_type = match dtype {
        DType::F32 => KvType::F32,
        DType::BF16 => KvType::Bf16,
        _ => KvType::Int8,
    };
    let block_len = PagedLayout::new(shape, kv_type).block_len();
    if kv_type == KvType::Int8 {
        // Scales of which each byte is 255 are NaN.
        let nan = vec![255u8; num_blocks * block_len];
        let cache = Tensor::from_vec(nan, (num_blocks, block_len), &Device::Cpu);
        return cache.unwrap().into();
    }
    let nan = vec![f32::NAN; num_blocks * block_len];
    let cache = Tensor::from_vec(nan, (num_blocks, block_len), &Device::Cpu).unwrap();
    cache.to_dtype(dtype).unwrap().into()
}

/// Calls `check` for every shape, supported kernel set and type of cache, for a prefill, and
/// for positions on both sides of where splits meet; plain, and, but for the last, with the options.
fn for_each_case(check: impl Fn(Case)) {
    for shape in SHAPES {
        for set in KernelSet::ALL.into_iter().filter(|set| set.is_supported()) {
            for dtype in [DType::F32, DType::BF16, DType::U8] {
                for (first, len) in [(0, 75), (490, 540), (1020, 1030)] {
                    let plain = Case {
                        shape,
                        set,
                        dtype,
                        first,
                        len,
                        window: None,
                        softcap: None,
                        has_sinks: false,
                        is_bidirectional: false,
                    };
                    check(plain);
                    if first > SPLIT {
                        continue;
                    }
                    check(Case {
                        window: Some(7),
                        has_sinks: true,
                        ..plain
                    });
                    check(Case {
                        window: Some(45),
                        softcap: Some(3.0),
                        ..plain
                    });
                }
            }
        }
    }
}

fn check_definition(case: Case) {
    let qkv = case.noise();
    let exact = case.reference(&qkv);
    let got = case.attend(&qkv, case.len);
    // Only AVX-512 rounds queries and probabilities.
    let rounds = case.set == KernelSet::Avx512Bf16 && case.dtype != DType::F32;
    let tolerance = match (rounds, case.dtype) {
        (true, _) => 2e-2,
        // Where a number lies between two steps, f32 and f64 may round differently.
        (false, DType::U8) => 2e-3,
        (false, _) => 2e-5,
    };
    assert_eq!(got.len(), exact.len());
    for (got, exact) in got.iter().zip(&exact) {
        let difference = (f64::from(*got) - exact).abs();
        assert!(difference < tolerance, "{case:?}: {got} for {exact}");
    }
}

#[test]
fn attention_is_its_definition_and_never_reads_unwritten_slots() {
    for_each_case(check_definition);
}

#[test]
fn chunks_do_not_change_a_bit() {
    for_each_case(|case| {
        let qkv = case.noise();
        let whole = case.bits(&qkv, case.len);
        for chunk in [1, 2, 7, 32, 33] {
            assert!(case.bits(&qkv, chunk) == whole, "{case:?} {chunk}");
        }
    });
}

#[test]
fn what_is_no_number_stays_with_the_tokens_that_see_it() {
    for_each_case(|case| {
        let (qkv, width) = (case.noise(), case.shape.qkv_width());
        let broken = case.len - 5;
        let mut with_nan = qkv.clone();
        with_nan[broken * width + case.shape.q_width()..(broken + 1) * width].fill(f32::NAN);
        let before = (broken - case.first) * case.shape.q_width();
        for chunk in [1, case.len] {
            let got = case.attend(&with_nan, chunk);
            let bits: Vec<u32> = got.iter().copied().map(f32::to_bits).collect();
            assert!(
                bits[..before] == case.bits(&qkv, chunk)[..before],
                "{case:?}"
            );
            assert!(got[before..].iter().all(|x| x.is_nan()), "{case:?}");
        }
    });
}

/// A prefill, sequences being decoded and a chunk, in one step and each in a step of its own.
#[test]
fn batch_mates_and_threads_do_not_change_a_bit() {
    let shape = shape(6, 2, 64);
    let sequences = [
        (0, 40),
        (599, 600),
        (30, 31),
        (511, 513),
        (1100, 1140),
        (0, 1),
    ];
    for set in KernelSet::ALL.into_iter().filter(|set| set.is_supported()) {
        for dtype in [DType::F32, DType::BF16, DType::U8] {
            let num_blocks = 1140usize.div_ceil(KV_BLOCK_SIZE);
            let cache = nan_cache(shape, dtype, num_blocks);
            // All share one context, of which each has reached another position.
            let block_table: Vec<u32> = (0..num_blocks as u32).collect();
            let qkv = noise(1140 * shape.qkv_width());
            let qkv = Tensor::from_vec(qkv, (1140, shape.qkv_width()), &Device::Cpu).unwrap();
            let all_rows = Array::from(qkv.clone());
            let whole = AttentionSpan {
                rows: 0..1140,
                start: 0,
                block_table: &block_table,
            };
            let step = |sequences: &[(usize, usize)], num_threads| {
                let kernels = Kernels::new(set, ThreadPool::new(num_threads).unwrap());
                let parts = sequences.iter().map(|(start, end)| (*start, end - start));
                let rows: Vec<Tensor> = parts
                    .clone()
                    .map(|(start, len)| qkv.narrow(0, start, len).unwrap())
                    .collect();
                let rows = Array::from(Tensor::cat(&rows, 0).unwrap());
                let mut spans = Vec::new();
                for (start, len) in parts {
                    let first = spans
                        .last()
                        .map_or(0, |span: &AttentionSpan<'_>| span.rows.end);
                    spans.push(AttentionSpan {
                        rows: first..first + len,
                        start,
                        block_table: &block_table,
                    });
                }
                let all = std::slice::from_ref(&whole);
                kernels.write_kv(&cache, &all_rows, shape, all).unwrap();
                let out = kernels.zeros(rows.num_rows(), shape.q_width(), Use::Sums);
                let (out, options) = (out.unwrap(), AttentionOptions::default());
                kernels
                    .paged_attention(&out, &rows, &cache, shape, 0.2, options, &spans)
                    .unwrap();
                let out = out.to_rows().unwrap().concat();
                out.into_iter().map(f32::to_bits).collect::<Vec<u32>>()
            };
            let alone: Vec<u32> = sequences.iter().flat_map(|one| step(&[*one], 1)).collect();
            for num_threads in [1, 3] {
                assert!(step(&sequences, num_threads) == alone, "{set} {dtype:?}");
            }
        }
    }
}
