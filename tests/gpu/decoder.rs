use super::devices::{Devices, assert_near, bits};
use guichet::kernels::{AttentionShape, AttentionSpan, Batch, Kernels, KvType, WeightType};
use guichet::model::{
    Checkpoint, Decoder, DecoderConfig, DecoderLimits, KvCache, RopeConfig, RopeScaling,
};

const MAX_ROWS: usize = 600;

fn config(num_heads: usize, num_kv_heads: usize, head_dim: usize) -> DecoderConfig {
    DecoderConfig {
        family: "llama",
        vocab_size: 1000,
        hidden_size: 320,
        intermediate_size: 900,
        num_layers: 3,
        attention: AttentionShape {
            num_heads,
            num_kv_heads,
            head_dim,
        },
        rms_norm_eps: 1e-5,
        rope: RopeConfig {
            theta: 10_000.0,
            scaling: RopeScaling::None,
        },
        max_position_embeddings: 1024,
        tie_word_embeddings: false,
    }
}

struct Model {
    decoder: Decoder,
    cache: KvCache,
    block_table: Vec<u32>,
}

impl Model {
    fn new(kernels: &Kernels, config: DecoderConfig) -> Self {
        let checkpoint = Checkpoint::random(3, config.num_parameters());
        let limits = DecoderLimits {
            max_rows: MAX_ROWS,
            max_output_rows: MAX_ROWS,
            max_positions: 1024,
        };
        let weights = WeightType::Bf16.into();
        let cache = KvCache::new(&config, kernels, KvType::Bf16, 96).unwrap();
        Self {
            decoder: Decoder::load(config, &checkpoint, kernels.clone(), weights, limits).unwrap(),
            cache,
            block_table: (0..96).collect(),
        }
    }

    /// Logits of sequences of which each computes some ids from a position on; a third of the cache
    /// is each one's.
    fn logits(&self, items: &[(&[u32], usize)]) -> Vec<Vec<f32>> {
        let (mut ids, mut positions, mut spans) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (tokens, start)) in items.iter().enumerate() {
            let first = ids.len();
            ids.extend_from_slice(tokens);
            positions.extend((*start..start + tokens.len()).map(|position| position as u32));
            spans.push(AttentionSpan {
                rows: first..ids.len(),
                start: *start,
                block_table: &self.block_table[index * 32..(index + 1) * 32],
            });
        }
        let output_rows: Vec<u32> = (0..ids.len() as u32).collect();
        let batch = Batch {
            token_ids: &ids,
            positions: &positions,
            spans: &[spans],
            output_rows: &output_rows,
        };
        self.decoder
            .forward(&batch, &self.cache)
            .unwrap()
            .to_rows()
            .unwrap()
    }
}

fn prompt(len: usize) -> Vec<u32> {
    (0..len as u32).map(|i| i * 7919 % 1000).collect()
}

#[test]
#[ignore = "needs a GPU"]
fn logits_are_those_of_the_cpu() {
    for deterministic in [true, false] {
        let Devices { cpu, gpu } = Devices::new(deterministic);
        for (heads, kv_heads, dim) in [(10, 2, 32), (4, 4, 80), (6, 3, 50)] {
            let ids = prompt(300);
            let logits = |kernels: &Kernels| {
                let model = Model::new(kernels, config(heads, kv_heads, dim));
                let mut rows = model.logits(&[(&ids[..200], 0)]);
                for at in 200..210 {
                    rows.extend(model.logits(&[(&ids[at..=at], at)]));
                }
                rows.extend(model.logits(&[(&ids[210..], 210)]));
                rows.concat()
            };
            let what = format!("{deterministic} {heads} {kv_heads} {dim}");
            assert_near(&logits(&gpu), &logits(&cpu), 2e-2, &what);
        }
    }
}

/// The first, second and later steps of one size differ in how the device comes to them.
#[test]
#[ignore = "needs a GPU"]
fn logits_do_not_depend_on_the_step_and_recorded_steps_are_what_they_were() {
    let gpu = Devices::new(true).gpu;
    let model = Model::new(&gpu, config(10, 2, 32));
    let ids = prompt(500);
    let whole: Vec<_> = model.logits(&[(&ids, 0)]);
    let row = |at: usize| bits(&whole[at]);
    for _ in 0..2 {
        model.logits(&[(&ids[..100], 0), (&ids[..63], 0), (&ids[..399], 0)]);
        for step in 0..8 {
            let starts = [100 + step, 63 + step, 399 + step];
            let items = starts.map(|at| (&ids[at..=at], at));
            let logits = model.logits(&items);
            for (logits, at) in logits.iter().zip(starts) {
                assert_eq!(bits(logits), row(at), "step {step}, position {at}");
            }
        }
    }
    let mixed = model.logits(&[(&ids[..90], 0), (&ids[71..72], 71), (&ids[407..470], 407)]);
    let expected = (0..90).chain([71]).chain(407..470);
    for (logits, at) in mixed.iter().zip(expected) {
        assert_eq!(bits(logits), row(at), "mixed, position {at}");
    }
}
