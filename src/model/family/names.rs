//! What tensors are called in the checkpoints of a family.

/// Names of a checkpoint's tensors. Those of a layer stand behind `layers.N.` of the root, and a
/// bias has the name of its weight with `bias` for `weight`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightNames {
    /// Where the model lies among the tensors; the first under which there is an embedding counts.
    pub roots: &'static [Root],
    pub embedding: &'static str,
    pub final_norm: &'static str,
    pub head: &'static str,
    pub attention_norm: &'static str,
    /// Behind attention, where norms stand there.
    pub attention_output_norm: &'static str,
    pub qkv: Qkv,
    pub o: &'static str,
    pub q_norm: &'static str,
    pub k_norm: &'static str,
    pub sinks: &'static str,
    pub mlp_norm: &'static str,
    /// Behind the MLP, where norms stand there.
    pub mlp_output_norm: &'static str,
    pub mlp: MlpNames,
    pub experts: ExpertNames,
    pub shared: SharedNames,
    /// Of a layer: what follows from the configuration and old checkpoints carry all the same.
    pub derived: &'static [&'static str],
    /// Beginnings of names, from the front: parts of the checkpoint that are not the text model, such
    /// as that which sees.
    pub not_text: &'static [&'static str],
}

/// Beginnings of the names of the model and of its output head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Root {
    pub model: &'static str,
    pub head: &'static str,
}

/// The products that make queries, keys and values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Qkv {
    Separate {
        q: &'static str,
        k: &'static str,
        v: &'static str,
    },
    /// One tensor, in this order.
    Fused(&'static str),
}

/// The products of an MLP.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MlpNames {
    pub gate_up: GateUp,
    pub down: &'static str,
    /// The numbers of xIELU.
    pub alpha_p: &'static str,
    pub alpha_n: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum GateUp {
    Separate {
        gate: &'static str,
        up: &'static str,
    },
    /// One tensor, gates first.
    Fused(&'static str),
}

/// The tensors of a mixture of experts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExpertNames {
    pub router: &'static str,
    pub products: ExpertProducts,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ExpertProducts {
    /// Tensors of each expert, whose number stands for `{}`.
    Each {
        gate: &'static str,
        up: &'static str,
        down: &'static str,
    },
    /// One tensor for all, gates and ups taking turns, each product with a bias.
    Interleaved {
        gate_up: &'static str,
        gate_up_bias: &'static str,
        down: &'static str,
        down_bias: &'static str,
    },
}

/// The MLP that every token goes through beside its experts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SharedNames {
    pub gate: &'static str,
    pub up: &'static str,
    pub down: &'static str,
    /// Of the gate that weighs its output.
    pub weight: &'static str,
}

impl WeightNames {
    /// The name of the bias of a weight.
    pub fn bias(weight: &str) -> String {
        match weight.strip_suffix("weight") {
            Some(stem) => format!("{stem}bias"),
            None => format!("{weight}.bias"),
        }
    }
}

const MLP: MlpNames = MlpNames {
    gate_up: GateUp::Separate {
        gate: "mlp.gate_proj.weight",
        up: "mlp.up_proj.weight",
    },
    down: "mlp.down_proj.weight",
    alpha_p: "mlp.act_fn.alpha_p",
    alpha_n: "mlp.act_fn.alpha_n",
};

/// Of Llama, whose names most families have.
pub const LLAMA: WeightNames = WeightNames {
    roots: &[
        Root {
            model: "model.",
            head: "",
        },
        // Checkpoints of the model alone, which embedders are.
        Root {
            model: "",
            head: "",
        },
    ],
    embedding: "embed_tokens.weight",
    final_norm: "norm.weight",
    head: "lm_head.weight",
    attention_norm: "input_layernorm.weight",
    attention_output_norm: "post_attention_layernorm.weight",
    qkv: Qkv::Separate {
        q: "self_attn.q_proj.weight",
        k: "self_attn.k_proj.weight",
        v: "self_attn.v_proj.weight",
    },
    o: "self_attn.o_proj.weight",
    q_norm: "self_attn.q_norm.weight",
    k_norm: "self_attn.k_norm.weight",
    sinks: "self_attn.sinks",
    mlp_norm: "post_attention_layernorm.weight",
    mlp_output_norm: "post_feedforward_layernorm.weight",
    mlp: MLP,
    experts: ExpertNames {
        router: "mlp.gate.weight",
        products: ExpertProducts::Each {
            gate: "mlp.experts.{}.gate_proj.weight",
            up: "mlp.experts.{}.up_proj.weight",
            down: "mlp.experts.{}.down_proj.weight",
        },
    },
    shared: SharedNames {
        gate: "mlp.shared_expert.gate_proj.weight",
        up: "mlp.shared_expert.up_proj.weight",
        down: "mlp.shared_expert.down_proj.weight",
        weight: "mlp.shared_expert_gate.weight",
    },
    derived: &["self_attn.rotary_emb.inv_freq"],
    not_text: &[],
};

/// The text model inside a checkpoint that sees too: as it is published, and as it is saved again.
pub const TEXT_OF_VISION: &[Root] = &[
    Root {
        model: "language_model.model.",
        head: "language_model.",
    },
    Root {
        model: "model.language_model.",
        head: "",
    },
];

/// What sees, and what brings what it saw to the text model.
pub const VISION: &[&str] = &[
    "vision_tower.",
    "multi_modal_projector.",
    "model.vision_tower.",
    "model.multi_modal_projector.",
];

/// Norms around each block.
pub const GEMMA: WeightNames = WeightNames {
    mlp_norm: "pre_feedforward_layernorm.weight",
    ..LLAMA
};

pub const PHI: WeightNames = WeightNames {
    qkv: Qkv::Fused("self_attn.qkv_proj.weight"),
    mlp: MlpNames {
        gate_up: GateUp::Fused("mlp.gate_up_proj.weight"),
        ..MLP
    },
    ..LLAMA
};

pub const APERTUS: WeightNames = WeightNames {
    attention_norm: "attention_layernorm.weight",
    mlp_norm: "feedforward_layernorm.weight",
    // Constants of the activation, which the published code gives as 0.5 and -1e-6.
    derived: &["mlp.act_fn.beta", "mlp.act_fn.eps"],
    ..LLAMA
};

pub const MIXTRAL: WeightNames = WeightNames {
    experts: ExpertNames {
        router: "block_sparse_moe.gate.weight",
        products: ExpertProducts::Each {
            gate: "block_sparse_moe.experts.{}.w1.weight",
            up: "block_sparse_moe.experts.{}.w3.weight",
            down: "block_sparse_moe.experts.{}.w2.weight",
        },
    },
    ..LLAMA
};

pub const GPT_OSS: WeightNames = WeightNames {
    experts: ExpertNames {
        router: "mlp.router.weight",
        products: ExpertProducts::Interleaved {
            gate_up: "mlp.experts.gate_up_proj",
            gate_up_bias: "mlp.experts.gate_up_proj_bias",
            down: "mlp.experts.down_proj",
            down_bias: "mlp.experts.down_proj_bias",
        },
    },
    ..LLAMA
};
