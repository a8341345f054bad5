//! `guichet demo`: a letter and what can be asked of it, and the same question in a crowd.

mod letter;

use super::client::{Answer, Client, ClientError, Question};
use super::local_server::{DEFAULT_MODEL, LocalServer, LocalServerError};
use crate::document::DocumentError;
use crate::hub::{Catalogue, HubError, Manifest, Task, WeightBits};
use futures_util::future::try_join_all;
use std::fmt;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Instant;

/// The crowd: questions of several lengths and languages, the marked ones about the letter.
const OTHERS: [(&str, bool); 15] = [
    ("What is a birth certificate?", false),
    ("Explain in one sentence what a deadline is.", false),
    (
        "Name three documents that prove where somebody lives.",
        false,
    ),
    (
        "Write a short, polite reminder about an unpaid parking fine.",
        false,
    ),
    ("Was ist ein Meldezettel?", false),
    ("Who signed this letter?", true),
    (
        "How do I renew a passport? Give me the steps as a numbered list.",
        false,
    ),
    ("Qu'est-ce qu'un justificatif de domicile ?", false),
    ("What is the difference between a fee and a tax?", false),
    ("Say hello.", false),
    (
        "Translate into French: the office is closed on public holidays.",
        false,
    ),
    ("What is the reference of this letter?", true),
    (
        "List five things that a town hall does for its residents, each with a short explanation.",
        false,
    ),
    ("Was bedeutet „Frist“? Antworte auf Deutsch.", false),
    ("Why should a form be signed and dated?", false),
];

/// Models that are named for next steps have as many parameters at least: smaller ones do not
/// write prose either.
const LEAST_PARAMETERS: u64 = 1_000_000_000;

/// Show on this machine what Guichet does: one answer, then the same answer under load
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// The name or the directory of the model to load
    #[arg(long, default_value = DEFAULT_MODEL)]
    model: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Server(#[from] LocalServerError),
    #[error(transparent)]
    Hub(#[from] HubError),
    #[error("the same question got two answers; alone:\n{alone}\nin the crowd:\n{crowded}")]
    AnswersDiffer { alone: String, crowded: String },
    #[error("the letter of the demo cannot be read: {0}")]
    Letter(#[from] DocumentError),
    #[error("the checks let an altered amount pass: {0}")]
    NotFound(&'static str),
    #[error("cannot print: {0}")]
    Output(#[from] io::Error),
}

pub async fn run(args: DemoArgs) -> Result<(), DemoError> {
    let mut out = io::stdout();
    let document = letter::show(&mut out)?;
    let started = Instant::now();
    let server = LocalServer::start(&args.model).await?;
    let client = server.client()?;
    let model = client.first_model().await?;
    let loaded = started.elapsed().as_secs_f64();
    let alone = letter::summarise(&client, &model, &mut out).await?;
    say(
        &mut out,
        format_args!("The model was loaded in {loaded:.1} s."),
    )?;
    letter::quote(&client, &model, &document, &mut out).await?;
    letter::check(&client, &model, &mut out).await?;

    say(
        &mut out,
        format_args!(
            "\n{}\n",
            heading("The same question amid 15 others, all at once")
        ),
    )?;
    let started = Instant::now();
    let answers = ask_all(&client, &crowd(&model)).await?;
    let seconds = started.elapsed().as_secs_f64();
    server.stop().await?;

    let num_tokens: usize = answers
        .iter()
        .map(|answer| answer.num_completion_tokens)
        .sum();
    let throughput = num_tokens as f64 / seconds;
    say(
        &mut out,
        format_args!(
            "{} answers, {num_tokens} tokens in {seconds:.1} s: {throughput:.0} tokens per second in all.",
            answers.len()
        ),
    )?;
    let crowded = &answers[OTHERS.len() / 2].text;
    if *crowded != alone.text {
        return Err(DemoError::AnswersDiffer {
            alone: alone.text,
            crowded: crowded.clone(),
        });
    }
    say(
        &mut out,
        format_args!("The answer amid the others is identical to the answer alone: yes."),
    )?;
    say(
        &mut out,
        format_args!(
            "\n{}\n\n{}",
            heading("What you saw, and what next"),
            next_models(&model)?
        ),
    )?;
    Ok(say(&mut out, format_args!("\n{}", snippets(&model)))?)
}

/// The others, with the summary in their midst.
fn crowd(model: &str) -> Vec<Question> {
    let mut crowd: Vec<_> = OTHERS
        .iter()
        .enumerate()
        .map(|(i, &(text, about_letter))| {
            let asked = letter::question(model, text);
            Question {
                files: match about_letter {
                    true => asked.files,
                    false => Vec::new(),
                },
                max_tokens: 16 + i % 4 * 12,
                ..asked
            }
        })
        .collect();
    crowd.insert(OTHERS.len() / 2, letter::summary(model));
    crowd
}

async fn ask_all(client: &Client, questions: &[Question]) -> Result<Vec<Answer>, ClientError> {
    try_join_all(
        questions
            .iter()
            .map(|question| client.ask(question, |_| Ok(()))),
    )
    .await
}

/// Size and honesty, then models of the catalogue that write better.
fn next_models(model: &str) -> Result<String, HubError> {
    let catalogue = Catalogue::load(None)?;
    let own = catalogue.iter().find(|manifest| manifest.name == model);
    let mut text = match own {
        Some(own) => format!(
            "{} has {} million parameters. It shows the wiring, not the quality:\n\
             do not believe what it says about the letter.",
            own.title,
            own.parameters / 1_000_000
        ),
        None => format!("What {model} says about the letter is its own affair: check it."),
    };
    let least = own.map_or(0, |own| own.parameters).max(LEAST_PARAMETERS);
    let mut next: Vec<_> = catalogue
        .iter()
        .filter(|manifest| manifest.tasks.contains(&Task::Chat) && manifest.parameters > least)
        .collect();
    next.sort_by_key(|manifest| manifest.memory_mib(WeightBits::Bf16));
    if !next.is_empty() {
        text.push_str(" Next, where a model hub can be reached:\n");
    }
    for manifest in next.into_iter().take(3) {
        text.push_str(&format!("\n  {}", described(manifest)));
    }
    text.push_str("\n  guichet models   lists all that are known");
    Ok(text)
}

fn described(manifest: &Manifest) -> String {
    let languages = match manifest.languages.as_slice() {
        [one] => format!("language {one}"),
        many => format!("{} languages", many.len()),
    };
    format!(
        "guichet pull {}   needs {:.1} GiB of memory; {languages}; {}",
        manifest.name,
        manifest.memory_mib(WeightBits::Bf16) as f64 / 1024.0,
        manifest.licence
    )
}

fn snippets(model: &str) -> String {
    let program = std::env::args()
        .next()
        .unwrap_or_else(|| "guichet".to_owned());
    format!(
        r#"Serve it:

  {program} serve --model {model}

Ask with curl:

  curl http://127.0.0.1:8080/v1/chat/completions -H 'Content-Type: application/json' -d '
    {{"model": "{model}", "messages": [{{"role": "user", "content": "Bonjour !"}}], "max_tokens": 50}}'

Ask with Python (pip install openai):

  from openai import OpenAI
  client = OpenAI(base_url="http://127.0.0.1:8080/v1", api_key="unused")
  messages = [{{"role": "user", "content": "Bonjour !"}}]
  stream = client.chat.completions.create(model="{model}", messages=messages, stream=True)
  for chunk in stream:
      print(chunk.choices[0].delta.content or "", end="", flush=True)
"#
    )
}

/// What an answer cost, in one line.
struct Figures<'a>(&'a Answer);

impl fmt::Display for Figures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(answer) = self;
        write!(
            f,
            "{} prompt tokens, {} answer tokens; first token after {:.0} ms",
            answer.num_prompt_tokens,
            answer.num_completion_tokens,
            answer.time_to_first_token.as_secs_f64() * 1e3
        )?;
        match answer.tokens_per_second() {
            Some(rate) => write!(f, ", then {rate:.1} tokens per second."),
            None => f.write_str("."),
        }
    }
}

fn heading(title: &str) -> String {
    format!(
        "== {title} {}",
        "=".repeat(72_usize.saturating_sub(title.len()))
    )
}

/// Unlike `println!` it does not panic when nobody reads any more.
fn say(out: &mut io::Stdout, line: fmt::Arguments<'_>) -> io::Result<()> {
    writeln!(out, "{line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_stands_in_the_midst_of_fifteen_different_others() {
        let crowd = crowd("m");
        assert_eq!(crowd.len(), 16);
        assert!(crowd[OTHERS.len() / 2].prompt.is_some());
        let different: std::collections::BTreeSet<_> = crowd.iter().map(|q| &q.content).collect();
        assert_eq!(different.len(), 16);
    }

    #[test]
    fn the_demo_names_a_next_model_with_its_memory() {
        let text = next_models(DEFAULT_MODEL).unwrap();
        assert!(text.contains("the wiring, not the quality"), "{text}");
        assert!(
            text.contains("guichet pull ") && text.contains(" GiB of memory"),
            "{text}"
        );
    }

    #[test]
    fn the_python_snippet_has_six_lines() {
        let text = snippets("m");
        let python = text.split("(pip install openai):\n\n").nth(1).unwrap();
        assert_eq!(python.trim_end().lines().count(), 6);
    }
}
