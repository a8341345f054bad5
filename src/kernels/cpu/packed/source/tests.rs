use super::*;

/// A matrix whose elements say where they stand.
#[derive(Debug)]
struct Places;

impl Matrix for Places {
    fn read(&self, row: usize, start: usize, out: &mut [f32]) {
        for (i, out) in out.iter_mut().enumerate() {
            *out = (100 * row + start + i) as f32;
        }
    }
}

#[test]
fn every_second_row_of_a_matrix_is_read_across_the_ends_of_rows() {
    let source = RowSource::Matrix(MatrixRows {
        matrix: &Places,
        column: 0,
        k: 3,
        first: 1,
        step: 2,
        count: 2,
    });
    assert_eq!(source.num_elements(), 6);
    let mut values = [0.0; 5];
    source.read(1, &mut values);
    assert_eq!(values, [101.0, 102.0, 300.0, 301.0, 302.0]);
}

#[test]
fn a_part_is_read_as_the_whole_has_it_from_every_kind_of_source() {
    let values: Vec<u8> = (0..60u8).collect();
    let floats: Vec<u8> = values
        .iter()
        .flat_map(|x| f32::from(*x).to_le_bytes())
        .collect();
    let halves: Vec<u8> = values
        .iter()
        .flat_map(|x| bf16::from_f32(f32::from(*x)).to_le_bytes())
        .collect();
    let columns_first = Strided {
        bytes: &floats,
        float: Float::F32,
        num_rows: 12,
        k: 5,
        row_step: 1,
        step: 12,
    };
    let matrix = MatrixRows {
        matrix: &Places,
        column: 0,
        k: 5,
        first: 1,
        step: 2,
        count: 12,
    };
    for source in [
        RowSource::F32(&floats),
        RowSource::Bf16(&halves),
        RowSource::Strided(columns_first),
        RowSource::Matrix(matrix),
        RowSource::Random(RandomRows::all(9, 12, 5)),
        RowSource::Ones { len: 60 },
    ] {
        for (rows, columns) in [(0..12, 0..5), (3..7, 0..5), (0..12, 2..4), (5..11, 1..5)] {
            let part = source.block(5, rows.clone(), columns.clone());
            // A part of a part is one, too.
            let (last_row, last_column) = (rows.len() - 1, columns.len() - 1);
            let corner = part.block(
                columns.len(),
                last_row..last_row + 1,
                last_column..last_column + 1,
            );
            assert_eq!(corner.num_elements(), 1);
            assert_eq!(
                corner.get(0),
                source.get((rows.end - 1) * 5 + columns.end - 1)
            );
            assert_eq!(part.num_elements(), rows.len() * columns.len());
            let mut read = vec![0.0; part.num_elements()];
            part.read(0, &mut read);
            let places = rows.flat_map(|row| columns.clone().map(move |c| row * 5 + c));
            let expected: Vec<f32> = places.map(|at| source.get(at)).collect();
            assert_eq!(read, expected, "{part:?}");
        }
    }
}

#[test]
fn a_matrix_is_read_the_other_way_round_and_by_every_second_row() {
    let values: Vec<f32> = (0..12).map(|i| i as f32).collect();
    for (float, bytes) in [
        (
            Float::F32,
            values
                .iter()
                .flat_map(|x| x.to_le_bytes())
                .collect::<Vec<u8>>(),
        ),
        (
            Float::F16,
            values
                .iter()
                .flat_map(|x| f16::from_f32(*x).to_le_bytes())
                .collect(),
        ),
        (
            Float::Bf16,
            values
                .iter()
                .flat_map(|x| bf16::from_f32(*x).to_le_bytes())
                .collect(),
        ),
    ] {
        // [3, 4] as it lies there, read as the columns 1 and 3 and as the rows 0 and 2.
        let columns = Strided {
            bytes: &bytes[float.num_bytes()..],
            float,
            num_rows: 2,
            k: 3,
            row_step: 2,
            step: 4,
        };
        let rows = Strided {
            bytes: &bytes,
            float,
            num_rows: 2,
            k: 4,
            row_step: 8,
            step: 1,
        };
        let mut read = [0.0; 6];
        RowSource::Strided(columns).read(0, &mut read);
        assert_eq!(read, [1.0, 5.0, 9.0, 3.0, 7.0, 11.0]);
        RowSource::Strided(rows).read(2, &mut read);
        assert_eq!(read, [2.0, 3.0, 8.0, 9.0, 10.0, 11.0]);
    }
}
