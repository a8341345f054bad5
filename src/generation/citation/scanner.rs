use super::markup::{Opening, closing_tag, opening_of};
use std::ops::Range;

/// Finds the quotations of an answer as it comes.
#[derive(Debug, Default)]
pub struct Scanner {
    /// What was not looked at to its end: at most a quotation and what may open one.
    rest: String,
    /// Characters of the answer before it.
    num_chars: usize,
}

/// A quotation that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quotation {
    /// From 1.
    pub document: usize,
    pub words: String,
    /// Where the words stand in the answer, in characters.
    pub chars: Range<usize>,
}

impl Scanner {
    /// Takes more of the answer; the quotations that end in it. Those that are cut are the same
    /// however the answer is.
    pub fn push(&mut self, text: &str) -> Vec<Quotation> {
        self.rest.push_str(text);
        let mut found = Vec::new();
        while let Some(quotation) = self.next() {
            found.push(quotation);
        }
        found
    }

    fn next(&mut self) -> Option<Quotation> {
        loop {
            let start = self.rest.find('<').unwrap_or(self.rest.len());
            self.pass(start);
            let (document, opened) = match opening_of(&self.rest) {
                Opening::Of {
                    document,
                    num_bytes,
                } => (document, num_bytes),
                Opening::None => {
                    // The `<` alone.
                    self.pass(1);
                    continue;
                }
                Opening::Unfinished => return None,
            };
            let num_bytes = self.rest[opened..].find(closing_tag())?;
            let words = self.rest[opened..opened + num_bytes].to_owned();
            let before = self.num_chars + self.rest[..opened].chars().count();
            let chars = before..before + words.chars().count();
            self.pass(opened + num_bytes + closing_tag().len());
            return Some(Quotation {
                document,
                words,
                chars,
            });
        }
    }

    /// Leaves so many bytes behind.
    fn pass(&mut self, num_bytes: usize) {
        let passed: String = self.rest.drain(..num_bytes).collect();
        self.num_chars += passed.chars().count();
    }
}
