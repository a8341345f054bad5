//! `guichet models`: what can be served, and what can be fetched by its name.

use super::CliError;
use crate::app::Supported;
use clap::Args;
use serde_json::json;
use std::io::{self, Write as _};
use std::path::PathBuf;

/// List the families, formats and models that are supported
#[derive(Args)]
pub struct ModelsArgs {
    /// One model, with its languages and what it is good for
    name: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// A directory with manifests of your own
    #[arg(long, value_name = "DIR")]
    manifests: Option<PathBuf>,
}

impl ModelsArgs {
    pub fn run(self) -> Result<(), CliError> {
        let supported = Supported::load(self.manifests.as_deref())?;
        let text = match &self.name {
            None if self.json => format!("{:#}\n", json!(supported)),
            None => supported.screen(),
            Some(name) => {
                let model = supported.model(name).ok_or_else(|| {
                    format!("there is no manifest of {name}; `guichet models` lists all")
                })?;
                match self.json {
                    true => format!("{:#}\n", json!(model)),
                    false => model.to_string(),
                }
            }
        };
        match io::stdout().write_all(text.as_bytes()) {
            // `guichet models | head` is no failure.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }
}
