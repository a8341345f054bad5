//! The families of encoders: what they are called, how their `config.json` is read, and how their
//! tensors are named.

use super::config::EncoderConfig;
use super::{bert, modernbert};
use serde_json::{Map, Value};

/// A family of encoders.
pub struct EncoderFamily {
    /// As the log, `guichet models` and [`EncoderConfig::family`] name it.
    pub name: &'static str,
    /// Values of `architectures` in config.json that it reads.
    pub architectures: &'static [&'static str],
    /// Published models of it, for people.
    pub models: &'static str,
    /// What sets it apart from BERT, in a few words.
    pub features: &'static str,
    pub(super) parse: fn(&'static Self, &Map<String, Value>) -> Result<EncoderConfig, String>,
    pub(super) names: EncoderNames,
}

/// Names of a checkpoint's tensors, without `.weight` and `.bias`; in those of a layer, `{}` stands
/// for its number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EncoderNames {
    /// What may stand before all names but those of heads.
    pub prefixes: &'static [&'static str],
    pub words: &'static str,
    pub positions: &'static str,
    pub types: &'static str,
    pub embedding_norm: &'static str,
    /// Queries, keys and values: in three tensors, or one above the other in one.
    pub qkv: &'static [&'static str],
    pub o: &'static str,
    pub attention_norm: &'static str,
    /// Into the MLP; where that has a gate, what is activated stands above what it gates.
    pub up: &'static str,
    pub down: &'static str,
    pub mlp_norm: &'static str,
    /// Behind the last layer, where layers do not end in one.
    pub final_norm: &'static str,
    /// Tensors that are no part of the vectors: trained beside them, or derived from the
    /// configuration.
    pub beside: &'static [&'static str],
    /// The head that guesses masked words, which is no part of them either.
    pub masked_words: &'static [&'static str],
    pub classifier: ClassifierNames,
}

/// What follows pooling in a model with labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassifierNames {
    /// Whether the dense layer is part of what a prefix stands before.
    pub is_prefixed: bool,
    pub dense: &'static str,
    /// Empty where there is none.
    pub norm: &'static str,
    pub out: &'static str,
}

const BERT: EncoderNames = EncoderNames {
    prefixes: &["", "bert."],
    words: "embeddings.word_embeddings",
    positions: "embeddings.position_embeddings",
    types: "embeddings.token_type_embeddings",
    embedding_norm: "embeddings.LayerNorm",
    qkv: &[
        "encoder.layer.{}.attention.self.query",
        "encoder.layer.{}.attention.self.key",
        "encoder.layer.{}.attention.self.value",
    ],
    o: "encoder.layer.{}.attention.output.dense",
    attention_norm: "encoder.layer.{}.attention.output.LayerNorm",
    up: "encoder.layer.{}.intermediate.dense",
    down: "encoder.layer.{}.output.dense",
    mlp_norm: "encoder.layer.{}.output.LayerNorm",
    final_norm: "",
    beside: &[
        "embeddings.position_ids",
        "pooler.dense.weight",
        "pooler.dense.bias",
    ],
    masked_words: &[
        "cls.predictions.bias",
        "cls.predictions.transform.dense.weight",
        "cls.predictions.transform.dense.bias",
        "cls.predictions.transform.LayerNorm.weight",
        "cls.predictions.transform.LayerNorm.bias",
        "cls.predictions.transform.LayerNorm.gamma",
        "cls.predictions.transform.LayerNorm.beta",
        "cls.predictions.decoder.weight",
        "cls.predictions.decoder.bias",
        // Of BERT's second task, which old checkpoints carry as well.
        "cls.seq_relationship.weight",
        "cls.seq_relationship.bias",
    ],
    classifier: ClassifierNames {
        is_prefixed: true,
        dense: "pooler.dense",
        norm: "",
        out: "classifier",
    },
};

const ROBERTA: EncoderNames = EncoderNames {
    prefixes: &["", "roberta."],
    masked_words: &[
        "lm_head.bias",
        "lm_head.dense.weight",
        "lm_head.dense.bias",
        "lm_head.layer_norm.weight",
        "lm_head.layer_norm.bias",
        "lm_head.decoder.weight",
        "lm_head.decoder.bias",
    ],
    classifier: ClassifierNames {
        is_prefixed: false,
        dense: "classifier.dense",
        norm: "",
        out: "classifier.out_proj",
    },
    ..BERT
};

const MODERNBERT: EncoderNames = EncoderNames {
    prefixes: &["", "model."],
    words: "embeddings.tok_embeddings",
    positions: "",
    types: "",
    embedding_norm: "embeddings.norm",
    qkv: &["layers.{}.attn.Wqkv"],
    o: "layers.{}.attn.Wo",
    attention_norm: "layers.{}.attn_norm",
    up: "layers.{}.mlp.Wi",
    down: "layers.{}.mlp.Wo",
    mlp_norm: "layers.{}.mlp_norm",
    final_norm: "final_norm",
    beside: &[],
    masked_words: &[
        "head.dense.weight",
        "head.norm.weight",
        "decoder.weight",
        "decoder.bias",
    ],
    classifier: ClassifierNames {
        is_prefixed: false,
        dense: "head.dense",
        norm: "head.norm",
        out: "classifier",
    },
};

static FAMILIES: [EncoderFamily; 5] = [
    EncoderFamily {
        name: "bert",
        architectures: &[
            "BertModel",
            "BertForSequenceClassification",
            "BertForMaskedLM",
        ],
        models: "all-MiniLM, BGE, E5, GTE, mxbai, the first Arctic Embed, GBERT",
        features: "learned positions, two types of text",
        parse: bert::parse,
        names: BERT,
    },
    EncoderFamily {
        name: "roberta",
        architectures: &[
            "RobertaModel",
            "RobertaForSequenceClassification",
            "RobertaForMaskedLM",
        ],
        models: "RoBERTa, all-distilroberta, all-roberta-large",
        features: "positions behind that of padding",
        parse: bert::parse_roberta,
        names: ROBERTA,
    },
    EncoderFamily {
        name: "xlm-roberta",
        architectures: &[
            "XLMRobertaModel",
            "XLMRobertaForSequenceClassification",
            "XLMRobertaForMaskedLM",
        ],
        models: "BGE-M3, bge-reranker-v2-m3, multilingual E5, Solon, Arctic Embed 2",
        features: "as roberta, in a hundred languages",
        parse: bert::parse_roberta,
        names: ROBERTA,
    },
    EncoderFamily {
        name: "camembert",
        architectures: &[
            "CamembertModel",
            "CamembertForSequenceClassification",
            "CamembertForMaskedLM",
        ],
        models: "CamemBERT, Sentence-CamemBERT, CrossEncoder-CamemBERT",
        features: "as roberta, in French",
        parse: bert::parse_roberta,
        names: ROBERTA,
    },
    EncoderFamily {
        name: "modernbert",
        architectures: &[
            "ModernBertModel",
            "ModernBertForSequenceClassification",
            "ModernBertForMaskedLM",
        ],
        models: "ModernBERT, ModernBERT Embed, GTE ModernBERT and its reranker",
        features: "rotary positions, local and global layers, a gated MLP, norms in front, no biases",
        parse: modernbert::parse,
        names: MODERNBERT,
    },
];

/// Every family of encoders that is computed.
pub fn encoders() -> &'static [EncoderFamily] {
    &FAMILIES
}

/// The family that `architectures` of a `config.json` names, and the name.
pub(super) fn of(config: &Map<String, Value>) -> Option<(&'static EncoderFamily, &str)> {
    let name = config.get("architectures")?.as_array()?.first()?.as_str()?;
    let family = FAMILIES
        .iter()
        .find(|family| family.architectures.contains(&name))?;
    Some((family, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn an_architecture_belongs_to_one_family() {
        let all = FAMILIES.iter().flat_map(|family| family.architectures);
        let distinct: BTreeSet<_> = all.clone().collect();
        assert_eq!(distinct.len(), all.count());
        let names: BTreeSet<_> = FAMILIES.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), FAMILIES.len());
    }
}
