use crate::document::parts::{Pages, Part};
use serde::Serialize;
use std::ops::Range;

/// A part of one of the documents of a request: where it stands, not what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The document's place in the request, from 0.
    pub document: usize,
    pub pages: Pages,
    /// UTF-8 bytes of the document's text.
    #[serde(serialize_with = "start_and_end")]
    pub range: Range<usize>,
    /// As it is shown.
    pub num_tokens: usize,
}

impl Source {
    pub fn new(document: usize, part: &Part) -> Self {
        Self {
            document,
            pages: part.pages,
            range: part.range.clone(),
            num_tokens: part.num_tokens,
        }
    }
}

fn start_and_end<S: serde::Serializer>(range: &Range<usize>, to: S) -> Result<S::Ok, S::Error> {
    [range.start, range.end].serialize(to)
}
