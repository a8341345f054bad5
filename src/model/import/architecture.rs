//! What describes an architecture of GGUF files in Hugging Face's terms: keys, tensors, and what
//! llama.cpp's converter changed about them. The descriptions themselves stand in [`super::families`].

use serde_json::Value;

/// One kind of GGUF files, and the kind of checkpoint that it becomes.
pub(super) struct Architecture {
    /// `general.architecture`, before which all its keys stand.
    pub(super) name: &'static str,
    /// Whether files of this name with experts are meant, or those without.
    pub(super) has_experts: bool,
    /// The class of `transformers` that reads the checkpoint.
    pub(super) class: &'static str,
    pub(super) model_type: &'static str,
    pub(super) head_dim: HeadDim,
    pub(super) rope: Rope,
    /// Keys beyond those that every architecture has.
    pub(super) fields: &'static [Field],
    /// What all published models of the family have in common, and GGUF does not say.
    pub(super) constants: fn() -> Value,
    pub(super) pattern: LayerPattern,
    pub(super) query_scale: QueryScale,
    /// Tensors that stand once. The output matrix follows from whether the file has one.
    pub(super) outer: &'static [TensorRule],
    /// Tensors of each layer, without `blk.N.` and `model.layers.N.`.
    pub(super) layer: &'static [&'static [TensorRule]],
    /// Tensors of each layer that GGUF keeps among its metadata.
    pub(super) layer_values: &'static [LayerValue],
    pub(super) sentence_piece: SentencePieceStyle,
}

/// Whether `config.json` has `head_dim`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadDim {
    /// The class reads it.
    Written,
    /// The class takes the hidden size by the number of heads, so it must be that.
    Derived,
}

/// A key of GGUF, after the architecture's name, and the field that it becomes.
pub(super) struct Field {
    pub(super) key: &'static str,
    pub(super) name: &'static str,
    pub(super) kind: FieldKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldKind {
    /// A number above 0.
    Count,
    /// A number; 0 stands for none.
    CountOrNone,
    Float,
    /// A float that may be missing.
    OptionalFloat,
}

/// Rotary embeddings of a family.
pub(super) struct Rope {
    /// The base where the file names none.
    pub(super) default_theta: f64,
    /// That of layers with a window, for families whose layers differ.
    pub(super) default_local_theta: Option<f64>,
    /// Scalings that models of the family have.
    pub(super) scalings: &'static [Scaling],
    /// Whether a part of a head may be left as it is.
    pub(super) partial: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scaling {
    Linear,
    /// As of <https://arxiv.org/abs/2309.00071>.
    Yarn,
    /// The same, with the ramp's ends between dimensions.
    YarnUntruncated,
    Llama3,
    /// As of <https://arxiv.org/abs/2402.13753>.
    LongRope,
}

/// How layers differ. GGUF leaves that to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LayerPattern {
    Uniform,
    /// Each layer of this number sees everything, the others a window.
    FullEvery(usize),
    /// Each layer of this number has no rotary embeddings.
    NoRopeEvery(usize),
}

/// What scores of queries and keys are divided by, squared (`query_pre_attn_scalar`). GGUF leaves
/// that to the reader, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QueryScale {
    /// The class has no such field.
    None,
    /// The size of a head, but in the model of so many layers the hidden size by the number of
    /// heads.
    HeadDimUnless { num_layers: usize },
}

/// A tensor of the checkpoint, and the one or two that it is made of.
#[derive(Debug)]
pub(super) struct TensorRule {
    pub(super) source: &'static str,
    /// Whose rows stand between those of `source`.
    pub(super) second: Option<&'static str>,
    /// `{e}` stands for the expert: the source then holds one matrix an expert.
    pub(super) target: &'static str,
    /// Of the source, outermost first.
    pub(super) shape: &'static [Dim],
    pub(super) layout: Layout,
}

/// What has to be undone about a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    AsStored,
    /// Rows of heads, of which llama.cpp pairs those of both halves.
    PairedHeads,
    /// Weights of a norm to which 1 was added.
    OneAdded,
    /// Matrices that the checkpoint stores with the inputs first.
    InputsFirst,
}

/// A vector of each layer that stands in an array of metadata, one number a layer.
pub(super) struct LayerValue {
    pub(super) key: &'static str,
    pub(super) target: &'static str,
    pub(super) shape: &'static [usize],
}

/// How a family's SentencePiece vocabularies are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SentencePieceStyle {
    /// The family has none, or none that is known exactly.
    Refused,
    /// A space before each text; merges in the order of scores.
    Llama,
    /// No such space; merges in the order of ids.
    Gemma,
}

/// Sizes of which shapes are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dim {
    Vocab,
    Hidden,
    Ffn,
    /// Gate and up in one.
    GateAndUp,
    ExpertFfn,
    Experts,
    Heads,
    /// Of one head.
    Head,
    /// Of all query heads.
    Queries,
    /// Of all key heads, or of all value heads.
    Keys,
    /// Of queries, keys and values in one.
    QueriesKeysValues,
}

/// The numbers of one checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dimensions {
    pub(super) vocab_size: usize,
    pub(super) hidden_size: usize,
    pub(super) intermediate_size: usize,
    pub(super) num_layers: usize,
    pub(super) num_heads: usize,
    pub(super) num_kv_heads: usize,
    pub(super) head_dim: usize,
    /// 0 without experts.
    pub(super) num_experts: usize,
    pub(super) expert_intermediate_size: usize,
}

impl Dimensions {
    /// `None` where a product is beyond any file.
    pub(super) fn size(&self, dim: Dim) -> Option<usize> {
        let queries = self.num_heads.checked_mul(self.head_dim);
        let keys = self.num_kv_heads.checked_mul(self.head_dim);
        match dim {
            Dim::Vocab => Some(self.vocab_size),
            Dim::Hidden => Some(self.hidden_size),
            Dim::Ffn => Some(self.intermediate_size),
            Dim::GateAndUp => self.intermediate_size.checked_mul(2),
            Dim::ExpertFfn => Some(self.expert_intermediate_size),
            Dim::Experts => Some(self.num_experts),
            Dim::Heads => Some(self.num_heads),
            Dim::Head => Some(self.head_dim),
            Dim::Queries => queries,
            Dim::Keys => keys,
            Dim::QueriesKeysValues => queries?.checked_add(keys?.checked_mul(2)?),
        }
    }
}
