//! The blocks of a document as pieces that follow one another, whatever its ranges say.

use crate::document::{BlockKind, Document};
use std::ops::Range;

/// A block, without white space at its ends. None is empty.
pub struct Segment {
    pub kind: BlockKind,
    pub range: Range<usize>,
}

/// In order, without overlap, and with all of the text but white space: what is in no block is
/// taken for paragraphs.
pub fn segments(document: &Document) -> Vec<Segment> {
    let text = document.text.as_str();
    let mut segments = Vec::with_capacity(document.blocks.len());
    let mut end = 0;
    for block in &document.blocks {
        let range = block.range.start.max(end)..block.range.end;
        if text.get(range.clone()).is_none_or(str::is_empty) {
            continue;
        }
        push_paragraphs(&mut segments, text, end..range.start);
        end = range.end;
        push(&mut segments, text, block.kind, range);
    }
    push_paragraphs(&mut segments, text, end..text.len());
    segments
}

fn push_paragraphs(segments: &mut Vec<Segment>, text: &str, range: Range<usize>) {
    let mut start = range.start;
    for paragraph in text.get(range).unwrap_or_default().split("\n\n") {
        let end = start + paragraph.len();
        push(segments, text, BlockKind::Paragraph, start..end);
        start = end + "\n\n".len();
    }
}

fn push(segments: &mut Vec<Segment>, text: &str, kind: BlockKind, range: Range<usize>) {
    let whole = text.get(range.clone()).unwrap_or_default();
    let inner = whole.trim();
    if !inner.is_empty() {
        let start = range.start + (whole.len() - whole.trim_start().len());
        segments.push(Segment {
            kind,
            range: start..start + inner.len(),
        });
    }
}
