//! Elements of each format against values that were worked out by hand.

use super::*;

#[test]
fn gptq_keeps_eight_inputs_in_a_word_and_zero_points_less_one() {
    let rows = gptq_directory(gptq(json!({}))).rows("a.weight", [8, 8]);
    assert_eq!(rows[0], [-4.0, -3.5, -3.0, -2.5, 1.0, 1.25, 1.5, 1.75]);
    assert_eq!(rows[1], [0.0, 0.0, 0.0, 0.0, 14.0, 14.0, 14.0, 14.0]);
    // Stored zero points of 0 are 1.
    assert_eq!(rows[2], [-1.0; 8]);
}

#[test]
fn the_second_version_of_gptq_keeps_zero_points_as_they_are() {
    let config = gptq(json!({"checkpoint_format": "gptq_v2"}));
    let rows = gptq_directory(config).rows("a.weight", [8, 8]);
    assert_eq!(rows[0], [-3.5, -3.0, -2.5, -2.0, -2.75, -2.5, -2.25, -2.0]);
    assert_eq!(rows[2], [0.0; 8]);
}

#[test]
fn gptq_in_the_order_of_activations_has_the_group_that_is_listed() {
    let directory = gptq_directory(gptq(json!({"desc_act": true}))).words(
        "a.g_idx",
        &[8],
        &[1, 0, 1, 0, 1, 0, 1, 0],
    );
    let rows = directory.rows("a.weight", [8, 8]);
    assert_eq!(rows[0], [0.0, -3.5, 0.5, -2.5, 1.0, -1.5, 1.5, -0.5]);
    let checkpoint = directory.open().unwrap();
    assert_eq!(checkpoint.formats(), "gptq int4, group 4, act-order");
}

#[test]
fn gptq_of_8_bits_keeps_four_inputs_in_a_word() {
    let config = gptq(json!({"bits": 8, "group_size": -1}));
    let rows = Directory::new(config)
        .words("a.qweight", &[1, 4], &[0x80ff_0001, 0, 0, 0])
        .words("a.qzeros", &[1, 1], &[0x0000_ff7f])
        .f16("a.scales", &[1, 4], &[0.5, 1.0, 1.0, 1.0])
        .rows("a.weight", [4, 4]);
    assert_eq!(rows[0], [-63.5, -64.0, 63.5, 0.0]);
    assert_eq!(rows[1], [0.0; 4]);
}

#[test]
fn a_bias_of_zeros_that_no_model_asks_for_is_accounted_for_in_gptq() {
    let zeros = gptq_directory(gptq(json!({}))).f16("a.bias", &[8], &[0.0; 8]);
    zeros.rows("a.weight", [8, 8]);
    let ones = gptq_directory(gptq(json!({}))).f16("a.bias", &[8], &[1.0; 8]);
    let checkpoint = ones.open().unwrap();
    checkpoint.take("a.weight", &[8, 8]).unwrap();
    assert!(
        checkpoint
            .finish()
            .unwrap_err()
            .to_string()
            .contains("a.bias")
    );
}

#[test]
fn awq_keeps_even_outputs_of_an_input_before_odd_ones() {
    let mut scales = [1.0; 8];
    scales[3] = 0.5;
    let rows = Directory::new(awq(json!({})))
        // All are 15; each is its own number; output 4 alone is 15.
        .words("a.qweight", &[3, 1], &[u32::MAX, 0x7531_6420, 0x0000_0f00])
        .words("a.qzeros", &[1, 1], &[0x7531_6420])
        .f16("a.scales", &[1, 8], &scales)
        .rows("a.weight", [8, 3]);
    assert_eq!(rows[0], [15.0, 0.0, 0.0]);
    assert_eq!(rows[3], [6.0, 0.0, -1.5]);
    assert_eq!(rows[4], [11.0, 0.0, 11.0]);
    assert_eq!(rows[7], [8.0, 0.0, -7.0]);
}

/// Ten inputs in groups of five: the codes 0 to 9, then zeros.
fn packed(weights: Value) -> Directory {
    let shape = bytes(&[2i64, 10], i64::to_le_bytes);
    Directory::new(compressed("pack-quantized", weights))
        .words("a.weight_packed", &[2, 2], &[0x7654_3210, 0x98, 0, 0])
        .bf16("a.weight_scale", &[2, 2], &[0.5, 2.0, 1.0, 1.0])
        .with("a.weight_shape", Dtype::I64, &[2], shape)
}

#[test]
fn packed_integers_of_compressed_tensors_have_their_sign_turned() {
    let weights = json!({"num_bits": 4, "type": "int", "strategy": "group", "group_size": 5});
    let rows = packed(weights).rows("a.weight", [2, 10]);
    assert_eq!(
        rows[0],
        [-4.0, -3.5, -3.0, -2.5, -2.0, -6.0, -4.0, -2.0, 0.0, 2.0]
    );
    assert_eq!(rows[1], [-8.0; 10]);
}

#[test]
fn packed_zero_points_of_compressed_tensors_lie_along_the_outputs() {
    let weights = json!({
        "num_bits": 4, "type": "int", "strategy": "group", "group_size": 5, "symmetric": false,
        "actorder": "group",
    });
    let rows = packed(weights)
        .words("a.weight_zero_point", &[1, 2], &[0x03, 0xf8])
        .words("a.weight_g_idx", &[10], &[0, 0, 0, 0, 0, 1, 1, 1, 1, 0])
        .rows("a.weight", [2, 10]);
    // The last input is in the first group: (9 - 3) * 0.5.
    assert_eq!(
        rows[0],
        [-1.5, -1.0, -0.5, 0.0, 0.5, -6.0, -4.0, -2.0, 0.0, 3.0]
    );
    assert_eq!(rows[1][4..6], [0.0, -15.0]);
}

#[test]
fn an_order_that_was_never_chosen_is_the_usual_one() {
    let weights = json!({"num_bits": 4, "type": "int", "strategy": "group", "group_size": 5});
    let usual = packed(weights.clone()).rows("a.weight", [2, 10]);
    let unset = packed(weights).words("a.weight_g_idx", &[10], &[u32::MAX; 10]);
    assert_eq!(unset.rows("a.weight", [2, 10]), usual);
}

#[test]
fn packed_bytes_of_compressed_tensors_are_four_in_a_word() {
    let weights = json!({"num_bits": 8, "type": "int", "strategy": "channel"});
    let rows = Directory::new(compressed("pack-quantized", weights))
        .words("a.weight_packed", &[1, 1], &[0xff80_0100])
        .f32("a.weight_scale", &[1, 1], &[0.5])
        .words("a.weight_shape", &[2], &[1, 4])
        .rows("a.weight", [1, 4]);
    assert_eq!(rows, [[-64.0, -63.5, 0.0, 63.5]]);
}

#[test]
fn integers_of_a_byte_have_a_scale_and_a_zero_point_for_each_output() {
    let codes = vec![0x80, 0, 0x7f, 1, 2, 3];
    let weights = json!({"num_bits": 8, "type": "int", "strategy": "channel", "symmetric": false});
    let rows = Directory::new(compressed("int-quantized", weights))
        .with("a.weight", Dtype::I8, &[2, 3], codes)
        .f32("a.weight_scale", &[2, 1], &[0.1, 2.0])
        .with("a.weight_zero_point", Dtype::I8, &[2, 1], vec![0xff, 2])
        .f32("a.input_scale", &[1], &[0.5])
        .rows("a.weight", [2, 3]);
    assert_eq!(rows[0], [-127.0 * 0.1f32, 0.1, 128.0 * 0.1]);
    assert_eq!(rows[1], [-2.0, 0.0, 2.0]);
}

const ONES_OF_FP8: [u8; 9] = [0x38; 9];

#[test]
fn fp8_has_a_scale_for_each_block_and_smaller_blocks_at_the_edges() {
    let config = fp8(json!({"weight_block_size": [2, 2]}));
    let directory = Directory::new(config)
        .with("a.weight", Dtype::F8_E4M3, &[3, 3], ONES_OF_FP8.to_vec())
        .f32("a.weight_scale_inv", &[2, 2], &[1.0, 2.0, 3.0, 5.0]);
    let rows = directory.rows("a.weight", [3, 3]);
    assert_eq!(rows, [[1.0, 1.0, 2.0], [1.0, 1.0, 2.0], [3.0, 3.0, 5.0]]);
    assert_eq!(
        directory.open().unwrap().formats(),
        "fp8 e4m3, blocks of 2x2"
    );
}

#[test]
fn fp8_has_a_scale_for_all_or_for_each_output_as_their_number_says() {
    let one = |shape: &[usize]| {
        Directory::new(fp8(json!({})))
            .with("a.weight", Dtype::F8_E4M3, &[3, 3], ONES_OF_FP8.to_vec())
            .f32("a.weight_scale", shape, &[0.3])
            .f32("a.input_scale", &[], &[7.0])
            .f32("attn.k_scale", &[1], &[7.0])
    };
    for shape in [&[][..], &[1], &[1, 1]] {
        assert_eq!(one(shape).rows("a.weight", [3, 3]), [[0.3; 3]; 3]);
    }
    let formats = one(&[]).open().unwrap().formats();
    assert_eq!(
        formats,
        "fp8 e4m3, a scale per tensor, 2 scales of activations left out"
    );
    for shape in [&[3][..], &[3, 1]] {
        let weights = json!({"num_bits": 8, "type": "float", "strategy": "channel"});
        let rows = Directory::new(compressed("float-quantized", weights))
            .with("a.weight", Dtype::F8_E4M3, &[3, 3], ONES_OF_FP8.to_vec())
            .bf16("a.weight_scale", shape, &[0.5, 1.0, 2.0])
            .rows("a.weight", [3, 3]);
        assert_eq!(rows, [[0.5; 3], [1.0; 3], [2.0; 3]]);
    }
}

#[test]
fn fp8_is_there_as_bytes_where_64_inputs_share_a_scale() {
    let bytes: Vec<u8> = (0..2 * 130).map(|i| (i % 120) as u8).collect();
    for (block, scales) in [
        (64, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0].as_slice()),
        (32, &[1.0; 10]),
    ] {
        let width = scales.len() / 2;
        let checkpoint = Directory::new(fp8(json!({"weight_block_size": [1, block]})))
            .with("a.weight", Dtype::F8_E4M3, &[2, 130], bytes.clone())
            .f32("a.weight_scale_inv", &[2, width], scales)
            .open()
            .unwrap();
        let RowSource::Matrix(rows) = checkpoint.take("a.weight", &[2, 130]).unwrap() else {
            panic!("a matrix that is worked out");
        };
        let Some(kept) = rows.matrix.fp8() else {
            assert_eq!(block, 32);
            continue;
        };
        assert_eq!(block, 64);
        for (i, byte) in bytes.iter().enumerate() {
            let (row, input) = (i / 130, i % 130);
            let expected = (*byte, scales[row * width + input / 64]);
            assert_eq!((kept.code(row, input), kept.scale(row, input)), expected);
        }
    }
}

#[test]
fn scales_of_fp8_may_be_powers_of_two_in_a_byte() {
    let config = fp8(json!({"scale_fmt": "ue8m0", "weight_block_size": [2, 2]}));
    let directory = Directory::new(config)
        .with("a.weight", Dtype::F8_E4M3, &[3, 3], ONES_OF_FP8.to_vec())
        .with(
            "a.weight_scale_inv",
            Dtype::U8,
            &[2, 2],
            vec![126, 127, 128, 129],
        );
    let rows = directory.rows("a.weight", [3, 3]);
    assert_eq!(rows[1..], [[0.5, 0.5, 1.0], [2.0, 2.0, 4.0]]);
    assert_eq!(directory.open().unwrap().suggestion(), Suggestion::Bf16);
}

#[test]
fn mxfp4_has_the_first_number_in_the_low_half_of_a_byte() {
    let mut blocks = vec![0; 64];
    (blocks[0], blocks[15]) = (0x21, 0x0f);
    (blocks[48], blocks[49]) = (0xf7, 0x58);
    let directory = Directory::new(json!({"quant_method": "mxfp4"}))
        .with("experts.up_blocks", Dtype::U8, &[2, 2, 1, 16], blocks)
        .with(
            "experts.up_scales",
            Dtype::U8,
            &[2, 2, 1],
            vec![128, 127, 127, 126],
        );
    let checkpoint = directory.open().unwrap();
    let stack = Stack {
        num: 2,
        n: 2,
        k: 32,
        order: StackOrder::InputsFirst,
    };
    let expert = |index| {
        let source = checkpoint.take_expert("experts.up", stack, index, Rows::all(2));
        rows(source.unwrap(), 32)
    };
    let first = expert(0);
    assert_eq!(first[0][..3], [1.0, 2.0, 0.0]);
    assert_eq!(first[0][30..], [-12.0, 0.0]);
    assert_eq!(first[1], [0.0; 32]);
    assert_eq!(expert(1)[1][..4], [3.0, -3.0, -0.0, 1.5]);
    checkpoint.finish().unwrap();
    assert_eq!(checkpoint.suggestion(), Suggestion::Bf16);
}
