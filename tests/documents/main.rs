//! Documents as offices have them, read in the sandbox as the server reads them.

mod fidelity;
mod hostile;
mod lost_content;

use guichet::document::sandbox::Parser;
use guichet::document::{Document, DocumentError, ParseLimits};
use std::path::{Path, PathBuf};

fn parser() -> Parser {
    Parser::new(PathBuf::from(env!("CARGO_BIN_EXE_guichet")))
}

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/documents")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read(name: &str) -> Result<Document, DocumentError> {
    parser().parse(&fixture(name), &ParseLimits::default())
}
