//! `guichet prompts`: what requests may name.

use super::CliError;
use crate::prompt::{BUILT_IN, Prompt, PromptLibrary};
use clap::Args;
use std::io::{self, Write as _};
use std::path::PathBuf;

/// List the prompts that are built in, and those of a directory
#[derive(Args)]
pub struct PromptsArgs {
    /// One prompt, with its variables
    id: Option<String>,
    /// A directory of prompts of one's own (docs/prompts.md)
    #[arg(long = "dir", value_name = "DIR")]
    dirs: Vec<PathBuf>,
}

impl PromptsArgs {
    pub fn run(self) -> Result<(), CliError> {
        let library = PromptLibrary::load(BUILT_IN, &self.dirs)?;
        let text = match &self.id {
            None => list(&library),
            Some(id) => one(library.get(id, None)?),
        };
        match io::stdout().write_all(text.as_bytes()) {
            // `guichet prompts | head` is no failure.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }
}

fn list(library: &PromptLibrary) -> String {
    let lines = library.describe().into_iter().map(|prompt| {
        let title = prompt
            .title
            .get("en")
            .or_else(|| prompt.title.values().next());
        format!(
            "{:<24} {:<8} {:<10} {}\n",
            prompt.id,
            prompt.version.to_string(),
            prompt.languages.join(","),
            title.map_or("", String::as_str)
        )
    });
    lines.collect()
}

fn one(prompt: &Prompt) -> String {
    let documents = match prompt.documents() {
        None => "none".to_owned(),
        Some(count) => format!("{} to {}", count.min, count.max),
    };
    let mut text = format!(
        "{} {}\nlanguages: {}\ndocuments: {documents}\ndigest: {}\n",
        prompt.id(),
        prompt.version(),
        prompt.languages().join(", "),
        prompt.digest()
    );
    for variable in prompt.variables() {
        let required = if variable.required { ", required" } else { "" };
        text += &format!("variable {}{required}\n", variable.name);
        for (language, description) in &variable.description {
            text += &format!("    {language}: {description}\n");
        }
    }
    text
}
