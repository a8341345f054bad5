use super::boundaries::{Boundaries, Places, boundaries};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// As far as suffixes are put in order. Who quotes more than this of words that stand several
/// times is led along the first of them.
const MAX_SORTED_BYTES: usize = 512;

/// Stands where a paragraph ends, which no quotation passes. No text holds it.
const BREAK: u8 = 0;

/// A text that can be quoted, and where in it any words stand.
///
/// A suffix array (Manber and Myers, 1990) of the places at which a quotation may begin.
pub struct Source {
    text: Arc<str>,
    /// The same with [`BREAK`] before each empty line.
    bytes: Box<[u8]>,
    /// Bytes at which quotations may begin, in the order of what follows them.
    starts: Vec<u32>,
    ends: Places,
}

/// Words of a source: the same bytes at one or several places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Of `starts`: where they stand.
    places: Range<u32>,
    num_bytes: u32,
}

impl Source {
    /// Takes some 100 ms for a megabyte. `whole` are ranges of the text that no quotation cuts,
    /// such as amounts and dates.
    pub fn new(text: Arc<str>, whole: &[Range<usize>]) -> Self {
        let Boundaries {
            mut starts,
            mut ends,
        } = boundaries(&text, whole);
        let mut bytes: Box<[u8]> = text.as_bytes().into();
        let paragraphs = text.match_indices("\n\n").map(|(at, _)| at);
        for at in paragraphs.chain([text.len()]) {
            let end = text[..at].trim_end().len();
            if let Some(byte) = bytes.get_mut(end) {
                *byte = BREAK;
            }
            // Nothing follows, so that whatever stands there must be able to end a quotation.
            ends.insert(end);
        }
        let suffix = |start: &u32| {
            let start = *start as usize;
            &bytes[start..bytes.len().min(start + MAX_SORTED_BYTES)]
        };
        starts.sort_by(|one, other| suffix(one).cmp(suffix(other)));
        Self {
            text,
            bytes,
            starts,
            ends,
        }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether anything of it can be quoted.
    pub fn is_quotable(&self) -> bool {
        !self.starts.is_empty()
    }

    /// What is kept in memory beside the text.
    pub fn num_bytes(&self) -> usize {
        self.bytes.len() + self.starts.len() * size_of::<u32>() + self.ends.num_bytes()
    }

    /// The beginning of every quotation.
    pub fn nothing(&self) -> Words {
        Words {
            places: 0..u32::try_from(self.starts.len()).unwrap_or(u32::MAX),
            num_bytes: 0,
        }
    }

    /// The words and one more byte, if the text goes on so anywhere.
    pub fn followed_by(&self, words: &Words, byte: u8) -> Option<Words> {
        let depth = words.num_bytes as usize;
        let next = |start: u32| self.bytes.get(start as usize + depth).copied();
        if byte == BREAK {
            return None;
        }
        let mut starts = self.starts_of(words);
        // Beyond what is in order there is one to follow.
        if depth >= MAX_SORTED_BYTES {
            starts = &starts[..starts.len().min(1)];
        }
        let first = starts.partition_point(|start| next(*start) < Some(byte));
        let num_same = starts[first..].partition_point(|start| next(*start) == Some(byte));
        let start = words.places.start + first as u32;
        (num_same > 0).then(|| Words {
            places: start..start + num_same as u32,
            num_bytes: words.num_bytes + 1,
        })
    }

    /// Whether a quotation of these words may end. One of less than `min_chars` characters may
    /// only where its paragraph ends.
    pub fn may_end(&self, words: &Words, min_chars: usize) -> bool {
        let num_bytes = words.num_bytes as usize;
        let starts = self.starts_of(words);
        let Some(first) = starts.first().filter(|_| num_bytes > 0) else {
            return false;
        };
        let first = *first as usize;
        let is_long = min_chars <= 1
            || (self.text.get(first..first + num_bytes))
                .is_some_and(|words| words.chars().count() >= min_chars);
        let is_last = |end: usize| self.bytes.get(end).is_none_or(|next| *next == BREAK);
        let mut ends = starts.iter().map(|start| *start as usize + num_bytes);
        ends.any(|end| self.ends.contains(end) && (is_long || is_last(end)))
    }

    /// Whether the words end with `tail`.
    pub fn ends_with(&self, words: &Words, tail: &[u8]) -> bool {
        let num_bytes = words.num_bytes as usize;
        self.starts_of(words).first().is_some_and(|start| {
            let start = *start as usize;
            self.bytes[start..start + num_bytes].ends_with(tail)
        })
    }

    /// Where a quotation of these words may stand, in ascending order of bytes.
    pub fn occurrences(&self, quoted: &str) -> Vec<Range<usize>> {
        let mut words = self.nothing();
        for byte in quoted.bytes() {
            match self.followed_by(&words, byte) {
                Some(more) => words = more,
                None => return Vec::new(),
            }
        }
        let starts = self.starts_of(&words).iter();
        let ranges = starts.map(|start| *start as usize..*start as usize + quoted.len());
        let is_whole = |range: &Range<usize>| {
            self.ends.contains(range.end) && self.text.get(range.clone()) == Some(quoted)
        };
        let mut found: Vec<Range<usize>> = ranges.filter(is_whole).collect();
        found.sort_by_key(|range| range.start);
        found
    }

    #[cfg(test)]
    pub(super) fn starts_at(&self, at: usize) -> bool {
        self.starts.contains(&(at as u32))
    }

    fn starts_of(&self, words: &Words) -> &[u32] {
        &self.starts[words.places.start as usize..words.places.end as usize]
    }
}

impl Words {
    pub fn num_bytes(&self) -> usize {
        self.num_bytes as usize
    }
}

/// Nothing of the text.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({} bytes)", self.text.len())
    }
}
