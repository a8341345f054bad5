//! Rich Text Format: a stream of groups and control words, of which the text and what hides it
//! matter here.

mod group;
mod token;

use super::error::{DocumentError, Limit};
use super::format::Format;
use super::markdown_table;
use super::model::{BlockKind, LeftOutKind};
use super::office::superscript;
use super::writer::Writer;
use group::{Destination, Group, code_page};
use std::collections::HashMap;
use token::{Token, Tokens};

/// Groups within one another that are read: more than Word nests.
const MAX_GROUPS: usize = 2000;

pub(super) fn read(bytes: &[u8], writer: &mut Writer<'_>) -> Result<(), DocumentError> {
    let mut reader = Reader {
        writer,
        groups: vec![Group::default()],
        encoding: encoding_rs::WINDOWS_1252,
        bytes: Vec::new(),
        text: String::new(),
        cells: Vec::new(),
        rows: Vec::new(),
        notes: Vec::new(),
        headers: Vec::new(),
        footers: Vec::new(),
        styles: HashMap::new(),
        style: None,
        aside: String::new(),
        num_notes: 0,
        level: None,
        label: String::new(),
        in_table: false,
        skip: 0,
        high: None,
    };
    reader.writer.page(None)?;
    for token in Tokens::new(bytes) {
        reader.token(token)?;
    }
    // A file that was cut short has groups open: what it holds may not be all.
    if reader.groups.len() > 1 {
        return Err(DocumentError::Malformed {
            format: Format::Rtf,
            reason: "it ends too early".to_owned(),
        });
    }
    reader.finish()
}

struct Reader<'a, 'w> {
    writer: &'a mut Writer<'w>,
    groups: Vec<Group>,
    encoding: &'static encoding_rs::Encoding,
    /// Characters of the code page that are not decoded yet: some take two bytes.
    bytes: Vec<u8>,
    /// The paragraph under way.
    text: String,
    cells: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Notes of the paragraph under way.
    notes: Vec<String>,
    headers: Vec<String>,
    footers: Vec<String>,
    /// The note, header or footer under way.
    aside: String,
    num_notes: u64,
    level: Option<u8>,
    /// Levels of headings by the numbers of their styles.
    styles: HashMap<i32, u8>,
    /// The style under definition.
    style: Option<i32>,
    /// An item's number, as the program that wrote the file has computed it.
    label: String,
    in_table: bool,
    /// Characters to leave out after one in Unicode: what stands for it in the code page.
    skip: usize,
    /// The first half of a character in UTF-16.
    high: Option<u16>,
}

impl Reader<'_, '_> {
    fn token(&mut self, token: Token<'_>) -> Result<(), DocumentError> {
        match token {
            Token::Open => {
                self.decode();
                self.skip = 0;
                let group = self.group().child();
                self.groups.push(group);
                if self.groups.len() > MAX_GROUPS {
                    return Err(DocumentError::LimitExceeded {
                        limit: Limit::Nesting,
                        max: MAX_GROUPS as u64,
                    });
                }
            }
            Token::Close => {
                self.decode();
                self.skip = 0;
                self.close();
            }
            Token::Byte(_) | Token::Escaped(_) if self.skip > 0 => self.skip -= 1,
            Token::Byte(byte) | Token::Escaped(byte) => self.bytes.push(byte),
            Token::Word { name, number } => {
                self.decode();
                self.word(name, number)?;
            }
            Token::Symbol(symbol) => {
                self.decode();
                match symbol {
                    b'*' => self.group_mut().is_optional = true,
                    b'~' => self.push("\u{a0}"),
                    b'_' => self.push("-"),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn word(&mut self, name: &str, number: Option<i32>) -> Result<(), DocumentError> {
        if self.group_mut().enter(name) {
            if self.group().destination == Destination::Comment {
                self.writer
                    .leave_out(LeftOutKind::Comment, 1, "comments in the margin");
            }
            if self.group().destination == Destination::Picture {
                self.writer.leave_out(LeftOutKind::Image, 1, "pictures");
            }
            if self.group().destination == Destination::Note {
                self.num_notes += 1;
            }
            return Ok(());
        }
        let is_on = number != Some(0);
        match name {
            "u" => self.unicode(number.unwrap_or(0)),
            "uc" => {
                self.group_mut().num_stand_ins =
                    usize::try_from(number.unwrap_or(1)).unwrap_or(1).min(8)
            }
            "ansicpg" => self.encoding = code_page(number.unwrap_or(1252)),
            "v" => self.group_mut().is_hidden = is_on,
            "deleted" => {
                self.group_mut().is_deleted = is_on;
                if is_on {
                    self.writer.leave_out(
                        LeftOutKind::Deletion,
                        1,
                        "tracked changes, taken as accepted",
                    );
                }
            }
            "super" => self.group_mut().is_raised = is_on,
            "nosupersub" => self.group_mut().is_raised = false,
            // In half points.
            "fs" => self.group_mut().is_tiny = number.is_some_and(|size| size <= 4),
            "plain" => self.group_mut().plain(),
            "par" | "sect" if self.is_body() => self.paragraph()?,
            "par" => self.push("\n"),
            "line" | "softline" => self.push("\n"),
            "tab" => self.push("\t"),
            "page" if self.is_body() => {
                self.paragraph()?;
                self.writer.page_break()?;
            }
            "pard" if self.is_body() => {
                self.level = None;
                self.in_table = false;
            }
            "intbl" => self.in_table = true,
            "s" if self.group().destination == Destination::Styles => self.style = number,
            "s" => self.level = number.and_then(|style| self.styles.get(&style)).copied(),
            "outlinelevel" if self.group().destination == Destination::Styles => {
                let level = number
                    .and_then(|level| u8::try_from(level).ok())
                    .filter(|level| *level < 9);
                if let (Some(style), Some(level)) = (self.style, level) {
                    self.styles.insert(style, level);
                }
            }
            "outlinelevel" => {
                self.level = number
                    .and_then(|level| u8::try_from(level).ok())
                    .filter(|level| *level < 9)
            }
            "cell" | "nestcell" => {
                let cell = std::mem::take(&mut self.text);
                self.cells.push(cell);
            }
            "row" | "nestrow" => {
                let row = std::mem::take(&mut self.cells);
                self.rows.push(row);
            }
            "chftn" => self.push(&superscript(&self.num_notes.max(1).to_string())),
            "emdash" => self.push("—"),
            "endash" => self.push("–"),
            "lquote" => self.push("‘"),
            "rquote" => self.push("’"),
            "ldblquote" => self.push("“"),
            "rdblquote" => self.push("”"),
            "bullet" => self.push("•"),
            _ => {}
        }
        Ok(())
    }

    fn unicode(&mut self, code: i32) {
        self.skip = self.group().num_stand_ins;
        // Codes are written as signed numbers of 16 bits.
        let Ok(unit) = u16::try_from(code & 0xffff) else {
            return;
        };
        let units: Vec<u16> = self.high.take().into_iter().chain([unit]).collect();
        if (0xd800..0xdc00).contains(&unit) {
            self.high = Some(unit);
            return;
        }
        let text: String = char::decode_utf16(units)
            .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
        self.push(&text);
    }

    /// Takes the characters of the code page that have come in.
    fn decode(&mut self) {
        if !self.bytes.is_empty() {
            let bytes = std::mem::take(&mut self.bytes);
            let text = self
                .encoding
                .decode_without_bom_handling(&bytes)
                .0
                .into_owned();
            self.push(&text);
        }
    }

    fn push(&mut self, text: &str) {
        let group = self.group().clone();
        if group.destination.is_unseen() || group.is_deleted {
            return;
        }
        if group.is_hidden || group.is_tiny {
            self.writer.leave_out(
                LeftOutKind::HiddenText,
                text.chars().count() as u64,
                "characters that are hidden or tiny",
            );
            return;
        }
        let text = if group.is_raised {
            superscript(text)
        } else {
            text.to_owned()
        };
        match group.destination {
            Destination::Body => self.text.push_str(&text),
            Destination::Label => self.label.push_str(&text),
            Destination::Title => self.writer.title.get_or_insert_default().push_str(&text),
            Destination::Note | Destination::Header | Destination::Footer => {
                self.aside.push_str(&text)
            }
            Destination::Unseen
            | Destination::Styles
            | Destination::Comment
            | Destination::Picture => {}
        }
    }

    fn close(&mut self) {
        // The outermost group is not the file's.
        let Some(group) = (self.groups.len() > 1).then(|| self.groups.pop()).flatten() else {
            return;
        };
        if group.destination == self.group().destination {
            return;
        }
        let list = match group.destination {
            Destination::Note => &mut self.notes,
            Destination::Header => &mut self.headers,
            Destination::Footer => &mut self.footers,
            _ => return,
        };
        let aside = std::mem::take(&mut self.aside);
        if !aside.trim().is_empty() && !list.contains(&aside) {
            list.push(aside);
        }
    }

    fn paragraph(&mut self) -> Result<(), DocumentError> {
        if self.in_table {
            self.text.push('\n');
            return Ok(());
        }
        self.end_table()?;
        let text = std::mem::take(&mut self.text);
        let label = std::mem::take(&mut self.label);
        let label = label.trim();
        let label = match label.chars().all(|c| !c.is_alphanumeric()) && !label.is_empty() {
            true => "-",
            false => label,
        };
        let kind = match (self.level, label.is_empty()) {
            (Some(level), _) => BlockKind::Heading { level: level + 1 },
            (None, false) => BlockKind::ListItem,
            (None, true) => BlockKind::Paragraph,
        };
        if !text.trim().is_empty() {
            self.write_headers()?;
            let text = if label.is_empty() {
                text
            } else {
                format!("{label} {}", text.trim())
            };
            self.writer.block(kind, &text)?;
        }
        for note in std::mem::take(&mut self.notes) {
            self.writer.block(BlockKind::Footnote, &note)?;
        }
        Ok(())
    }

    /// What stands at the head of the pages comes before the text: the file defines it there.
    fn write_headers(&mut self) -> Result<(), DocumentError> {
        for header in std::mem::take(&mut self.headers) {
            self.writer.block(BlockKind::Header, &header)?;
        }
        Ok(())
    }

    fn end_table(&mut self) -> Result<(), DocumentError> {
        let rows = std::mem::take(&mut self.rows);
        let rows: Vec<Vec<String>> = rows
            .into_iter()
            .filter(|row| row.iter().any(|cell| !cell.trim().is_empty()))
            .collect();
        if !rows.is_empty() {
            self.write_headers()?;
        }
        if rows.iter().all(|row| row.len() <= 1) {
            for cell in rows.iter().flatten() {
                self.writer.block(BlockKind::Paragraph, cell)?;
            }
            return Ok(());
        }
        self.writer
            .block(BlockKind::Table, &markdown_table(&rows))
            .map(drop)
    }

    fn finish(mut self) -> Result<(), DocumentError> {
        self.in_table = false;
        if !self.cells.is_empty() {
            self.rows.push(std::mem::take(&mut self.cells));
        }
        self.paragraph()?;
        self.write_headers()?;
        for footer in self.footers {
            self.writer.block(BlockKind::Footer, &footer)?;
        }
        Ok(())
    }

    fn is_body(&self) -> bool {
        self.group().destination == Destination::Body
    }

    fn group(&self) -> &Group {
        self.groups.last().unwrap_or(&group::OUTSIDE)
    }

    fn group_mut(&mut self) -> &mut Group {
        if self.groups.is_empty() {
            self.groups.push(Group::default());
        }
        let last = self.groups.len() - 1;
        &mut self.groups[last]
    }
}

#[cfg(test)]
mod tests;
