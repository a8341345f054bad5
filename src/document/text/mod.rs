//! Plain text and Markdown, which stay as they are written: only paragraphs are told apart.

pub(super) mod csv;
pub(super) mod encoding;

use super::error::DocumentError;
use super::format::Format;
use super::model::BlockKind;
use super::writer::Writer;

pub(super) fn read(bytes: &[u8], writer: &mut Writer<'_>) -> Result<(), DocumentError> {
    let text = encoding::decode(bytes).ok_or(DocumentError::Malformed {
        format: Format::Text,
        reason: "it is no text in UTF-8, UTF-16, Latin-1 or Windows-1252".to_owned(),
    })?;
    for page in text.split('\u{c}') {
        writer.page_break()?;
        paragraphs(page, writer)?;
    }
    Ok(())
}

/// Writes what stands between empty lines as a block each.
pub(super) fn paragraphs(text: &str, writer: &mut Writer<'_>) -> Result<(), DocumentError> {
    let mut paragraph = String::new();
    for line in text.lines().chain([""]) {
        if !line.trim().is_empty() {
            paragraph.push_str(line);
            paragraph.push('\n');
        } else if !paragraph.is_empty() {
            writer.block(kind_of(&paragraph), &paragraph)?;
            paragraph.clear();
        }
    }
    Ok(())
}

fn kind_of(paragraph: &str) -> BlockKind {
    let first = paragraph.trim_start();
    if let Some(level) = heading_level(first)
        && first.trim_end().lines().count() == 1
    {
        return BlockKind::Heading { level };
    }
    if first.starts_with('|') && first.lines().count() > 1 {
        return BlockKind::Table;
    }
    match is_list_item(first) {
        true => BlockKind::ListItem,
        false => BlockKind::Paragraph,
    }
}

fn heading_level(line: &str) -> Option<u8> {
    let level = line.chars().take_while(|&c| c == '#').count();
    match (1..=6).contains(&level) && line[level..].starts_with(' ') {
        true => u8::try_from(level).ok(),
        false => None,
    }
}

fn is_list_item(line: &str) -> bool {
    ["- ", "* ", "+ ", "• "]
        .iter()
        .any(|bullet| line.starts_with(bullet))
}

/// Whether the text has at least two marks of Markdown, one of which is not a mere list.
pub(super) fn looks_like_markdown(text: &str) -> bool {
    let mut marks = 0;
    let mut is_sure = false;
    for line in text.lines().take(400) {
        let sure = heading_level(line).is_some()
            || line.starts_with("```")
            || (line.starts_with('|') && line.trim_end().ends_with('|'))
            || (line.contains("](") && line.contains('['))
            || line.matches("**").count() >= 2;
        is_sure |= sure;
        if sure || is_list_item(line) || line.starts_with("> ") {
            marks += 1;
        }
    }
    is_sure && marks >= 2
}
