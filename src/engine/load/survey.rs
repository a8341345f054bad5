//! What a checkpoint would take of this machine, and whether its tensors are those that its
//! configuration implies: from the headers of its files, so that nothing is loaded.

use super::blocks::{CacheLimits, longest_sequence, split_budget};
use super::{
    LoadError, ModelOptions, embeddings_of_ranks, encoder_precision, kv_budget, max_batched_tokens,
    memory, numerics, types, weight_name, weights,
};
use crate::engine::{KvGroup, TextModel};
use crate::kernels::{KV_BLOCK_SIZE, KvType, PagedLayout, Shard, WeightType};
use crate::model::{
    Checkpoint, Decoder, DecoderConfig, Encoder, EncoderConfig, ModelError, Precision,
};
use std::path::Path;

/// A checkpoint as its files describe it.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    pub num_parameters: u64,
    /// How the weights stand in the files, for people: `bf16`.
    pub formats: String,
    /// How they would stand in memory, and keys and values with them where those differ.
    pub in_memory: String,
    /// Memory of the weights, in bytes.
    pub weight_bytes: u64,
    /// Memory that is free now, in bytes.
    pub free_bytes: u64,
    /// Of a decoder.
    pub kv: Option<KvSurvey>,
    /// A sentence for each tensor that is missing or has another shape, and one for those left
    /// over.
    pub tensor_problems: Vec<String>,
}

/// The KV cache that a decoder would get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvSurvey {
    /// Memory of one sequence as long as the context, in bytes.
    pub sequence_bytes: u64,
    /// Memory of as many of them as may run at a time, in bytes.
    pub all_sequences_bytes: u64,
    /// Memory that the options, or what is free, give to all sequences, in bytes.
    pub budget_bytes: u64,
    /// Longest sequence that is asked for, in tokens.
    pub context: usize,
    /// Longest sequence that would be served, in tokens: less where memory has no room for more.
    pub served_context: usize,
}

/// A configuration that describes so many times the parameters that there are is of another model,
/// whatever the reason.
const MAX_TIMES: u64 = 64;

/// Surveys the checkpoint of a decoder on the CPU, for what it is used as; `None`: to write.
pub fn survey_decoder(
    dir: &Path,
    config: &DecoderConfig,
    used_as: Option<TextModel>,
    options: &ModelOptions,
) -> Result<Survey, LoadError> {
    if config.is_bidirectional && used_as.is_none() {
        return Err(LoadError::Bidirectional);
    }
    if used_as.is_some() {
        options.check_whole()?;
    }
    let size = options.tensor_parallel;
    let of_rank = config.of_rank(Shard { rank: 0, size })?;
    let mut checkpoint = Checkpoint::open(dir)?;
    checkpoint.survey();
    let num_parameters = config.num_parameters() as u64;
    let tensor_problems = problems(&checkpoint, num_parameters, || match used_as {
        Some(TextModel::DecoderVectors) => Decoder::survey_hidden(config, &checkpoint),
        _ => Decoder::survey(config, &checkpoint),
    });
    let free_bytes = memory::free_memory_bytes();
    let in_layers = num_parameters.saturating_sub(config.num_table_elements());
    let in_tables = match used_as {
        // Vectors need no output head.
        Some(TextModel::DecoderVectors) => (config.vocab_size * config.hidden_size) as u64,
        _ => config.num_table_elements() + embeddings_of_ranks(config, size),
    };
    let (precision, in_memory, kv) = match used_as {
        None => {
            let (precision, kv_type) = types(options, &checkpoint);
            let weight_bytes = memory::weight_bytes(precision, in_layers, in_tables);
            let budget = kv_budget(options, free_bytes, weight_bytes);
            let kv = KvSurvey::new(&of_rank, kv_type, options, budget);
            let in_memory = weights(&numerics(precision, kv_type), precision, &checkpoint);
            (precision, in_memory, Some(kv))
        }
        // Keys and values are those of one layer and one batch.
        Some(_) => {
            let precision = encoder_precision(options);
            let name = weight_name(precision.layers);
            (precision, weights(name, precision, &checkpoint), None)
        }
    };
    Ok(Survey {
        num_parameters,
        formats: checkpoint.formats(),
        in_memory,
        weight_bytes: memory::weight_bytes(precision, in_layers, in_tables),
        free_bytes,
        kv,
        tensor_problems,
    })
}

/// Surveys the checkpoint of an encoder.
pub fn survey_encoder(
    dir: &Path,
    config: &EncoderConfig,
    options: &ModelOptions,
) -> Result<Survey, LoadError> {
    options.check_whole()?;
    let mut checkpoint = Checkpoint::open(dir)?;
    checkpoint.survey();
    let tensor_problems = problems(&checkpoint, 0, || Encoder::survey(config, &checkpoint));
    let weight_type = encoder_precision(options).layers;
    let precision = Precision {
        layers: weight_type,
        tables: match weight_type {
            WeightType::F32 => WeightType::F32,
            _ => WeightType::Bf16,
        },
    };
    let num_parameters = checkpoint.num_elements() as u64;
    let in_tables = (config.vocab_size * config.hidden_size) as u64;
    Ok(Survey {
        num_parameters,
        formats: checkpoint.formats(),
        in_memory: weight_name(weight_type).to_owned(),
        weight_bytes: memory::weight_bytes(
            precision,
            num_parameters.saturating_sub(in_tables),
            in_tables,
        ),
        free_bytes: memory::free_memory_bytes(),
        kv: None,
        tensor_problems,
    })
}

/// All that is wrong with the tensors of a checkpoint that `ask` asks for, whose configuration
/// describes so many parameters.
fn problems(
    checkpoint: &Checkpoint,
    num_parameters: u64,
    ask: impl FnOnce() -> Result<(), ModelError>,
) -> Vec<String> {
    let num_elements = checkpoint.num_elements() as u64;
    // Nothing is learnt from each of a million tensors that are not there.
    if num_parameters / MAX_TIMES > num_elements {
        let described = match num_parameters {
            u64::MAX => "more parameters than can be counted".to_owned(),
            number => format!("{number} parameters"),
        };
        return vec![format!(
            "config.json describes a model of {described}, and the files hold {num_elements}"
        )];
    }
    match ask() {
        Ok(()) => checkpoint.problems(),
        // What would have been asked for after that is not left over.
        Err(error) => vec![error.to_string()],
    }
}

impl KvSurvey {
    /// Of all ranks together; `config` is what each of them computes.
    fn new(
        config: &DecoderConfig,
        kv_type: KvType,
        options: &ModelOptions,
        budget_bytes: u64,
    ) -> Self {
        let layout = PagedLayout::new(config.attention, kv_type);
        let layer_bytes = layout.block_len() * kv_type.num_bytes() * options.tensor_parallel;
        let block_bytes = config.per_kv_group(layer_bytes);
        let windows = config.kv_groups();
        let asked = options.max_model_len.unwrap_or(usize::MAX);
        let context = config.max_position_embeddings.min(asked);
        let of_sequence = windows.iter().zip(&block_bytes).map(|(window, bytes)| {
            let group = KvGroup {
                num_blocks: 0,
                window: *window,
            };
            let num_blocks = group.max_held(context, KV_BLOCK_SIZE) as u64;
            num_blocks.saturating_mul(*bytes as u64)
        });
        let sequence_bytes = of_sequence.fold(0, u64::saturating_add);
        let limits = CacheLimits {
            block_size: KV_BLOCK_SIZE,
            max_model_len: context,
            max_num_seqs: options.max_num_seqs,
            max_num_batched_tokens: max_batched_tokens(options, false),
        };
        let groups = split_budget(budget_bytes, &block_bytes, &windows, &limits);
        Self {
            sequence_bytes,
            all_sequences_bytes: sequence_bytes.saturating_mul(options.max_num_seqs as u64),
            budget_bytes,
            context,
            served_context: groups.map_or(0, |groups| longest_sequence(&groups).min(context)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Quantize, load};

    fn fixture() -> (std::path::PathBuf, DecoderConfig) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let dir = root.join("tests/fixtures/tiny-llama");
        let config = DecoderConfig::from_dir(&dir).unwrap();
        (dir, config)
    }

    fn options() -> ModelOptions {
        ModelOptions {
            kv_cache_bytes: Some(1 << 20),
            ..ModelOptions::default()
        }
    }

    #[test]
    fn a_sound_checkpoint_is_counted_without_being_loaded() {
        let (dir, config) = fixture();
        let survey = survey_decoder(&dir, &config, None, &options()).unwrap();
        assert_eq!(survey.tensor_problems, [""; 0]);
        assert_eq!(
            (survey.formats.as_str(), survey.in_memory.as_str()),
            ("f32", "f32")
        );
        assert_eq!(survey.weight_bytes, 4 * survey.num_parameters);
        let kv = survey.kv.unwrap();
        // 3 layers, 2 heads of 16 dimensions, keys and values, 4 bytes each.
        assert_eq!(kv.sequence_bytes, 512 * 3 * 2 * 16 * 2 * 4);
        assert_eq!((kv.context, kv.served_context), (512, 512));
    }

    #[test]
    fn ranks_divide_all_but_the_embedding_and_keys_that_several_need() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let survey = |name: &str, tensor_parallel| {
            let dir = root.join("tests/fixtures/families").join(name);
            let config = DecoderConfig::from_dir(&dir).unwrap();
            let options = ModelOptions {
                tensor_parallel,
                ..options()
            };
            survey_decoder(&dir, &config, None, &options).unwrap()
        };
        let (one, two) = (survey("phi3", 1), survey("phi3", 2));
        // An embedding of 150 tokens in bf16.
        assert_eq!(two.weight_bytes - one.weight_bytes, 2 * 150 * 48);
        assert_eq!(two.kv, one.kv);
        // One head of keys, which both need.
        let (one, two) = (
            survey("qwen3", 1).kv.unwrap(),
            survey("qwen3", 2).kv.unwrap(),
        );
        assert_eq!(two.sequence_bytes, 2 * one.sequence_bytes);
    }

    #[test]
    fn fewer_bits_take_less_memory_and_less_of_it_shortens_the_context() {
        let (dir, config) = fixture();
        let bytes = [None, Some(Quantize::Int8), Some(Quantize::Int4)].map(|quantize| {
            let options = ModelOptions {
                quantize,
                ..options()
            };
            survey_decoder(&dir, &config, None, &options)
                .unwrap()
                .weight_bytes
        });
        assert!(bytes[0] > bytes[1] && bytes[1] > bytes[2], "{bytes:?}");
        let options = ModelOptions {
            // A block of 32 tokens takes 24,576 bytes.
            kv_cache_bytes: Some(100_000),
            ..options()
        };
        let kv = survey_decoder(&dir, &config, None, &options)
            .unwrap()
            .kv
            .unwrap();
        assert_eq!(kv.served_context, 4 * 32);
    }

    #[test]
    fn a_decoder_that_embeds_is_counted_as_it_would_be_loaded() {
        let (dir, config) = fixture();
        let vectors = Some(TextModel::DecoderVectors);
        let survey = survey_decoder(&dir, &config, vectors, &options()).unwrap();
        assert_eq!((survey.in_memory.as_str(), survey.kv), ("bf16", None));
        // Without the output head, which is as large as the embedding.
        let head = (config.vocab_size * config.hidden_size) as u64;
        assert_eq!(survey.weight_bytes, 2 * (survey.num_parameters - head));
    }

    #[test]
    fn a_windowed_decoder_is_told_the_context_that_it_would_be_served_with() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let dir = root.join("tests/fixtures/families/gemma3");
        let config = DecoderConfig::from_dir(&dir).unwrap();
        for kv_cache_bytes in [20_000, 50_000, 100_000, 1 << 20] {
            let options = ModelOptions {
                kv_cache_bytes: Some(kv_cache_bytes),
                max_num_seqs: 4,
                ..options()
            };
            let survey = survey_decoder(&dir, &config, None, &options).unwrap();
            let told = survey.kv.unwrap().served_context;
            let served = load(&dir, &options);
            let served = served.map_or(0, |loaded| loaded.config.max_sequence_len());
            assert_eq!(told, served, "of {kv_cache_bytes} bytes");
        }
    }

    #[test]
    fn tensors_that_the_configuration_does_not_imply_are_all_told() {
        let (dir, _) = fixture();
        let text = std::fs::read_to_string(dir.join("config.json")).unwrap();
        let other = tempfile::tempdir().unwrap();
        let text = text.replace("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2");
        let text = text.replace("\"vocab_size\": 320", "\"vocab_size\": 321");
        std::fs::write(other.path().join("config.json"), text).unwrap();
        let config = DecoderConfig::from_dir(other.path()).unwrap();
        let survey = survey_decoder(&dir, &config, None, &options()).unwrap();
        let problems = survey.tensor_problems.join("\n");
        for words in [
            "model.embed_tokens.weight has shape [320, 48]",
            "lm_head.weight has shape [320, 48]",
            "no place in the model that config.json describes",
        ] {
            assert!(problems.contains(words), "{words} is not in:\n{problems}");
        }
    }
}
