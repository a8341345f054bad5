use super::devices::{Devices, Noise, assert_near, bits, numbers};
use guichet::kernels::{
    AttentionOptions, AttentionShape, AttentionSpan, Batch, KV_BLOCK_SIZE, Kernels, KvType,
    RopeTable, Use, Vector,
};
use std::ops::Range;

const SHAPES: [AttentionShape; 6] = [
    shape(32, 8, 128),
    shape(8, 8, 64),
    shape(9, 3, 64),
    shape(6, 2, 8),
    shape(24, 1, 128),
    shape(4, 4, 256),
];

const OPTIONS: [AttentionOptions<'static>; 2] = [
    AttentionOptions {
        window: None,
        softcap: None,
        sinks: None,
        is_bidirectional: false,
    },
    AttentionOptions {
        window: Some(100),
        softcap: Some(5.0),
        sinks: None,
        is_bidirectional: false,
    },
];

const LONGEST: usize = 700;

const fn shape(num_heads: usize, num_kv_heads: usize, head_dim: usize) -> AttentionShape {
    AttentionShape {
        num_heads,
        num_kv_heads,
        head_dim,
    }
}

/// One layer's queries, keys and values of a sequence, computed in steps.
struct Layer<'a> {
    kernels: &'a Kernels,
    shape: AttentionShape,
    options: AttentionOptions<'static>,
    qkv: Vec<f32>,
    table: RopeTable,
    /// Where there is a window.
    sinks: Option<Vector>,
}

impl<'a> Layer<'a> {
    fn new(
        kernels: &'a Kernels,
        shape: AttentionShape,
        options: AttentionOptions<'static>,
    ) -> Self {
        let half = shape.head_dim / 2;
        let angle = |i: usize| (i / half) as f32 / 10_000f32.powf((i % half) as f32 / half as f32);
        let vector = |f: fn(f32) -> f32| {
            let values = (0..LONGEST * half).map(|i| f(angle(i))).collect();
            kernels.vector(values).unwrap()
        };
        Self {
            kernels,
            shape,
            options,
            qkv: Noise::new(5).values(LONGEST * shape.qkv_width(), 1.0),
            sinks: options.window.map(|_| {
                let sinks = Noise::new(6).values(shape.num_heads, 1.0);
                kernels.vector(sinks).unwrap()
            }),
            table: RopeTable {
                cos: vector(f32::cos),
                sin: vector(f32::sin),
                num_frequencies: half,
            },
        }
    }

    /// The outputs of sequences of these lengths, whose blocks lie mixed in one cache, in steps of
    /// these ranges: `steps[i][j]` is what sequence `j` computes in step `i`.
    fn attend(&self, steps: &[Vec<Range<usize>>]) -> Vec<Vec<f32>> {
        let (shape, kernels) = (self.shape, self.kernels);
        let num_sequences = steps[0].len();
        let blocks_each = LONGEST.div_ceil(KV_BLOCK_SIZE);
        let num_blocks = blocks_each * num_sequences;
        let cache = kernels.kv_cache(shape, KvType::Bf16, num_blocks).unwrap();
        let tables: Vec<Vec<u32>> = (0..num_sequences)
            .map(|sequence| {
                let blocks = (0..blocks_each).rev();
                blocks
                    .map(|b| (b * num_sequences + sequence) as u32)
                    .collect()
            })
            .collect();
        let mut outputs = vec![Vec::new(); num_sequences];
        for ranges in steps {
            let (mut rows, mut positions, mut spans) = (Vec::new(), Vec::new(), Vec::new());
            for (range, block_table) in ranges.iter().zip(&tables) {
                let first = positions.len();
                positions.extend(range.clone().map(|position| position as u32));
                let width = shape.qkv_width();
                rows.extend_from_slice(&self.qkv[range.start * width..range.end * width]);
                if !range.is_empty() {
                    spans.push(AttentionSpan {
                        rows: first..positions.len(),
                        start: range.start,
                        block_table,
                    });
                }
            }
            let num_rows = positions.len();
            let qkv = kernels.rows(rows, shape.qkv_width(), Use::Heads).unwrap();
            let out = kernels
                .zeros(num_rows, shape.q_width(), Use::Inputs)
                .unwrap();
            let spans = [spans];
            let batch = Batch {
                token_ids: &positions,
                positions: &positions,
                spans: &spans,
                output_rows: &[],
            };
            let step = kernels.begin(batch, shape).unwrap();
            let (positions, spans) = (step.positions(), step.spans(0));
            kernels
                .rope_and_write(&qkv, &cache, shape, Some(&self.table), positions, spans)
                .unwrap();
            let scale = 1.0 / (shape.head_dim as f32).sqrt();
            let options = AttentionOptions {
                sinks: self.sinks.as_ref(),
                ..self.options
            };
            kernels
                .paged_attention(&out, &qkv, &cache, shape, scale, options, spans)
                .unwrap();
            let mut numbers = numbers(&out).into_iter();
            for (output, range) in outputs.iter_mut().zip(ranges) {
                output.extend(numbers.by_ref().take(range.len() * shape.q_width()));
            }
        }
        outputs
    }
}

/// A step of one sequence.
fn alone(range: Range<usize>) -> Vec<Range<usize>> {
    std::iter::once(range).collect()
}

#[test]
#[ignore = "needs a GPU"]
fn attention_is_that_of_the_cpu() {
    let Devices { cpu, gpu } = Devices::new(true);
    for shape in SHAPES {
        for options in OPTIONS {
            for len in [1, 31, 64, 65, LONGEST] {
                let steps = [alone(0..len)];
                let expected = Layer::new(&cpu, shape, options).attend(&steps);
                let computed = Layer::new(&gpu, shape, options).attend(&steps);
                let what = format!("{shape:?} {options:?} {len}");
                assert_near(&computed[0], &expected[0], 1e-2, &what);
            }
        }
    }
}

/// Whole, in chunks, token by token, and beside others that do the same at other times.
#[test]
#[ignore = "needs a GPU"]
fn prefill_and_decode_agree_to_the_bit() {
    let gpu = Devices::new(true).gpu;
    for shape in SHAPES {
        for options in OPTIONS {
            let layer = Layer::new(&gpu, shape, options);
            let whole = bits(&layer.attend(&[alone(0..LONGEST)])[0]);
            let check = |steps: &[Vec<Range<usize>>], what: &str| {
                for outputs in layer.attend(steps) {
                    let same = bits(&outputs) == whole[..outputs.len()];
                    assert!(same, "{shape:?} {options:?}: {what}");
                }
            };
            let starts = (0..LONGEST).step_by(90);
            let chunks: Vec<_> = starts.map(|s| alone(s..LONGEST.min(s + 90))).collect();
            check(&chunks, "chunks");
            let mut decode = vec![vec![0..500, 0..63, 0..640]];
            for token in 0..40 {
                let at = |start: usize| start + token..start + token + 1;
                decode.push(vec![at(500), at(63), at(640)]);
            }
            check(&decode, "decode");
            check(
                &[
                    vec![0..64, 0..300],
                    vec![64..65, 300..600],
                    vec![65..200, 600..601],
                ],
                "both at once",
            );
        }
    }
}
