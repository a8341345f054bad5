//! OpenDocument text, in the order of the file, with notes and text boxes after the paragraph
//! that they hang on.

mod furniture;
mod inline;
mod styles;

pub(super) use inline::Inline;
pub(super) use styles::Styles;

use super::archive::{Archive, malformed};
use super::xml::{Element, Node};
use crate::document::error::DocumentError;
use crate::document::format::Format;
use crate::document::markdown_table;
use crate::document::model::{BlockKind, LeftOutKind};
use crate::document::writer::Writer;
use furniture::furniture;
use inline::PAGE_BREAK;
use std::collections::HashMap;
use styles::{Counters, OUTLINE};

pub fn read(bytes: &[u8], writer: &mut Writer<'_>) -> Result<(), DocumentError> {
    let limits = writer.limits;
    let mut archive = Archive::open(bytes, limits.max_inflated_bytes)?.named(Format::Odt);
    let content = archive.required("content.xml", limits)?;
    let shared = archive.xml("styles.xml", limits)?;
    writer.title = title(&mut archive, writer)?;
    let mut styles = Styles::default();
    if let Some(shared) = &shared {
        styles.add(shared);
    }
    styles.add(&content);
    if archive.names().any(|name| {
        name.starts_with("Basic/") && name.ends_with(".xml") && !name.ends_with("script-lc.xml")
    }) {
        writer.leave_out(LeftOutKind::ActiveContent, 1, "macros");
    }
    let text = content
        .at(&["office:body", "office:text"])
        .ok_or_else(|| malformed(Format::Odt, "it has no text"))?;
    let mut reader = Reader {
        writer,
        styles: &styles,
        lists: HashMap::new(),
        outline: Counters::default(),
        depth: 0,
    };
    reader.writer.page(None)?;
    let parts = |kind: &str| furniture(&content, shared.as_ref(), kind);
    for part in parts("style:header") {
        reader.blocks(part, Some(BlockKind::Header), &[])?;
    }
    reader.tracked(text);
    reader.blocks(text, None, &[])?;
    furniture::forms(text, reader.writer)?;
    for part in parts("style:footer") {
        reader.blocks(part, Some(BlockKind::Footer), &[])?;
    }
    Ok(())
}

pub(super) fn title(
    archive: &mut Archive<'_>,
    writer: &Writer<'_>,
) -> Result<Option<String>, DocumentError> {
    let meta = archive.xml("meta.xml", writer.limits)?;
    Ok(meta.and_then(|meta| Some(meta.at(&["office:meta", "dc:title"])?.text())))
}

struct Reader<'a, 'w> {
    writer: &'a mut Writer<'w>,
    styles: &'a Styles,
    lists: HashMap<String, Counters>,
    outline: Counters,
    depth: u32,
}

impl Reader<'_, '_> {
    /// `lists` are the styles of the lists that the blocks stand in, outermost first.
    fn blocks(
        &mut self,
        parent: &Element,
        kind: Option<BlockKind>,
        lists: &[String],
    ) -> Result<(), DocumentError> {
        for child in parent.children() {
            match child.name() {
                "text:p" | "text:h" => self.paragraph(child, kind, None)?,
                "text:list" => self.list(child, kind, lists)?,
                "table:table" => self.table(child, kind)?,
                "text:section" if child.attribute("text:display") == Some("none") => {
                    self.hidden(child)
                }
                "text:tracked-changes"
                | "office:forms"
                | "text:sequence-decls"
                | "text:variable-decls"
                | "text:user-field-decls"
                | "text:index-title-template"
                | "text:table-of-content-source" => {}
                "text:soft-page-break" => self.writer.page_break()?,
                "draw:frame" | "draw:g" | "draw:custom-shape" | "draw:rect" => {
                    let mut inline = Inline::new(self.styles);
                    inline.drawing(child);
                    self.write(&inline, BlockKind::Paragraph)?;
                }
                _ => self.blocks(child, kind, lists)?,
            }
        }
        Ok(())
    }

    fn paragraph(
        &mut self,
        paragraph: &Element,
        kind: Option<BlockKind>,
        label: Option<String>,
    ) -> Result<(), DocumentError> {
        let style = paragraph.attribute("text:style-name").unwrap_or_default();
        if self.styles.is_hidden("paragraph", style)
            || paragraph
                .descendants("text:hidden-paragraph")
                .any(|hidden| hidden.attribute("text:is-hidden") != Some("false"))
        {
            self.hidden(paragraph);
            return Ok(());
        }
        if kind.is_none() && self.styles.begins_page(style) {
            self.writer.page_break()?;
        }
        let mut inline = Inline::new(self.styles);
        inline.read(paragraph, false);
        let level = match paragraph.name() {
            "text:h" => Some(
                paragraph
                    .number("text:outline-level")
                    .and_then(|level| u8::try_from(level).ok())
                    .unwrap_or(1),
            ),
            _ if self.styles.is_title(style) => Some(0),
            _ => None,
        };
        let is_numbered = level.is_some_and(|level| level > 0)
            && !inline.text.trim().is_empty()
            && paragraph.attribute("text:is-list-header") != Some("true");
        let label = match (label, level) {
            (None, Some(level)) if is_numbered => {
                self.styles
                    .next_label(OUTLINE, usize::from(level) - 1, &mut self.outline)
            }
            (label, _) => label,
        };
        let label = label
            .map(|label| label.trim().to_owned())
            .filter(|label| !label.is_empty());
        let kind = kind.unwrap_or(match (level, &label) {
            (Some(level), _) => BlockKind::Heading {
                level: level.min(9),
            },
            (None, Some(_)) => BlockKind::ListItem,
            (None, None) => BlockKind::Paragraph,
        });
        if let Some(label) = label {
            inline.prefix(&label);
        }
        self.write(&inline, kind)
    }

    fn write(&mut self, inline: &Inline<'_>, kind: BlockKind) -> Result<(), DocumentError> {
        for (index, part) in inline.text.split(PAGE_BREAK).enumerate() {
            if index > 0 && !matches!(kind, BlockKind::Header | BlockKind::Footer) {
                self.writer.page_break()?;
            }
            self.writer.block(kind, part)?;
        }
        self.hanging(inline)
    }

    fn hanging(&mut self, inline: &Inline<'_>) -> Result<(), DocumentError> {
        inline.report(self.writer);
        for text_box in &inline.text_boxes {
            if self.depth < 8 {
                self.depth += 1;
                self.blocks(text_box, None, &[])?;
                self.depth -= 1;
            }
        }
        for note in &inline.notes {
            let mut text = Inline::new(self.styles);
            for paragraph in note
                .child("text:note-body")
                .into_iter()
                .flat_map(|body| body.descendants("text:p"))
            {
                text.read(paragraph, false);
                text.text.push('\n');
            }
            text.report(self.writer);
            let text = format!("{} {}", self.styles.citation(note), text.text.trim());
            self.writer.block(BlockKind::Footnote, &text)?;
        }
        Ok(())
    }

    fn list(
        &mut self,
        list: &Element,
        kind: Option<BlockKind>,
        outer: &[String],
    ) -> Result<(), DocumentError> {
        let style = list
            .attribute("text:style-name")
            .map(str::to_owned)
            .or_else(|| outer.last().cloned());
        let level = outer.len();
        let style = style.unwrap_or_default();
        // A list begins anew unless it says that it goes on.
        let goes_on = list.attribute("text:continue-numbering") == Some("true")
            || list.attribute("text:continue-list").is_some();
        let key = style.clone();
        if level == 0 && !goes_on {
            self.lists.remove(&key);
        }
        let mut within = outer.to_vec();
        within.push(style.clone());
        for item in list.children() {
            let mut is_first = item.name() == "text:list-item";
            for child in item.children() {
                match child.name() {
                    "text:list" => self.list(child, kind, &within)?,
                    "text:p" | "text:h" => {
                        let label = match is_first {
                            true => {
                                let counters = self.lists.entry(key.clone()).or_default();
                                self.styles.next_label(&style, level, counters)
                            }
                            false => None,
                        };
                        is_first = false;
                        self.paragraph(child, kind, label)?;
                    }
                    _ => self.blocks(child, kind, &within)?,
                }
            }
        }
        Ok(())
    }

    fn table(&mut self, table: &Element, kind: Option<BlockKind>) -> Result<(), DocumentError> {
        let mut rows = Vec::new();
        let mut inline = Inline::new(self.styles);
        Self::rows(table, &mut rows, &mut inline);
        rows.retain(|row| row.iter().any(|cell| !cell.trim().is_empty()));
        if rows.iter().all(|row| row.len() == 1) {
            for cell in rows.iter().flatten() {
                self.writer
                    .block(kind.unwrap_or(BlockKind::Paragraph), cell)?;
            }
        } else {
            self.writer
                .block(kind.unwrap_or(BlockKind::Table), &markdown_table(&rows))?;
        }
        self.hanging(&inline)
    }

    /// Takes the cells' texts out of `inline`, which keeps what hangs on them.
    fn rows<'b>(parent: &'b Element, rows: &mut Vec<Vec<String>>, inline: &mut Inline<'b>) {
        for child in parent.children() {
            match child.name() {
                "table:table-row" => {
                    let mut row = Vec::new();
                    for cell in child.children() {
                        match cell.name() {
                            "table:table-cell" => {
                                cell_text(cell, inline);
                                row.push(std::mem::take(&mut inline.text).replace(PAGE_BREAK, " "));
                            }
                            "table:covered-table-cell" => row.push(String::new()),
                            _ => {}
                        }
                    }
                    rows.push(row);
                }
                _ => Self::rows(child, rows, inline),
            }
        }
    }

    fn tracked(&mut self, text: &Element) {
        let deletions = text
            .descendants("text:changed-region")
            .filter(|region| region.child("text:deletion").is_some())
            .count();
        self.writer.leave_out(
            LeftOutKind::Deletion,
            deletions as u64,
            "tracked changes, taken as accepted",
        );
    }

    fn hidden(&mut self, element: &Element) {
        let hidden = element.text().chars().count();
        self.writer
            .leave_out(LeftOutKind::HiddenText, hidden as u64, inline::HIDDEN);
    }
}

/// All that stands in a cell as one text.
fn cell_text<'b>(cell: &'b Element, inline: &mut Inline<'b>) {
    for node in &cell.nodes {
        let Node::Element(child) = node else { continue };
        match child.name() {
            "text:p" | "text:h" => {
                inline.read(child, false);
                inline.text.push('\n');
            }
            "text:list-item" => {
                inline.text.push_str("- ");
                cell_text(child, inline);
            }
            "draw:frame" | "draw:g" | "draw:custom-shape" => inline.drawing(child),
            "office:annotation" => inline.read(child, false),
            _ => cell_text(child, inline),
        }
    }
}
