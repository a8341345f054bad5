use super::{NEAR, check, noise, numbers, on_candle};
use crate::kernels::{
    Array, AttentionOptions, AttentionShape, AttentionSpan, Batch, KV_BLOCK_SIZE, Kernels, KvType,
    RopeTable, Use,
};
use candle_core::{Device, Tensor};
use std::ops::Range;

const LONGEST: usize = 400;
const BLOCKS_EACH: usize = LONGEST.div_ceil(KV_BLOCK_SIZE);

const SHAPES: [AttentionShape; 3] = [shape(4, 2, 24), shape(3, 3, 2), shape(6, 1, 64)];

const SINKS: [f32; 140] = [0.7; 140];

const fn shape(num_heads: usize, num_kv_heads: usize, head_dim: usize) -> AttentionShape {
    AttentionShape {
        num_heads,
        num_kv_heads,
        head_dim,
    }
}

/// Each without sinks or with them.
fn options() -> [(AttentionOptions<'static>, bool); 4] {
    let plain = AttentionOptions::default();
    let capped = AttentionOptions {
        window: Some(45),
        softcap: Some(5.0),
        ..plain
    };
    let windowed = |window| AttentionOptions {
        window: Some(window),
        ..plain
    };
    [
        (plain, false),
        (capped, false),
        (windowed(1), false),
        (windowed(200), true),
    ]
}

/// A layer's queries, keys and values.
struct Layer {
    shape: AttentionShape,
    options: AttentionOptions<'static>,
    has_sinks: bool,
    kv_type: KvType,
    /// Half of the dimensions that are rotated, if any.
    num_frequencies: Option<usize>,
}

/// What some sequences compute in a step: the same tokens of one text, from the first to the second.
type Ranges = Vec<Range<usize>>;

impl Layer {
    /// Blocks of all sequences, mixed, in which nothing is a number yet.
    fn cache(&self, kernels: &Kernels, num_sequences: usize) -> Array {
        let num_blocks = BLOCKS_EACH * num_sequences;
        let cache = kernels.kv_cache(self.shape, self.kv_type, num_blocks);
        let cache = cache.unwrap();
        if let Array::Candle(array) = &cache {
            let tensor = array.tensor().unwrap();
            let nan = Tensor::full(f32::NAN, tensor.shape(), &Device::Cpu);
            array
                .put(nan.unwrap().to_dtype(tensor.dtype()).unwrap())
                .unwrap();
        }
        cache
    }

    fn rope(&self, kernels: &Kernels) -> Option<RopeTable> {
        let num = self.num_frequencies?;
        let angle = |i: usize| (i / num) as f32 / 100f32.powf((i % num) as f32 / num as f32);
        let vector = |f: fn(f32) -> f32| {
            let values = (0..LONGEST * num).map(|i| f(angle(i))).collect();
            kernels.vector(values).unwrap()
        };
        Some(RopeTable {
            cos: vector(f32::cos),
            sin: vector(f32::sin),
            num_frequencies: num,
        })
    }

    fn attend(&self, kernels: &Kernels, steps: &[Ranges]) -> Vec<f32> {
        let (shape, width) = (self.shape, self.shape.qkv_width());
        let text = noise(21, LONGEST * width);
        let num_sequences = steps[0].len();
        let cache = self.cache(kernels, num_sequences);
        let table = |sequence| {
            let blocks = (0..BLOCKS_EACH).rev();
            let table = blocks.map(move |block| (block * num_sequences + sequence) as u32);
            table.collect::<Vec<_>>()
        };
        let tables: Vec<_> = (0..num_sequences).map(table).collect();
        let rope = self.rope(kernels);
        let sinks = kernels.vector(SINKS[..shape.num_heads].to_vec()).unwrap();
        let mut outputs = Vec::new();
        for ranges in steps {
            let (mut rows, mut positions, mut spans) = (Vec::new(), Vec::new(), Vec::new());
            for (range, block_table) in ranges.iter().zip(&tables) {
                let first = positions.len();
                positions.extend(range.clone().map(|position| position as u32));
                rows.extend_from_slice(&text[range.start * width..range.end * width]);
                if !range.is_empty() {
                    spans.push(AttentionSpan {
                        rows: first..positions.len(),
                        start: range.start,
                        block_table,
                    });
                }
            }
            let qkv = kernels.rows(rows, width, Use::Heads).unwrap();
            let out = kernels.zeros(positions.len(), shape.q_width(), Use::Inputs);
            let out = out.unwrap();
            let batch = Batch {
                token_ids: &positions,
                positions: &positions,
                spans: &[spans],
                output_rows: &[],
            };
            let step = kernels.begin(batch, shape).unwrap();
            let (positions, spans) = (step.positions(), step.spans(0));
            kernels
                .rope_and_write(&qkv, &cache, shape, rope.as_ref(), positions, spans)
                .unwrap();
            let scale = 1.5 / (shape.head_dim as f32).sqrt();
            let options = AttentionOptions {
                sinks: self.has_sinks.then_some(&sinks),
                ..self.options
            };
            kernels
                .paged_attention(&out, &qkv, &cache, shape, scale, options, spans)
                .unwrap();
            outputs.extend(numbers(&out));
        }
        outputs
    }
}

fn alone(range: Range<usize>) -> Ranges {
    std::iter::once(range).collect()
}

/// A prompt whole, in chunks that end inside blocks and at their ends, token by token, and all of
/// that at once.
fn schedules() -> Vec<Vec<Ranges>> {
    let mut mixed = vec![vec![0..300, 0..31, 0..64, 0..0]];
    for step in 0..3 {
        let at = |start: usize| start + step..start + step + 1;
        mixed.push(vec![at(300), at(31), at(64), 40 * step..40 * (step + 1)]);
    }
    vec![
        vec![alone(0..LONGEST)],
        vec![
            alone(0..32),
            alone(32..75),
            alone(75..76),
            alone(76..LONGEST),
        ],
        mixed,
    ]
}

fn check_layer(layer: &Layer, bound: f64) {
    for (index, steps) in schedules().iter().enumerate() {
        let (shape, window) = (layer.shape, layer.options.window);
        let what = format!("{shape:?}, window {window:?}, schedule {index}");
        check(bound, &what, |kernels| layer.attend(kernels, steps));
    }
}

#[test]
fn attention_over_blocks_is_that_of_the_cpu_whatever_a_step_holds() {
    for shape in SHAPES {
        for (options, has_sinks) in options() {
            let layer = Layer {
                shape,
                options,
                has_sinks,
                kv_type: KvType::F32,
                num_frequencies: Some(shape.head_dim / 2),
            };
            check_layer(&layer, NEAR);
        }
    }
}

#[test]
fn attention_is_that_of_the_cpu_with_part_of_a_head_rotated_or_none_and_a_bf16_cache() {
    for num_frequencies in [None, Some(5)] {
        for (kv_type, bound) in [(KvType::F32, NEAR), (KvType::Bf16, 1e-2)] {
            let layer = Layer {
                shape: SHAPES[0],
                options: options()[1].0,
                has_sinks: false,
                kv_type,
                num_frequencies,
            };
            check_layer(&layer, bound);
        }
    }
}

#[test]
fn a_step_with_more_scores_than_are_computed_at_a_time_is_that_of_the_cpu() {
    let shape = shape(140, 2, 8);
    let steps = [vec![0..LONGEST, 0..10]];
    let layer = Layer {
        shape,
        options: options()[3].0,
        has_sinks: true,
        kv_type: KvType::F32,
        num_frequencies: None,
    };
    check(NEAR, "many scores", |kernels| layer.attend(kernels, &steps));
}

#[test]
fn what_candle_has_no_form_for_is_refused() {
    let (kernels, shape) = (on_candle(), SHAPES[0]);
    let cache = kernels.kv_cache(shape, KvType::Int8, 1);
    assert!(cache.err().unwrap().to_string().contains("f32 or bf16"));
    let cache = kernels.kv_cache(shape, KvType::F32, 1).unwrap();
    let qkv = kernels.zeros(1, shape.qkv_width(), Use::Heads).unwrap();
    let out = kernels.zeros(1, shape.q_width(), Use::Inputs).unwrap();
    let attend = |options, block_table: &[u32]| {
        let spans = [AttentionSpan {
            rows: 0..1,
            start: 0,
            block_table,
        }];
        let attended = kernels.paged_attention(&out, &qkv, &cache, shape, 1.0, options, &spans);
        attended.unwrap_err().to_string()
    };
    let of_encoders = AttentionOptions {
        is_bidirectional: true,
        ..AttentionOptions::default()
    };
    assert!(attend(of_encoders, &[0]).contains("on the CPU"));
    assert!(attend(AttentionOptions::default(), &[]).contains("too few KV blocks"));
}
