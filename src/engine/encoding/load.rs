use super::{EncodingConfig, TextRunner};
use crate::engine::load::{
    LoadError, ModelOptions, ModelTask, encoder_precision, kernels, weight_name,
};
use crate::kernels::{Kernels, KvType, WeightType};
use crate::model::{
    AnswerTokens, Checkpoint, DecoderConfig, DecoderEmbedder, DecoderOutput, Encoder,
    EncoderConfig, EncoderLimits, EncoderTask, ModelError, Pooling, SentenceConfig, VectorOptions,
    matryoshka_dimensions,
};
use std::path::Path;

/// An encoder, or a decoder in its place, ready for [`super::EncodingEngine::start`].
pub struct LoadedEncoder {
    pub runner: Box<dyn TextRunner>,
    pub config: EncodingConfig,
    pub task: EncoderTask,
    /// How tokens become a text: `mean`, `cls` or `last_token`.
    pub pooling: &'static str,
    /// Length of an embedding.
    pub num_dimensions: usize,
    /// Lengths to which an embedding may be cut; empty: none.
    pub matryoshka_dimensions: Vec<usize>,
    pub sentence: SentenceConfig,
    /// One line for the log.
    pub description: String,
    /// What the bits of an answer depend on beside build and checkpoint.
    pub numerics: String,
}

/// What computes whole texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextModel {
    Encoder,
    /// A decoder whose last layer makes vectors.
    DecoderVectors,
    /// A decoder that is asked whether a document answers a query.
    DecoderAnswers,
}

/// Tokens of a batch: enough that products run at their peak. A batch that takes longer makes who
/// comes next wait longer.
const BATCH_TOKENS: usize = 1024;
const BATCH_TEXTS: usize = 256;
/// Of a decoder that answers, each of whose texts needs a row of logits.
const BATCH_QUESTIONS: usize = 32;

impl TextModel {
    /// What the directory of a checkpoint is, as its files say or `task` does; `None`: a decoder
    /// that generates.
    pub fn of(dir: &Path, task: Option<ModelTask>) -> Result<Option<Self>, LoadError> {
        if EncoderConfig::is_encoder(dir) {
            let EncoderConfig { task: made_for, .. } = EncoderConfig::from_dir(dir)?;
            let is_possible = match task {
                None => true,
                Some(ModelTask::Generate) => false,
                Some(ModelTask::Embed) => made_for == EncoderTask::Embedding,
                Some(ModelTask::Rerank) => made_for != EncoderTask::Embedding,
            };
            return match is_possible {
                true => Ok(Some(Self::Encoder)),
                false => Err(LoadError::OtherTask(dir.to_owned())),
            };
        }
        Ok(match task {
            Some(ModelTask::Generate) => None,
            Some(ModelTask::Embed) => Some(Self::DecoderVectors),
            Some(ModelTask::Rerank) => Some(Self::DecoderAnswers),
            None => {
                let sentence = SentenceConfig::from_dir(dir)?;
                // Who reads it as a generator says why it cannot be read.
                let writes_nothing =
                    || DecoderConfig::from_dir(dir).is_ok_and(|config| config.is_bidirectional);
                if sentence.answers.is_some() {
                    Some(Self::DecoderAnswers)
                } else if sentence.pooling.is_some() || writes_nothing() {
                    Some(Self::DecoderVectors)
                } else {
                    None
                }
            }
        })
    }
}

/// Loads `config.json`, the safetensors and what says how texts are pooled. `answers` are those of
/// [`TextModel::DecoderAnswers`], as its tokenizer has them; `None` for any other.
pub fn load_encoder(
    dir: &Path,
    options: &ModelOptions,
    answers: Option<AnswerTokens>,
) -> Result<LoadedEncoder, LoadError> {
    options.check_whole()?;
    let loading = Loading {
        sentence: SentenceConfig::from_dir(dir)?,
        checkpoint: Checkpoint::open(dir)?,
        options,
        dir,
    };
    match EncoderConfig::is_encoder(dir) {
        true => loading.encoder(),
        false => loading.decoder(answers),
    }
}

struct Loading<'a> {
    sentence: SentenceConfig,
    checkpoint: Checkpoint,
    options: &'a ModelOptions,
    dir: &'a Path,
}

/// What a model said of itself while it was loaded.
struct Loaded {
    runner: Box<dyn TextRunner>,
    kernels: Kernels,
    limits: EncoderLimits,
    max_text_len: usize,
    vocab_size: usize,
    task: EncoderTask,
    pooling: Pooling,
    num_dimensions: usize,
    matryoshka_dimensions: Vec<usize>,
    /// Family, layers and weights.
    shape: String,
}

impl Loading<'_> {
    fn encoder(self) -> Result<LoadedEncoder, LoadError> {
        let config = EncoderConfig::from_dir(self.dir)?;
        let kernels = kernels(self.options)?;
        let _interleaved = kernels.pool().interleave_scope()?;
        let pooling = self.pooling(Pooling::Mean);
        let max_text_len = self.max_text_len(config.max_positions);
        let limits = limits(max_text_len, BATCH_TEXTS);
        let vector = VectorOptions {
            pooling,
            projections: &self.sentence.projections,
        };
        let weight_type = encoder_precision(self.options).layers;
        let encoder = Encoder::load(
            config,
            &self.checkpoint,
            kernels.clone(),
            weight_type,
            vector,
            limits,
        )?;
        let config = encoder.config();
        let loaded = Loaded {
            kernels,
            limits,
            max_text_len,
            vocab_size: config.vocab_size,
            task: config.task,
            pooling,
            num_dimensions: encoder.num_dimensions(),
            matryoshka_dimensions: config.matryoshka_dimensions.clone(),
            shape: format!(
                "{} encoder of {} layers, {} MiB",
                config.family,
                config.num_layers,
                encoder.num_bytes() >> 20
            ),
            runner: Box::new(encoder),
        };
        self.finish(loaded)
    }

    fn decoder(self, answers: Option<AnswerTokens>) -> Result<LoadedEncoder, LoadError> {
        let config = DecoderConfig::from_dir(self.dir)?;
        if let Some(answers) = answers {
            check_answers(&config, &self.sentence, answers)?;
        }
        let kernels = kernels(self.options)?;
        let _interleaved = kernels.pool().interleave_scope()?;
        let pooling = self.pooling(match config.is_bidirectional {
            true => Pooling::Mean,
            false => Pooling::LastToken,
        });
        let max_text_len = self.max_text_len(config.max_position_embeddings);
        let (wanted, task, max_texts) = match answers {
            Some(answers) => (
                DecoderOutput::Answer(answers),
                EncoderTask::Classification { num_labels: 1 },
                BATCH_QUESTIONS,
            ),
            None => (
                DecoderOutput::Vector(VectorOptions {
                    pooling,
                    projections: &self.sentence.projections,
                }),
                EncoderTask::Embedding,
                BATCH_TEXTS,
            ),
        };
        let limits = limits(max_text_len, max_texts);
        let precision = encoder_precision(self.options);
        let kv_type = match precision.layers {
            WeightType::F32 => KvType::F32,
            _ => KvType::Bf16,
        };
        let checkpoint = &self.checkpoint;
        let decoder = DecoderEmbedder::load(
            config,
            checkpoint,
            kernels.clone(),
            (precision, kv_type),
            wanted,
            limits,
        )?;
        let config = decoder.config();
        let num_dimensions = decoder.num_dimensions();
        let loaded = Loaded {
            kernels,
            limits,
            max_text_len,
            vocab_size: config.vocab_size,
            task,
            pooling,
            num_dimensions,
            matryoshka_dimensions: matryoshka_dimensions(self.dir, num_dimensions)?,
            shape: format!(
                "{} decoder of {} layers, {} MiB",
                config.family,
                config.num_layers,
                decoder.num_bytes() >> 20
            ),
            runner: Box::new(decoder),
        };
        self.finish(loaded)
    }

    /// What the operator says, else the checkpoint, else what fits its attention.
    fn pooling(&self, otherwise: Pooling) -> Pooling {
        (self.options.pooling)
            .or(self.sentence.pooling)
            .unwrap_or(otherwise)
    }

    /// A model may do worse beyond what it was made for, which is for its operator to say.
    fn max_text_len(&self, max_positions: usize) -> usize {
        let made_for = self.sentence.max_seq_length.unwrap_or(usize::MAX);
        self.options
            .max_model_len
            .unwrap_or(made_for)
            .min(max_positions)
    }

    fn finish(self, loaded: Loaded) -> Result<LoadedEncoder, LoadError> {
        let weights = weight_name(encoder_precision(self.options).layers);
        let what = match loaded.task {
            EncoderTask::Embedding => {
                let (len, pooling) = (loaded.num_dimensions, loaded.pooling.name());
                format!("embeddings of {len} dimensions by {pooling} pooling")
            }
            EncoderTask::Classification { num_labels: 1 } => "a score".to_owned(),
            EncoderTask::Classification { num_labels } => format!("{num_labels} scores"),
        };
        let kernels = &loaded.kernels;
        let description = format!(
            "{} of weights as {weights}, kernels {} on {} threads, {what}, texts of up to {} tokens",
            loaded.shape,
            kernels.set(),
            kernels.pool().num_threads(),
            loaded.max_text_len,
        );
        let numerics = format!("{} {weights}", kernels.set());
        Ok(LoadedEncoder {
            config: EncodingConfig {
                vocab_size: loaded.vocab_size,
                max_text_len: loaded.max_text_len,
                max_batched_tokens: loaded.limits.max_rows,
                max_batched_texts: loaded.limits.max_texts,
                max_waiting_tokens: self.options.max_waiting_tokens,
                stall_timeout: self.options.stall_timeout,
            },
            runner: loaded.runner,
            task: loaded.task,
            pooling: loaded.pooling.name(),
            num_dimensions: loaded.num_dimensions,
            matryoshka_dimensions: loaded.matryoshka_dimensions,
            sentence: self.sentence,
            description,
            numerics,
        })
    }
}

/// Questions are asked in the words of the one family that is known to have been trained to answer.
fn check_answers(
    config: &DecoderConfig,
    sentence: &SentenceConfig,
    answers: AnswerTokens,
) -> Result<(), ModelError> {
    if config.family != "qwen3" {
        return Err(ModelError::Unsupported(format!(
            "a decoder of the family {} is not known to rerank; supported is qwen3",
            config.family
        )));
    }
    match sentence.answers {
        Some(AnswerTokens { yes, no }) if answers != (AnswerTokens { yes, no }) => {
            Err(ModelError::Unsupported(format!(
                "the module LogitScore compares the tokens {yes} and {no}; supported are those of `yes` \
                 and `no`, {} and {}",
                answers.yes, answers.no
            )))
        }
        _ => Ok(()),
    }
}

fn limits(max_text_len: usize, max_texts: usize) -> EncoderLimits {
    EncoderLimits {
        max_rows: BATCH_TOKENS.max(max_text_len),
        max_texts,
    }
}
