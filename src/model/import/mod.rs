//! GGUF to a Hugging Face style directory: bf16 safetensors, configuration, tokenizer.
//!
//! Owns the reading of GGUF. Refuses to guess: what is not known to convert exactly is
//! refused in one sentence. Reads tensor by tensor, so memory does not grow with the file.

mod chat;
mod config;
mod convert;
mod header;
mod metadata;
mod names;
mod pre_tokenizer;
mod rope;
mod tokenizer;
mod value;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use config::LlamaConfig;
use header::Header;
use metadata::Metadata;

/// What an import wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The model's own name in the file, when it has one.
    pub name: Option<String>,
    pub num_tensors: usize,
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
    let config = LlamaConfig::from_gguf(&metadata, &header, &mut reader)?;
    let plan = names::plan(&config, &header)?;
    let vocabulary = tokenizer::Vocabulary::from_gguf(&metadata, config.vocab_size)?;
    let tokenizer_json = vocabulary.tokenizer_json()?;
    let specials = chat::Specials::from_gguf(&metadata, &vocabulary)?;

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
    convert::write_safetensors(
        &dir.join("model.safetensors"),
        &plan,
        &header,
        &mut reader,
        progress,
    )?;

    Ok(Imported {
        name: metadata.optional_text("general.name")?.map(str::to_owned),
        num_tensors: plan.len(),
        num_parameters: plan.iter().map(|tensor| tensor.num_elements as u64).sum(),
        vocab_size: config.vocab_size,
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
