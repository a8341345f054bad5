//! The structure of a text: its titles, its tables, and where it may be cut.

use super::boundary::{Boundary, Opening};
use super::marker::Marker;
use super::segment::Segment;
use super::title::{ATTACHMENT_DEPTH, HEADING_DEPTH, Title, label, with_subtitle};
use crate::document::BlockKind;
use std::ops::Range;

/// All in the order of the text.
#[derive(Default)]
pub struct Structure {
    pub boundaries: Vec<Boundary>,
    pub titles: Vec<Title>,
    /// Those that have a head.
    pub tables: Vec<Table>,
}

pub struct Table {
    pub range: Range<usize>,
    /// Its first row and the line below it.
    pub head: Range<usize>,
}

/// Characters of a line that is taken for a title.
const MAX_TITLE_CHARS: usize = 120;

impl Structure {
    pub fn read(text: &str, segments: &[Segment]) -> Self {
        let mut reader = Reader {
            text,
            structure: Self::default(),
            before: Before::Nothing,
            head: None,
        };
        for (index, segment) in segments.iter().enumerate() {
            match segment.kind {
                // A part begins with the head of a page and what follows it, or with neither, and
                // a page's foot stays with the page.
                BlockKind::Header => drop(reader.head.get_or_insert(segment.range.start)),
                BlockKind::Footer => {}
                BlockKind::Table => reader.table(segment),
                _ => reader.block(segment, segments.get(index + 1)),
            }
        }
        reader.structure
    }
}

struct Reader<'a> {
    text: &'a str,
    structure: Structure,
    before: Before,
    /// Where the head of the page stands that nothing else is read of yet.
    head: Option<usize>,
}

/// What was read last, heads and feet of pages and footnotes aside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// What it is the title of must follow.
    Title,
    /// `Chapitre II` alone: what it is about may follow.
    BareTitle,
    /// It ends with a colon.
    Announcement,
    Item,
    Text {
        is_ended: bool,
    },
}

/// A line of a block.
struct Line<'a> {
    at: usize,
    text: &'a str,
    kind: BlockKind,
    is_first: bool,
    is_last: bool,
    /// The next line of the block begins with a small letter.
    goes_on: bool,
    /// What the block after its own begins with.
    next: Option<Marker>,
}

/// What a line is.
enum Sort {
    Title {
        depth: u8,
        number_end: Option<usize>,
    },
    NumberedParagraph,
    Item,
    Footnote,
    Plain,
}

impl Reader<'_> {
    fn block(&mut self, segment: &Segment, next: Option<&Segment>) {
        let text = self.text;
        let block = text.get(segment.range.clone()).unwrap_or_default();
        let next = next.and_then(|next| {
            let next = text.get(next.range.clone())?;
            Marker::of(next.lines().next()?.trim())
        });
        let mut at = segment.range.start;
        for line in block.split_inclusive('\n') {
            let end = at + line.len();
            let trimmed = line.trim();
            if !trimmed.is_empty() {
                self.line(&Line {
                    at,
                    text: trimmed,
                    kind: segment.kind,
                    is_first: at == segment.range.start,
                    is_last: end >= segment.range.end,
                    goes_on: text
                        .get(end..segment.range.end)
                        .is_some_and(|rest| rest.starts_with(char::is_lowercase)),
                    next,
                });
            }
            at = end;
        }
    }

    fn line(&mut self, line: &Line<'_>) {
        // A line that goes on with a sentence begins nothing, whatever its first word is.
        let goes_on = matches!(self.before, Before::Text { is_ended: false });
        let sort = match !line.is_first && goes_on {
            true => Sort::Plain,
            false => line.sort(),
        };
        match sort {
            Sort::Title { depth, number_end } => {
                let at = self.open(line.at, self.after_title(Opening::Title { depth }));
                self.structure.titles.push(Title {
                    at: line.at,
                    opens: at,
                    depth,
                    label: label(line.text, number_end),
                });
                self.before = match number_end {
                    Some(end) if line.is_bare(end) => Before::BareTitle,
                    Some(_) if !line.is_short() || line.is_ended() => line.as_text(),
                    _ => Before::Title,
                };
            }
            Sort::NumberedParagraph => {
                let opening = match self.before {
                    Before::Announcement => Opening::Announced,
                    _ => Opening::NumberedParagraph,
                };
                self.open(line.at, self.after_title(opening));
                self.before = line.as_text();
            }
            Sort::Item => {
                let opening = match self.before {
                    Before::Announcement => Opening::Announced,
                    Before::Item => Opening::Item,
                    _ => Opening::Paragraph,
                };
                self.open(line.at, self.after_title(opening));
                self.before = match line.as_text() {
                    Before::Announcement => Before::Announcement,
                    _ => Before::Item,
                };
            }
            Sort::Footnote => drop(self.open(line.at, Some(Opening::Footnote))),
            Sort::Plain => self.plain(line),
        }
    }

    fn plain(&mut self, line: &Line<'_>) {
        let is_subtitle = line.is_short() && !line.is_ended() && !line.goes_on;
        if self.before == Before::BareTitle && is_subtitle {
            if let Some(title) = self.structure.titles.last_mut() {
                title.label = with_subtitle(&title.label, line.text);
            }
            self.head = None;
            self.before = Before::Title;
            return;
        }
        if line.is_first {
            // A paragraph that a page break parts is one paragraph.
            let is_parted = matches!(self.before, Before::Text { is_ended: false })
                && line.text.starts_with(char::is_lowercase);
            let opening = self.after_title(Opening::Paragraph);
            self.open(line.at, opening.filter(|_| !is_parted));
        }
        self.before = line.as_text();
    }

    fn table(&mut self, segment: &Segment) {
        let opening = match self.before {
            Before::Announcement => Opening::Announced,
            _ => Opening::Paragraph,
        };
        self.open(segment.range.start, self.after_title(opening));
        let table = self.text.get(segment.range.clone()).unwrap_or_default();
        let mut starts = vec![segment.range.start];
        let ends = table
            .match_indices('\n')
            .map(|(at, _)| segment.range.start + at + 1);
        starts.extend(ends);
        let is_rule = table.lines().nth(1).is_some_and(|line| {
            line.contains('-')
                && line
                    .chars()
                    .all(|mark| matches!(mark, '|' | '-' | ':' | ' '))
        });
        let first_row = if is_rule { 2 } else { 0 };
        if let Some(&end) = starts.get(2).filter(|_| is_rule) {
            self.structure.tables.push(Table {
                range: segment.range.clone(),
                head: segment.range.start..end,
            });
        }
        for &at in starts.iter().skip(first_row + 1) {
            let opening = Opening::Row;
            self.structure.boundaries.push(Boundary { at, opening });
        }
        self.before = Before::Text { is_ended: true };
    }

    /// What follows a title stays with it.
    fn after_title(&self, opening: Opening) -> Option<Opening> {
        let is_under_title = matches!(self.before, Before::Title | Before::BareTitle);
        (!is_under_title).then_some(opening)
    }

    /// Notes a boundary at the head of the page, if that stands right before, and returns where.
    fn open(&mut self, at: usize, opening: Option<Opening>) -> usize {
        let at = self.head.take().unwrap_or(at);
        if let Some(opening) = opening {
            self.structure.boundaries.push(Boundary { at, opening });
        }
        at
    }
}

impl Line<'_> {
    fn sort(&self) -> Sort {
        let marker = Marker::of(self.text);
        let number_end = match marker {
            Some(Marker::Title { end, .. } | Marker::Number { end, .. }) => Some(end),
            _ => None,
        };
        match self.kind {
            // Large page numbers and notes of music look like titles, and name nothing.
            BlockKind::Heading { .. } if !self.has_name(marker) => Sort::Plain,
            BlockKind::Heading { level } => Sort::Title {
                depth: HEADING_DEPTH + level.min(9),
                number_end: number_end.filter(|end| self.is_bare(*end)),
            },
            BlockKind::Attachment => Sort::Title {
                depth: ATTACHMENT_DEPTH,
                number_end: None,
            },
            BlockKind::FormField | BlockKind::MessageHeader => Sort::Item,
            BlockKind::Footnote if self.is_first => Sort::Footnote,
            BlockKind::Footnote | BlockKind::Header | BlockKind::Footer | BlockKind::Table => {
                Sort::Plain
            }
            BlockKind::Paragraph | BlockKind::ListItem => match marker {
                Some(Marker::Title { depth, .. }) => Sort::Title { depth, number_end },
                Some(marker @ Marker::Number { .. }) => self.numbered(marker),
                Some(Marker::Paragraph) => Sort::NumberedParagraph,
                Some(Marker::Item) => Sort::Item,
                None if self.kind == BlockKind::ListItem && self.is_first => Sort::Item,
                None => Sort::Plain,
            },
        }
    }

    /// `1.2 Conclusion` alone is a title; of `1. Pain` the next line tells whether it is one of a
    /// list.
    fn numbered(&self, marker: Marker) -> Sort {
        let (Marker::Number { depth, end }, Some(below)) = (marker, marker.depth()) else {
            return Sort::NumberedParagraph;
        };
        let title = self.text.get(end..).unwrap_or_default().trim_start();
        let is_alone = self.is_first && self.is_last;
        let is_titled = title
            .starts_with(|first: char| first.is_uppercase() || matches!(first, '–' | '—' | '-'));
        let is_listed = depth < 2 && self.next.and_then(Marker::depth) == Some(below);
        match is_alone && is_titled && !is_listed && self.is_short() && !self.is_ended() {
            true => Sort::Title {
                depth: below,
                number_end: Some(end),
            },
            false => Sort::NumberedParagraph,
        }
    }

    fn has_name(&self, marker: Option<Marker>) -> bool {
        matches!(marker, Some(Marker::Title { .. })) || self.text.contains(char::is_alphabetic)
    }

    fn is_short(&self) -> bool {
        self.text.chars().nth(MAX_TITLE_CHARS).is_none()
    }

    /// Nothing but punctuation follows the number.
    fn is_bare(&self, number_end: usize) -> bool {
        let rest = self.text.get(number_end..).unwrap_or_default();
        !rest.contains(char::is_alphanumeric)
    }

    fn is_ended(&self) -> bool {
        let text = self
            .text
            .trim_end_matches([' ', '"', '»', '”', '“', '’', ')', ']', '*', '_']);
        text.ends_with(['.', '!', '?', ':', ';', '…'])
    }

    fn as_text(&self) -> Before {
        match self.text.ends_with(':') {
            true => Before::Announcement,
            false => Before::Text {
                is_ended: self.is_ended(),
            },
        }
    }
}
