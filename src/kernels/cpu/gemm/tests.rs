use super::*;
use crate::kernels::cpu::packed::rotate_inline;
use crate::kernels::{RowSource, WeightType};
use half::bf16;

const TYPES: [WeightType; 4] = [
    WeightType::F32,
    WeightType::Bf16,
    WeightType::Int8,
    WeightType::Int4,
];

fn supported() -> impl Iterator<Item = KernelSet> {
    KernelSet::ALL.into_iter().filter(|set| set.is_supported())
}

fn noise(seed: u32, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

/// A product and everything that it takes.
struct Case {
    set: KernelSet,
    weight_type: WeightType,
    num_threads: usize,
    k: usize,
    epilogue: Epilogue,
}

impl Case {
    fn pack(&self, w: &[f32]) -> PackedWeight {
        let bytes: Vec<u8> = w.iter().flat_map(|x| x.to_le_bytes()).collect();
        let (first, second) = bytes.split_at(bytes.len() / 2);
        let pool = ThreadPool::new(self.num_threads).unwrap();
        let pack = |sources: &[RowSource<'_>], arrangement| {
            PackedWeight::pack(
                sources,
                self.k,
                arrangement,
                self.weight_type,
                None,
                self.set,
                &pool,
            )
        };
        match self.epilogue {
            Epilogue::SwiGlu | Epilogue::GeGlu => pack(
                &[RowSource::F32(first), RowSource::F32(second)],
                Arrangement::Paired,
            ),
            _ => pack(&[RowSource::F32(&bytes)], Arrangement::Stacked),
        }
    }

    fn product(&self, x: &[f32], w: &PackedWeight, start: &[f32]) -> Vec<f32> {
        let pool = ThreadPool::new(self.num_threads).unwrap();
        let mut out = start.to_vec();
        let input = Input { x, norm: None };
        gemm(
            self.set,
            &pool,
            &mut Work::default(),
            input,
            w,
            &mut out,
            self.epilogue,
        );
        out
    }
}

/// What a kernel of `set` makes of a row of activations, quantised as the weights are.
fn rounded(set: KernelSet, weight_type: WeightType, x: &[f32]) -> Vec<f64> {
    let quantized = |group: usize, is_rotated: bool| -> Vec<f64> {
        let rotate = |block: &mut [f32; 64]| {
            if is_rotated {
                rotate_inline(block);
            }
        };
        let mut rows = x.to_vec();
        rows.resize(x.len().next_multiple_of(64), 0.0);
        for block in rows.as_chunks_mut().0 {
            rotate(block);
            for x in block.chunks_mut(group) {
                let largest = x.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
                let scale = (largest / 127.0).max(f32::MIN_POSITIVE);
                for x in x {
                    *x = (*x * (1.0 / scale)).round_ties_even() * scale;
                }
            }
            rotate(block);
        }
        rows.into_iter().map(f64::from).collect()
    };
    match weight_type {
        WeightType::Int8 => quantized(64, true),
        WeightType::Int4 => quantized(32, false),
        WeightType::Bf16 if set == KernelSet::Avx512Bf16 => x
            .iter()
            .map(|x| f64::from(bf16::from_f32(*x).to_f32()))
            .collect(),
        _ => x.iter().map(|x| f64::from(*x)).collect(),
    }
}

/// Rows of a stacked weight as they are looked up.
fn looked_up(w: &PackedWeight) -> Vec<Vec<f64>> {
    (0..w.n())
        .map(|row| {
            let mut values = vec![0.0; w.k()];
            w.copy_row(row, &mut values);
            values.into_iter().map(f64::from).collect()
        })
        .collect()
}

#[test]
fn products_agree_with_the_definition_on_odd_shapes() {
    for set in supported() {
        for weight_type in TYPES {
            for (m, n, k) in [
                (1, 1, 1),
                (1, 33, 7),
                (2, 16, 3),
                (7, 31, 64),
                (8, 32, 65),
                (9, 100, 48),
                (23, 65, 129),
                (130, 40, 200),
            ] {
                let (x, w, start) = (noise(1, m * k), noise(2, n * k), noise(3, m * n));
                let case = Case {
                    set,
                    weight_type,
                    num_threads: 3,
                    k,
                    epilogue: Epilogue::Add,
                };
                // What fills a row up is rounded too, and stays out of the definition here; a
                // code that is off by one would change an output by more.
                let tolerance = match weight_type {
                    WeightType::F32 | WeightType::Bf16 => 3e-5,
                    WeightType::Int8 => 5e-4,
                    WeightType::Int4 => 1e-4,
                };
                let packed = case.pack(&w);
                let weights = looked_up(&packed);
                let got = case.product(&x, &packed, &start);
                for row in 0..m {
                    let x = rounded(set, weight_type, &x[row * k..][..k]);
                    for column in 0..n {
                        let products = x.iter().zip(&weights[column]).map(|(x, w)| x * w);
                        let exact = products.sum::<f64>() + f64::from(start[row * n + column]);
                        let got = f64::from(got[row * n + column]);
                        assert!(
                            (got - exact).abs() < tolerance,
                            "{set} {weight_type:?} {m}x{n}x{k}: {got} for {exact}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn gates_meet_what_they_gate_on_odd_shapes() {
    for set in supported() {
        for weight_type in TYPES {
            for (m, ffn, k) in [(1, 1, 1), (3, 15, 40), (9, 16, 33), (5, 49, 64)] {
                let (x, w) = (noise(1, m * k), noise(2, 2 * ffn * k));
                let case = |epilogue| Case {
                    set,
                    weight_type,
                    num_threads: 2,
                    k,
                    epilogue,
                };
                let stacked = case(Epilogue::Store);
                let plain = stacked.product(&x, &stacked.pack(&w), &vec![0.0; 2 * m * ffn]);
                let silu = |x: f64| x / (1.0 + (-x).exp());
                let gelu = |x: f64| {
                    0.5 * x * (1.0 + (0.797_884_560_8 * (x + 0.044_715 * x.powi(3))).tanh())
                };
                let activations: [(_, &dyn Fn(f64) -> f64); 2] =
                    [(Epilogue::SwiGlu, &silu), (Epilogue::GeGlu, &gelu)];
                for (epilogue, activation) in activations {
                    let paired = case(epilogue);
                    let got = paired.product(&x, &paired.pack(&w), &vec![f32::NAN; m * ffn]);
                    for (i, got) in got.into_iter().enumerate() {
                        let at = i / ffn * 2 * ffn + i % ffn;
                        let (gate, up) = (f64::from(plain[at]), f64::from(plain[at + ffn]));
                        let exact = activation(gate) * up;
                        assert!(
                            (f64::from(got) - exact).abs()
                                <= (exact.abs() + up.abs()) * 2e-6 + 1e-12,
                            "{set} {weight_type:?} {epilogue:?} {m}x{ffn}x{k}: {got} for {exact}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_gate_that_is_huge_opens_or_shuts() {
    let mut sums = Sums([[2.0; STRIP]; MAX_ROWS]);
    let gates = [-1e30f32, -100.0, -1.0, 0.0, 0.5, 100.0, 1e30];
    sums.0[0][..gates.len()].copy_from_slice(&gates);
    for set in supported() {
        let mut out = [f32::NAN; 7];
        let place = Place {
            first_row: 0,
            row_len: 7,
            column: 0,
            num_columns: 7,
        };
        finish(
            set,
            &sums.0[..1],
            &SplitMut::new(&mut out),
            place,
            Epilogue::SwiGlu,
        );
        for (gate, out) in gates.into_iter().zip(out) {
            let exact = f64::from(gate) / (1.0 + (-f64::from(gate)).exp()) * 2.0;
            assert!(
                (f64::from(out) - exact).abs() <= exact.abs() * 1e-6 + 1e-30,
                "{set} {gate}: {out} for {exact}"
            );
        }
    }
}

#[test]
fn a_row_has_the_same_bits_alone_and_among_others() {
    let (m, n, k) = (70, 130, 96);
    let (x, w, start) = (noise(4, m * k), noise(5, n * k), vec![0.0; m * n]);
    let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    for set in supported() {
        for weight_type in TYPES {
            let case = |num_threads| Case {
                set,
                weight_type,
                num_threads,
                k,
                epilogue: Epilogue::Store,
            };
            let packed = case(1).pack(&w);
            let together = case(2).product(&x, &packed, &start);
            for num_rows in (1..m).filter(|rows| *rows < 20 || rows % 9 == 0) {
                let first = m - num_rows;
                let alone = case(5).product(&x[first * k..], &packed, &start[first * n..]);
                assert_eq!(
                    bits(&alone),
                    bits(&together[first * n..]),
                    "{set} {weight_type:?} with {num_rows} rows"
                );
            }
        }
    }
}

#[test]
fn the_vector_forms_of_whole_numbers_are_the_portable_one() {
    let (m, n, k) = (11, 70, 333);
    let (x, w) = (noise(6, m * k), noise(7, n * k));
    for weight_type in [WeightType::Int8, WeightType::Int4] {
        let product = |set| {
            let case = Case {
                set,
                weight_type,
                num_threads: 1,
                k,
                epilogue: Epilogue::Store,
            };
            case.product(&x, &case.pack(&w), &vec![0.0; m * n])
        };
        let portable = product(KernelSet::Portable);
        for set in supported() {
            for (got, expected) in product(set).into_iter().zip(&portable) {
                // They differ by fused additions alone.
                assert!((got - expected).abs() < 2e-5, "{set}: {got} for {expected}");
            }
        }
    }
}

#[test]
fn infinities_and_nans_stay_in_their_row() {
    let (m, n, k) = (4, 40, 70);
    for set in supported() {
        for weight_type in TYPES {
            let mut x = vec![1.0f32; m * k];
            x[k] = f32::INFINITY;
            x[2 * k] = f32::NAN;
            // Too small for a reciprocal.
            x[3 * k..].fill(f32::from_bits(7));
            let case = Case {
                set,
                weight_type,
                num_threads: 1,
                k,
                epilogue: Epilogue::Store,
            };
            let packed = case.pack(&vec![1.0f32; n * k]);
            let out = case.product(&x, &packed, &vec![0.0; m * n]);
            let near = |y: &f32| (y - k as f32).abs() < 0.7;
            assert!(out[..n].iter().all(near), "{set} {weight_type:?}");
            assert!(out[n..2 * n].iter().all(|y| !y.is_finite()));
            assert!(out[2 * n..3 * n].iter().all(|y| y.is_nan()));
            assert!(out[3 * n..].iter().all(|y| y.abs() < 1e-30));
        }
    }
}

#[test]
fn a_norm_before_a_product_is_the_norm_of_its_rows() {
    let (m, n, k) = (9, 33, 100);
    let (x, w, weight) = (noise(8, m * k), noise(9, n * k), noise(10, k));
    for set in supported() {
        for weight_type in TYPES {
            let case = Case {
                set,
                weight_type,
                num_threads: 2,
                k,
                epilogue: Epilogue::Store,
            };
            let packed = case.pack(&w);
            let mut normed = vec![0.0; m * k];
            for (out, x) in normed.chunks_mut(k).zip(x.chunks(k)) {
                crate::kernels::cpu::elementwise::rms_norm(set, x, &weight, 1e-5, out);
            }
            let expected = case.product(&normed, &packed, &vec![0.0; m * n]);
            let mut got = vec![0.0; m * n];
            let norm = Some(Norm {
                weight: &weight,
                eps: 1e-5,
            });
            gemm(
                set,
                &ThreadPool::new(2).unwrap(),
                &mut Work::default(),
                Input { x: &x, norm },
                &packed,
                &mut got,
                Epilogue::Store,
            );
            assert_eq!(got, expected, "{set} {weight_type:?}");
        }
    }
}
