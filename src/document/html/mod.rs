//! HTML as a reader sees it: tags become blocks, tables stay tables if they hold data, and what a
//! browser would not show is left out and reported. Nothing is fetched, no script is run.

mod css;
mod element;
mod table;

use super::error::{DocumentError, Limit};
use super::format::Format;
use super::model::{BlockKind, LeftOutKind};
use super::office::superscript;
use super::text::encoding;
use super::writer::Writer;
use css::HiddenSelectors;
use element::{Open, Role, role_of};
use html5gum::emitters::default::DefaultEmitter;
use html5gum::{StartTag, Token, Tokenizer};
use table::TableBuilder;

/// The declared encoding stands among the first bytes.
const HEAD: usize = 1024;

pub(super) fn read(bytes: &[u8], writer: &mut Writer<'_>) -> Result<(), DocumentError> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(HEAD)]).to_ascii_lowercase();
    let label = head
        .split("charset=")
        .nth(1)
        .map(|rest| rest.trim_start_matches(['"', '\'']))
        .and_then(|rest| rest.split(['"', '\'', '>', ' ', ';', '/']).next());
    let text = encoding::decode_labelled(bytes, label).ok_or(DocumentError::Malformed {
        format: Format::Html,
        reason: "it is no text".to_owned(),
    })?;
    read_text(&text, writer)
}

/// Reads HTML whose encoding is known.
pub(super) fn read_text(text: &str, writer: &mut Writer<'_>) -> Result<(), DocumentError> {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let hidden = HiddenSelectors::of(text);
    let mut reader = Reader {
        writer,
        hidden,
        open: Vec::new(),
        num_tags: 0,
        text: String::new(),
        kind: BlockKind::Paragraph,
        lists: Vec::new(),
        tables: Vec::new(),
        label: None,
    };
    for Ok(token) in Tokenizer::new_with_emitter(text, emitter) {
        match token {
            Token::StartTag(tag) => reader.start(&tag)?,
            Token::EndTag(tag) => reader.end(&String::from_utf8_lossy(&tag.name))?,
            Token::String(text) => reader.string(&String::from_utf8_lossy(&text)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    reader.finish()
}

struct Reader<'a, 'w> {
    writer: &'a mut Writer<'w>,
    hidden: HiddenSelectors,
    open: Vec<Open>,
    num_tags: u64,
    /// What the block under way holds.
    text: String,
    kind: BlockKind,
    /// Numbers of the next items; none where a list has bullets.
    lists: Vec<Option<u64>>,
    tables: Vec<TableBuilder>,
    /// Stands before the next text: an item's number.
    label: Option<String>,
}

impl Reader<'_, '_> {
    fn start<S: html5gum::SpanBound>(&mut self, tag: &StartTag<S>) -> Result<(), DocumentError> {
        self.num_tags += 1;
        if self.num_tags > self.writer.limits.max_nodes {
            return Err(self.limit(Limit::Nodes, self.writer.limits.max_nodes));
        }
        let mut open = Open::new(tag, &self.hidden);
        let role = open.role;
        self.close_implied(&open.name.clone(), role)?;
        if let Some(parent) = self.open.last() {
            open.inherit(parent);
        }
        if !open.is_shown() {
            if !open.is_void {
                self.push(open)?;
            }
            return Ok(());
        }
        match role {
            Role::Block => self.flush()?,
            Role::Heading(level) => {
                self.flush()?;
                self.kind = BlockKind::Heading { level };
            }
            Role::List { is_ordered } => {
                self.flush()?;
                let first = open
                    .attribute("start")
                    .and_then(|start| start.parse().ok())
                    .unwrap_or(1);
                self.lists.push(is_ordered.then_some(first));
            }
            Role::Item => self.item()?,
            Role::Table => {
                self.flush()?;
                // A table within a table says that the outer one is there for the layout.
                if let Some(outer) = self.tables.last_mut() {
                    outer.is_layout = true;
                }
                self.write_layout()?;
                self.tables.push(TableBuilder::default());
            }
            Role::Row => {
                self.flush()?;
                if let Some(table) = self.tables.last_mut() {
                    table.row();
                }
            }
            Role::Cell => {
                self.flush()?;
                let span = open
                    .attribute("colspan")
                    .and_then(|span| span.parse().ok())
                    .unwrap_or(1);
                if let Some(table) = self.tables.last_mut() {
                    table.cell(span);
                }
            }
            Role::LineBreak => self.text.push('\n'),
            Role::Image => self.writer.leave_out(LeftOutKind::Image, 1, "pictures"),
            Role::Input => self.text.push_str(&open.input_value()),
            Role::Inline
            | Role::Title
            | Role::Preformatted
            | Role::Raised
            | Role::Deleted
            | Role::Unseen => {
                if role == Role::Preformatted {
                    self.flush()?;
                }
            }
        }
        match open.is_void {
            true => Ok(()),
            false => self.push(open),
        }
    }

    fn push(&mut self, open: Open) -> Result<(), DocumentError> {
        self.open.push(open);
        // Tags that are never closed pile up in honest pages, too.
        let max = self.writer.limits.max_nesting.saturating_mul(4);
        match self.open.len() as u64 > max {
            true => Err(self.limit(Limit::Nesting, max)),
            false => Ok(()),
        }
    }

    fn item(&mut self) -> Result<(), DocumentError> {
        self.flush()?;
        self.kind = BlockKind::ListItem;
        self.label = Some(match self.lists.last_mut() {
            Some(Some(number)) => {
                let label = format!("{number}. ");
                *number += 1;
                label
            }
            _ => "- ".to_owned(),
        });
        Ok(())
    }

    /// Ends what a start tag ends without saying so.
    fn close_implied(&mut self, name: &str, role: Role) -> Result<(), DocumentError> {
        let ends: &[&str] = match role {
            Role::Item if name == "li" => &["li"],
            Role::Cell => &["td", "th"],
            Role::Row => &["td", "th", "tr"],
            Role::Block
            | Role::Heading(_)
            | Role::List { .. }
            | Role::Table
            | Role::Preformatted => &["p"],
            _ if name == "option" => &["option"],
            _ => return Ok(()),
        };
        for end in ends {
            let stop = |open: &Open| {
                matches!(open.role, Role::Table | Role::List { .. })
                    || (*end == "p" && open.role == Role::Cell)
            };
            let inner = self
                .open
                .iter()
                .rposition(|open| &open.name == end || stop(open));
            if inner.is_some_and(|index| self.open.get(index).is_some_and(|open| &open.name == end))
            {
                self.end(end)?;
            }
        }
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<(), DocumentError> {
        let role = role_of(name);
        let Some(index) = self.open.iter().rposition(|open| open.name == name) else {
            return match name {
                "p" => self.flush(),
                _ => Ok(()),
            };
        };
        // A stray end tag does not reach out of its cell.
        let bound = self
            .open
            .iter()
            .rposition(|open| open.role == Role::Table)
            .unwrap_or(0);
        if index < bound {
            return Ok(());
        }
        let was_shown = self.open.get(index).is_some_and(Open::is_shown);
        self.open.truncate(index);
        if !was_shown {
            return Ok(());
        }
        match role {
            Role::Block | Role::Heading(_) | Role::Item | Role::Preformatted => self.flush(),
            Role::List { .. } => {
                self.flush()?;
                self.lists.pop();
                Ok(())
            }
            Role::Cell | Role::Row => {
                self.flush()?;
                self.write_layout()
            }
            Role::Table => {
                self.flush()?;
                self.end_table()
            }
            _ => Ok(()),
        }
    }

    fn string(&mut self, string: &str) {
        let (Some(role), is_shown) = (
            self.open.last().map(|open| open.text_role()),
            self.open.last().is_none_or(Open::is_shown),
        ) else {
            self.add(string, false);
            return;
        };
        let visible = string.chars().filter(|c| !c.is_whitespace()).count() as u64;
        match role {
            Role::Unseen => {}
            Role::Title => self.writer.title = Some(string.to_owned()),
            Role::Deleted => {
                self.writer
                    .leave_out(LeftOutKind::Deletion, 1, "text marked as deleted")
            }
            _ if !is_shown => self.writer.leave_out(
                LeftOutKind::HiddenText,
                visible,
                "characters that a browser does not show",
            ),
            Role::Raised => self.add(&superscript(string), false),
            Role::Preformatted => self.add(string, true),
            _ => self.add(string, false),
        }
    }

    fn add(&mut self, string: &str, keeps_lines: bool) {
        for c in string.chars() {
            match c {
                '\n' | '\r' | '\t' | '\u{c}' if !keeps_lines => {
                    if !self.text.ends_with([' ', '\n']) {
                        self.text.push(' ');
                    }
                }
                c => self.text.push(c),
            }
        }
    }

    /// Ends the block under way.
    fn flush(&mut self) -> Result<(), DocumentError> {
        let text = std::mem::take(&mut self.text);
        let kind = std::mem::replace(&mut self.kind, BlockKind::Paragraph);
        if text.trim().is_empty() {
            // An item's number waits for the paragraph within it.
            if self.label.is_some() {
                self.kind = kind;
            }
            return Ok(());
        }
        let label = self.label.take().unwrap_or_default();
        let text = format!("{label}{}", text.trim());
        match self.tables.last_mut() {
            Some(table) => {
                table.add(&text);
                self.write_layout()
            }
            None => self.writer.block(kind, &text).map(drop),
        }
    }

    /// Writes what the cells of layout tables hold as if there were no table.
    fn write_layout(&mut self) -> Result<(), DocumentError> {
        if let Some(table) = self.tables.last_mut()
            && table.is_layout
        {
            for text in table.take_texts() {
                self.writer.block(BlockKind::Paragraph, &text)?;
            }
        }
        Ok(())
    }

    fn end_table(&mut self) -> Result<(), DocumentError> {
        self.write_layout()?;
        let Some(mut table) = self.tables.pop() else {
            return Ok(());
        };
        match table.markdown() {
            Some(markdown) => self.writer.block(BlockKind::Table, &markdown).map(drop),
            None => {
                for text in table.take_texts() {
                    self.writer.block(BlockKind::Paragraph, &text)?;
                }
                Ok(())
            }
        }
    }

    fn finish(mut self) -> Result<(), DocumentError> {
        self.flush()?;
        while !self.tables.is_empty() {
            self.end_table()?;
        }
        Ok(())
    }

    fn limit(&self, limit: Limit, max: u64) -> DocumentError {
        DocumentError::LimitExceeded { limit, max }
    }
}

#[cfg(test)]
mod tests;
