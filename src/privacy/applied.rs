//! A text without its values, and the way back to where they stood.

use super::kind::Kind;
use std::fmt;
use std::ops::Range;

/// A text in which each value has been replaced.
#[derive(Clone)]
pub struct Applied {
    pub text: String,
    /// In the order of the text, without overlaps.
    pub replacements: Vec<Replacement>,
    /// Bytes of the original text.
    pub(super) original_len: usize,
}

/// Where a value stood, and where its surrogate or label stands. Ranges are UTF-8 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    pub original: Range<usize>,
    pub replaced: Range<usize>,
    pub kind: Kind,
}

impl Applied {
    /// Where a range of the replaced text stood in the original. One that begins or ends inside
    /// a surrogate widens to the whole value. What goes beyond the text ends with it.
    #[must_use]
    pub fn original_range(&self, replaced: Range<usize>) -> Range<usize> {
        let start = self.original_offset(replaced.start, |value| value.start);
        let end = self.original_offset(replaced.end.max(replaced.start), |value| value.end);
        start..end
    }

    /// `side` says which end of a value stands for a place inside its surrogate.
    fn original_offset(&self, at: usize, side: fn(&Range<usize>) -> usize) -> usize {
        let at = at.min(self.text.len());
        let ended = self
            .replacements
            .partition_point(|replacement| replacement.replaced.end <= at);
        if let Some(next) = self.replacements.get(ended)
            && next.replaced.start < at
        {
            return side(&next.original);
        }
        let offset = match ended
            .checked_sub(1)
            .and_then(|last| self.replacements.get(last))
        {
            Some(last) => last.original.end + (at - last.replaced.end),
            None => at,
        };
        offset.min(self.original_len)
    }
}

/// Without the text, which holds whatever no recogniser knows.
impl fmt::Debug for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Applied")
            .field("bytes", &self.text.len())
            .field("replacements", &self.replacements)
            .finish_non_exhaustive()
    }
}
