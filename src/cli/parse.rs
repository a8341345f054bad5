//! `guichet parse`: the text of documents, as requests have it.

use super::CliError;
use crate::document::sandbox::Parser;
use crate::document::{Document, LeftOut, ParseLimits};
use clap::Args;
use serde_json::json;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Print the text of a document (PDF, DOCX, ODT, XLSX, ODS, HTML, e-mail, text)
///
/// What the file holds and the text does not is told on standard error.
#[derive(Args)]
pub struct ParseArgs {
    file: PathBuf,
    /// Print JSON: the text, and where in it pages and blocks stand
    #[arg(long)]
    json: bool,
    /// Take a document with pages of which no text can be read
    #[arg(long)]
    allow_unreadable_pages: bool,
}

impl ParseArgs {
    pub fn run(self) -> Result<(), CliError> {
        let document = read(&self.file, self.allow_unreadable_pages)?;
        let mut out = io::stdout().lock();
        let written = if self.json {
            writeln!(out, "{}", json!(document))
        } else {
            writeln!(out, "{}", document.text)
        };
        match written {
            // `guichet parse … | head` is no failure.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
            _ => {}
        }
        if !self.json {
            tell(&document);
        }
        Ok(())
    }
}

/// A document, read in a process of its own.
fn read(path: &Path, allow_unreadable: bool) -> Result<Document, CliError> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let bytes = std::fs::read(path).map_err(|error| named(&error))?;
    let parser = Parser::new(std::env::current_exe()?);
    let document = parser
        .parse(&bytes, &ParseLimits::default())
        .and_then(|document| match allow_unreadable {
            true => Ok(document),
            false => document.with_all_pages_readable(),
        });
    Ok(document.map_err(|error| named(&error))?)
}

fn tell(document: &Document) {
    for LeftOut { page, note, .. } in &document.left_out {
        let page = page.map_or_else(String::new, |page| format!("page {page}: "));
        // Nobody may be reading any more.
        let _ = writeln!(io::stderr(), "({page}{note})");
    }
}
