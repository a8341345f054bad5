//! Quotations that cannot be invented: between the tags of a quotation a model can write nothing
//! but words of the document that they name.
//!
//! ```text
//! The decision says <quote doc="1">the deadline ends on 12 March</quote>.
//! ```
//!
//! A quotation is a run of bytes of the document's text. It begins and ends at words and is never
//! empty; [`crate::text::quotation`] says where it may be cut. All else of an answer is free, but
//! for what would open a quotation of no document.

mod constraint;
mod markup;
mod scanner;
mod state;
#[cfg(test)]
mod tests;
mod walked_tokens;

pub(super) use constraint::{Quoting, QuotingConstraint};
pub use markup::{closing_tag, opening_tag, without_tags};
pub use scanner::{Quotation, Scanner};
pub(super) use walked_tokens::WalkedTokens;

use crate::text::quotation::Source;
use state::State;

/// What an answer may quote. Documents have the numbers from 1 in this order.
#[derive(Debug)]
pub struct Citations {
    sources: Vec<Source>,
    /// A quotation that ends before the end of its paragraph has at least so many characters.
    min_chars: usize,
    /// An answer begins with a quotation.
    first: bool,
    /// Numbers that some number of a document that can be quoted begins with.
    beginnings: Vec<bool>,
}

impl Citations {
    pub fn new(sources: Vec<Source>, min_chars: usize) -> Self {
        let mut beginnings = vec![false; sources.len() + 1];
        for (index, _) in sources
            .iter()
            .enumerate()
            .filter(|(_, source)| source.is_quotable())
        {
            let mut number = index + 1;
            while number > 0 {
                beginnings[number] = true;
                number /= 10;
            }
        }
        Self {
            sources,
            min_chars,
            first: false,
            beginnings,
        }
    }

    /// The same for answers that begin with a quotation.
    #[must_use]
    pub fn with_first(mut self, first: bool) -> Self {
        self.first = first && self.is_quotable();
        self
    }

    /// Where an answer begins.
    fn start(&self) -> State {
        match self.first {
            true => State::Opening { written: 0 },
            false => State::default(),
        }
    }

    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Whether any document has words to quote.
    pub fn is_quotable(&self) -> bool {
        self.beginnings.contains(&true)
    }

    fn begins_number(&self, number: usize) -> bool {
        self.beginnings.get(number) == Some(&true)
    }
}

/// Nothing but itself: to compare texts is never what is asked.
impl PartialEq for Citations {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}
