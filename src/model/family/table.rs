use super::fields::Fields;
use super::{dense, experts, gemma, llama, vision};
use crate::model::config::DecoderConfig;

/// Models whose `config.json` is read alike.
#[derive(Debug)]
pub struct Family {
    /// As the log and `guichet models` name it.
    pub name: &'static str,
    /// Values of `architectures` in `config.json`.
    pub architectures: &'static [&'static str],
    /// Published models of it, for people.
    pub models: &'static str,
    /// What sets it apart from Llama, in a few words.
    pub features: &'static str,
    parse: fn(Fields<'_>) -> Result<DecoderConfig, String>,
}

impl Family {
    pub(super) fn parse(&self, config: Fields<'_>) -> Result<DecoderConfig, String> {
        (self.parse)(config)
    }
}

/// Every family of decoders that is served.
pub fn families() -> &'static [Family] {
    FAMILIES
}

const FAMILIES: &[Family] = &[
    Family {
        name: "llama",
        architectures: &["LlamaForCausalLM"],
        models: "Llama 2 and 3, EuroLLM, Lucie, CroissantLLM, Teuken, Salamandra, Pleias, SmolLM2",
        features: "grouped queries, rotary embeddings with any scaling",
        parse: llama::llama,
    },
    Family {
        name: "smollm3",
        architectures: &["SmolLM3ForCausalLM"],
        models: "SmolLM3",
        features: "layers without rotary embeddings",
        parse: dense::smollm3,
    },
    Family {
        name: "mistral",
        architectures: &["MistralForCausalLM", "MinistralForCausalLM"],
        models: "Mistral 7B, Mistral Nemo, Mistral Small, Ministral",
        features: "sliding windows, on all layers or on some",
        parse: dense::mistral,
    },
    Family {
        name: "mistral3",
        architectures: &["Mistral3ForConditionalGeneration"],
        models: "Mistral Small 3.1 and 3.2, of which the text part is served",
        features: "a text model inside a checkpoint that sees too",
        parse: vision::mistral3,
    },
    Family {
        name: "mixtral",
        architectures: &["MixtralForCausalLM"],
        models: "Mixtral 8x7B and 8x22B",
        features: "experts",
        parse: experts::mixtral,
    },
    Family {
        name: "apertus",
        architectures: &["ApertusForCausalLM"],
        models: "Apertus 8B and 70B",
        features: "xIELU without a gate, norms of queries and keys",
        parse: dense::apertus,
    },
    Family {
        name: "olmo2",
        architectures: &["Olmo2ForCausalLM"],
        models: "OLMo 2",
        features: "norms behind each block, norms of queries and keys",
        parse: dense::olmo2,
    },
    Family {
        name: "granite",
        architectures: &["GraniteForCausalLM"],
        models: "Granite 3",
        features: "multipliers of embeddings, attention, blocks and logits",
        parse: dense::granite,
    },
    Family {
        name: "phi3",
        architectures: &["Phi3ForCausalLM"],
        models: "Phi-3, Phi-3.5, Phi-4 and Phi-4-mini",
        features: "fused products, rotary embeddings on a part of a head, LongRoPE: its long factors for every sequence, unless `--max-model-len` keeps to the original length",
        parse: dense::phi3,
    },
    Family {
        name: "gemma2",
        architectures: &["Gemma2ForCausalLM"],
        models: "Gemma 2",
        features: "norms around each block, soft-caps, alternating windows, GeGLU",
        parse: gemma::gemma2,
    },
    Family {
        name: "gemma3",
        architectures: &["Gemma3ForCausalLM", "Gemma3TextModel"],
        models: "Gemma 3 270M and 1B, EmbeddingGemma",
        features: "norms around each block, windows with rotary embeddings of their own, norms of queries and keys, GeGLU",
        parse: gemma::gemma3,
    },
    Family {
        name: "gemma3-vision",
        architectures: &["Gemma3ForConditionalGeneration"],
        models: "Gemma 3 4B, 12B and 27B, of which the text part is served",
        features: "Gemma 3 inside a checkpoint that sees too",
        parse: vision::gemma3,
    },
    Family {
        name: "qwen2",
        architectures: &["Qwen2ForCausalLM"],
        models: "Qwen 2 and 2.5",
        features: "biases of queries, keys and values",
        parse: dense::qwen2,
    },
    Family {
        name: "qwen2-moe",
        architectures: &["Qwen2MoeForCausalLM"],
        models: "Qwen 1.5 MoE A2.7B, Qwen 2 57B-A14B",
        features: "experts, and one that all tokens share",
        parse: experts::qwen2_moe,
    },
    Family {
        name: "qwen3",
        architectures: &["Qwen3ForCausalLM", "Qwen3Model"],
        models: "Qwen 3, Qwen3-Embedding, Qwen3-Reranker",
        features: "norms of queries and keys",
        parse: dense::qwen3,
    },
    Family {
        name: "qwen3-moe",
        architectures: &["Qwen3MoeForCausalLM"],
        models: "Qwen 3 30B-A3B and 235B-A22B",
        features: "experts, norms of queries and keys",
        parse: experts::qwen3_moe,
    },
    Family {
        name: "gpt-oss",
        architectures: &["GptOssForCausalLM"],
        models: "gpt-oss-20b and gpt-oss-120b",
        features: "experts in MXFP4 with a clamped SwiGLU, attention sinks, alternating windows, YaRN",
        parse: experts::gpt_oss,
    },
];
