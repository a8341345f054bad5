use super::devices::{Devices, Noise, assert_near, bits, bytes, numbers};
use guichet::kernels::{
    Arrangement, Array, AttentionShape, Batch, Epilogue, Fp8Matrix, Kernels, Matrix, MatrixRows,
    RandomRows, RowSource, Use, Weight, WeightType,
};

const SHAPES: [(usize, usize); 7] = [
    (4096, 4096),
    (144, 48),
    (80, 48),
    (100, 200),
    (33, 64),
    (2048, 5120),
    (257, 14_336),
];
const ROWS: [usize; 14] = [1, 2, 7, 8, 9, 16, 17, 33, 64, 65, 128, 129, 300, 1000];

/// What becomes of sums: an epilogue, how weights are arranged, and what the output is.
const KINDS: [(Epilogue, Arrangement, Use); 5] = [
    (Epilogue::Store, Arrangement::Stacked, Use::Heads),
    (Epilogue::Store, Arrangement::Stacked, Use::Sums),
    (Epilogue::Add, Arrangement::Stacked, Use::Sums),
    (Epilogue::SwiGlu, Arrangement::Paired, Use::Inputs),
    (Epilogue::GeGlu, Arrangement::Paired, Use::Inputs),
];

/// Types of weights, and how far a product may be from the CPU's, which rounds activations beside
/// whole numbers and rotates those of 8 bits.
const TYPES: [(WeightType, f64); 3] = [
    (WeightType::Bf16, 4e-3),
    (WeightType::Int8, 2e-2),
    (WeightType::Int4, 2e-2),
];

struct Product {
    n: usize,
    k: usize,
    weights: Vec<Vec<u8>>,
    kind: (Epilogue, Arrangement, Use),
}

impl Product {
    fn new(n: usize, k: usize, kind: (Epilogue, Arrangement, Use)) -> Self {
        let mut noise = Noise::new((n * k) as u64);
        let num_sources = if kind.1 == Arrangement::Paired { 2 } else { 1 };
        let scale = 1.0 / (k as f32).sqrt();
        let weights = (0..num_sources)
            .map(|_| bytes(&noise.values(n * k, scale)))
            .collect();
        Self {
            n,
            k,
            weights,
            kind,
        }
    }

    fn pack(&self, kernels: &Kernels) -> Weight {
        self.pack_as(WeightType::Bf16, kernels)
    }

    fn pack_as(&self, weight_type: WeightType, kernels: &Kernels) -> Weight {
        let sources: Vec<_> = self.weights.iter().map(|w| RowSource::F32(w)).collect();
        kernels
            .pack(&sources, self.k, self.kind.1, weight_type, None)
            .unwrap()
    }

    fn compute(&self, kernels: &Kernels, weight: &Weight, x: &[f32], before: &[f32]) -> Vec<f32> {
        let (epilogue, _, used_as) = self.kind;
        let x = kernels.rows(x.to_vec(), self.k, Use::Inputs).unwrap();
        let out: Array = kernels.rows(before.to_vec(), self.n, used_as).unwrap();
        kernels.linear(&out, &x, weight, epilogue).unwrap();
        numbers(&out)
    }
}

#[test]
#[ignore = "needs a GPU"]
fn products_are_those_of_the_cpu() {
    for deterministic in [true, false] {
        let Devices { cpu, gpu } = Devices::new(deterministic);
        let shapes = SHAPES.iter().flat_map(|shape| TYPES.map(|of| (*shape, of)));
        for ((n, k), (weight_type, bound)) in shapes {
            for kind in KINDS {
                let product = Product::new(n, k, kind);
                let pack = |kernels| product.pack_as(weight_type, kernels);
                let (on_cpu, on_gpu) = (pack(&cpu), pack(&gpu));
                for rows in ROWS {
                    let mut noise = Noise::new(rows as u64);
                    let x = noise.values(rows * k, 1.0);
                    // What is stored must not depend on what was there.
                    let before = match kind.0 {
                        Epilogue::Add => noise.values(rows * n, 1.0),
                        _ => vec![f32::NAN; rows * n],
                    };
                    let expected = product.compute(&cpu, &on_cpu, &x, &before);
                    let computed = product.compute(&gpu, &on_gpu, &x, &before);
                    let what =
                        format!("{deterministic} {weight_type:?} {n}x{k} {kind:?} {rows} rows");
                    assert_near(&computed, &expected, bound, &what);
                }
            }
        }
    }
}

#[test]
#[ignore = "needs a GPU"]
fn a_rows_bits_do_not_depend_on_how_many_there_are_and_where_it_stands() {
    let gpu = Devices::new(true).gpu;
    let shapes = SHAPES.iter().flat_map(|shape| TYPES.map(|of| (*shape, of)));
    for ((n, k), (weight_type, _)) in shapes {
        for kind in KINDS {
            let product = Product::new(n, k, kind);
            let weight = product.pack_as(weight_type, &gpu);
            let most = ROWS[ROWS.len() - 1];
            let mut noise = Noise::new(3);
            let x = noise.values(most * k, 1.0);
            let before = noise.values(most * n, 1.0);
            let all = bits(&product.compute(&gpu, &weight, &x, &before));
            for rows in ROWS {
                for first in [0, most / 2 - rows / 2, most - rows] {
                    let part = product.compute(
                        &gpu,
                        &weight,
                        &x[first * k..(first + rows) * k],
                        &before[first * n..(first + rows) * n],
                    );
                    assert!(
                        bits(&part) == all[first * n..(first + rows) * n],
                        "{weight_type:?} {n}x{k} {kind:?}: {rows} rows from {first}"
                    );
                }
            }
        }
    }
}

#[test]
#[ignore = "needs a GPU"]
fn a_norm_before_a_product_is_that_of_the_cpu() {
    let Devices { cpu, gpu } = Devices::new(true);
    for (n, k) in [(96, 48), (512, 4096)] {
        let product = Product::new(n, k, KINDS[1]);
        let mut noise = Noise::new(9);
        let (x, norm) = (noise.values(20 * k, 3.0), noise.values(k, 1.0));
        let compute = |kernels: &Kernels| {
            let x = kernels.rows(x.clone(), k, Use::Sums).unwrap();
            let norm = kernels.vector(norm.clone()).unwrap();
            let out = kernels.zeros(20, n, Use::Sums).unwrap();
            let weight = product.pack(kernels);
            let store = Epilogue::Store;
            kernels
                .normed_linear(&out, &x, &norm, 1e-5, &weight, store)
                .unwrap();
            numbers(&out)
        };
        assert_near(&compute(&gpu), &compute(&cpu), 4e-3, "norm");
    }
}

/// A matrix of FP8 E4M3 with a scale for each 64 inputs.
#[derive(Debug)]
struct Fp8 {
    k: usize,
    codes: Vec<u8>,
}

impl Fp8Matrix for Fp8 {
    fn code(&self, row: usize, input: usize) -> u8 {
        self.codes[row * self.k + input]
    }

    fn scale(&self, row: usize, input: usize) -> f32 {
        0.003 * (row + input / 64 + 1) as f32
    }
}

impl Matrix for Fp8 {
    fn read(&self, row: usize, start: usize, out: &mut [f32]) {
        for (input, out) in (start..).zip(out) {
            let code = self.code(row, input);
            let (exponent, mantissa) = (i32::from(code >> 3 & 15), f32::from(code & 7));
            let size = match exponent {
                0 => mantissa / 512.0,
                _ => (8.0 + mantissa) * 2f32.powi(exponent - 10),
            };
            let number = if code < 128 { size } else { -size };
            *out = number * self.scale(row, input);
        }
    }

    fn fp8(&self) -> Option<&dyn Fp8Matrix> {
        Some(self)
    }
}

#[test]
#[ignore = "needs a GPU"]
fn what_is_kept_as_fp8_has_the_bits_of_the_bf16_that_it_rounds_to() {
    let gpu = Devices::new(true).gpu;
    let (n, k) = (150, 200);
    // All bytes that are numbers.
    let codes = (0..n * k).map(|i| (i * 7 % 255) as u8);
    let matrix = Fp8 {
        k,
        codes: codes
            .map(|code| if code & 127 == 127 { 0 } else { code })
            .collect(),
    };
    let mut rows = vec![0.0; n * k];
    for (row, out) in rows.chunks_mut(k).enumerate() {
        matrix.read(row, 0, out);
    }
    let wide = bytes(&rows);
    let kept = RowSource::Matrix(MatrixRows {
        matrix: &matrix,
        column: 0,
        k,
        first: 0,
        step: 1,
        count: n,
    });
    let pack = |source| {
        let stacked = Arrangement::Stacked;
        gpu.pack(&[source], k, stacked, WeightType::Bf16, None)
            .unwrap()
    };
    let (kept, rounded) = (pack(kept), pack(RowSource::F32(&wide)));
    assert!(kept.num_bytes() * 10 < rounded.num_bytes() * 6);
    for rows in [1, 9, 60, 300] {
        let x = gpu
            .rows(Noise::new(4).values(rows * k, 1.0), k, Use::Inputs)
            .unwrap();
        let multiply = |weight| {
            let out = gpu.zeros(rows, n, Use::Sums).unwrap();
            gpu.linear(&out, &x, weight, Epilogue::Store).unwrap();
            bits(&numbers(&out))
        };
        assert!(multiply(&kept) == multiply(&rounded), "{rows} rows");
    }
}

#[test]
#[ignore = "needs a GPU"]
fn rows_of_a_table_of_whole_numbers_are_near_those_of_the_cpu() {
    let Devices { cpu, gpu } = Devices::new(true);
    for (vocab, hidden) in [(40, 64), (100, 200), (33, 4096)] {
        let product = Product::new(vocab, hidden, KINDS[1]);
        let ids: Vec<u32> = (0..vocab as u32).rev().collect();
        let rows = |kernels: &Kernels, table: &Weight| {
            let out = kernels.zeros(ids.len(), hidden, Use::Sums).unwrap();
            let spans = [Vec::new()];
            let batch = Batch {
                token_ids: &ids,
                positions: &ids,
                spans: &spans,
                output_rows: &[],
            };
            let shape = AttentionShape {
                num_heads: 1,
                num_kv_heads: 1,
                head_dim: 64,
            };
            let step = kernels.begin(batch, shape).unwrap();
            kernels.embedding(&out, step.token_ids(), table).unwrap();
            numbers(&out)
        };
        let exact = rows(&cpu, &product.pack(&cpu));
        for (weight_type, bound) in [(WeightType::Int8, 1e-2), (WeightType::Int4, 0.15)] {
            let table = product.pack_as(weight_type, &gpu);
            let what = format!("{weight_type:?} {vocab}x{hidden}");
            assert_near(&rows(&gpu, &table), &exact, bound, &what);
        }
    }
}

#[test]
#[ignore = "needs a GPU"]
fn random_weights_are_the_same_on_every_device() {
    let Devices { cpu, gpu } = Devices::new(true);
    let (n, k) = (70, 100);
    let source = RowSource::Random(RandomRows::all(12_345, n, k));
    let mut identity = vec![0.0; k * k];
    (0..k).for_each(|i| identity[i * k + i] = 1.0);
    let columns = |kernels: &Kernels| {
        let weight = kernels
            .pack(&[source], k, Arrangement::Stacked, WeightType::Bf16, None)
            .unwrap();
        let x = kernels.rows(identity.clone(), k, Use::Inputs).unwrap();
        let out = kernels.zeros(k, n, Use::Sums).unwrap();
        kernels.linear(&out, &x, &weight, Epilogue::Store).unwrap();
        numbers(&out)
    };
    assert_eq!(columns(&gpu), columns(&cpu));
}
