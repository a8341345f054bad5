//! Word's DOCX: the body in order, with what stands apart from it (notes, text boxes, headers and
//! footers) after the paragraph, or at the ends of the document.

mod furniture;
mod numbering;
mod runs;
mod styles;

use super::archive::{Archive, relationships, resolve};
use super::numbering::superscript;
use super::xml::{Element, Node};
use crate::document::error::DocumentError;
use crate::document::format::Format;
use crate::document::markdown_table;
use crate::document::model::{BlockKind, LeftOutKind};
use crate::document::writer::Writer;
use furniture::Furniture;
use numbering::Numbering;
use runs::Inline;
use std::collections::HashMap;
use styles::Styles;

const DOCUMENT: &str = "word/document.xml";

pub fn read(bytes: &[u8], writer: &mut Writer<'_>) -> Result<(), DocumentError> {
    let limits = writer.limits;
    let mut archive = Archive::open(bytes, limits.max_inflated_bytes)?.named(Format::Docx);
    let main = main_part(&mut archive, writer)?;
    let document = archive.required(&main, limits)?;
    let targets = relationships(&mut archive, &main, limits)?;
    let mut notes = HashMap::new();
    for (kind, part) in [("footnote", "footnotes.xml"), ("endnote", "endnotes.xml")] {
        if let Some(root) = archive.xml(&resolve(&main, part), limits)? {
            notes.extend(root.nodes.into_iter().filter_map(|node| match node {
                Node::Element(note) => Some((format!("{kind} {}", note.attribute("w:id")?), note)),
                Node::Text(_) => None,
            }));
        }
    }
    let styles = archive.xml(&resolve(&main, "styles.xml"), limits)?;
    let numbering = archive.xml(&resolve(&main, "numbering.xml"), limits)?;
    let settings = archive.xml(&resolve(&main, "settings.xml"), limits)?;
    let core = archive.xml("docProps/core.xml", limits)?;
    writer.title = core.and_then(|core| Some(core.child("dc:title")?.text()));
    let furniture = Furniture::read(&mut archive, &document, settings.as_ref(), &targets, writer)?;
    if archive.names().any(|name| name.ends_with("vbaProject.bin")) {
        writer.leave_out(LeftOutKind::ActiveContent, 1, "macros");
    }
    let mut reader = Reader {
        writer,
        styles: styles.as_ref().map(Styles::read).unwrap_or_default(),
        numbering: numbering.as_ref().map(Numbering::read).unwrap_or_default(),
        notes: &notes,
        num_notes: 0,
        depth: 0,
        carried: Inline::default(),
    };
    reader.writer.page(None)?;
    for part in &furniture.headers {
        reader.story(part, BlockKind::Header)?;
    }
    if let Some(body) = document.child("w:body") {
        reader.blocks(body, None)?;
    }
    reader.end_carried(None)?;
    for part in &furniture.footers {
        reader.story(part, BlockKind::Footer)?;
    }
    Ok(())
}

/// Where the document itself stands: nearly always where everybody puts it.
fn main_part(archive: &mut Archive<'_>, writer: &Writer<'_>) -> Result<String, DocumentError> {
    let root = archive.xml("_rels/.rels", writer.limits)?;
    let found = root.as_ref().and_then(|root| {
        let mut all = root.children();
        all.find(|rel| {
            rel.attribute("Type")
                .is_some_and(|kind| kind.ends_with("/officeDocument"))
        })?
        .attribute("Target")
    });
    Ok(found.unwrap_or(DOCUMENT).trim_start_matches('/').to_owned())
}

struct Reader<'a, 'w> {
    writer: &'a mut Writer<'w>,
    styles: Styles,
    numbering: Numbering,
    notes: &'a HashMap<String, Element>,
    num_notes: u64,
    /// Text boxes within text boxes.
    depth: u32,
    /// A paragraph whose end has been deleted goes on in the next one.
    carried: Inline<'a>,
}

impl<'a> Reader<'a, '_> {
    /// A story apart from the body, all of it of one kind.
    fn story(&mut self, root: &'a Element, kind: BlockKind) -> Result<(), DocumentError> {
        self.blocks(root, Some(kind))?;
        self.end_carried(Some(kind))
    }

    fn blocks(
        &mut self,
        parent: &'a Element,
        kind: Option<BlockKind>,
    ) -> Result<(), DocumentError> {
        for child in parent.children() {
            match child.name() {
                "w:p" => self.paragraph(child, kind)?,
                "w:tbl" => {
                    self.end_carried(kind)?;
                    self.table(child, kind)?;
                }
                "w:del" | "w:moveFrom" => self.deleted(),
                "w:sectPr" | "w:sdtPr" | "w:tcPr" => {}
                "mc:AlternateContent" => {
                    if let Some(choice) = child.child("mc:Choice").or(child.child("mc:Fallback")) {
                        self.blocks(choice, kind)?;
                    }
                }
                _ => self.blocks(child, kind)?,
            }
        }
        Ok(())
    }

    fn paragraph(
        &mut self,
        paragraph: &'a Element,
        kind: Option<BlockKind>,
    ) -> Result<(), DocumentError> {
        let properties = paragraph.child("w:pPr");
        let style = properties
            .and_then(|all| all.child("w:pStyle")?.attribute("w:val"))
            .unwrap_or_default();
        let mut inline = std::mem::take(&mut self.carried);
        inline.is_hidden = self.styles.is_hidden(style);
        inline.read(paragraph);
        if properties.is_some_and(|all| all.at(&["w:rPr", "w:del"]).is_some()) {
            self.carried = inline;
            return Ok(());
        }
        let level = properties
            .and_then(|all| {
                all.child("w:outlineLvl")?
                    .attribute("w:val")?
                    .parse::<u8>()
                    .ok()
            })
            .map(|level| (level < 9).then_some(level + 1))
            .unwrap_or_else(|| self.styles.heading_level(style));
        let numbering = properties
            .and_then(|all| all.child("w:numPr"))
            .and_then(styles::numbering)
            .or_else(|| self.styles.numbering(style))
            .filter(|(id, _)| id != "0");
        let label = match inline.is_empty() {
            true => None,
            false => numbering.and_then(|(id, level)| self.numbering.next(&id, level.unwrap_or(0))),
        };
        let kind = kind.unwrap_or(match (level, &label) {
            (Some(level), _) => BlockKind::Heading { level },
            (None, Some(_)) => BlockKind::ListItem,
            (None, None) => BlockKind::Paragraph,
        });
        if let Some(label) = label {
            inline.prefix(&label);
        }
        self.write(inline, kind)
    }

    fn end_carried(&mut self, kind: Option<BlockKind>) -> Result<(), DocumentError> {
        let carried = std::mem::take(&mut self.carried);
        self.write(carried, kind.unwrap_or(BlockKind::Paragraph))
    }

    /// Writes a paragraph, and then what hung on it.
    fn write(&mut self, inline: Inline<'a>, kind: BlockKind) -> Result<(), DocumentError> {
        let text = self.with_note_numbers(&inline);
        for (index, part) in text.split(runs::PAGE_BREAK).enumerate() {
            // Headers and notes stand on a page; they do not begin one.
            if index > 0
                && !matches!(
                    kind,
                    BlockKind::Header | BlockKind::Footer | BlockKind::Footnote
                )
            {
                self.writer.page_break()?;
            }
            self.writer.block(kind, part)?;
        }
        self.hanging(&inline)
    }

    /// What was left out of a paragraph, its text boxes and its notes.
    fn hanging(&mut self, inline: &Inline<'a>) -> Result<(), DocumentError> {
        inline.report(self.writer);
        let first = self.num_notes + 1 - inline.notes.len() as u64;
        for text_box in &inline.text_boxes {
            // Text boxes hold text boxes only in files that mean harm.
            if self.depth < 8 {
                self.depth += 1;
                self.blocks(text_box, None)?;
                self.depth -= 1;
            }
        }
        for (number, id) in (first..).zip(&inline.notes) {
            let Some(note) = self.notes.get(id) else {
                continue;
            };
            let mut text = Inline::default();
            for paragraph in note.descendants("w:p") {
                text.read(paragraph);
                text.push('\n');
            }
            text.report(self.writer);
            let text = format!("{} {}", superscript(&number.to_string()), text.text.trim());
            self.writer.block(BlockKind::Footnote, &text)?;
        }
        Ok(())
    }

    fn with_note_numbers(&mut self, inline: &Inline<'a>) -> String {
        let mut text = String::with_capacity(inline.text.len());
        for c in inline.text.chars() {
            if c == runs::NOTE {
                self.num_notes += 1;
                text.push_str(&superscript(&self.num_notes.to_string()));
            } else {
                text.push(c);
            }
        }
        text
    }

    fn table(&mut self, table: &'a Element, kind: Option<BlockKind>) -> Result<(), DocumentError> {
        let mut rows = Vec::new();
        let mut hanging = Vec::new();
        self.rows(table, &mut rows, &mut hanging)?;
        rows.retain(|row| row.iter().any(|cell| !cell.trim().is_empty()));
        let is_frame = rows.iter().all(|row| row.len() == 1);
        if is_frame {
            for cell in rows.iter().flatten() {
                self.writer
                    .block(kind.unwrap_or(BlockKind::Paragraph), cell)?;
            }
        } else {
            self.writer
                .block(kind.unwrap_or(BlockKind::Table), &markdown_table(&rows))?;
        }
        // The notes of a table are numbered already; they follow it in order.
        let total = self.num_notes;
        let mut number = total
            - hanging
                .iter()
                .map(|inline: &Inline<'_>| inline.notes.len() as u64)
                .sum::<u64>();
        for inline in &hanging {
            number += inline.notes.len() as u64;
            self.num_notes = number;
            self.hanging(inline)?;
        }
        self.num_notes = self.num_notes.max(total);
        Ok(())
    }

    fn rows(
        &mut self,
        parent: &'a Element,
        rows: &mut Vec<Vec<String>>,
        hanging: &mut Vec<Inline<'a>>,
    ) -> Result<(), DocumentError> {
        for child in parent.children() {
            match child.name() {
                "w:tr" if child.at(&["w:trPr", "w:del"]).is_some() => self.deleted(),
                "w:tr" => {
                    let mut row = Vec::new();
                    self.cells(child, &mut row, hanging)?;
                    rows.push(row);
                }
                "w:tblPr" | "w:tblGrid" => {}
                _ => self.rows(child, rows, hanging)?,
            }
        }
        Ok(())
    }

    fn cells(
        &mut self,
        parent: &'a Element,
        row: &mut Vec<String>,
        hanging: &mut Vec<Inline<'a>>,
    ) -> Result<(), DocumentError> {
        for child in parent.children() {
            match child.name() {
                "w:tc" => {
                    let properties = child.child("w:tcPr");
                    let span = properties
                        .and_then(|all| all.child("w:gridSpan")?.number("w:val"))
                        .unwrap_or(1);
                    let mut inline = Inline::default();
                    self.cell(child, &mut inline);
                    row.push(
                        self.with_note_numbers(&inline)
                            .replace(runs::PAGE_BREAK, " "),
                    );
                    hanging.push(inline);
                    row.extend((1..span.min(64)).map(|_| String::new()));
                }
                "w:trPr" | "w:tblPrEx" => {}
                _ => self.cells(child, row, hanging)?,
            }
        }
        Ok(())
    }

    /// All that stands in a cell, tables within it too, as one text.
    fn cell(&mut self, parent: &'a Element, inline: &mut Inline<'a>) {
        for child in parent.children() {
            match child.name() {
                "w:p" => {
                    let numbering = child.at(&["w:pPr", "w:numPr"]).and_then(styles::numbering);
                    let label = numbering
                        .and_then(|(id, level)| self.numbering.next(&id, level.unwrap_or(0)));
                    if let Some(label) = label {
                        inline.text.push_str(&label);
                        inline.push(' ');
                    }
                    inline.read(child);
                    inline.push('\n');
                }
                "w:tcPr" | "w:tblPr" | "w:trPr" | "w:tblGrid" | "w:sdtPr" => {}
                "w:tc" => {
                    self.cell(child, inline);
                    inline.push(' ');
                }
                _ => self.cell(child, inline),
            }
        }
    }

    fn deleted(&mut self) {
        self.writer.leave_out(
            LeftOutKind::Deletion,
            1,
            "tracked changes, taken as accepted",
        );
    }
}
