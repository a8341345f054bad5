//! Decoders and encoders, and what loads them.
//!
//! Owns checkpoints, configurations, layers and the KV cache. Refuses to know scheduling,
//! sampling and text. A family is data: a function from `config.json` to
//! [`DecoderConfig`], and a table of weight names.

mod attention;
mod config;
mod decoder;
mod encoder;
mod error;
mod experts;
mod family;
pub mod import;
mod importance;
mod kv_cache;
mod layers;
mod linear;
mod mlp;
mod norm;
mod residual;
mod rotary;
mod weight_formats;
mod weights;
mod workspace;

pub use config::{
    Activation, DecoderConfig, ExpertsConfig, LayerConfig, MlpConfig, NormPlacement, QkNorm,
    RopeConfig, RopeScaling, Weighting,
};
pub use decoder::{Decoder, DecoderLimits};
pub use encoder::{
    AnswerTokens, DecoderEmbedder, DecoderOutput, Encoder, EncoderConfig, EncoderFamily,
    EncoderInput, EncoderLayerConfig, EncoderLimits, EncoderNorms, EncoderTask, LearnedPositions,
    Pooling, ProjectionConfig, SentenceConfig, VectorOptions, encoders, matryoshka_dimensions,
};
pub use error::ModelError;
pub use family::{Family, families};
pub use kv_cache::KvCache;
pub use linear::Precision;
pub use weight_formats::{WeightFormat, weight_formats};
pub use weights::{Checkpoint, Rows, Stack, StackOrder, Suggestion};
