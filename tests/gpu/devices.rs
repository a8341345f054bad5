use guichet::kernels::{Array, CudaOptions, KernelSet, Kernels, ThreadPool};

/// What both devices compute, each by its own kernels.
pub struct Devices {
    pub cpu: Kernels,
    pub gpu: Kernels,
}

impl Devices {
    pub fn new(deterministic: bool) -> Self {
        let kernels = || Kernels::new(KernelSet::best(), ThreadPool::new(4).unwrap());
        let options = CudaOptions {
            ordinal: 0,
            deterministic,
        };
        Self {
            cpu: kernels(),
            gpu: kernels().on_cuda(options).unwrap(),
        }
    }
}

/// Random numbers, nearly normally distributed, that bf16 holds.
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn byte(&mut self) -> i32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        i32::from((self.0 >> 56) as u8)
    }

    pub fn values(&mut self, len: usize, scale: f32) -> Vec<f32> {
        (0..len)
            .map(|_| {
                let sum: i32 = (0..4).map(|_| self.byte()).sum();
                half::bf16::from_f32((sum - 510) as f32 / 147.8 * scale).to_f32()
            })
            .collect()
    }
}

pub fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

pub fn numbers(array: &Array) -> Vec<f32> {
    array.to_rows().unwrap().concat()
}

pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

/// The length of the difference, as a share of the reference's.
#[track_caller]
pub fn assert_near(values: &[f32], reference: &[f32], bound: f64, what: &str) {
    assert_eq!(values.len(), reference.len(), "{what}");
    let square = |x: f32| f64::from(x) * f64::from(x);
    let difference: f64 = values
        .iter()
        .zip(reference)
        .map(|(a, b)| square(a - b))
        .sum();
    let length: f64 = reference.iter().map(|b| square(*b)).sum();
    let error = (difference / length.max(1e-30)).sqrt();
    // A NaN is not below anything.
    assert!(error < bound, "{what}: {error} is not below {bound}");
}
