use super::super::weights::Checkpoint;
use super::super::{Decoder, DecoderConfig, DecoderLimits, KvCache, ModelError, Precision};
use super::batch::TextBatch;
use super::pooling::{Pooler, Pooling};
use super::sentence::AnswerTokens;
use super::{EncoderInput, EncoderLimits, VectorOptions};
use crate::kernels::{Batch, Kernels, KvType};

/// A decoder that is asked about whole texts: their vectors (Lee et al. 2024), or whether its answer
/// would be yes (Nogueira et al. 2020).
pub struct DecoderEmbedder {
    decoder: Decoder,
    /// Keys and values of one batch, which the next overwrites.
    cache: KvCache,
    block_table: Vec<u32>,
    output: Output,
    limits: EncoderLimits,
    max_positions: usize,
}

/// What is wanted of a decoder.
#[derive(Debug, Clone, Copy)]
pub enum DecoderOutput<'a> {
    /// A vector of the last layer's.
    Vector(VectorOptions<'a>),
    /// How much more likely one token is to follow a text than another, as a logarithm.
    Answer(AnswerTokens),
}

enum Output {
    Vector(Pooler),
    Answer(AnswerTokens),
}

impl DecoderEmbedder {
    /// Packs the weights of `checkpoint`; every tensor must have its place. `types` are those of the
    /// weights, and of keys and values.
    pub fn load(
        config: DecoderConfig,
        checkpoint: &Checkpoint,
        kernels: Kernels,
        types: (Precision, KvType),
        wanted: DecoderOutput<'_>,
        limits: EncoderLimits,
    ) -> Result<Self, ModelError> {
        let max_positions = config.max_position_embeddings.min(limits.max_rows);
        let (hidden, vocab_size) = (config.hidden_size, config.vocab_size);
        let output = match wanted {
            DecoderOutput::Vector(vector) => Output::Vector(Pooler::load(
                &kernels,
                vector.pooling,
                vector.projections,
                hidden,
                limits.max_texts,
            )?),
            DecoderOutput::Answer(answers) => {
                let mut ids = [answers.yes, answers.no].into_iter();
                if let Some(id) = ids.find(|id| *id as usize >= vocab_size) {
                    return Err(ModelError::Unsupported(format!(
                        "an answer is the token {id}, and the vocabulary has {vocab_size}"
                    )));
                }
                Output::Answer(answers)
            }
        };
        let decoder_limits = DecoderLimits {
            max_rows: limits.max_rows,
            max_output_rows: match &output {
                Output::Vector(pooler) if pooler.pooling() == Pooling::Mean => limits.max_rows,
                _ => limits.max_texts,
            },
            max_positions,
        };
        let (precision, kv_type) = types;
        let num_blocks = limits.num_blocks();
        let cache = KvCache::of_one_batch(&config, &kernels, kv_type, num_blocks)?;
        let load = match &output {
            Output::Vector(_) => Decoder::load_headless,
            Output::Answer(_) => Decoder::load,
        };
        Ok(Self {
            cache,
            block_table: (0..num_blocks as u32).collect(),
            decoder: load(config, checkpoint, kernels, precision, decoder_limits)?,
            output,
            limits,
            max_positions,
        })
    }

    pub fn config(&self) -> &DecoderConfig {
        self.decoder.config()
    }

    pub fn kernels(&self) -> &Kernels {
        self.decoder.kernels()
    }

    /// Length of an embedding.
    pub fn num_dimensions(&self) -> usize {
        let hidden = self.config().hidden_size;
        match &self.output {
            Output::Vector(pooler) => pooler.num_dimensions(hidden),
            Output::Answer(_) => 1,
        }
    }

    /// Memory of the packed weights, in bytes.
    pub fn num_bytes(&self) -> usize {
        let head = match &self.output {
            Output::Vector(pooler) => pooler.num_bytes(),
            Output::Answer(_) => 0,
        };
        self.decoder.num_bytes() + head
    }

    /// A vector or one score for each text, which depend on nothing but the text. Texts are not
    /// empty and no longer than the model's positions.
    pub fn forward(&self, texts: &[EncoderInput<'_>]) -> Result<Vec<Vec<f32>>, ModelError> {
        let batch = TextBatch::new(texts, self.limits, self.max_positions, &self.block_table)?;
        let spans = vec![batch.spans.clone(); self.config().kv_groups().len()];
        let pooling = match &self.output {
            Output::Vector(pooler) => pooler.pooling(),
            Output::Answer(_) => Pooling::LastToken,
        };
        let num_rows = batch.token_ids.len() as u32;
        let output_rows: Vec<u32> = match pooling {
            Pooling::Mean => (0..num_rows).collect(),
            Pooling::Cls | Pooling::LastToken => (batch.spans.iter())
                .filter_map(|span| pooling.row(&span.rows))
                .map(|row| row as u32)
                .collect(),
        };
        let step = Batch {
            token_ids: &batch.token_ids,
            positions: &batch.positions,
            spans: &spans,
            output_rows: &output_rows,
        };
        match &self.output {
            Output::Vector(pooler) => {
                let hidden = self.decoder.hidden(&step, &self.cache)?;
                // Of the others only the row that is meant has been asked for.
                let pooled = match pooling {
                    Pooling::Mean => pooler.pool(self.kernels(), &hidden, &batch.spans)?,
                    Pooling::Cls | Pooling::LastToken => hidden,
                };
                pooler.project(self.kernels(), pooled)
            }
            Output::Answer(AnswerTokens { yes, no }) => {
                let logits = self.decoder.forward(&step, &self.cache)?.to_rows()?;
                let score = |row: Vec<f32>| vec![row[*yes as usize] - row[*no as usize]];
                Ok(logits.into_iter().map(score).collect())
            }
        }
    }
}
