use super::marker::{Marker, Search};

/// The tags around what is for the reader, if a model writes any behind its reasoning.
pub struct AnswerTags {
    tags: Option<(Marker, Marker)>,
    is_open: bool,
}

impl AnswerTags {
    pub fn new(tags: Option<(Marker, Marker)>) -> Self {
        Self {
            tags,
            is_open: false,
        }
    }

    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether `text` begins with the opening tag; `None` if that is not certain yet.
    pub fn opens(&self, text: &str) -> Option<bool> {
        match &self.tags {
            Some((open, _)) if !self.is_open => open.starts(text),
            _ => Some(false),
        }
    }

    /// What follows the opening tag, with which `text` begins.
    pub fn open<'a>(&mut self, text: &'a str) -> &'a str {
        self.is_open = true;
        let open = self.tags.as_ref().map_or("", |(open, _)| open.text());
        text.strip_prefix(open).unwrap_or(text)
    }

    /// The closing tag, where one is open.
    pub fn end_in(&self, text: &str) -> Search {
        match &self.tags {
            Some((_, close)) if self.is_open => close.search(text),
            _ => Search::Clear(text.len()),
        }
    }

    pub fn close(&mut self) {
        self.is_open = false;
    }
}
