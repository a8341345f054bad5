use super::format::Format;
use serde::{Deserialize, Serialize};

/// Why a document was not read. All but `Sandbox` are the document's doing, and a caller can act
/// on each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "error", rename_all = "snake_case")]
pub enum DocumentError {
    #[error("the file is empty")]
    Empty,
    /// `found` names what the file is, `advice` says what to send instead.
    #[error("the file is {found}, which is not read here: {advice}")]
    Unsupported { found: String, advice: String },
    #[error("the {format} file is protected by a password: save it without one and send it again")]
    Encrypted { format: Format },
    /// Pages that show something, but have no text that can be read.
    #[error(
        "no text can be read from {} of {num_pages} pages, which seem to be scanned: {}; send a version with text, or allow unreadable pages",
        .pages.len(), page_list(.pages)
    )]
    UnreadablePages { pages: Vec<u32>, num_pages: u32 },
    #[error("the document has {num_pages} pages, more than the {max} that are read")]
    TooManyPages { num_pages: u64, max: u64 },
    /// A small file that unfolds into a huge one.
    #[error("the {format} file unfolds to more than {max} bytes, as a decompression bomb does")]
    Bomb { format: Format, max: u64 },
    #[error("the {format} file cannot be read: {reason}")]
    Malformed { format: Format, reason: String },
    #[error("reading the document went over a limit: {limit} {max}")]
    LimitExceeded { limit: Limit, max: u64 },
    /// The reader died of the document; nothing else did.
    #[error(
        "the document made its reader fail ({reason}): it may be damaged; save it anew and send it again"
    )]
    ReaderFailed { reason: String },
    /// The reader asked the system for what reading does not need.
    #[error("the document made its reader do what a reader may not, and was refused")]
    Forbidden,
    /// Nothing that the document can help.
    #[error("no sandbox to read the document in: {reason}")]
    Sandbox { reason: String },
}

/// What a document may not have too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    InputBytes,
    CpuSeconds,
    WallSeconds,
    MemoryBytes,
    OutputBytes,
    Blocks,
    Nesting,
    Nodes,
    Attachments,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::InputBytes => "bytes of the file, at most",
            Self::CpuSeconds => "seconds of processor time, at most",
            Self::WallSeconds => "seconds, at most",
            Self::MemoryBytes => "bytes of memory, at most",
            Self::OutputBytes => "bytes of text, at most",
            Self::Blocks => "paragraphs and other blocks, at most",
            Self::Nesting => "elements within one another, at most",
            Self::Nodes => "elements in one part of the file, at most",
            Self::Attachments => "attachments, at most",
        })
    }
}

/// `1–3, 7`, and how many more where there are many.
fn page_list(pages: &[u32]) -> String {
    const MAX_RANGES: usize = 20;
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &page in pages {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == page => *last = page,
            _ => ranges.push((page, page)),
        }
    }
    let mut list: Vec<String> = ranges
        .iter()
        .take(MAX_RANGES)
        .map(|&(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}–{last}"),
        })
        .collect();
    if ranges.len() > MAX_RANGES {
        list.push("…".to_owned());
    }
    list.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreadable_pages_are_listed_in_ranges() {
        let error = DocumentError::UnreadablePages {
            pages: vec![1, 2, 3, 7],
            num_pages: 9,
        };
        assert_eq!(
            error.to_string(),
            "no text can be read from 4 of 9 pages, which seem to be scanned: 1–3, 7; \
             send a version with text, or allow unreadable pages"
        );
    }
}
