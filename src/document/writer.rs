//! Puts a document together from what a format's reader finds, within the limits.

use super::error::{DocumentError, Limit};
use super::format::Format;
use super::limits::ParseLimits;
use super::model::{Attachment, Block, BlockKind, Document, LeftOut, LeftOutKind, Page};
use super::normal::normalise;
use sha2::{Digest as _, Sha256};
use std::ops::Range;

/// Between blocks.
const GAP: &str = "\n\n";

pub(super) struct Writer<'a> {
    pub limits: &'a ParseLimits,
    pub title: Option<String>,
    /// How many attachments this one is within.
    pub depth: u64,
    text: String,
    pages: Vec<Page>,
    blocks: Vec<Block>,
    left_out: Vec<LeftOut>,
    attachments: Vec<Attachment>,
}

impl<'a> Writer<'a> {
    pub fn new(limits: &'a ParseLimits, depth: u64) -> Self {
        Self {
            limits,
            title: None,
            depth,
            text: String::new(),
            pages: Vec::new(),
            blocks: Vec::new(),
            left_out: Vec::new(),
            attachments: Vec::new(),
        }
    }

    /// Begins a page; what is written goes to it.
    pub fn page(&mut self, name: Option<String>) -> Result<(), DocumentError> {
        self.end_page();
        let num_pages = self.pages.len() as u64 + 1;
        if num_pages > self.limits.max_pages {
            return Err(DocumentError::TooManyPages {
                num_pages,
                max: self.limits.max_pages,
            });
        }
        self.pages.push(Page {
            number: u32::try_from(num_pages).unwrap_or(u32::MAX),
            name,
            range: self.next_start()..self.next_start(),
            is_unreadable: false,
        });
        Ok(())
    }

    /// Begins a page unless the one that has begun is still empty.
    pub fn page_break(&mut self) -> Result<(), DocumentError> {
        match self.pages.last() {
            Some(page) if page.range.start < self.text.len() => self.page(None),
            _ => Ok(()),
        }
    }

    /// Writes a block in normal form; an empty one is none.
    pub fn block(&mut self, kind: BlockKind, text: &str) -> Result<Range<usize>, DocumentError> {
        let normal = normalise(text);
        if normal.num_invisible > 0 {
            self.leave_out(
                LeftOutKind::InvisibleCharacters,
                normal.num_invisible,
                "characters that nobody can see",
            );
        }
        self.normal_block(kind, &normal.text)
    }

    /// Writes what is in normal form already.
    pub fn normal_block(
        &mut self,
        kind: BlockKind,
        text: &str,
    ) -> Result<Range<usize>, DocumentError> {
        if self.pages.is_empty() {
            self.page(None)?;
        }
        if text.is_empty() {
            return Ok(self.text.len()..self.text.len());
        }
        let start = self.next_start();
        self.check(
            Limit::OutputBytes,
            start as u64 + text.len() as u64,
            self.limits.max_output_bytes,
        )?;
        self.check(
            Limit::Blocks,
            self.blocks.len() as u64 + 1,
            self.limits.max_blocks,
        )?;
        if start > self.text.len() {
            self.text.push_str(GAP);
        }
        self.text.push_str(text);
        let range = start..self.text.len();
        self.blocks.push(Block {
            kind,
            page: self.page_number().unwrap_or(1),
            range: range.clone(),
        });
        Ok(range)
    }

    /// Notes what is not in the text, once for each page and kind.
    pub fn leave_out(&mut self, what: LeftOutKind, count: u64, note: &str) {
        let page = self.page_number();
        let same =
            |left: &&mut LeftOut| left.what == what && left.page == page && left.note == note;
        if count == 0 {
            return;
        }
        match self.left_out.iter_mut().rev().take(16).find(same) {
            Some(left) => left.count += count,
            None => self.left_out.push(LeftOut {
                what,
                page,
                count,
                note: note.to_owned(),
            }),
        }
    }

    /// The page that has begun shows something that cannot be read.
    pub fn mark_unreadable(&mut self, note: &str) {
        if let Some(page) = self.pages.last_mut() {
            page.is_unreadable = true;
        }
        self.leave_out(LeftOutKind::UnreadablePage, 1, note);
    }

    /// Reads an attachment after what there is, on pages of its own.
    pub fn attach(&mut self, name: &str, bytes: &[u8]) -> Result<(), DocumentError> {
        let count = self.attachments.len() as u64 + 1;
        self.check(Limit::Attachments, count, self.limits.max_attachments)?;
        let name = normalise(name).text;
        let name = match name.is_empty() {
            true => "without a name".to_owned(),
            false => name,
        };
        let mut attachment = Attachment {
            name: name.clone(),
            num_bytes: bytes.len() as u64,
            sha256: hex_sha256(bytes),
            format: None,
            range: None,
        };
        let read = match self.depth < self.limits.max_attachment_depth {
            true => super::parse_within(bytes, self.limits, self.depth + 1),
            false => Err(DocumentError::Unsupported {
                found: "an attachment within attachments".to_owned(),
                advice: "send it by itself".to_owned(),
            }),
        };
        match read {
            Ok(document) => {
                attachment.format = Some(document.format);
                attachment.range = Some(self.append(&name, document)?);
            }
            Err(error) => {
                let note = format!("attachment `{name}`: {error}");
                self.leave_out(LeftOutKind::Attachment, 1, &note);
            }
        }
        self.attachments.push(attachment);
        Ok(())
    }

    /// Adds another document's pages to this one's. Its text stands here as it stood there.
    fn append(&mut self, name: &str, document: Document) -> Result<Range<usize>, DocumentError> {
        let within = |inner: &str| format!("{name} / {inner}");
        let mut blocks = document.blocks.iter().peekable();
        let mut start = None;
        for page in &document.pages {
            let page_name = page.name.as_deref().map_or_else(|| name.to_owned(), within);
            self.page(Some(page_name))?;
            if start.is_none() {
                self.block(BlockKind::Attachment, name)?;
                start = Some(self.next_start());
            }
            while let Some(block) = blocks.next_if(|block| block.page <= page.number) {
                self.normal_block(block.kind, document.slice(&block.range))?;
            }
            if page.is_unreadable
                && let Some(own) = self.pages.last_mut()
            {
                own.is_unreadable = true;
            }
        }
        let start = start
            .unwrap_or_else(|| self.next_start())
            .min(self.text.len());
        let first_page = self.pages.len().saturating_sub(document.pages.len());
        for left in document.left_out {
            let page = left
                .page
                .and_then(|page| Some(first_page + usize::try_from(page).ok()?));
            self.left_out.push(LeftOut {
                page: page.and_then(|page| u32::try_from(page).ok()),
                note: within(&left.note),
                ..left
            });
        }
        for inner in document.attachments {
            let count = self.attachments.len() as u64 + 1;
            self.check(Limit::Attachments, count, self.limits.max_attachments)?;
            self.attachments.push(Attachment {
                name: within(&inner.name),
                range: inner
                    .range
                    .map(|range| range.start + start..range.end + start),
                ..inner
            });
        }
        Ok(start..self.text.len())
    }

    pub fn finish(mut self, format: Format) -> Result<Document, DocumentError> {
        if self.pages.is_empty() {
            self.page(None)?;
        }
        self.end_page();
        Ok(Document {
            format,
            title: self
                .title
                .map(|title| normalise(&title).text)
                .filter(|title| !title.is_empty()),
            text_sha256: hex_sha256(self.text.as_bytes()),
            pages: self.pages,
            blocks: self.blocks,
            left_out: self.left_out,
            attachments: self.attachments,
            text: self.text,
        })
    }

    fn end_page(&mut self) {
        if let Some(page) = self.pages.last_mut() {
            page.range.start = page.range.start.min(self.text.len());
            page.range.end = self.text.len();
        }
    }

    /// Where the next block will begin.
    fn next_start(&self) -> usize {
        match self.text.is_empty() {
            true => 0,
            false => self.text.len() + GAP.len(),
        }
    }

    fn page_number(&self) -> Option<u32> {
        self.pages.last().map(|page| page.number)
    }

    fn check(&self, limit: Limit, count: u64, max: u64) -> Result<(), DocumentError> {
        match count > max {
            true => Err(DocumentError::LimitExceeded { limit, max }),
            false => Ok(()),
        }
    }
}

pub(super) fn hex_sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
