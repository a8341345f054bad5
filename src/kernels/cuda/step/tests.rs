use super::*;
use crate::kernels::AttentionSpan;

const SHAPE: AttentionShape = AttentionShape {
    num_heads: 8,
    num_kv_heads: 2,
    head_dim: 64,
};

fn span(rows: std::ops::Range<usize>, start: usize, block_table: &[u32]) -> AttentionSpan<'_> {
    AttentionSpan {
        rows,
        start,
        block_table,
    }
}

fn batch<'a>(
    ids: &'a [u32],
    spans: &'a [Vec<AttentionSpan<'a>>],
    output_rows: &'a [u32],
) -> Batch<'a> {
    Batch {
        token_ids: ids,
        positions: ids,
        spans,
        output_rows,
    }
}

#[test]
fn steps_that_only_decode_are_filled_up_to_a_number_that_is_recorded() {
    let ids = [0; 3];
    let spans = [vec![
        span(0..1, 5, &[4]),
        span(1..2, 70, &[1, 2, 3]),
        span(2..3, 0, &[0]),
    ]];
    assert_eq!(recorded_rows(&batch(&ids, &spans, &[0, 1, 2])), Some(4));
    assert_eq!(recorded_rows(&batch(&ids, &spans, &[0, 2])), None);
    let prefill = [vec![span(0..3, 0, &[1])]];
    assert_eq!(recorded_rows(&batch(&ids, &prefill, &[0, 1, 2])), None);
}

#[test]
fn rows_write_into_their_sequences_blocks_and_those_that_fill_up_into_nobodys() {
    let ids = [0; 2];
    let spans = [vec![span(0..1, 33, &[7, 9]), span(1..2, 0, &[0])]];
    let mut tables = Vec::new();
    let batch = batch(&ids, &spans, &[0, 1]);
    let group = Group::new(&spans[0], &batch, SHAPE, 4, Some(4), &mut tables).unwrap();
    assert_eq!(group.slots, [10 * 32 + 1, 32, 0, 0]);
    assert_eq!(tables, [8, 10, 1]);
    assert_eq!(group.lens, [34, 1, 0, 0]);
    assert_eq!(group.table_starts, [0, 2, 0, 0]);
}

#[test]
fn sequences_of_several_tokens_are_cut_into_tiles_the_longest_last() {
    let ids = [0; 41];
    let table = [3, 4];
    let spans = [vec![span(0..40, 10, &table), span(40..41, 64, &[5, 6, 7])]];
    let mut tables = Vec::new();
    let batch = batch(&ids, &spans, &[40]);
    let group = Group::new(&spans[0], &batch, SHAPE, 41, None, &mut tables).unwrap();
    let tile = tokens_per_tile(SHAPE).unwrap();
    let covered: u32 = group.tiles.iter().map(|tile| tile[2]).sum();
    assert_eq!(covered, 40);
    assert!(group.tiles.windows(2).all(|two| two[0][1] <= two[1][1]));
    assert!(
        group
            .tiles
            .iter()
            .all(|t| t[2] as usize <= tile && t[3] == 0)
    );
    assert_eq!((group.lens[0], group.num_chunks), (65, 2));
}

#[test]
fn a_position_past_its_block_table_is_an_error() {
    let ids = [0];
    let spans = [vec![span(0..1, 32, &[7])]];
    let batch = batch(&ids, &spans, &[0]);
    assert!(Group::new(&spans[0], &batch, SHAPE, 1, None, &mut Vec::new()).is_err());
}
