use serde::Serialize;

/// What a rendering is for. Only prompts whose file says how long documents are read have
/// messages for more than the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// The documents as they are, or the first part of a document that is read by `refine`, or
    /// any part of one by `join`.
    Whole,
    /// `map-reduce`: notes on one part.
    Part { number: usize, count: usize },
    /// `map-reduce`: the answer, from the notes on all parts.
    Merge { notes: &'a [String] },
    /// `refine`: the answer so far, and the next part.
    Next {
        number: usize,
        count: usize,
        previous: &'a str,
    },
}

/// Which messages of a prompt a step has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepName {
    Whole,
    Part,
    Merge,
    Next,
}

impl Step<'_> {
    pub(super) fn name(&self) -> StepName {
        match self {
            Self::Whole => StepName::Whole,
            Self::Part { .. } => StepName::Part,
            Self::Merge { .. } => StepName::Merge,
            Self::Next { .. } => StepName::Next,
        }
    }
}

impl StepName {
    /// After a language, in a section's mark.
    pub(super) fn parse(word: &str) -> Option<Self> {
        [Self::Part, Self::Merge, Self::Next]
            .into_iter()
            .find(|step| step.as_str() == word)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Part => "part",
            Self::Merge => "merge",
            Self::Next => "next",
        }
    }

    /// What its messages find beside the variables of the file, and must all use but `part`.
    pub(super) fn names(self) -> &'static [&'static str] {
        match self {
            Self::Whole => &["documents"],
            Self::Part => &["documents", "part"],
            Self::Merge => &["notes"],
            Self::Next => &["documents", "part", "previous"],
        }
    }
}
