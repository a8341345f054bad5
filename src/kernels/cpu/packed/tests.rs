use super::*;

fn pack(values: &[f32], k: usize, weight_type: WeightType, set: KernelSet) -> PackedWeight {
    let pool = ThreadPool::new(2).unwrap();
    let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    let cut = (values.len() / k / 2) * k * 4;
    let sources = [RowSource::F32(&bytes[..cut]), RowSource::F32(&bytes[cut..])];
    PackedWeight::pack(
        &sources,
        k,
        Arrangement::Stacked,
        weight_type,
        None,
        set,
        &pool,
    )
}

fn rows(packed: &PackedWeight) -> Vec<f32> {
    let mut rows = vec![0.0; packed.n() * packed.k()];
    for (row, out) in rows.chunks_mut(packed.k()).enumerate() {
        packed.copy_row(row, out);
    }
    rows
}

#[test]
fn a_row_comes_back_as_it_was_packed() {
    for (n, k) in [(1, 1), (33, 7), (16, 8), (65, 130)] {
        // Whole eighths of few digits are exact in bf16 too.
        let values: Vec<f32> = (0..n * k).map(|i| (i % 99) as f32 / 8.0 - 5.0).collect();
        for set in KernelSet::ALL {
            for weight_type in [WeightType::F32, WeightType::Bf16] {
                let packed = pack(&values, k, weight_type, set);
                assert_eq!((packed.n(), packed.k()), (n, k));
                assert_eq!(rows(&packed), values, "{set} {weight_type:?}");
            }
        }
    }
}

/// Twelve uniform numbers added up: nearly a normal distribution, as weights have.
fn bells(len: usize) -> Vec<f32> {
    let mut state = 3u32;
    let mut uniform = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    (0..len)
        .map(|_| (0..12).map(|_| uniform()).sum::<f32>() - 6.0)
        .collect()
}

#[test]
fn whole_numbers_come_near_to_what_they_round() {
    let (n, k) = (40, 300);
    let values = bells(n * k);
    for (weight_type, expected) in [(WeightType::Int8, 4e-5), (WeightType::Int4, 7e-3)] {
        let packed = pack(&values, k, weight_type, KernelSet::Portable);
        let error: f32 = rows(&packed)
            .iter()
            .zip(&values)
            .map(|(got, x)| (got - x).powi(2))
            .sum();
        let error = error / values.len() as f32;
        assert!(
            error < expected,
            "{weight_type:?}: a mean square of {error}"
        );
        for set in KernelSet::ALL.into_iter().filter(|set| set.is_supported()) {
            assert_eq!(rows(&pack(&values, k, weight_type, set)), rows(&packed));
        }
    }
}

#[test]
fn zeros_stay_zero_and_what_is_no_number_stays_none() {
    let k = 200;
    for weight_type in [WeightType::Int8, WeightType::Int4] {
        let mut values = vec![0.0; 4 * k];
        values[k..2 * k].fill(1e-42);
        values[2 * k + 70] = f32::NAN;
        values[3 * k + 70] = f32::NEG_INFINITY;
        let rows = rows(&pack(&values, k, weight_type, KernelSet::best()));
        assert!(rows[..k].iter().all(|x| *x == 0.0));
        assert!(rows[k..2 * k].iter().all(|x| x.abs() < 1e-41));
        assert!(rows[2 * k..3 * k].iter().any(|x| x.is_nan()));
        assert!(rows[3 * k..].iter().any(|x| !x.is_finite()));
    }
}
