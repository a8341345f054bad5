use super::{NEAR, array, check, noise, numbers, on_candle};
use crate::kernels::{
    Arrangement, Epilogue, Kernels, RandomRows, RowSource, Use, Weight, WeightType,
};

const SHAPES: [(usize, usize); 5] = [(1, 8), (7, 3), (48, 64), (144, 48), (257, 130)];
const ROWS: [usize; 4] = [1, 2, 9, 65];
const KINDS: [(Epilogue, Arrangement); 4] = [
    (Epilogue::Store, Arrangement::Stacked),
    (Epilogue::Add, Arrangement::Stacked),
    (Epilogue::SwiGlu, Arrangement::Paired),
    (Epilogue::GeGlu, Arrangement::Paired),
];

fn pack(
    kernels: &Kernels,
    (n, k): (usize, usize),
    arrangement: Arrangement,
    weight_type: WeightType,
) -> Weight {
    let num_sources = if arrangement == Arrangement::Paired {
        2
    } else {
        1
    };
    let bytes: Vec<Vec<u8>> = (0..num_sources)
        .map(|seed| {
            let values = noise(seed + 5, n * k).into_iter();
            let scaled = values.map(|x| x / (k as f32).sqrt());
            scaled.flat_map(f32::to_le_bytes).collect()
        })
        .collect();
    let sources: Vec<_> = bytes.iter().map(|bytes| RowSource::F32(bytes)).collect();
    kernels
        .pack(&sources, k, arrangement, weight_type, None)
        .unwrap()
}

#[test]
fn products_and_what_becomes_of_them_are_those_of_the_cpu() {
    // Ours takes inputs as bf16 and sums in f32; candle rounds the result, too.
    for (weight_type, bound) in [(WeightType::F32, NEAR), (WeightType::Bf16, 1e-2)] {
        for (n, k) in SHAPES {
            for (epilogue, arrangement) in KINDS {
                for rows in ROWS {
                    let what = format!("{weight_type:?} {n}x{k} {epilogue:?} {rows} rows");
                    check(bound, &what, |kernels| {
                        let weight = pack(kernels, (n, k), arrangement, weight_type);
                        let x = array(kernels, &noise(1, rows * k), k);
                        // What is stored must not depend on what was there.
                        let before = match epilogue {
                            Epilogue::Add => noise(2, rows * n),
                            _ => vec![f32::NAN; rows * n],
                        };
                        let out = array(kernels, &before, n);
                        kernels.linear(&out, &x, &weight, epilogue).unwrap();
                        numbers(&out)
                    });
                }
            }
        }
    }
}

#[test]
fn a_norm_before_a_product_is_that_of_the_cpu() {
    for (n, k) in SHAPES {
        check(NEAR, &format!("{n}x{k}"), |kernels| {
            let weight = pack(kernels, (n, k), Arrangement::Stacked, WeightType::F32);
            let x = array(kernels, &noise(3, 6 * k), k);
            let norm = kernels.vector(noise(4, k)).unwrap();
            let out = kernels.zeros(6, n, Use::Sums).unwrap();
            kernels
                .normed_linear(&out, &x, &norm, 1e-3, &weight, Epilogue::Store)
                .unwrap();
            numbers(&out)
        });
    }
}

#[test]
fn embeddings_are_the_rows_of_the_table() {
    for weight_type in [WeightType::F32, WeightType::Bf16] {
        check(1e-7, "embedding", |kernels| {
            let table = pack(kernels, (50, 24), Arrangement::Stacked, weight_type);
            let out = kernels.zeros(4, 24, Use::Sums).unwrap();
            kernels.embedding(&out, &[7, 49, 0, 7], &table).unwrap();
            numbers(&out)
        });
    }
}

#[test]
fn random_weights_are_the_same_on_every_device() {
    let (n, k) = (70, 100);
    let source = RowSource::Random(RandomRows::all(12_345, n, k));
    check(1e-7, "random", |kernels| {
        let table = kernels.pack(&[source], k, Arrangement::Stacked, WeightType::Bf16, None);
        let out = kernels.zeros(n, k, Use::Sums).unwrap();
        let all: Vec<u32> = (0..n as u32).collect();
        kernels.embedding(&out, &all, &table.unwrap()).unwrap();
        numbers(&out)
    });
}

#[test]
fn weights_of_whole_numbers_are_refused() {
    let kernels = on_candle();
    for weight_type in [WeightType::Int8, WeightType::Int4] {
        let source = RowSource::Ones { len: 64 };
        let packed = kernels.pack(&[source], 64, Arrangement::Stacked, weight_type, None);
        let error = packed.err().unwrap().to_string();
        assert!(error.contains("f32 or bf16"), "{error}");
    }
}
