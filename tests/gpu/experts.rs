use super::devices::{Devices, Noise, assert_near, bits, bytes, numbers};
use guichet::kernels::{
    Arrangement, Array, Epilogue, Kernels, RowSource, Use, Vector, Weight, WeightType,
};

const HIDDEN: usize = 200;
const WIDTH: usize = 144;

/// How an expert's gates and ups meet.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Gate {
    SwiGlu,
    /// With biases (gpt-oss).
    Clamped,
}

/// The numbers of a mixture of experts.
struct Numbers {
    num_experts: usize,
    num_used: usize,
    gate: Gate,
    /// Gates, ups and downs of each expert.
    weights: Vec<[Vec<u8>; 3]>,
    up_bias: Vec<f32>,
    down_bias: Vec<f32>,
}

/// Weights of as many experts as a device has in one.
struct Expert {
    up: Weight,
    down: Weight,
    up_bias: Vector,
    down_bias: Vector,
}

impl Numbers {
    fn new(num_experts: usize, num_used: usize, gate: Gate) -> Self {
        let mut noise = Noise::new((100 * num_experts + num_used) as u64);
        let mut matrix = |n: usize, k: usize| bytes(&noise.values(n * k, 1.0 / (k as f32).sqrt()));
        let weights = (0..num_experts)
            .map(|_| {
                [
                    matrix(WIDTH, HIDDEN),
                    matrix(WIDTH, HIDDEN),
                    matrix(HIDDEN, WIDTH),
                ]
            })
            .collect();
        Self {
            num_experts,
            num_used,
            gate,
            weights,
            up_bias: noise.values(num_experts * 2 * WIDTH, 1.0),
            down_bias: noise.values(num_experts * HIDDEN, 1.0),
        }
    }

    fn experts(&self, kernels: &Kernels, weight_type: WeightType) -> Vec<Expert> {
        let together = kernels.experts_together(self.num_experts);
        let arrangement = match self.gate {
            Gate::SwiGlu => Arrangement::Paired,
            Gate::Clamped => Arrangement::Stacked,
        };
        let pack = |sources: Vec<RowSource<'_>>, k, arrangement| {
            kernels
                .pack(&sources, k, arrangement, weight_type, None)
                .unwrap()
        };
        let groups = self.weights.chunks(together).enumerate();
        groups
            .map(|(index, group)| {
                let ups = group.iter().flat_map(|[gate, up, _]| [gate, up]);
                let downs = group.iter().map(|[.., down]| down);
                let bias = |values: &[f32], len: usize| {
                    let part = &values[index * together * len..][..group.len() * len];
                    kernels.vector(part.to_vec()).unwrap()
                };
                Expert {
                    up: pack(
                        ups.map(|w| RowSource::F32(w)).collect(),
                        HIDDEN,
                        arrangement,
                    ),
                    down: pack(
                        downs.map(|w| RowSource::F32(w)).collect(),
                        WIDTH,
                        Arrangement::Stacked,
                    ),
                    up_bias: bias(&self.up_bias, 2 * WIDTH),
                    down_bias: bias(&self.down_bias, HIDDEN),
                }
            })
            .collect()
    }

    /// What the experts that `logits` choose make of rows of `x`.
    fn compute(
        &self,
        kernels: &Kernels,
        experts: &[Expert],
        x: &[f32],
        logits: &[f32],
    ) -> Vec<f32> {
        let rows = x.len() / HIDDEN;
        let most = kernels.most_routed(rows, self.num_used);
        let zeros = |rows, width, used_as| kernels.zeros(rows, width, used_as).unwrap();
        let x = kernels.rows(x.to_vec(), HIDDEN, Use::Sums).unwrap();
        let logits = kernels
            .rows(logits.to_vec(), self.num_experts, Use::Sums)
            .unwrap();
        let arrays = [
            zeros(most, HIDDEN, Use::Inputs),
            zeros(most, 2 * WIDTH, Use::Heads),
            zeros(most, WIDTH, Use::Inputs),
            zeros(most, HIDDEN, Use::Sums),
        ];
        let out = kernels
            .rows(vec![f32::NAN; rows * HIDDEN], HIDDEN, Use::Sums)
            .unwrap();
        kernels.clear(&out).unwrap();
        for routing in kernels.route(&logits, self.num_used, true).unwrap() {
            let num = routing.num_rows();
            if num == 0 {
                continue;
            }
            let narrow = |array: &Array| array.narrow(num).unwrap();
            let [input, gate_up, activated, output] = arrays.each_ref().map(narrow);
            let expert = &experts[routing.index()];
            kernels.gather_routed(&input, &x, &routing).unwrap();
            let multiply = |out: &Array, x: &Array, weight: &Weight, epilogue| {
                kernels
                    .routed_linear(out, x, weight, &routing, epilogue)
                    .unwrap();
            };
            match self.gate {
                Gate::SwiGlu => multiply(&activated, &input, &expert.up, Epilogue::SwiGlu),
                Gate::Clamped => {
                    multiply(&gate_up, &input, &expert.up, Epilogue::Store);
                    kernels
                        .add_routed_bias(&gate_up, &expert.up_bias, &routing)
                        .unwrap();
                    kernels
                        .clamped_swiglu(&activated, &gate_up, 1.702, 7.0)
                        .unwrap();
                }
            }
            multiply(&output, &activated, &expert.down, Epilogue::Store);
            if self.gate == Gate::Clamped {
                kernels
                    .add_routed_bias(&output, &expert.down_bias, &routing)
                    .unwrap();
            }
            kernels.scatter_rows(&out, &output, &routing).unwrap();
        }
        numbers(&out)
    }
}

#[test]
#[ignore = "needs a GPU"]
fn experts_are_those_of_the_cpu_and_a_rows_bits_do_not_depend_on_others() {
    let Devices { cpu, gpu } = Devices::new(true);
    for (num_experts, num_used) in [(8, 2), (128, 8), (5, 5), (300, 1)] {
        for gate in [Gate::SwiGlu, Gate::Clamped] {
            let mixture = Numbers::new(num_experts, num_used, gate);
            for (weight_type, bound) in [
                (WeightType::Bf16, 1e-2),
                (WeightType::Int8, 3e-2),
                (WeightType::Int4, 3e-2),
            ] {
                let on_cpu = mixture.experts(&cpu, weight_type);
                let on_gpu = mixture.experts(&gpu, weight_type);
                let mut noise = Noise::new(9);
                let most = 600;
                let x = noise.values(most * HIDDEN, 1.0);
                let logits = noise.values(most * num_experts, 2.0);
                let all = mixture.compute(&gpu, &on_gpu, &x, &logits);
                let what = format!("{num_used} of {num_experts} {gate:?} {weight_type:?}");
                let few = 40;
                let expected = mixture.compute(
                    &cpu,
                    &on_cpu,
                    &x[..few * HIDDEN],
                    &logits[..few * num_experts],
                );
                assert_near(&all[..few * HIDDEN], &expected, bound, &what);
                for (first, rows) in [(0, 1), (3, 4), (500, 60), (100, 300)] {
                    let part = mixture.compute(
                        &gpu,
                        &on_gpu,
                        &x[first * HIDDEN..][..rows * HIDDEN],
                        &logits[first * num_experts..][..rows * num_experts],
                    );
                    let same = bits(&part) == bits(&all[first * HIDDEN..][..rows * HIDDEN]);
                    assert!(same, "{what}: {rows} rows from {first}");
                }
            }
        }
    }
}

#[test]
#[ignore = "needs a GPU"]
fn what_decides_on_experts_is_that_of_the_cpu() {
    let Devices { cpu, gpu } = Devices::new(true);
    for (rows, n, k) in [(1, 8, 4096), (19, 128, 200), (3, 1, 33)] {
        let mut noise = Noise::new(n as u64);
        let weight = bytes(&noise.values(n * k, 1.0 / (k as f32).sqrt()));
        let (x, norm) = (noise.values(rows * k, 3.0), noise.values(k, 1.0));
        let compute = |kernels: &Kernels| {
            let source = [RowSource::F32(&weight)];
            let stacked = Arrangement::Stacked;
            let weight = kernels
                .pack(&source, k, stacked, WeightType::F32, None)
                .unwrap();
            let x = kernels.rows(x.clone(), k, Use::Sums).unwrap();
            let norm = kernels.vector(norm.clone()).unwrap();
            let normed = kernels.zeros(rows, k, Use::Sums).unwrap();
            let out = kernels.zeros(rows, n, Use::Sums).unwrap();
            kernels.rms_norm(&normed, &x, &norm, 1e-5).unwrap();
            kernels
                .linear(&out, &normed, &weight, Epilogue::Store)
                .unwrap();
            numbers(&out)
        };
        assert_near(&compute(&gpu), &compute(&cpu), 1e-5, "router");
    }
}

/// An MLP for all tokens is weighed by a gate of theirs.
#[test]
#[ignore = "needs a GPU"]
fn gates_weigh_every_token_as_on_the_cpu() {
    let Devices { cpu, gpu } = Devices::new(true);
    let (rows, width) = (300, 70);
    let mut noise = Noise::new(2);
    let (logits, y, x) = (
        noise.values(rows, 2.0),
        noise.values(rows * width, 1.0),
        noise.values(rows * width, 1.0),
    );
    let compute = |kernels: &Kernels| {
        let row = |values: &[f32], width| kernels.rows(values.to_vec(), width, Use::Sums).unwrap();
        let out = row(&x, width);
        let routing = kernels.gates(&row(&logits, 1)).unwrap();
        kernels
            .scatter_rows(&out, &row(&y, width), &routing)
            .unwrap();
        kernels
            .add_routed_bias(
                &out,
                &kernels.vector(y[..width].to_vec()).unwrap(),
                &routing,
            )
            .unwrap();
        numbers(&out)
    };
    assert_near(&compute(&gpu), &compute(&cpu), 1e-5, "gates");
}
