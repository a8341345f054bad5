//! GGUF to a Hugging Face style directory: bf16 safetensors, configuration, tokenizer.
//!
//! Owns the reading of GGUF. Refuses to guess: what is not known to convert exactly is
//! refused in one sentence. Reads tensor by tensor, so memory does not grow with the file.

mod architecture;
mod chat;
mod config;
mod convert;
mod families;
mod header;
mod llama3;
mod metadata;
mod mxfp4;
mod plan;
mod pre_tokenizer;
mod rope;
mod sentence_piece;
mod tensors;
mod tokenizer;
mod value;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use config::ModelConfig;
use header::Header;
use metadata::Metadata;

/// What an import wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The model's own name in the file, when it has one.
    pub name: Option<String>,
    /// The class of `transformers` that reads it, such as `LlamaForCausalLM`.
    pub class: &'static str,
    pub num_tensors: usize,
    /// Tensors with a number that bf16 does not have, which was rounded.
    pub num_rounded: usize,
    pub num_parameters: u64,
    pub vocab_size: usize,
    pub max_position_embeddings: usize,
}

/// How far an import has come, in tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub done: usize,
    pub total: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("the file cannot be read: {0}")]
    Read(#[source] std::io::Error),
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The bytes contradict the format or themselves.
    #[error("not a usable GGUF file: {0}")]
    Malformed(String),
    /// A sound file of a kind that is not imported.
    #[error("{0}")]
    Unsupported(String),
}

/// Converts `gguf` into the directory `dir`, which must exist.
///
/// Writes `model.safetensors`, `config.json`, `generation_config.json`, `tokenizer.json`
/// and `tokenizer_config.json`. Everything that can be refused is refused before the
/// first byte is written.
pub fn import(
    gguf: &Path,
    dir: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Imported, ImportError> {
    let file = File::open(gguf).map_err(ImportError::Read)?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let header = Header::read(&mut reader)?;
    let metadata = Metadata::new(&header.metadata);
    let config = ModelConfig::from_gguf(&metadata, &header, &mut reader)?;
    let plan = plan::plan(&config, &header, &metadata)?;
    let vocab_size = config.dimensions.vocab_size;
    let style = config.architecture.sentence_piece;
    let vocabulary = tokenizer::Vocabulary::from_gguf(style, &metadata, vocab_size)?;
    let tokenizer_json = vocabulary.tokenizer_json()?;
    let specials = chat::Specials::from_gguf(&metadata, &vocabulary)?;
    config::refuse_unknown_keys(config.architecture, &metadata)?;

    write_json(&dir.join("config.json"), &config.to_json(&specials))?;
    write_json(
        &dir.join("generation_config.json"),
        &specials.generation_config(),
    )?;
    write_json(&dir.join("tokenizer.json"), &tokenizer_json)?;
    write_json(
        &dir.join("tokenizer_config.json"),
        &specials.tokenizer_config(&vocabulary, config.max_position_embeddings),
    )?;
    let num_rounded = convert::write_safetensors(
        &dir.join("model.safetensors"),
        &plan,
        &header,
        &mut reader,
        progress,
    )?;

    Ok(Imported {
        name: metadata.optional_text("general.name")?.map(str::to_owned),
        class: config.architecture.class,
        num_tensors: plan.len(),
        num_rounded,
        num_parameters: plan.iter().map(|tensor| tensor.num_elements as u64).sum(),
        vocab_size,
        max_position_embeddings: config.max_position_embeddings,
    })
}

fn write_json(path: &Path, value: &serde_json::Value) -> Result<(), ImportError> {
    let mut text = serde_json::to_string_pretty(value).map_err(|error| ImportError::Write {
        path: path.to_owned(),
        source: error.into(),
    })?;
    text.push('\n');
    std::fs::write(path, text).map_err(|source| ImportError::Write {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;
