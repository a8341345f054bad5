//! What is read from a document: one text, and where in it everything stands.

use super::error::DocumentError;
use super::format::Format;
use super::writer::hex_sha256;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A document as it was read. All ranges are UTF-8 bytes of `text`, which begins and ends each of
/// them between characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    pub format: Format,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// SHA-256 of `text` in hexadecimal digits: who quotes by offsets can say of which text.
    pub text_sha256: String,
    /// In order, without gaps but for the empty lines between them. At least one.
    pub pages: Vec<Page>,
    /// In reading order.
    pub blocks: Vec<Block>,
    /// What the file holds and the text does not.
    pub left_out: Vec<LeftOut>,
    pub attachments: Vec<Attachment>,
    /// In Unicode NFC, with line feeds alone as ends of lines and plain spaces alone as spaces.
    pub text: String,
}

/// A page of a PDF, a sheet of a workbook, or what stands between two page breaks of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// From 1.
    pub number: u32,
    /// A sheet's name, or the attachment that the page is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub range: Range<usize>,
    /// It shows something, and no text can be read from it.
    pub is_unreadable: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    pub kind: BlockKind,
    /// The number of the page that it begins on.
    pub page: u32,
    pub range: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum BlockKind {
    /// `level` is from 1 to 9, and 0 for a document's title.
    Heading {
        level: u8,
    },
    Paragraph,
    ListItem,
    /// In Markdown, a row a line.
    Table,
    Footnote,
    /// What stands at the head of a page, as on other pages or apart from the text.
    Header,
    Footer,
    /// `name: value` of a form.
    FormField,
    /// From, to, date and subject of a message.
    MessageHeader,
    /// The name of the attachment whose text follows.
    Attachment,
}

/// Something that is in the file and not in the text, so that nothing is lost in silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    pub what: LeftOutKind,
    /// The number of the page, where it is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// How many of them: characters of hidden text, else things.
    pub count: u64,
    /// Why, for a reader. Never the content itself.
    pub note: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOutKind {
    /// Text that a reader of the page cannot see.
    HiddenText,
    /// Characters that nobody can see, such as Unicode tags.
    InvisibleCharacters,
    /// Glyphs of which the file does not say the characters.
    UnknownGlyphs,
    /// Text that a tracked change has deleted.
    Deletion,
    Comment,
    HiddenSheet,
    UnreadablePage,
    /// Pictures, whatever is written in them.
    Image,
    /// An attachment that could not be read.
    Attachment,
    /// A script, a macro or another part that is no text.
    ActiveContent,
}

/// A file within the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    pub name: String,
    pub num_bytes: u64,
    /// SHA-256 of its bytes in hexadecimal digits.
    pub sha256: String,
    /// What it was read as; none when it was not, and then `left_out` says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Where its text stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range<usize>>,
}

impl Document {
    /// The text of a range, or nothing where the range is none of this document's.
    pub fn slice(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// Whether all ranges are of this text, and the digest is. Whoever got the document from
    /// elsewhere asks before they rely on it.
    pub(super) fn is_consistent(&self) -> bool {
        let is_of_text = |range: &Range<usize>| self.text.get(range.clone()).is_some();
        self.text_sha256 == hex_sha256(self.text.as_bytes())
            && !self.pages.is_empty()
            && self.pages.iter().all(|page| is_of_text(&page.range))
            && self.blocks.iter().all(|block| is_of_text(&block.range))
            && self
                .attachments
                .iter()
                .filter_map(|attachment| attachment.range.as_ref())
                .all(is_of_text)
    }

    /// The document, if all its pages could be read.
    ///
    /// # Errors
    ///
    /// `UnreadablePages` lists the others.
    pub fn with_all_pages_readable(self) -> Result<Self, DocumentError> {
        let unreadable = self.pages.iter().filter(|page| page.is_unreadable);
        let pages: Vec<u32> = unreadable.map(|page| page.number).collect();
        match pages.is_empty() {
            true => Ok(self),
            false => Err(DocumentError::UnreadablePages {
                pages,
                num_pages: u32::try_from(self.pages.len()).unwrap_or(u32::MAX),
            }),
        }
    }
}
