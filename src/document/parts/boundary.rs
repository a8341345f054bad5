//! Places where a text may be cut, and how good each is.

/// A place where something begins that a part may begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boundary {
    pub at: usize,
    pub opening: Opening,
}

/// What begins there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// The smaller `depth` is, the more stands under the title.
    Title {
        depth: u8,
    },
    /// `1.`, `(2)` or `IV.` before a paragraph.
    NumberedParagraph,
    Paragraph,
    Row,
    /// An item after another one, a field of a form, a line of a message's head.
    Item,
    Footnote,
    /// A list or a table that the sentence before it announces.
    Announced,
    Sentence,
}

/// What a title is worth more than one right below it.
const DEPTH_WORTH: i64 = 15;

impl Opening {
    /// In thousandths of a part. What a place is worth more than another is how much nearer to an
    /// equal share the other must come to be preferred: a sentence by 45 hundredths of it to a
    /// paragraph, and a paragraph by about 30 to an article.
    pub fn worth(self) -> i64 {
        match self {
            Self::Title { depth } => 900 - DEPTH_WORTH * i64::from(depth),
            Self::NumberedParagraph => 420,
            Self::Paragraph => 300,
            Self::Row => 260,
            Self::Item => 220,
            Self::Footnote => 50,
            Self::Announced => 0,
            Self::Sentence => -150,
        }
    }
}
