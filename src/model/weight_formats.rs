/// A format in which weights are found inside safetensors; `docs/weight-formats.md` tells more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightFormat {
    pub name: &'static str,
    /// How a checkpoint says that it has it.
    pub files: &'static str,
    /// What becomes of it while it is loaded, unless an option asks for something else.
    pub in_memory: &'static str,
}

/// Every format that is read.
pub fn weight_formats() -> &'static [WeightFormat] {
    WEIGHT_FORMATS
}

const ROUNDED: &str = "bf16, rounded";

const WEIGHT_FORMATS: &[WeightFormat] = &[
    WeightFormat {
        name: "bf16",
        files: "tensors of the type `BF16`",
        in_memory: "bf16, exactly",
    },
    WeightFormat {
        name: "f16, f32",
        files: "tensors of the types `F16` and `F32`",
        in_memory: "f32, exactly",
    },
    WeightFormat {
        name: "FP8 E4M3",
        files: "`quant_method` fp8: a scale for a tensor, an output or a block",
        in_memory: "bf16, exactly where scales are powers of two, else rounded",
    },
    WeightFormat {
        name: "compressed-tensors",
        files: "`quant_method` compressed-tensors: int4, int8 and FP8",
        in_memory: ROUNDED,
    },
    WeightFormat {
        name: "GPTQ",
        files: "`quant_method` gptq: 4 and 8 bits, with and without `desc_act`",
        in_memory: ROUNDED,
    },
    WeightFormat {
        name: "AWQ",
        files: "`quant_method` awq: 4 bits, version gemm",
        in_memory: ROUNDED,
    },
    WeightFormat {
        name: "MXFP4",
        files: "`quant_method` mxfp4: experts as gpt-oss has them",
        in_memory: "bf16, exactly",
    },
];
