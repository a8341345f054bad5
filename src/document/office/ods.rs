//! OpenDocument spreadsheets: a page a sheet, a table a page, values as they are shown.

use super::archive::{Archive, malformed, too_many_nodes};
use super::odt::{Inline, Styles, title};
use super::sheet::Sheet;
use super::xml::Element;
use crate::document::error::DocumentError;
use crate::document::format::Format;
use crate::document::model::{BlockKind, LeftOutKind};
use crate::document::writer::Writer;

pub fn read(bytes: &[u8], writer: &mut Writer<'_>) -> Result<(), DocumentError> {
    let limits = writer.limits;
    let mut archive = Archive::open(bytes, limits.max_inflated_bytes)?.named(Format::Ods);
    let content = archive.required("content.xml", limits)?;
    writer.title = title(&mut archive, writer)?;
    let mut styles = Styles::default();
    if let Some(shared) = archive.xml("styles.xml", limits)? {
        styles.add(&shared);
    }
    styles.add(&content);
    let book = content
        .at(&["office:body", "office:spreadsheet"])
        .ok_or_else(|| malformed(Format::Ods, "it has no sheets"))?;
    for table in book
        .children()
        .filter(|child| child.name() == "table:table")
    {
        let name = table.attribute("table:name").unwrap_or_default();
        if !styles.is_displayed(table.attribute("table:style-name").unwrap_or_default()) {
            writer.leave_out(LeftOutKind::HiddenSheet, 1, "hidden sheets");
            continue;
        }
        writer.page(Some(name.to_owned()))?;
        writer.block(BlockKind::Heading { level: 1 }, name)?;
        let mut reader = Reader {
            sheet: Sheet::default(),
            inline: Inline::new(&styles),
            row: 0,
            num_hidden: 0,
            hidden_columns: hidden_columns(table),
        };
        reader.rows(table, false, writer)?;
        reader.sheet.write(writer)?;
        reader.inline.report(writer);
        writer.leave_out(
            LeftOutKind::HiddenText,
            reader.num_hidden,
            "characters in hidden rows and columns",
        );
        for text_box in &reader.inline.text_boxes {
            writer.block(BlockKind::Paragraph, &text_box.text())?;
        }
    }
    Ok(())
}

struct Reader<'a> {
    sheet: Sheet,
    inline: Inline<'a>,
    row: u64,
    num_hidden: u64,
    /// From and to, the last one excluded.
    hidden_columns: Vec<(u64, u64)>,
}

impl<'a> Reader<'a> {
    fn rows(
        &mut self,
        parent: &'a Element,
        is_hidden: bool,
        writer: &Writer<'_>,
    ) -> Result<(), DocumentError> {
        for child in parent.children() {
            let is_hidden = is_hidden
                || is_collapsed(child)
                || child.attribute("table:display") == Some("false");
            match child.name() {
                "table:table-row" => self.repeated_row(child, is_hidden, writer)?,
                "table:table-header-rows" | "table:table-row-group" | "table:table-rows" => {
                    self.rows(child, is_hidden, writer)?
                }
                "table:shapes" => {
                    for shape in child.children() {
                        self.inline.drawing(shape);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn repeated_row(
        &mut self,
        row: &'a Element,
        is_hidden: bool,
        writer: &Writer<'_>,
    ) -> Result<(), DocumentError> {
        let times = row.number("table:number-rows-repeated").unwrap_or(1).max(1);
        let cells = self.cells(row, writer)?;
        if !cells.is_empty() && times > writer.limits.max_nodes {
            return Err(too_many_nodes(writer.limits));
        }
        for offset in 0..if cells.is_empty() { 0 } else { times } {
            for (column, text) in &cells {
                let in_column = self
                    .hidden_columns
                    .iter()
                    .any(|(from, to)| (from..to).contains(&column));
                if is_hidden || in_column {
                    self.num_hidden += text.chars().count() as u64;
                } else {
                    self.sheet
                        .set(self.row + offset, *column, text.clone(), writer)?;
                }
            }
        }
        self.row = self.row.saturating_add(times);
        Ok(())
    }

    /// The cells of a row that are not empty, with their columns.
    fn cells(
        &mut self,
        row: &'a Element,
        writer: &Writer<'_>,
    ) -> Result<Vec<(u64, String)>, DocumentError> {
        let mut cells = Vec::new();
        let mut column: u64 = 0;
        for cell in row.children() {
            let times = cell
                .number("table:number-columns-repeated")
                .unwrap_or(1)
                .max(1);
            for child in cell.children() {
                match child.name() {
                    "text:p" => {
                        self.inline.read(child, false);
                        self.inline.text.push('\n');
                    }
                    "office:annotation" => {
                        // Counted as the comment that it is.
                        self.inline.comment();
                    }
                    _ => self.inline.drawing(child),
                }
            }
            let text = std::mem::take(&mut self.inline.text);
            if !text.trim().is_empty() {
                if times.saturating_add(cells.len() as u64) > writer.limits.max_nodes {
                    return Err(too_many_nodes(writer.limits));
                }
                cells.extend((0..times).map(|offset| (column + offset, text.trim().to_owned())));
            }
            column = column.saturating_add(times);
        }
        Ok(cells)
    }
}

fn hidden_columns(table: &Element) -> Vec<(u64, u64)> {
    let mut hidden = Vec::new();
    let mut column: u64 = 0;
    for own in table.descendants("table:table-column") {
        let next = column.saturating_add(own.number("table:number-columns-repeated").unwrap_or(1));
        if is_collapsed(own) {
            hidden.push((column, next));
        }
        column = next;
    }
    hidden
}

fn is_collapsed(element: &Element) -> bool {
    matches!(
        element.attribute("table:visibility"),
        Some("collapse" | "filter")
    )
}
