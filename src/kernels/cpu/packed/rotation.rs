use crate::kernels::cpu::versions::versions;

/// Inputs that are rotated together.
pub const ROTATION: usize = 64;

/// Multiplies 64 inputs by the Hadamard matrix over 8, which is its own inverse. An input that
/// is far larger than its neighbours, as activations have them, would leave these few of the
/// whole numbers; rotated, it is spread over all 64. Weights are rotated once and activations
/// each time, so that their products stay what they were (Ashkboos et al. 2024, QuaRot).
#[inline(always)]
fn rotate_body<const FMA: bool>(x: &mut [f32; ROTATION]) {
    let (vectors, _) = x.as_chunks_mut::<16>();
    for vector in vectors.iter_mut() {
        *vector = butterfly::<1>(*vector);
        *vector = butterfly::<2>(*vector);
        *vector = butterfly::<4>(*vector);
        *vector = butterfly::<8>(*vector);
    }
    let [a, b, c, d] = vectors else { return };
    for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
        let (sum, difference) = (*a + *b, *a - *b);
        let (sums, differences) = (*c + *d, *c - *d);
        // The matrix has rows of length 8; eighths are exact.
        *a = (sum + sums) * 0.125;
        *b = (difference + differences) * 0.125;
        *c = (sum - sums) * 0.125;
        *d = (difference - differences) * 0.125;
    }
}

/// Sums and differences of the elements `H` apart: a permutation and one addition for the whole
/// vector.
#[inline(always)]
fn butterfly<const H: usize>(x: [f32; 16]) -> [f32; 16] {
    let mut y = [0.0; 16];
    for i in 0..16 {
        y[i] = x[i ^ H];
    }
    for i in 0..16 {
        y[i] += if i & H == 0 { x[i] } else { -x[i] };
    }
    y
}

versions!(
    /// Rotates a block of inputs in place; twice is what it was.
    pub fn rotate(x: &mut [f32; ROTATION]) = rotate_body
);

/// [`rotate`] for code that is compiled for a kernel set already.
#[inline(always)]
pub fn rotate_inline(x: &mut [f32; ROTATION]) {
    rotate_body::<false>(x);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::KernelSet;

    #[test]
    fn rotating_keeps_products_and_is_undone_by_itself() {
        let wave = |step: usize| -> [f32; ROTATION] {
            std::array::from_fn(|i| ((i * step % 17) as f32 - 8.0) / 4.0)
        };
        let dot = |x: &[f32; ROTATION], y: &[f32; ROTATION]| {
            x.iter()
                .zip(y)
                .map(|(x, y)| f64::from(*x) * f64::from(*y))
                .sum::<f64>()
        };
        for set in KernelSet::ALL.into_iter().filter(|set| set.is_supported()) {
            let (x, y) = (wave(5), wave(7));
            let (mut rotated_x, mut rotated_y) = (x, y);
            rotate(set, &mut rotated_x);
            rotate(set, &mut rotated_y);
            assert!((dot(&rotated_x, &rotated_y) - dot(&x, &y)).abs() < 1e-4);
            // One input alone reaches all of them alike.
            let mut one = [0.0; ROTATION];
            one[37] = 8.0;
            rotate(set, &mut one);
            assert!(one.iter().all(|x| x.abs() == 1.0), "{set}: {one:?}");
            rotate(set, &mut one);
            assert_eq!(one[37], 8.0);
            rotate(set, &mut rotated_x);
            for (got, x) in rotated_x.iter().zip(x) {
                assert!((got - x).abs() < 1e-6);
            }
        }
    }
}
