//! What a checkpoint would take of this machine, and whether its tensors are those that its
//! configuration implies: from the headers of its files, so that nothing is loaded.

use super::{
    Dtype, LoadError, ModelOptions, encoder_precision, memory, numerics, precision, weight_name,
    weights,
};
use crate::engine::TextModel;
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
    let num_ranks = size as u64;
    let mut checkpoint = Checkpoint::open(dir)?;
    let dtype = options.dtype.unwrap_or_else(|| Dtype::of(&checkpoint));
    let precision = precision(dtype, options.quantize);
    let kv_type = options.kv_type.unwrap_or(dtype.kv_type());
    checkpoint.survey();
    let num_parameters = config.num_parameters() as u64;
    let tensor_problems = problems(&checkpoint, num_parameters, || match used_as {
        Some(TextModel::DecoderVectors) => Decoder::survey_hidden(config, &checkpoint),
        _ => Decoder::survey(config, &checkpoint),
    });
    let num_tables = if config.tie_word_embeddings { 1 } else { 2 };
    let in_table = (config.vocab_size * config.hidden_size) as u64;
    let in_tables = in_table * num_tables;
    let weight_bytes = weight_bytes(
        precision,
        num_parameters.saturating_sub(in_tables),
        // Each rank has the embedding.
        in_tables + in_table * (num_ranks - 1),
    );
    let free_bytes = memory::free_memory_bytes();
    let budget_bytes = options
        .kv_cache_bytes
        .unwrap_or(free_bytes.saturating_sub(weight_bytes) / 4);
    let asked = options.max_model_len.unwrap_or(usize::MAX);
    let context = config.max_position_embeddings.min(asked);
    let sequence_bytes = kv_bytes(&of_rank, kv_type, context).saturating_mul(num_ranks);
    Ok(Survey {
        num_parameters,
        formats: checkpoint.formats(),
        in_memory: weights(&numerics(precision, kv_type), precision, &checkpoint),
        weight_bytes,
        free_bytes,
        kv: Some(KvSurvey {
            sequence_bytes,
            all_sequences_bytes: sequence_bytes.saturating_mul(options.max_num_seqs as u64),
            budget_bytes,
            context,
            served_context: served_context(&of_rank, kv_type, context, budget_bytes / num_ranks),
        }),
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
        weight_bytes: weight_bytes(
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

fn weight_bytes(precision: Precision, in_layers: u64, in_tables: u64) -> u64 {
    let eighths = in_layers.saturating_mul(eighths_of_a_bit(precision.layers));
    let in_tables = in_tables.saturating_mul(eighths_of_a_bit(precision.tables));
    eighths.saturating_add(in_tables) / 64
}

/// What an element takes with its share of a scale: 16 bits for 64 numbers of 8 bits, or for 32 of
/// 4 bits.
fn eighths_of_a_bit(weight_type: WeightType) -> u64 {
    match weight_type {
        WeightType::F32 => 32 * 8,
        WeightType::Bf16 => 16 * 8,
        WeightType::Int8 => 66,
        WeightType::Int4 => 36,
    }
}

/// Keys and values of `len` tokens, in whole blocks; of layers with a window, those that are seen.
fn kv_bytes(config: &DecoderConfig, kv_type: KvType, len: usize) -> u64 {
    let layout = PagedLayout::new(config.attention, kv_type);
    let block_bytes = (layout.block_len() * kv_type.num_bytes()) as u64;
    let blocks = windows(config).map(|window| {
        // The oldest block is held while some of it is seen.
        let kept = window.map_or(len, |window| len.min(window + KV_BLOCK_SIZE));
        kept.div_ceil(KV_BLOCK_SIZE) as u64
    });
    blocks.sum::<u64>().saturating_mul(block_bytes)
}

/// Of each layer: how many tokens a token sees, if not all before it.
fn windows(config: &DecoderConfig) -> impl Iterator<Item = Option<usize>> {
    config.layers.iter().map(|layer| layer.window)
}

/// The longest sequence up to `context` whose keys and values fit, in tokens.
fn served_context(
    config: &DecoderConfig,
    kv_type: KvType,
    context: usize,
    budget_bytes: u64,
) -> usize {
    let fits = |blocks: usize| kv_bytes(config, kv_type, blocks * KV_BLOCK_SIZE) <= budget_bytes;
    let all = context.div_ceil(KV_BLOCK_SIZE);
    // More tokens never take less.
    let (mut least, mut most) = (0, all);
    while least < most {
        let middle = (least + most).div_ceil(2);
        match fits(middle) {
            true => least = middle,
            false => most = middle - 1,
        }
    }
    context.min(least * KV_BLOCK_SIZE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Quantize;

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
        assert_eq!(two.weight_bytes - one.weight_bytes, 4 * 150 * 48);
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
