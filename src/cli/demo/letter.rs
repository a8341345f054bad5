//! What the demo shows of a letter: a summary, a quotation beside its source, and an amount that
//! the checks do not let pass.

use super::{DemoError, Figures, heading, say};
use crate::cli::client::{
    Answer, Client, Finding, PromptName, Question, Quotation, SentFile, Told,
};
use crate::document::{Document, ParseLimits, parse};
use std::collections::BTreeMap;
use std::io::{self, Write as _};

const NAME: &str = "letter.en.pdf";
const BYTES: &[u8] = include_bytes!("../../../examples/letter.en.pdf");

/// Of the prompts that are built in.
const PROMPT: &str = "resume-courrier";
const QUOTED: &str = "Until when may I appeal?";
const ASKED: &str = "What is the total of all charges?";
/// The letter says £1,851.84.
const ALTERED: &str = "The total of all charges is £1,581.84.";

/// Long enough to see it stream, short enough for a machine with two cores.
const MAX_TOKENS: usize = 64;
/// Lines of the letter that are printed.
const NUM_LINES: usize = 8;

/// A question about the letter.
pub fn question(model: &str, content: &str) -> Question {
    Question {
        model: model.to_owned(),
        content: content.to_owned(),
        files: vec![SentFile {
            name: NAME.to_owned(),
            bytes: BYTES.to_vec(),
        }],
        prompt: None,
        max_tokens: MAX_TOKENS,
        temperature: Some(0.0),
        quotes: false,
        form: None,
    }
}

/// The one that is asked again in the crowd.
pub fn summary(model: &str) -> Question {
    let variables = [("language", "en"), ("length", "short")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Question {
        prompt: Some(PromptName {
            id: PROMPT.to_owned(),
            variables: BTreeMap::from(variables),
        }),
        ..question(model, "")
    }
}

/// What it says, read as the server reads it.
pub fn show(out: &mut io::Stdout) -> Result<Document, DemoError> {
    let document = parse(BYTES, &ParseLimits::default())?;
    let title = format!(
        "A letter as a PDF, {} page(s), examples/{NAME}",
        document.pages.len()
    );
    say(out, format_args!("{}\n", heading(&title)))?;
    let lines = document.text.lines().filter(|line| !line.is_empty());
    for line in lines.take(NUM_LINES) {
        say(out, format_args!("  {line}"))?;
    }
    say(out, format_args!("  […]"))?;
    Ok(document)
}

/// The summary, whose answer is asked for again in the crowd.
pub async fn summarise(
    client: &Client,
    model: &str,
    out: &mut io::Stdout,
) -> Result<Answer, DemoError> {
    let title = format!("Its summary, by the prompt `{PROMPT}`, over HTTP");
    say(out, format_args!("\n{}\n", heading(&title)))?;
    let answer = ask(client, &summary(model), out).await?;
    say(out, format_args!("\n\n{}", Figures(&answer)))?;
    Ok(answer)
}

/// A quotation that the model could not alter, and where it stands.
pub async fn quote(
    client: &Client,
    model: &str,
    document: &Document,
    out: &mut io::Stdout,
) -> Result<(), DemoError> {
    let title = "The letter's own words, which the model can choose and not alter";
    say(out, format_args!("\n{}\n\n{QUOTED}\n", heading(title)))?;
    let question = Question {
        quotes: true,
        ..question(model, QUOTED)
    };
    let answer = ask(client, &question, out).await?;
    say(out, format_args!(""))?;
    for quotation in &answer.quotations {
        say(
            out,
            format_args!("\n{}", beside(&answer.text, quotation, document)),
        )?;
    }
    Ok(())
}

/// An answer with a wrong amount, which is forced here to show what the checks say of it.
pub async fn check(client: &Client, model: &str, out: &mut io::Stdout) -> Result<(), DemoError> {
    let title = "An altered amount, forced on the model, and what the checks say";
    say(out, format_args!("\n{}\n\n{ASKED}\n", heading(title)))?;
    let question = Question {
        form: Some(ALTERED.replace('.', r"\.")),
        ..question(model, ASKED)
    };
    let answer = ask(client, &question, out).await?;
    say(out, format_args!("\n"))?;
    for finding in &answer.findings {
        say(out, format_args!("{}", found(finding)))?;
    }
    match answer.findings.is_empty() {
        true => Err(DemoError::NotFound(ALTERED)),
        false => Ok(()),
    }
}

async fn ask(
    client: &Client,
    question: &Question,
    out: &mut io::Stdout,
) -> Result<Answer, DemoError> {
    let told = |told: Told<'_>| match told {
        Told::Progress { .. } => Ok(()),
        Told::Text(text) => {
            out.write_all(text.as_bytes())?;
            out.flush()
        }
    };
    Ok(client.ask(question, told).await?)
}

/// The words, and the line of the document that they are from.
fn beside(answer: &str, quotation: &Quotation, document: &Document) -> String {
    let len = quotation.end_index.saturating_sub(quotation.start_index);
    let words: String = answer
        .chars()
        .skip(quotation.start_index)
        .take(len)
        .collect();
    let Some(place) = quotation.occurrences.first() else {
        return words;
    };
    let text = document.text.as_str();
    let before = text.get(..place.start_byte).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    format!(
        "quoted:          {words}\non page {} as:    {line}\nat bytes:        {} to {}",
        place.page, place.start_byte, place.end_byte
    )
}

fn found(finding: &Finding) -> String {
    let text = |value: Option<&crate::cli::client::Value>| {
        value
            .map_or("nothing", |value| value.text.as_str())
            .to_owned()
    };
    format!(
        "{} {}: the answer says {}, the letter {}",
        finding.kind,
        finding.status,
        text(finding.answer.as_ref()),
        text(finding.source.as_ref())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_altered_amount_is_none_of_the_letters() {
        let document = parse(BYTES, &ParseLimits::default()).unwrap();
        assert!(document.text.contains("£1,851.84"));
        assert!(!document.text.contains("£1,581.84"));
    }

    #[test]
    fn a_quotation_is_shown_with_the_line_that_it_is_from() {
        let document = parse(BYTES, &ParseLimits::default()).unwrap();
        let start = document.text.find("within six months").unwrap();
        let quotation = Quotation {
            name: NAME.to_owned(),
            start_index: 2,
            end_index: 19,
            occurrences: vec![crate::cli::client::Occurrence {
                page: 1,
                start_byte: start,
                end_byte: start + 17,
            }],
        };
        let shown = beside("a within six months b", &quotation, &document);
        assert!(
            shown
                .starts_with("quoted:          within six months\non page 1 as:    You may appeal"),
            "{shown}"
        );
    }
}
