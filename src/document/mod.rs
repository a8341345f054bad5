//! Reads documents: bytes become one text, its pages and blocks, and a list of what was left out.
//!
//! - [`Format`] tells what a file is, by its content;
//! - [`parse`] reads it, in this process: pure, without I/O, bounded by [`ParseLimits`];
//! - [`sandbox::Parser`] runs that in a process of its own, which may read its input, compute and
//!   write its answer, and nothing else. Whoever reads a stranger's file reads it there.
//!
//! Knows nothing of HTTP, requests, prompts and models.

pub mod checks;
mod error;
mod format;
mod html;
mod limits;
mod mail;
mod model;
mod normal;
mod office;
pub mod parts;
mod pdf;
mod rtf;
pub mod sandbox;
mod text;
mod writer;

pub use error::{DocumentError, Limit};
pub use format::Format;
pub use limits::{PARSE_LIMITS, ParseLimits};
pub use model::{Attachment, Block, BlockKind, Document, LeftOut, LeftOutKind, Page};

use writer::Writer;

/// Reads a document.
///
/// # Errors
///
/// Any [`DocumentError`] but those of the sandbox.
pub fn parse(bytes: &[u8], limits: &ParseLimits) -> Result<Document, DocumentError> {
    parse_within(bytes, limits, 0)
}

/// `depth` is how many files this one is within.
fn parse_within(bytes: &[u8], limits: &ParseLimits, depth: u64) -> Result<Document, DocumentError> {
    if bytes.len() as u64 > limits.max_input_bytes {
        return Err(DocumentError::LimitExceeded {
            limit: Limit::InputBytes,
            max: limits.max_input_bytes,
        });
    }
    let format = Format::detect(bytes, limits.max_inflated_bytes)?;
    let mut writer = Writer::new(limits, depth);
    match format {
        Format::Pdf => pdf::read(bytes, &mut writer)?,
        Format::Docx => office::docx::read(bytes, &mut writer)?,
        Format::Odt => office::odt::read(bytes, &mut writer)?,
        Format::Xlsx => office::xlsx::read(bytes, &mut writer)?,
        Format::Ods => office::ods::read(bytes, &mut writer)?,
        Format::Rtf => rtf::read(bytes, &mut writer)?,
        Format::Html => html::read(bytes, &mut writer)?,
        Format::Eml => mail::eml::read(bytes, &mut writer)?,
        Format::Msg => mail::msg::read(bytes, &mut writer)?,
        Format::Csv => text::csv::read(bytes, &mut writer)?,
        Format::Markdown | Format::Text => text::read(bytes, &mut writer)?,
    }
    writer.finish(format)
}

/// A table in Markdown. Rows may be of different lengths; what would end a cell is escaped.
fn markdown_table(rows: &[Vec<String>]) -> String {
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for cell in 0..width {
            let cell = row.get(cell).map(String::as_str).unwrap_or_default();
            let line = cell.split_whitespace().collect::<Vec<_>>().join(" ");
            text.push_str("| ");
            text.push_str(&line.replace('|', "\\|"));
            if !line.is_empty() {
                text.push(' ');
            }
        }
        text.push_str("|\n");
        if index == 0 {
            text.push_str(&"|---".repeat(width));
            text.push_str("|\n");
        }
    }
    text
}
