//! What is not understood is refused in one sentence that names the field or the tensor.

use super::*;

fn check(directory: &Directory, expected: &str) {
    let error = match directory.open() {
        Err(error) => error,
        Ok(checkpoint) => match checkpoint.take("a.weight", &[8, 8]) {
            Err(error) => error,
            Ok(_) => checkpoint.finish().expect_err(expected),
        },
    };
    let error = error.to_string();
    assert!(error.contains(expected), "{expected} is not in: {error}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn configurations_that_are_not_understood_are_refused_by_field() {
    let group = |weights: Value| compressed("pack-quantized", weights);
    let int4 = json!({"num_bits": 4, "type": "int", "strategy": "channel"});
    let with = |field: &str, value: Value| {
        let mut config = group(int4.clone());
        config[field] = value;
        config
    };
    let targets = |target: &str| {
        let mut config = group(int4.clone());
        config["config_groups"]["group_0"]["targets"] = json!([target]);
        config
    };
    for (config, expected) in [
        (json!({}), "`quantization_config.quant_method`"),
        (json!("gptq"), "`quantization_config.quant_method`"),
        (
            json!({"quant_method": "bitsandbytes"}),
            "is bitsandbytes; supported are awq",
        ),
        (
            gptq(json!({"bits": 3})),
            "`quantization_config.bits` is 3; supported are 4 and 8",
        ),
        (gptq(json!({"bits": null})), "`quantization_config.bits`"),
        (
            gptq(json!({"group_size": 0})),
            "`quantization_config.group_size` is 0",
        ),
        (
            gptq(json!({"group_size": -2})),
            "`quantization_config.group_size` is -2",
        ),
        (
            gptq(json!({"checkpoint_format": "marlin"})),
            "checkpoint_format` is marlin",
        ),
        (gptq(json!({"is_marlin_format": true})), "is_marlin_format"),
        (gptq(json!({"pack_dtype": "int64"})), "pack_dtype` is int64"),
        (
            gptq(json!({"dynamic": {"+:.*down": {"bits": 8}}})),
            "the rule `+:.*down`",
        ),
        (
            awq(json!({"bits": 8})),
            "`quantization_config.bits` is 8; supported is 4",
        ),
        (awq(json!({"version": "gemv"})), "version` is gemv"),
        (awq(json!({"zero_point": false})), "zero_point"),
        (
            fp8(json!({"fmt": "e5m2"})),
            "`quantization_config.fmt` is e5m2",
        ),
        (
            fp8(json!({"weight_block_size": [0, 128]})),
            "weight_block_size",
        ),
        (
            fp8(json!({"weight_block_size": [128]})),
            "weight_block_size",
        ),
        (fp8(json!({"scale_fmt": "int"})), "scale_fmt` is int"),
        (fp8(json!({"expert_dtype": "fp4"})), "expert_dtype` is fp4"),
        (
            with("format", json!("nvfp4-pack-quantized")),
            "in the format nvfp4-pack-quantized",
        ),
        (
            with("quantization_status", json!("initialized")),
            "quantization_status` is initialized",
        ),
        (
            with("sparsity_config", json!({"format": "sparse-24-bitmask"})),
            "sparsity_config.format",
        ),
        (
            with("transform_config", json!({"config_groups": {}})),
            "transform_config",
        ),
        (
            with("config_groups", json!({"a": {"targets": "Linear"}})),
            "config_groups.a.targets",
        ),
        (
            targets("LlamaDecoderLayer"),
            "`LlamaDecoderLayer` is a class of modules",
        ),
        (targets("re:(?=a)"), "look-around"),
        (
            group(json!({"num_bits": 2, "type": "int"})),
            "of type int and 2 bits",
        ),
        (
            group(json!({"num_bits": 4, "type": "int", "strategy": "token"})),
            "strategy` is token",
        ),
        (
            group(json!({"num_bits": 4, "strategy": "group"})),
            "group_size` must be a number",
        ),
        (
            group(json!({"num_bits": 4, "strategy": "block"})),
            "block_structure` must be",
        ),
        (
            group(json!({"num_bits": 4, "strategy": "tensor", "symmetric": false})),
            "symmetric` is false",
        ),
        (
            group(json!({"num_bits": 4, "group_size": 8, "actorder": "odd"})),
            "actorder` is \"odd\"",
        ),
    ] {
        let path = "config.json: ";
        check(&Directory::new(config.clone()), expected);
        let error = Directory::new(config).open().err().unwrap().to_string();
        assert!(error.contains(path), "{error}");
    }
}

#[test]
fn a_config_that_is_no_object_is_refused() {
    let directory = Directory::new(json!(null));
    fs::write(directory.dir.path().join("config.json"), "[1]").unwrap();
    check(&directory, "config.json");
}

#[test]
fn tensors_that_do_not_fit_each_other_are_refused_by_name() {
    let without = |part: &str| {
        let mut directory = gptq_directory(gptq(json!({})));
        directory.tensors.retain(|tensor| tensor.0 != part);
        directory
    };
    check(&without("a.qzeros"), "a.qzeros is missing");
    check(&without("a.scales"), "a.scales is missing");
    check(&without("a.qweight"), "the tensor a.weight is missing");
    check(
        &gptq_directory(gptq(json!({"desc_act": true}))),
        "a.g_idx is missing",
    );
    check(
        &gptq_directory(gptq(json!({"group_size": 8}))),
        "a.scales has shape [2, 8], but a.qweight of the shape [1, 8] implies [1, 8]",
    );
    let listed =
        |groups: &[u32]| gptq_directory(gptq(json!({}))).words("a.g_idx", &[groups.len()], groups);
    check(
        &listed(&[0, 0, 0, 0, 2, 1, 1, 1]),
        "a.g_idx names a group that is none of the 2",
    );
    check(&listed(&[0; 7]), "a.g_idx has shape [7]");
    let float = without("a.qzeros").f32("a.qzeros", &[2, 1], &[0.0; 2]);
    check(&float, "a.qzeros has type F32; in this format it has I32");
    let twice = gptq_directory(gptq(json!({}))).f16("a.weight", &[8, 8], &[0.0; 64]);
    check(&twice, "among them a.weight");
}

#[test]
fn tensors_that_the_configuration_does_not_name_are_refused_by_name() {
    let mut plain = gptq_directory(json!(null));
    check(
        &plain,
        "how to read a.qweight `quantization_config` in config.json does not say",
    );
    plain = Directory::new(json!(null)).with("a.weight", Dtype::F8_E4M3, &[8, 8], vec![0; 64]);
    check(&plain, "type F8_E4M3; without a `quantization_config`");
    let none = fp8(json!({}));
    let bare = Directory::new(none).with("a.weight", Dtype::F8_E4M3, &[8, 8], vec![0; 64]);
    check(&bare, "a.weight_scale is missing");
    let other = Directory::new(gptq(json!({}))).with("a.weight", Dtype::I8, &[8, 8], vec![0; 64]);
    check(&other, "`quantization_config` does not say how to read it");
    let excluded = fp8(json!({"modules_to_not_convert": ["a"]}));
    let excluded = Directory::new(excluded)
        .with("a.weight", Dtype::F8_E4M3, &[8, 8], vec![0; 64])
        .f32("a.weight_scale", &[1], &[1.0]);
    check(&excluded, "names `a`, but the tensors of a are quantised");
    let weights = json!({"num_bits": 8, "type": "int", "strategy": "channel"});
    for (field, value, expected) in [
        (
            "ignore",
            json!(["re:a"]),
            "`ignore` of `quantization_config` names a",
        ),
        (
            "config_groups",
            json!({"g": {"targets": ["b"], "weights": weights}}),
            "no `targets` in `quantization_config.config_groups` name a",
        ),
    ] {
        let mut config = compressed("int-quantized", weights.clone());
        config[field] = value;
        let directory = Directory::new(config)
            .with("a.weight", Dtype::I8, &[8, 8], vec![0; 64])
            .f32("a.weight_scale", &[8, 1], &[1.0; 8]);
        check(&directory, expected);
    }
}

#[test]
fn the_most_specific_target_decides() {
    let weights = |strategy: &str| json!({"num_bits": 8, "type": "int", "strategy": strategy});
    let mut config = compressed("int-quantized", weights("tensor"));
    config["config_groups"]["by_name"] = json!({"targets": ["a"], "weights": weights("channel")});
    config["config_groups"]["by_pattern"] =
        json!({"targets": ["re:.*"], "weights": weights("tensor")});
    let directory = Directory::new(config)
        .with("a.weight", Dtype::I8, &[2, 1], vec![1, 1])
        .f32("a.weight_scale", &[2, 1], &[1.0, 2.0]);
    assert_eq!(directory.rows("a.weight", [2, 1]), [[1.0], [2.0]]);
}

#[cfg(unix)]
#[test]
fn a_pipe_in_place_of_a_file_is_refused_and_not_waited_for() {
    let directory = Directory::new(json!(null));
    let path = directory.dir.path().join("model.safetensors");
    let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: the name ends with a NUL.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    let error = Checkpoint::open(directory.dir.path()).err().unwrap();
    assert!(error.to_string().contains("not a regular file"), "{error}");
}
