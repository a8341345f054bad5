use super::Part;
use crate::document::Page;
use serde::Serialize;

/// The numbers of a first and a last page, which may be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Pages {
    pub first: u32,
    pub last: u32,
}

/// Says of which pages the parts are: each begins with the page of its first character, and ends
/// before the next part's, so that pages without text are in one of them too.
pub(super) fn assign(parts: &mut [Part], pages: &[Page]) {
    for part in parts.iter_mut() {
        let last = part.range.end.saturating_sub(1).max(part.range.start);
        part.pages = Pages {
            first: page_at(pages, part.range.start),
            last: page_at(pages, last),
        };
    }
    if let Some(first) = parts.first_mut() {
        first.pages.first = pages.first().map_or(1, |page| page.number);
    }
    if let Some(last) = parts.last_mut() {
        last.pages.last = pages.last().map_or(1, |page| page.number);
    }
    for index in 1..parts.len() {
        let next = parts[index].pages.first;
        let pages = &mut parts[index - 1].pages;
        pages.last = pages.last.max(next.saturating_sub(1));
    }
}

/// The number of the page that a byte is of. Pages without text begin where the one before ends.
fn page_at(pages: &[Page], at: usize) -> u32 {
    let next = pages.partition_point(|page| page.range.start <= at);
    pages
        .get(next.saturating_sub(1))
        .map_or(1, |page| page.number)
}
