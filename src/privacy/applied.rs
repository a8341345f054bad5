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
        let places = |at: &Replacement| (at.replaced.clone(), at.original.clone());
        self.mapped(replaced, places, (self.text.len(), self.original_len))
    }

    /// Where a range of the original text stands in the replaced one; the same the other way round.
    #[must_use]
    pub fn replaced_range(&self, original: Range<usize>) -> Range<usize> {
        let places = |at: &Replacement| (at.original.clone(), at.replaced.clone());
        self.mapped(original, places, (self.original_len, self.text.len()))
    }

    /// `places` are a value's in the text that the range is of and in the other one, which have
    /// so many bytes.
    fn mapped(
        &self,
        range: Range<usize>,
        places: impl Fn(&Replacement) -> (Range<usize>, Range<usize>),
        (len, other_len): (usize, usize),
    ) -> Range<usize> {
        let offset = |at: usize, side: fn(&Range<usize>) -> usize| {
            let at = at.min(len);
            let ended = (self.replacements).partition_point(|one| places(one).0.end <= at);
            if let Some((here, there)) = self.replacements.get(ended).map(&places)
                && here.start < at
            {
                // Inside a value: the end of it that widens the range.
                return side(&there);
            }
            let last = ended
                .checked_sub(1)
                .and_then(|last| self.replacements.get(last));
            let offset = match last.map(&places) {
                Some((here, there)) => there.end + (at - here.end),
                None => at,
            };
            offset.min(other_len)
        };
        let start = offset(range.start, |value| value.start);
        let end = offset(range.end.max(range.start), |value| value.end);
        start..end
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
