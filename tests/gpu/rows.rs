use super::devices::{Devices, Noise};
use guichet::kernels::{Kernels, RowSummary, RowUse, Use};

fn summaries(
    kernels: &Kernels,
    rows: &[Vec<f32>],
    wanted: &[usize],
) -> Vec<(RowSummary, Vec<f32>)> {
    let logits = kernels
        .rows(rows.concat(), rows[0].len(), Use::Sums)
        .unwrap();
    let uses: Vec<_> = (0..rows.len())
        .map(|row| match wanted.contains(&row) {
            true => RowUse::Values,
            false => RowUse::Summary,
        })
        .collect();
    kernels
        .for_logits(&logits, &uses, |_, row| (row.summary, row.values.to_vec()))
        .unwrap()
}

#[test]
#[ignore = "needs a GPU"]
fn rows_of_logits_are_summed_up_as_on_the_cpu() {
    let Devices { cpu, gpu } = Devices::new(true);
    for vocab in [1, 320, 8192, 8193, 128_256] {
        let mut noise = Noise::new(vocab as u64);
        let mut rows: Vec<_> = (0..20).map(|_| noise.values(vocab, 4.0)).collect();
        rows[1].fill(2.5);
        rows[2].fill(f32::NEG_INFINITY);
        rows[3][vocab / 2] = f32::INFINITY;
        rows[4][vocab - 1] = f32::NAN;
        rows[5][vocab / 3] = f32::NEG_INFINITY;
        rows[6][vocab - 1] = 100.0;
        let expected = summaries(&cpu, &rows, &[]);
        let computed = summaries(&gpu, &rows, &[7, 3, 19]);
        for (row, ((gpu, values), (cpu, _))) in computed.iter().zip(&expected).enumerate() {
            let what = format!("{vocab}: row {row}: {gpu:?}, {cpu:?}");
            assert_eq!(gpu.log_sum_exp.is_nan(), cpu.log_sum_exp.is_nan(), "{what}");
            if !cpu.log_sum_exp.is_nan() {
                assert_eq!((gpu.argmax, gpu.max), (cpu.argmax, cpu.max), "{what}");
                assert!((gpu.log_sum_exp - cpu.log_sum_exp).abs() < 1e-4, "{what}");
            }
            match [3, 7, 19].contains(&row) {
                true => assert_eq!(*values, rows[row], "{what}"),
                false => assert!(values.is_empty(), "{what}"),
            }
        }
    }
}
