//! Tokens of any range of a text, estimated from those that were counted of its pieces.

use super::segment::Segment;
use std::ops::Range;

/// Estimates are in thousandths of a token.
pub const UNIT: u64 = 1000;

/// Bytes that are counted at once. A block may be a table of a megabyte, whose tokens a single
/// count would spread evenly over it; and tokenizers may take long for one endless word.
const PIECE_BYTES: usize = 2048;

/// For the empty line between two blocks.
const GAP: u64 = UNIT;

pub struct Measure {
    pieces: Vec<Piece>,
}

struct Piece {
    range: Range<usize>,
    before: u64,
    tokens: u64,
}

impl Measure {
    pub fn take(text: &str, segments: &[Segment], count: &mut dyn FnMut(&str) -> usize) -> Self {
        let mut pieces = Vec::with_capacity(segments.len());
        let mut before = 0;
        for segment in segments {
            let mut start = segment.range.start;
            while start < segment.range.end {
                let end = piece_end(text, start, segment.range.end);
                let counted = count(text.get(start..end).unwrap_or_default());
                let tokens = counted as u64 * UNIT;
                pieces.push(Piece {
                    range: start..end,
                    before,
                    tokens,
                });
                before += tokens;
                start = end;
            }
            before += GAP;
        }
        Self { pieces }
    }

    /// Where the text ends that was measured.
    pub fn end(&self) -> usize {
        self.pieces.last().map_or(0, |piece| piece.range.end)
    }

    pub fn total(&self) -> u64 {
        self.pieces
            .last()
            .map_or(0, |piece| piece.before + piece.tokens)
    }

    pub fn before(&self, at: usize) -> u64 {
        let next = self.pieces.partition_point(|piece| piece.range.start <= at);
        let Some(piece) = next.checked_sub(1).and_then(|last| self.pieces.get(last)) else {
            return 0;
        };
        let length = piece.range.len() as u64;
        let inside = (at - piece.range.start) as u64;
        piece.before + piece.tokens * inside.min(length) / length.max(1)
    }

    pub fn between(&self, range: &Range<usize>) -> u64 {
        self.before(range.end)
            .saturating_sub(self.before(range.start))
    }

    /// The last place with at most so much before it. It may be inside a character.
    pub fn reach(&self, tokens: u64) -> usize {
        let next = self.pieces.partition_point(|piece| piece.before <= tokens);
        let Some(piece) = next.checked_sub(1).and_then(|last| self.pieces.get(last)) else {
            return 0;
        };
        let inside = tokens - piece.before;
        if inside >= piece.tokens {
            return piece.range.end;
        }
        let length = piece.range.len() as u64;
        let bytes = usize::try_from(inside * length / piece.tokens).unwrap_or(usize::MAX);
        piece.range.start + bytes.min(piece.range.len())
    }
}

/// Before a space, so that the words on both sides are counted as they will be in a whole.
fn piece_end(text: &str, start: usize, end: usize) -> usize {
    if end - start <= PIECE_BYTES {
        return end;
    }
    let limit = text.floor_char_boundary(start + PIECE_BYTES);
    let half = text.floor_char_boundary(start + PIECE_BYTES / 2);
    let space = text
        .get(half..limit)
        .and_then(|window| window.rfind(char::is_whitespace));
    space.map_or(limit, |space| half + space)
}
