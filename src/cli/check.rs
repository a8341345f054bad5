//! `guichet check`: would a directory be served?

use super::CliError;
use crate::app;
use crate::config::Config;
use crate::hub::locate;
use clap::Args;
use serde_json::{Map, Value, json};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// Say whether a directory would be served, and why not
///
/// Looks at configuration, tokenizer, chat template, licence, lock and the headers of the weights,
/// and at the memory that is needed and free; loads nothing. The exit status is 0 if it would be
/// served, else 1.
#[derive(Args)]
pub struct CheckArgs {
    /// A directory, or the name of a pulled model
    #[arg(value_name = "DIR|NAME")]
    model: String,
    /// A TOML file, as `guichet serve` takes it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Number type of weights and KV cache in memory [default: auto, the checkpoint's own]
    #[arg(long, value_parser = ["auto", "f32", "bf16"])]
    dtype: Option<String>,
    /// Round the weights to whole numbers [default: none]
    #[arg(long, value_parser = ["none", "int8", "int4"])]
    quantize: Option<String>,
    /// Number type of the KV cache in memory [default: auto, that of dtype]
    #[arg(long, value_parser = ["auto", "int8"])]
    kv_cache_dtype: Option<String>,
    /// Cut the model's context length down to this many tokens
    #[arg(long, value_name = "TOKENS")]
    max_model_len: Option<usize>,
    /// Print JSON, with all reasons
    #[arg(long)]
    json: bool,
}

impl CheckArgs {
    pub fn run(self) -> Result<ExitCode, CliError> {
        let config = Config::load(self.config.as_deref(), self.overrides())?;
        let options = config.model_options(&config.model);
        let report = app::check(&locate(&self.model), &options);
        let would_serve = report.would_serve();
        let text = match self.json {
            false => report.to_string(),
            true => {
                let mut value = json!(report);
                value["would_serve"] = json!(would_serve);
                format!("{value:#}\n")
            }
        };
        match io::stdout().write_all(text.as_bytes()) {
            // The exit status says it too.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
            _ => {}
        }
        Ok(match would_serve {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }

    /// The flags that were given, in the shape of the configuration file.
    fn overrides(&self) -> Value {
        let flags = [
            ("dtype", self.dtype.as_ref().map(|dtype| json!(dtype))),
            (
                "quantize",
                self.quantize.as_ref().map(|quantize| json!(quantize)),
            ),
            (
                "kv_cache_dtype",
                self.kv_cache_dtype.as_ref().map(|dtype| json!(dtype)),
            ),
            ("max_model_len", self.max_model_len.map(|len| json!(len))),
        ];
        let given = flags
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        json!({"model": Map::from_iter(given)})
    }
}
