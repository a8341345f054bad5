//! Excel's XLSX: a page a sheet, a table a page. Values are those that were saved; formulas are
//! not computed.

use super::archive::{Archive, malformed, relationships};
use super::number_format::NumberFormat;
use super::sheet::Sheet;
use super::xml::Element;
use crate::document::error::DocumentError;
use crate::document::format::Format;
use crate::document::model::{BlockKind, LeftOutKind};
use crate::document::writer::Writer;
use std::collections::{HashMap, HashSet};

const WORKBOOK: &str = "xl/workbook.xml";

pub fn read(bytes: &[u8], writer: &mut Writer<'_>) -> Result<(), DocumentError> {
    let limits = writer.limits;
    let mut archive = Archive::open(bytes, limits.max_inflated_bytes)?.named(Format::Xlsx);
    let workbook = archive.required(WORKBOOK, limits)?;
    let targets = relationships(&mut archive, WORKBOOK, limits)?;
    let shared = archive.xml("xl/sharedStrings.xml", limits)?;
    let styles = archive.xml("xl/styles.xml", limits)?;
    let core = archive.xml("docProps/core.xml", limits)?;
    writer.title = core.and_then(|core| Some(core.child("dc:title")?.text()));
    let book = Book {
        strings: shared
            .iter()
            .flat_map(Element::children)
            .map(rich_text)
            .collect(),
        formats: styles.as_ref().map(formats).unwrap_or_default(),
        since_1904: workbook
            .child("x:workbookPr")
            .and_then(|properties| properties.attribute("date1904"))
            .is_some_and(|value| matches!(value, "1" | "true")),
    };
    let sheets = workbook
        .child("x:sheets")
        .ok_or_else(|| malformed(Format::Xlsx, "it has no sheets"))?;
    let mut num_sheets = 0;
    for sheet in sheets.children() {
        let name = sheet.attribute("name").unwrap_or_default();
        if matches!(sheet.attribute("state"), Some("hidden" | "veryHidden")) {
            writer.leave_out(LeftOutKind::HiddenSheet, 1, "hidden sheets");
            continue;
        }
        let target = sheet.attribute("r:id").and_then(|id| targets.get(id));
        let target =
            target.ok_or_else(|| malformed(Format::Xlsx, "one of its sheets is missing"))?;
        writer.page(Some(name.to_owned()))?;
        writer.block(BlockKind::Heading { level: 1 }, name)?;
        let part = archive.required(target, limits)?;
        book.read(&part, writer)?;
        around(&mut archive, target, writer)?;
        num_sheets += 1;
    }
    if archive.names().any(|name| name.ends_with("vbaProject.bin")) {
        writer.leave_out(LeftOutKind::ActiveContent, 1, "macros");
    }
    match num_sheets {
        0 => Err(malformed(Format::Xlsx, "all its sheets are hidden")),
        _ => Ok(()),
    }
}

struct Book {
    strings: Vec<String>,
    /// By the index that cells name.
    formats: Vec<NumberFormat>,
    since_1904: bool,
}

impl Book {
    fn read(&self, part: &Element, writer: &mut Writer<'_>) -> Result<(), DocumentError> {
        let hidden_columns: HashSet<u64> = part
            .child("x:cols")
            .into_iter()
            .flat_map(Element::children)
            .filter(|columns| is_set(columns, "hidden"))
            .flat_map(|columns| {
                let first = columns.number("min").unwrap_or(1);
                let last = columns.number("max").unwrap_or(first).min(16_384);
                (first..=last).map(|column| column - 1)
            })
            .collect();
        let mut sheet = Sheet::default();
        let mut num_hidden = 0;
        let mut next_row = 0;
        for row in part
            .child("x:sheetData")
            .into_iter()
            .flat_map(Element::children)
        {
            let row_index = row
                .number("r")
                .map_or(next_row, |number| number.saturating_sub(1));
            next_row = row_index + 1;
            let mut next_column = 0;
            for cell in row.children() {
                let column = cell
                    .attribute("r")
                    .and_then(column_of)
                    .unwrap_or(next_column);
                next_column = column + 1;
                let text = self.value(cell);
                if is_set(row, "hidden") || hidden_columns.contains(&column) {
                    num_hidden += text.chars().count() as u64;
                } else {
                    sheet.set(row_index, column, text, writer)?;
                }
            }
        }
        writer.leave_out(
            LeftOutKind::HiddenText,
            num_hidden,
            "characters in hidden rows and columns",
        );
        sheet.write(writer)?;
        for (place, kind) in [
            ("x:oddHeader", BlockKind::Header),
            ("x:oddFooter", BlockKind::Footer),
        ] {
            if let Some(text) = part.at(&["x:headerFooter", place]).map(Element::text) {
                let plain = without_codes(&text);
                // `Page 1` and the sheet's own name are no text of the workbook.
                if plain.split_whitespace().count() > 1 || !text.contains('&') {
                    writer.block(kind, &plain)?;
                }
            }
        }
        Ok(())
    }

    fn value(&self, cell: &Element) -> String {
        let value = || cell.child("x:v").map(Element::text).unwrap_or_default();
        match cell.attribute("t") {
            Some("s") => {
                let index = value().trim().parse::<usize>().ok();
                index
                    .and_then(|index| self.strings.get(index))
                    .cloned()
                    .unwrap_or_default()
            }
            Some("inlineStr") => cell.child("x:is").map(rich_text).unwrap_or_default(),
            Some("str" | "e" | "d") => value(),
            Some("b") => (if value().trim() == "1" {
                "TRUE"
            } else {
                "FALSE"
            })
            .to_owned(),
            _ => {
                let value = value();
                let format = cell
                    .number("s")
                    .and_then(|index| self.formats.get(usize::try_from(index).ok()?));
                match value.trim().parse::<f64>() {
                    Ok(number) => format
                        .unwrap_or(&NumberFormat::General)
                        .show(number, self.since_1904),
                    Err(_) => value,
                }
            }
        }
    }
}

/// What stands beside a sheet's cells: notes are counted, drawings are too.
fn around(
    archive: &mut Archive<'_>,
    sheet: &str,
    writer: &mut Writer<'_>,
) -> Result<(), DocumentError> {
    let targets = relationships(archive, sheet, writer.limits)?;
    let mut sorted: Vec<&String> = targets.values().collect();
    sorted.sort();
    for target in sorted {
        let Some(part) = (target.ends_with(".xml"))
            .then(|| archive.xml(target, writer.limits))
            .transpose()?
            .flatten()
        else {
            continue;
        };
        if target.contains("/comments") {
            let count = part.descendants("x:comment").count();
            writer.leave_out(LeftOutKind::Comment, count as u64, "comments on cells");
        } else if target.contains("/drawings/") {
            for paragraph in part.descendants("a:p") {
                let text: String = paragraph.descendants("a:t").map(Element::text).collect();
                writer.block(BlockKind::Paragraph, &text)?;
            }
            writer.leave_out(
                LeftOutKind::Image,
                part.descendants("a:blip").count() as u64,
                "pictures",
            );
            writer.leave_out(
                LeftOutKind::Image,
                part.descendants("c:chart").count() as u64,
                "charts and diagrams",
            );
        }
    }
    Ok(())
}

/// Text in pieces; what says how it is pronounced is not among them.
fn rich_text(item: &Element) -> String {
    item.children()
        .map(|child| match child.name() {
            "x:t" => child.text(),
            "x:r" => child.child("x:t").map(Element::text).unwrap_or_default(),
            _ => String::new(),
        })
        .collect()
}

fn formats(styles: &Element) -> Vec<NumberFormat> {
    let own: HashMap<u64, NumberFormat> = styles
        .child("x:numFmts")
        .into_iter()
        .flat_map(Element::children)
        .filter_map(|format| {
            Some((
                format.number("numFmtId")?,
                NumberFormat::parse(format.attribute("formatCode")?),
            ))
        })
        .collect();
    let cells = styles
        .child("x:cellXfs")
        .into_iter()
        .flat_map(Element::children);
    cells
        .map(|cell| {
            let id = cell.number("numFmtId").unwrap_or(0);
            own.get(&id)
                .cloned()
                .unwrap_or_else(|| NumberFormat::built_in(id))
        })
        .collect()
}

/// The column of `BC7`, from 0.
fn column_of(reference: &str) -> Option<u64> {
    let letters = reference.chars().take_while(char::is_ascii_alphabetic);
    let number = letters.take(4).fold(0, |number, letter| {
        number * 26 + u64::from(letter.to_ascii_uppercase() as u32 - 'A' as u32) + 1
    });
    number.checked_sub(1)
}

/// `&L`, `&"Arial"` and the like are about the look of a header; `&P` is a page's number.
fn without_codes(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, chars.clone().next()) {
            ('&', Some('"')) => {
                chars.next();
                chars.by_ref().find(|c| *c == '"');
            }
            ('&', Some('&')) => {
                chars.next();
                plain.push('&');
            }
            // A color has six digits, and a size as many as it needs.
            ('&', Some('K')) => {
                chars.nth(6);
                plain.push(' ');
            }
            ('&', Some(code)) => {
                chars.next();
                while code.is_ascii_digit()
                    && chars.clone().next().is_some_and(|c| c.is_ascii_digit())
                {
                    chars.next();
                }
                plain.push(' ');
            }
            (c, _) => plain.push(c),
        }
    }
    plain
}

fn is_set(element: &Element, name: &str) -> bool {
    matches!(element.attribute(name), Some("1" | "true"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_know_their_columns() {
        assert_eq!(
            ["A1", "Z9", "AA10", "XFD1"].map(column_of),
            [Some(0), Some(25), Some(26), Some(16_383)]
        );
        assert_eq!(column_of("7"), None);
    }

    #[test]
    fn codes_of_headers_are_no_text() {
        assert_eq!(
            without_codes("&L&\"Arial,Bold\"&12Mairie && Cie&R&Kff0000Seite&P").trim(),
            "Mairie & Cie  Seite"
        );
    }
}
