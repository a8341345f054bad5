use super::ModelError;
use super::attention::Attention;
use super::config::{DecoderConfig, Names};
use super::linear::{Linear, Loader};
use super::mlp::Mlp;
use super::norm::RmsNorm;

/// The weights of a decoder.
pub struct Layers {
    pub embedding: Linear,
    pub layers: Vec<Layer>,
    pub norm: RmsNorm,
    /// `None`: the embedding, or nothing is wanted of one.
    head: Option<Linear>,
}

pub struct Layer {
    pub attention: Attention,
    pub mlp: Mlp,
}

/// What is wanted of a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Logits,
    /// What stands before the output head, which a checkpoint then need not have.
    Hidden,
    /// What it adds to the sums of other ranks, the first of which makes the logits.
    Sums,
}

impl Layers {
    pub fn load(
        loader: &Loader<'_>,
        config: &DecoderConfig,
        wanted: Wanted,
    ) -> Result<Self, ModelError> {
        let checkpoint = loader.checkpoint;
        let names = config.names_in(checkpoint);
        for part in names.names.not_text {
            checkpoint.skip_under(part);
        }
        let (vocab, hidden) = (config.vocab_size, config.hidden_size);
        let embedding = Linear::load_table(loader, &names.embedding(), vocab, hidden)?;
        let head = match wanted {
            Wanted::Hidden | Wanted::Sums => {
                checkpoint.skip(&names.head());
                None
            }
            Wanted::Logits if config.tie_word_embeddings => {
                check_tied_head(loader, &names, vocab, hidden)?;
                None
            }
            Wanted::Logits => Some(Linear::load_table(loader, &names.head(), vocab, hidden)?),
        };
        let layers = (0..config.num_layers)
            .map(|index| {
                for derived in names.names.derived {
                    checkpoint.skip(&names.layer(index, derived));
                }
                let name = |name: &str| names.layer(index, name);
                Ok(Layer {
                    attention: Attention::load(loader, config, index, &name)?,
                    mlp: Mlp::load(loader, config, index, &name)?,
                })
            })
            .collect::<Result<Vec<_>, ModelError>>()?;
        Ok(Self {
            norm: RmsNorm::load(loader, config, &names.final_norm(), hidden)?,
            embedding,
            layers,
            head,
        })
    }

    /// What makes logits.
    pub fn head(&self) -> &Linear {
        self.head.as_ref().unwrap_or(&self.embedding)
    }

    /// Memory of the packed weights, in bytes.
    pub fn num_bytes(&self) -> usize {
        let layers: usize = self
            .layers
            .iter()
            .map(|layer| layer.attention.num_bytes() + layer.mlp.num_bytes())
            .sum();
        let head = self.head.as_ref().map_or(0, Linear::num_bytes);
        layers + self.embedding.num_bytes() + head
    }
}

/// So many elements of two tables are compared where they are only surveyed.
const SURVEYED_ELEMENTS: usize = 4096;

/// A tied checkpoint may still carry the head; it must then be the embedding.
fn check_tied_head(
    loader: &Loader<'_>,
    names: &Names<'_>,
    vocab: usize,
    hidden: usize,
) -> Result<(), ModelError> {
    let checkpoint = loader.checkpoint;
    let (head_name, embedding_name) = (names.head(), names.embedding());
    if !checkpoint.contains(&head_name) {
        return Ok(());
    }
    let shape = [vocab, hidden];
    let (head, embedding) = (
        checkpoint.take(&head_name, &shape)?,
        checkpoint.take(&embedding_name, &shape)?,
    );
    let len = vocab.saturating_mul(hidden);
    let step = match loader.packs {
        true => 1,
        // A survey reads no more than it must of files that may lie far away.
        false => (len / SURVEYED_ELEMENTS) | 1,
    };
    let mut elements = (0..len).step_by(step);
    if elements.all(|i| head.get(i).to_bits() == embedding.get(i).to_bits()) {
        return Ok(());
    }
    Err(ModelError::Unsupported(format!(
        "config.json ties the output head to the embedding, but {head_name} differs from {embedding_name}"
    )))
}
