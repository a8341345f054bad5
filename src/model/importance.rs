//! How large the inputs of linear layers are in the mean, as far as weights alone tell: 4 bits
//! err least where inputs are large. No text is needed, and none decides.

use super::ModelError;
use super::linear::Loader;
use super::norm::RmsNorm;
use crate::kernels::{AttentionShape, RowSource, SplitMut, ThreadPool, WeightType};

/// Mean squares of inputs, up to a factor; none where no weight is rounded by them.
pub type Importance = Option<Vec<f32>>;

/// Of what a norm lets through: the squares of its weights. Nothing is known without one.
pub fn of_normed(loader: &Loader<'_>, norm: Option<&RmsNorm>) -> Result<Importance, ModelError> {
    let (WeightType::Int4, Some(norm)) = (loader.precision.layers, norm) else {
        return Ok(None);
    };
    let weight = norm.weight.to_vec()?;
    Ok(Some(weight.into_iter().map(|x| x * x).collect()))
}

/// Of attended values, which the heads of a group share: they are as large as values are, whoever
/// they are attended by.
pub fn of_attended(
    loader: &Loader<'_>,
    shape: AttentionShape,
    values: RowSource<'_>,
    input: &Importance,
) -> Importance {
    let input = input.as_deref()?;
    let values = mean_squares(loader.kernels.pool(), values, input);
    let group = shape.num_heads / shape.num_kv_heads;
    let heads = values.chunks(shape.head_dim);
    Some(
        heads
            .flat_map(|head| std::iter::repeat_n(head, group).flatten().copied())
            .collect(),
    )
}

/// Of what a gate lets through.
pub fn of_gated(
    loader: &Loader<'_>,
    gate: RowSource<'_>,
    up: RowSource<'_>,
    input: &Importance,
) -> Importance {
    let input = input.as_deref()?;
    let pool = loader.kernels.pool();
    let gates = mean_squares(pool, gate, input);
    let ups = mean_squares(pool, up, input);
    Some(
        gates
            .into_iter()
            .zip(ups)
            .map(|(gate, up)| silu_mean_square(gate.sqrt()) * up)
            .collect(),
    )
}

/// Mean squares of the outputs of a weight whose inputs have these and are independent.
fn mean_squares(pool: &ThreadPool, weight: RowSource<'_>, input: &[f32]) -> Vec<f32> {
    const ROWS: usize = 64;
    let k = input.len();
    let mut outputs = vec![0.0; weight.num_elements() / k.max(1)];
    let num_rows = outputs.len();
    let out = SplitMut::new(&mut outputs);
    pool.run(num_rows.div_ceil(ROWS), &|tile| {
        let mut row = vec![0.0; k];
        for i in tile * ROWS..((tile + 1) * ROWS).min(num_rows) {
            weight.read(i * k, &mut row);
            let squares = row.iter().zip(input).map(|(w, square)| w * w * square);
            // SAFETY: each element is written by its own tile.
            let output = unsafe { out.part(i, 1) };
            output[0] = squares.sum();
        }
    });
    outputs
}

/// The mean of `silu(x)²` for x with a normal distribution of this deviation.
fn silu_mean_square(deviation: f32) -> f32 {
    const STEP: f32 = 0.25;
    (-24..=24)
        .map(|i| {
            let z = i as f32 * STEP;
            let x = deviation * z;
            let silu = x / (1.0 + (-x).exp());
            silu * silu * (-z * z / 2.0).exp()
        })
        .sum::<f32>()
        * STEP
        / (2.0 * std::f32::consts::PI).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_gate_passes_half_of_its_square_and_a_narrow_one_a_quarter() {
        // silu(x) is x or 0 far from zero, and x / 2 near it.
        assert!((silu_mean_square(1000.0) / 1e6 - 0.5).abs() < 1e-2);
        assert!((silu_mean_square(0.01) / 1e-4 - 0.25).abs() < 1e-3);
    }

    #[test]
    fn outputs_are_as_large_as_inputs_and_weights_make_them() {
        let weight: Vec<u8> = [1.0f32, 2.0, 0.0, 3.0]
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect();
        let pool = ThreadPool::new(2).unwrap();
        let outputs = mean_squares(&pool, RowSource::F32(&weight), &[10.0, 1.0]);
        assert_eq!(outputs, [14.0, 9.0]);
    }
}
