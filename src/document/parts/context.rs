//! What is shown above a part: the titles that it stands under, and the head of its table.

use super::budget::Budget;
use super::structure::Structure;
use super::title::Title;
use std::ops::Range;

/// Titles that are shown, the innermost ones.
const MAX_TITLES: usize = 8;
/// The share of a part that its context may take.
const MAX_SHARE: usize = 4;

/// Between one title and the next.
const UNDER: &str = " › ";

#[derive(Default)]
pub struct Context {
    pub titles: Vec<String>,
    pub table_head: Option<Range<usize>>,
    pub num_tokens: usize,
}

/// The contexts of places that come in order.
pub struct Contexts<'a> {
    text: &'a str,
    structure: &'a Structure,
    max_tokens: usize,
    /// Titles before this one are in `above`, or have been.
    next_title: usize,
    above: Vec<&'a Title>,
    next_table: usize,
}

impl<'a> Contexts<'a> {
    pub fn new(text: &'a str, structure: &'a Structure, budget: Budget) -> Self {
        Self {
            text,
            structure,
            max_tokens: budget.max_tokens() / MAX_SHARE,
            next_title: 0,
            above: Vec::new(),
            next_table: 0,
        }
    }

    /// Of a part that begins at `start`, which is no smaller than the last one. Where it would
    /// take too much, the outermost titles go first.
    pub fn at(&mut self, start: usize, count: &mut dyn FnMut(&str) -> usize) -> Context {
        let mut titles = self.titles_above(start);
        let mut table_head = self.table_head(start);
        loop {
            let head = table_head
                .as_ref()
                .and_then(|head| self.text.get(head.clone()));
            let written = written(&titles, head);
            if written.is_empty() {
                return Context::default();
            }
            let num_tokens = count(&written);
            if num_tokens <= self.max_tokens {
                return Context {
                    titles,
                    table_head,
                    num_tokens,
                };
            }
            match titles.is_empty() {
                true => table_head = None,
                false => drop(titles.remove(0)),
            }
        }
    }

    fn titles_above(&mut self, start: usize) -> Vec<String> {
        let titles = &self.structure.titles;
        while let Some(title) = titles.get(self.next_title).filter(|title| title.at < start) {
            self.above.retain(|above| above.depth < title.depth);
            self.above.push(title);
            self.next_title += 1;
        }
        // A title that the part begins with, below the head of its page or not, ends those that
        // are not above it.
        let own = titles
            .get(self.next_title)
            .filter(|title| title.opens <= start);
        let depth = own.map_or(u8::MAX, |own| own.depth);
        let above = self.above.iter().filter(|title| title.depth < depth);
        let labels: Vec<String> = above.map(|title| title.label.clone()).collect();
        let first = labels.len().saturating_sub(MAX_TITLES);
        labels.into_iter().skip(first).collect()
    }

    /// Nothing where the part begins with the table itself.
    fn table_head(&mut self, start: usize) -> Option<Range<usize>> {
        let tables = &self.structure.tables;
        while tables
            .get(self.next_table)
            .is_some_and(|table| table.range.end <= start)
        {
            self.next_table += 1;
        }
        let table = tables.get(self.next_table)?;
        (table.head.end <= start).then(|| table.head.clone())
    }
}

/// A context as a model is shown it: titles between brackets, an empty line, the table's head.
pub fn written(titles: &[String], table_head: Option<&str>) -> String {
    let mut written = String::new();
    if !titles.is_empty() {
        written.push('[');
        written.push_str(&titles.join(UNDER));
        written.push_str("]\n\n");
    }
    if let Some(head) = table_head {
        written.push_str(head.trim_end());
        written.push('\n');
    }
    written
}
