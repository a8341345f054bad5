//! Lines become paragraphs, and words that were parted at the end of a line become whole.

use super::geometry::{Area, median};
use super::order::{Item, Line};
use std::collections::HashSet;

/// A paragraph, or a table, as a page has it.
pub struct Paragraph {
    pub text: String,
    pub size: f64,
    pub area: Area,
    pub shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Text,
    Item,
    Table,
}

/// Words of a document, by which a hyphen at the end of a line is told from one that stays.
#[derive(Default)]
pub struct Vocabulary(HashSet<String>);

const MAX_WORDS: usize = 300_000;

impl Vocabulary {
    pub fn add(&mut self, text: &str) {
        for word in text.split(|c: char| !(c.is_alphanumeric() || c == '-')) {
            let word = word.trim_matches('-');
            if word.len() > 3 && self.0.len() < MAX_WORDS {
                self.0.insert(word.to_lowercase());
            }
        }
    }

    fn knows(&self, word: &str) -> bool {
        self.0.contains(&word.to_lowercase())
    }
}

/// Puts a page's lines together.
pub fn paragraphs(items: Vec<Item>, vocabulary: &Vocabulary) -> Vec<Paragraph> {
    let leading = leading(&items);
    let mut paragraphs = Vec::new();
    let mut open: Option<Open> = None;
    for item in items {
        match item {
            Item::Line(line) => {
                if let Some(current) = &mut open
                    && current.takes(&line, leading)
                {
                    current.add(line, vocabulary);
                    continue;
                }
                paragraphs.extend(open.take().map(Open::close));
                open = Some(Open::new(line));
            }
            Item::Table(area, rows) => {
                paragraphs.extend(open.take().map(Open::close));
                let text = crate::document::markdown_table(&rows);
                paragraphs.push(Paragraph {
                    text,
                    size: 0.0,
                    area,
                    shape: Shape::Table,
                });
            }
            Item::Break => paragraphs.extend(open.take().map(Open::close)),
        }
    }
    paragraphs.extend(open.map(Open::close));
    paragraphs
}

/// The usual distance of baselines, in heights of the font.
fn leading(items: &[Item]) -> f64 {
    let pairs = items.windows(2).filter_map(|pair| match pair {
        [Item::Line(a), Item::Line(b)] if a.size > 0.0 => Some((b.baseline - a.baseline) / a.size),
        _ => None,
    });
    let usual = median(pairs.filter(|ratio| (0.8..2.2).contains(ratio)).collect());
    if usual > 0.0 { usual } else { 1.2 }
}

struct Open {
    text: String,
    last: Line,
    first_x0: f64,
    area: Area,
    size: f64,
    num_lines: usize,
    label: Option<Label>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    Bullet,
    Number,
}

impl Open {
    fn new(line: Line) -> Self {
        Self {
            text: line.text.clone(),
            first_x0: line.area.x0,
            area: line.area,
            size: line.size,
            num_lines: 1,
            label: label(&line.text),
            last: line,
        }
    }

    fn takes(&self, line: &Line, leading: f64) -> bool {
        let last = &self.last;
        let step = line.baseline - last.baseline;
        let em = last.size.max(1.0);
        if step <= 0.0 || (line.size - last.size).abs() > 0.08 * em || step > 1.28 * leading * em {
            return false;
        }
        let is_short = self.is_short(last);
        match label(&line.text) {
            Some(Label::Bullet) => return false,
            Some(Label::Number)
                if is_short
                    || self.label == Some(Label::Number)
                        && (line.area.x0 - self.first_x0).abs() < 0.5 * em =>
            {
                return false;
            }
            _ => {}
        }
        // Each line of a table of contents is one.
        if line.text.contains(" … ") || last.text.contains(" … ") {
            return false;
        }
        let shift = line.area.x0 - last.area.x0;
        if shift > 0.8 * em {
            return self.num_lines == 1 && self.label.is_some() && shift < 6.0 * em;
        }
        if shift < -0.8 * em {
            return self.num_lines == 1 && self.label.is_none() && shift > -6.0 * em;
        }
        !(is_short && last.text.ends_with(['.', '!', '?', ':', ';']))
    }

    fn is_short(&self, line: &Line) -> bool {
        let (x0, x1) = line.column;
        line.area.x1 < x1 - 0.2 * (x1 - x0)
    }

    fn add(&mut self, line: Line, vocabulary: &Vocabulary) {
        // Lines that do not fill the width were ended on purpose, as in an address.
        if self.is_short(&self.last) && !self.text.ends_with(['-', '\u{ad}', '\u{2010}']) {
            self.text.push('\n');
            self.text.push_str(&line.text);
        } else {
            join(&mut self.text, &line.text, Some(vocabulary));
        }
        self.area = self.area.union(&line.area);
        self.num_lines += 1;
        self.last = line;
    }

    fn close(self) -> Paragraph {
        let shape = if self.label.is_some() {
            Shape::Item
        } else {
            Shape::Text
        };
        Paragraph {
            text: self.text,
            size: self.size,
            area: self.area,
            shape,
        }
    }
}

/// `•`, `1.`, `a)` and the like before an item.
fn label(text: &str) -> Option<Label> {
    let (first, rest) = text.split_once(' ')?;
    if rest.trim().is_empty() {
        return None;
    }
    if matches!(
        first,
        "•" | "–"
            | "—"
            | "-"
            | "*"
            | "◦"
            | "▪"
            | "‣"
            | "■"
            | "□"
            | "☐"
            | "☒"
            | "✓"
            | "➤"
            | "→"
            | "·"
            | "o"
    ) {
        return Some(Label::Bullet);
    }
    let core = first
        .trim_start_matches('(')
        .trim_end_matches([')', '.', '°']);
    let is_marked = first.len() > core.len();
    let is_number = core.len() <= 3 && !core.is_empty() && core.chars().all(|c| c.is_ascii_digit());
    let is_letter =
        core.chars().count() == 1 && core.chars().all(char::is_alphabetic) && first.ends_with(')');
    (is_marked && (is_number || is_letter)).then_some(Label::Number)
}

/// Adds a line to a text: with a space, or without where a word was parted.
pub fn join(text: &mut String, line: &str, vocabulary: Option<&Vocabulary>) {
    if text.is_empty() {
        text.push_str(line);
        return;
    }
    let Some(head) = text
        .strip_suffix(['-', '\u{2010}', '\u{ad}'])
        .filter(|head| head.ends_with(char::is_alphabetic))
    else {
        if !text.ends_with(' ') {
            text.push(' ');
        }
        text.push_str(line);
        return;
    };
    let is_soft = text.ends_with('\u{ad}');
    let first = head
        .rsplit(|c: char| !(c.is_alphanumeric() || c == '-'))
        .next()
        .unwrap_or_default()
        .to_owned();
    let second: String = line.chars().take_while(|c| c.is_alphanumeric()).collect();
    let hyphen = match hyphen(&first, &second, vocabulary) {
        _ if is_soft => Hyphen::Goes,
        hyphen => hyphen,
    };
    let head = head.len();
    match hyphen {
        Hyphen::Goes => text.truncate(head),
        Hyphen::Stays => {
            text.truncate(head);
            text.push('-');
        }
        Hyphen::StandsAlone => text.push(' '),
    }
    text.push_str(line);
}

enum Hyphen {
    /// The word was parted.
    Goes,
    /// The word has it: `Baden-Württemberg`, `celui-ci`.
    Stays,
    /// What follows is another word: `Haupt- und Nebensache`.
    StandsAlone,
}

/// What French puts after a hyphen.
const CLITICS: &[&str] = &[
    "ci", "là", "il", "elle", "on", "ils", "elles", "je", "tu", "nous", "vous", "même", "mêmes",
    "t", "moi", "toi", "lui", "leur", "le", "les",
];

fn hyphen(first: &str, second: &str, vocabulary: Option<&Vocabulary>) -> Hyphen {
    if matches!(
        second,
        "und" | "oder" | "bzw" | "sowie" | "et" | "ou" | "bis"
    ) {
        return Hyphen::StandsAlone;
    }
    if !second.starts_with(char::is_lowercase) {
        return Hyphen::Stays;
    }
    if let Some(vocabulary) = vocabulary {
        let parted = vocabulary.knows(&format!("{first}{second}"));
        let whole = vocabulary.knows(&format!("{first}-{second}"));
        match (parted, whole) {
            (true, _) => return Hyphen::Goes,
            (false, true) => return Hyphen::Stays,
            (false, false) => {}
        }
    }
    match CLITICS.contains(&second) && first.len() > 3 {
        true => Hyphen::Stays,
        false => Hyphen::Goes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(first: &str, second: &str) -> String {
        let mut vocabulary = Vocabulary::default();
        vocabulary.add("la sous-préfecture de l'arrondissement");
        let mut text = first.to_owned();
        join(&mut text, second, Some(&vocabulary));
        text
    }

    #[test]
    fn parted_words_become_whole_and_hyphens_of_words_stay() {
        for (first, second, whole) in [
            ("la décla-", "ration", "la déclaration"),
            ("la sous-", "préfecture", "la sous-préfecture"),
            ("Baden-", "Württemberg", "Baden-Württemberg"),
            ("Haupt-", "und Nebensache", "Haupt- und Nebensache"),
            ("celui-", "ci", "celui-ci"),
            ("2019-", "2020", "2019- 2020"),
            ("un", "deux", "un deux"),
        ] {
            assert_eq!(joined(first, second), whole);
        }
    }

    #[test]
    fn items_are_known_by_what_stands_before_them() {
        assert_eq!(
            ["• a", "12. b", "c) d", "(3) e", "2024 f", "A. Müller"].map(label),
            [
                Some(Label::Bullet),
                Some(Label::Number),
                Some(Label::Number),
                Some(Label::Number),
                None,
                None
            ]
        );
    }
}
