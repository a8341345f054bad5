//! Running heads and feet: what stands at the same place on page after page.

use super::order::{Item, Line};
use std::collections::HashMap;

/// Lines at the head and at the foot of a page that may be furniture.
const MAX_LINES: usize = 3;
/// As many pages make a habit.
const MIN_PAGES: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    Head,
    Foot,
}

/// What was seen of all pages.
#[derive(Default)]
pub struct Habits {
    texts: HashMap<(Place, i64, String), usize>,
    /// Lines that a gap parts from the rest, whatever they say.
    places: HashMap<(Place, i64), usize>,
    num_pages: usize,
}

impl Habits {
    pub fn observe(&mut self, items: &[Item]) {
        self.num_pages += 1;
        for (place, line, is_apart) in edges(items) {
            *self
                .texts
                .entry((place, level(line), pattern(&line.text)))
                .or_default() += 1;
            if is_apart {
                *self.places.entry((place, level(line))).or_default() += 1;
            }
        }
    }

    /// Takes a page's heads and feet out of it.
    pub fn take(&self, items: &mut Vec<Item>) -> (Vec<String>, Vec<String>) {
        let found: Vec<(Place, f64, String)> = edges(items)
            .into_iter()
            .filter(|(place, line, is_apart)| self.is_habit(*place, line, *is_apart))
            .map(|(place, line, _)| (place, line.baseline, line.text.clone()))
            .collect();
        items.retain(|item| match item {
            Item::Line(line) => !found
                .iter()
                .any(|(_, baseline, text)| *baseline == line.baseline && *text == line.text),
            Item::Table(..) | Item::Break => true,
        });
        let of = |wanted: Place| {
            let mut lines: Vec<&(Place, f64, String)> = found
                .iter()
                .filter(|(place, _, _)| *place == wanted)
                .collect();
            lines.sort_by(|a, b| a.1.total_cmp(&b.1));
            lines.into_iter().map(|(_, _, text)| text.clone()).collect()
        };
        (of(Place::Head), of(Place::Foot))
    }

    fn is_habit(&self, place: Place, line: &Line, is_apart: bool) -> bool {
        let near = |count: &dyn Fn(i64) -> usize| {
            (-1..=1)
                .map(|step| count(level(line) + step))
                .sum::<usize>()
        };
        let pattern = pattern(&line.text);
        let same_text = near(&|level| {
            self.texts
                .get(&(place, level, pattern.clone()))
                .copied()
                .unwrap_or(0)
        });
        if same_text >= MIN_PAGES {
            return true;
        }
        let same_place = near(&|level| self.places.get(&(place, level)).copied().unwrap_or(0));
        is_apart && same_place >= MIN_PAGES && same_place * 2 > self.num_pages
    }
}

/// The first and last lines of a page, and whether a gap parts them from the rest.
fn edges(items: &[Item]) -> Vec<(Place, &Line, bool)> {
    let mut lines: Vec<&Line> = items
        .iter()
        .filter_map(|item| match item {
            Item::Line(line) => Some(line),
            Item::Table(..) | Item::Break => None,
        })
        .collect();
    lines.sort_by(|a, b| a.baseline.total_cmp(&b.baseline));
    let gap = |index: usize| {
        let (above, below) = (lines.get(index), lines.get(index + 1));
        match (above, below) {
            (Some(above), Some(below)) => {
                below.baseline - above.baseline > 1.9 * above.size.max(below.size)
            }
            _ => false,
        }
    };
    let mut edges = Vec::new();
    for (index, line) in lines.iter().enumerate().take(MAX_LINES) {
        edges.push((Place::Head, *line, index == 0 && gap(0)));
    }
    let first_foot = lines.len().saturating_sub(MAX_LINES).max(MAX_LINES);
    for (index, line) in lines.iter().enumerate().skip(first_foot) {
        let is_last = index + 1 == lines.len();
        edges.push((Place::Foot, *line, is_last && index > 0 && gap(index - 1)));
    }
    edges
}

/// Heights that are nearly the same are the same.
fn level(line: &Line) -> i64 {
    (line.baseline / 3.0).round() as i64
}

/// A line without its numbers, which count pages.
fn pattern(text: &str) -> String {
    let mut pattern = String::new();
    for word in text.split_whitespace() {
        let is_roman = word.len() <= 7
            && word
                .chars()
                .all(|c| matches!(c, 'i' | 'v' | 'x' | 'l' | 'c'));
        if is_roman {
            pattern.push('#');
        }
        for c in word.chars().filter(|_| !is_roman) {
            match c.is_ascii_digit() {
                true if pattern.ends_with('#') => {}
                true => pattern.push('#'),
                false => pattern.push(c),
            }
        }
        pattern.push(' ');
    }
    pattern
}
