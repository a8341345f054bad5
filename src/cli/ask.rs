//! `guichet ask`: one question, and the answer as it is written.

use super::client::{Client, ClientError, Question};
use super::local_server::{DEFAULT_MODEL, LocalServer, LocalServerError};
use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

/// Ask a model one question and print the answer while it is written
#[derive(Debug, clap::Args)]
pub struct AskArgs {
    /// The question, in quotes
    question: String,
    /// A text file that the question is about, such as a letter
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
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
    #[error("{}: this is not UTF-8 text; save or export it as text first", .0.display())]
    NotText(PathBuf),
}

/// Prints the answer to standard output, and what went beside it to standard error.
pub async fn run(args: AskArgs) -> Result<(), AskError> {
    let content = match &args.file {
        Some(path) => about(&read_text(path)?, &args.question),
        None => args.question.clone(),
    };
    match &args.url {
        Some(url) => {
            let api_key = args
                .api_key
                .clone()
                .or_else(|| std::env::var("GUICHET_API_KEY").ok());
            ask(
                &Client::new(url, api_key),
                args.model.clone(),
                content,
                args.max_tokens,
            )
            .await
        }
        None => {
            let model = args.model.as_deref().unwrap_or(DEFAULT_MODEL);
            let server = LocalServer::start(Path::new(model)).await?;
            ask(&server.client()?, None, content, args.max_tokens).await?;
            Ok(server.stop().await?)
        }
    }
}

/// A text, then the question about it.
pub fn about(text: &str, question: &str) -> String {
    format!("{}\n\n{question}", text.trim_end())
}

async fn ask(
    client: &Client,
    model: Option<String>,
    content: String,
    max_tokens: usize,
) -> Result<(), AskError> {
    let model = match model {
        Some(model) => model,
        None => client.first_model().await?,
    };
    let question = Question {
        model,
        content,
        max_tokens,
        temperature: None,
    };
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

fn read_text(path: &Path) -> Result<String, AskError> {
    let bytes = std::fs::read(path).map_err(|source| AskError::File {
        path: path.to_owned(),
        source,
    })?;
    String::from_utf8(bytes).map_err(|_| AskError::NotText(path.to_owned()))
}
