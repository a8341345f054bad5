//! Tables as text: CSV with commas, semicolons or tabs, as RFC 4180 and spreadsheets write them.

use super::encoding;
use crate::document::error::{DocumentError, Limit};
use crate::document::format::Format;
use crate::document::markdown_table;
use crate::document::model::BlockKind;
use crate::document::writer::Writer;

/// A separator is believed when so many rows have it the same number of times, and all do.
const MIN_ROWS: usize = 2;
const LOOKED_AT: usize = 50;

pub fn read(bytes: &[u8], writer: &mut Writer<'_>) -> Result<(), DocumentError> {
    let text = encoding::decode(bytes).unwrap_or_default();
    let separator = separator(&text).ok_or(DocumentError::Malformed {
        format: Format::Csv,
        reason: "its rows differ in length".to_owned(),
    })?;
    let rows: Vec<Vec<String>> = Rows::new(&text, separator).collect();
    let num_cells: usize = rows.iter().map(Vec::len).sum();
    if num_cells as u64 > writer.limits.max_nodes {
        return Err(DocumentError::LimitExceeded {
            limit: Limit::Nodes,
            max: writer.limits.max_nodes,
        });
    }
    writer.block(BlockKind::Table, &markdown_table(&rows))?;
    Ok(())
}

/// What separates the cells, if the text is a table.
pub fn separator(text: &str) -> Option<char> {
    // After a comma of a sentence there is a space.
    let is_prose = text.matches(", ").count() * 2 > text.matches(',').count();
    let mut candidates = [';', '\t', ',']
        .into_iter()
        .filter(|separator| *separator != ',' || !is_prose);
    candidates.find(|&separator| {
        let rows: Vec<usize> = Rows::new(text, separator)
            .take(LOOKED_AT)
            .filter(|row| row.len() > 1 || row.iter().any(|cell| !cell.is_empty()))
            .map(|row| row.len())
            .collect();
        let width = rows.first().copied().unwrap_or(0);
        // Sentences have commas, too: a table of two columns of prose is taken for prose.
        let min_width = if separator == ',' { 3 } else { 2 };
        rows.len() >= MIN_ROWS && width >= min_width && rows.iter().all(|len| *len == width)
    })
}

struct Rows<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
    separator: char,
}

impl<'a> Rows<'a> {
    fn new(text: &'a str, separator: char) -> Self {
        Self {
            chars: text.trim_end().chars().peekable(),
            separator,
        }
    }
}

impl Iterator for Rows<'_> {
    type Item = Vec<String>;

    fn next(&mut self) -> Option<Vec<String>> {
        self.chars.peek()?;
        let mut row = Vec::new();
        let mut cell = String::new();
        let mut is_quoted = false;
        while let Some(c) = self.chars.next() {
            match c {
                '"' if is_quoted && self.chars.peek() == Some(&'"') => {
                    self.chars.next();
                    cell.push('"');
                }
                '"' if is_quoted => is_quoted = false,
                '"' if cell.is_empty() => is_quoted = true,
                c if c == self.separator && !is_quoted => row.push(std::mem::take(&mut cell)),
                '\n' if !is_quoted => break,
                '\r' if !is_quoted => {}
                c => cell.push(c),
            }
        }
        row.push(cell);
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_cells_may_hold_separators_quotes_and_lines() {
        let rows: Vec<_> = Rows::new("a;\"b;\"\"c\"\"\nd\"\r\n1;2\r\n", ';').collect();
        assert_eq!(rows, [vec!["a", "b;\"c\"\nd"], vec!["1", "2"]]);
    }

    #[test]
    fn prose_is_no_table() {
        assert_eq!(
            separator("Bonjour, merci, voilà\net à bientôt, donc, là\n"),
            None
        );
        assert_eq!(separator("Bonjour, merci\net à bientôt, donc\n"), None);
        assert_eq!(separator("un;deux\ntrois\n"), None);
    }
}
