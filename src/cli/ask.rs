//! `guichet ask`: one question, and the answer as it is written.

use super::client::{Client, ClientError, PromptName, Question, SentFile};
use super::local_server::{DEFAULT_MODEL, LocalServer, LocalServerError};
use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

/// Ask a model one question and print the answer while it is written
#[derive(Debug, clap::Args)]
pub struct AskArgs {
    /// The question, in quotes; with --prompt what is to be added to it
    #[arg(required_unless_present = "prompt")]
    question: Option<String>,
    /// A document that the question is about, such as a letter: PDF, DOCX, ODT, e-mail, text
    #[arg(long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A prompt of the server, by its id (`guichet prompts` lists those that are built in)
    #[arg(long, value_name = "ID")]
    prompt: Option<String>,
    /// A variable of the prompt; may be given several times
    #[arg(long = "set", value_name = "NAME=VALUE", requires = "prompt", value_parser = variable)]
    variables: Vec<(String, String)>,
    /// A running server, such as http://127.0.0.1:8080; without it the model is loaded here
    /// for this one question
    #[arg(long)]
    url: Option<String>,
    /// With --url the id of a model there (its first, if left out); else the name or the
    /// directory of the model to load [default: smollm2-135m-instruct]
    #[arg(long)]
    model: Option<String>,
    /// Most tokens of the answer; a token is about three quarters of an English word
    #[arg(long, value_name = "N", default_value_t = 512)]
    max_tokens: usize,
    /// Key for the server at --url. The variable GUICHET_API_KEY does the same and does not
    /// show in a list of processes
    #[arg(long, value_name = "KEY", requires = "url")]
    api_key: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Server(#[from] LocalServerError),
    #[error("{}: {source}", .path.display())]
    File { path: PathBuf, source: io::Error },
}

/// Prints the answer to standard output, and what went beside it to standard error.
pub async fn run(args: AskArgs) -> Result<(), AskError> {
    let question = Question {
        model: String::new(),
        content: args.question.clone().unwrap_or_default(),
        files: args
            .files
            .iter()
            .map(|path| read(path))
            .collect::<Result<_, _>>()?,
        prompt: args.prompt.clone().map(|id| PromptName {
            id,
            variables: args.variables.iter().cloned().collect(),
        }),
        max_tokens: args.max_tokens,
        temperature: None,
    };
    match &args.url {
        Some(url) => {
            let api_key = args
                .api_key
                .clone()
                .or_else(|| std::env::var("GUICHET_API_KEY").ok());
            ask(&Client::new(url, api_key), args.model.clone(), question).await
        }
        None => {
            let model = args.model.as_deref().unwrap_or(DEFAULT_MODEL);
            let server = LocalServer::start(Path::new(model)).await?;
            ask(&server.client()?, None, question).await?;
            Ok(server.stop().await?)
        }
    }
}

async fn ask(client: &Client, model: Option<String>, question: Question) -> Result<(), AskError> {
    let model = match model {
        Some(model) => model,
        None => client.first_model().await?,
    };
    let question = Question { model, ..question };
    let mut out = io::stdout();
    let to_terminal = out.is_terminal();
    let answer = client
        .ask(&question, |text| {
            out.write_all(shown(text, to_terminal).as_bytes())?;
            out.flush()
        })
        .await;
    match answer {
        Ok(answer) => {
            // Neither line is part of the answer; nobody may be reading any more.
            let _ = writeln!(out);
            for line in &answer.left_out {
                let _ = writeln!(io::stderr(), "({line})");
            }
            if answer.finish_reason == "length" {
                let _ = writeln!(
                    io::stderr(),
                    "(cut after {} tokens: see --max-tokens)",
                    answer.num_completion_tokens
                );
            }
            Ok(())
        }
        // `guichet ask … | head` is no failure.
        Err(ClientError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A terminal obeys control characters, and what a model writes is not to be obeyed.
fn shown(text: &str, to_terminal: bool) -> Cow<'_, str> {
    let harmless = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    if !to_terminal || text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|c| harmless(*c)).collect())
}

fn read(path: &Path) -> Result<SentFile, AskError> {
    let bytes = std::fs::read(path).map_err(|source| AskError::File {
        path: path.to_owned(),
        source,
    })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(SentFile {
        name: name.into_owned(),
        bytes,
    })
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
