//! `guichet ask`: one question, and the answer as it is written.

use super::client::{
    Client, ClientError, Occurrence, PromptName, Question, Quotation, SentFile, Told,
};
use super::local_server::{DEFAULT_MODEL, LocalServer, LocalServerError};
use indicatif::{ProgressBar, ProgressStyle};
use std::borrow::Cow;
use std::fs::File;
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
    /// Have the answer begin with a quotation of the documents, word for word
    #[arg(long, requires = "files")]
    quote: bool,
    /// Write the answer to a file
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
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
        quotes: args.quote,
        form: None,
    };
    let output = args.output.as_deref();
    match &args.url {
        Some(url) => {
            let api_key = args
                .api_key
                .clone()
                .or_else(|| std::env::var("GUICHET_API_KEY").ok());
            let client = Client::new(url, api_key);
            ask(&client, args.model.clone(), question, output).await
        }
        None => {
            let model = args.model.as_deref().unwrap_or(DEFAULT_MODEL);
            let server = LocalServer::start(Path::new(model)).await?;
            ask(&server.client()?, None, question, output).await?;
            Ok(server.stop().await?)
        }
    }
}

async fn ask(
    client: &Client,
    model: Option<String>,
    question: Question,
    output: Option<&Path>,
) -> Result<(), AskError> {
    let model = match model {
        Some(model) => model,
        None => client.first_model().await?,
    };
    let question = Question { model, ..question };
    let mut out: Box<dyn io::Write> = match output {
        None => Box::new(io::stdout()),
        Some(path) => Box::new(File::create(path).map_err(|source| AskError::File {
            path: path.to_owned(),
            source,
        })?),
    };
    let to_terminal = output.is_none() && io::stdout().is_terminal();
    // Shows itself where there is a terminal, and only once there is progress to show.
    let mut bar: Option<ProgressBar> = None;
    let answer = client
        .ask(&question, |told| match told {
            Told::Progress { done, total } => {
                let bar = bar.get_or_insert_with(|| reading(total));
                bar.set_position(done);
                Ok(())
            }
            Told::Text(text) => {
                if let Some(bar) = bar.take() {
                    bar.finish_and_clear();
                }
                out.write_all(shown(text, to_terminal).as_bytes())?;
                out.flush()
            }
        })
        .await;
    match answer {
        Ok(answer) => {
            // None of these lines is part of the answer; nobody may be reading any more.
            let _ = writeln!(out);
            for (quotation, place) in answer.quotations.iter().filter_map(placed) {
                let page = place.page;
                let _ = writeln!(io::stderr(), "(quoted: {}, page {page})", quotation.name);
            }
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

/// A quotation, and the first place of its words.
fn placed(quotation: &Quotation) -> Option<(&Quotation, &Occurrence)> {
    quotation
        .occurrences
        .first()
        .map(|place| (quotation, place))
}

/// For documents that are read in so many steps.
fn reading(total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total);
    // The template is ours.
    if let Ok(style) = ProgressStyle::with_template("reading {wide_bar} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar
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
