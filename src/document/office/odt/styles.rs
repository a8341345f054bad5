//! What OpenDocument's styles say of text: that nobody sees it, and how it is numbered.

use crate::document::office::numbering::{format_number, superscript};
use crate::document::office::xml::Element;
use std::collections::HashMap;

const MAX_INHERITANCE: usize = 20;
const NUM_LEVELS: usize = 10;
/// Text this small, in points, is not meant to be read.
const MAX_TINY_PT: f64 = 2.0;

#[derive(Default)]
pub struct Styles {
    /// By family and name.
    styles: HashMap<(String, String), Style>,
    lists: HashMap<String, Vec<ListLevel>>,
    /// Numbers of notes by their ids. Those in the file are as old as its last change of layout.
    notes: HashMap<String, u64>,
    num_notes: HashMap<String, u64>,
}

#[derive(Default)]
struct Style {
    parent: Option<String>,
    is_hidden: Option<bool>,
    is_white: Option<bool>,
    has_background: Option<bool>,
    is_raised: Option<bool>,
    is_displayed: Option<bool>,
    begins_page: Option<bool>,
}

#[derive(Clone, Default)]
struct ListLevel {
    format: String,
    prefix: String,
    suffix: String,
    num_shown: usize,
    start: u64,
    is_bullet: bool,
}

/// Where the numbers of one list stand.
#[derive(Default, Clone)]
pub struct Counters([Option<u64>; NUM_LEVELS]);

impl Styles {
    /// Adds the styles of a part; later ones win.
    pub fn add(&mut self, root: &Element) {
        for element in root.all() {
            match element.name() {
                "style:style" => {
                    let name = element.attribute("style:name").unwrap_or_default();
                    let family = element.attribute("style:family").unwrap_or_default();
                    self.styles
                        .insert((family.to_owned(), name.to_owned()), Style::read(element));
                }
                "text:list-style" => {
                    let name = element.attribute("style:name").unwrap_or_default();
                    self.lists.insert(name.to_owned(), levels(element));
                }
                "text:note" => {
                    let class = element.attribute("text:note-class").unwrap_or_default();
                    let number = self.num_notes.entry(class.to_owned()).or_default();
                    *number += 1;
                    let id = element.attribute("text:id").unwrap_or_default();
                    self.notes.insert(id.to_owned(), *number);
                }
                "text:outline-style" => {
                    self.lists.insert(OUTLINE.to_owned(), levels(element));
                }
                _ => {}
            }
        }
    }

    pub fn is_hidden(&self, family: &str, name: &str) -> bool {
        self.find(family, name, |style| style.is_hidden)
            .unwrap_or(false)
            || (self
                .find(family, name, |style| style.is_white)
                .unwrap_or(false)
                && !self
                    .find(family, name, |style| style.has_background)
                    .unwrap_or(false))
    }

    /// What a note is called in the text: its number, or the sign that somebody chose for it.
    pub fn citation(&self, note: &Element) -> String {
        let written = note
            .child("text:note-citation")
            .map(Element::text)
            .unwrap_or_default();
        let number = note.attribute("text:id").and_then(|id| self.notes.get(id));
        match number {
            Some(number) if written.chars().all(|c| c.is_ascii_digit()) => {
                superscript(&number.to_string())
            }
            _ => superscript(written.trim()),
        }
    }

    pub fn is_raised(&self, name: &str) -> bool {
        self.find("text", name, |style| style.is_raised)
            .unwrap_or(false)
    }

    /// Whether a table, that is a sheet, is shown.
    pub fn is_displayed(&self, name: &str) -> bool {
        self.find("table", name, |style| style.is_displayed)
            .unwrap_or(true)
    }

    pub fn begins_page(&self, name: &str) -> bool {
        self.find("paragraph", name, |style| style.begins_page)
            .unwrap_or(false)
    }

    /// A paragraph that is a heading by its style, as imports from elsewhere have them.
    pub fn is_title(&self, name: &str) -> bool {
        let mut name = name;
        for _ in 0..MAX_INHERITANCE {
            if name == "Title" {
                return true;
            }
            let key = ("paragraph".to_owned(), name.to_owned());
            match self
                .styles
                .get(&key)
                .and_then(|style| style.parent.as_deref())
            {
                Some(parent) => name = parent,
                None => return false,
            }
        }
        false
    }

    /// What stands before the next item, `level` counted from 0.
    pub fn next_label(&self, list: &str, level: usize, counters: &mut Counters) -> Option<String> {
        let level = level.min(NUM_LEVELS - 1);
        let levels = self.lists.get(list)?;
        let own = levels.get(level)?;
        if own.is_bullet {
            return Some("-".to_owned());
        }
        let start = |index: usize| levels.get(index).map_or(1, |level| level.start);
        counters.0[level] =
            Some(counters.0[level].map_or_else(|| start(level), |number| number.saturating_add(1)));
        for counter in &mut counters.0[level + 1..] {
            *counter = None;
        }
        if own.format.is_empty() {
            return None;
        }
        let first = (level + 1).saturating_sub(own.num_shown.max(1));
        let numbers: Vec<String> = (first..=level)
            .filter_map(|index| {
                Some((
                    levels.get(index)?,
                    counters.0[index].unwrap_or_else(|| start(index)),
                ))
            })
            .map(|(level, number)| format_number(number, &level.format))
            .filter(|number| !number.is_empty())
            .collect();
        Some(format!("{}{}{}", own.prefix, numbers.join("."), own.suffix))
    }

    fn find<T>(&self, family: &str, name: &str, ask: impl Fn(&Style) -> Option<T>) -> Option<T> {
        let mut style = self.styles.get(&(family.to_owned(), name.to_owned()));
        for _ in 0..MAX_INHERITANCE {
            let current = style?;
            if let Some(found) = ask(current) {
                return Some(found);
            }
            style = self
                .styles
                .get(&(family.to_owned(), current.parent.clone()?));
        }
        None
    }
}

/// The name under which the numbers of headings are kept: no file can use it.
pub const OUTLINE: &str = "\u{1}outline";

impl Style {
    fn read(style: &Element) -> Self {
        let text = style.child("style:text-properties");
        let paragraph = style.child("style:paragraph-properties");
        let of_text = |name: &str| text.and_then(|all| all.attribute(name));
        let size =
            of_text("fo:font-size").and_then(|size| size.strip_suffix("pt")?.parse::<f64>().ok());
        let hides = of_text("text:display").map(|display| display == "none");
        Self {
            parent: style
                .attribute("style:parent-style-name")
                .map(str::to_owned),
            is_hidden: match size {
                Some(size) if size <= MAX_TINY_PT => Some(true),
                _ => hides,
            },
            is_white: of_text("fo:color").map(|color| color.eq_ignore_ascii_case("#ffffff")),
            has_background: [text, paragraph]
                .into_iter()
                .flatten()
                .find_map(|all| all.attribute("fo:background-color"))
                .map(|color| color != "transparent"),
            is_raised: of_text("style:text-position").map(|position| {
                position.starts_with("super")
                    || position.starts_with(|c: char| c.is_ascii_digit() && c != '0')
            }),
            is_displayed: style
                .child("style:table-properties")
                .and_then(|all| all.attribute("table:display"))
                .map(|display| display != "false"),
            begins_page: paragraph
                .and_then(|all| all.attribute("fo:break-before"))
                .map(|kind| kind == "page"),
        }
    }
}

fn levels(list: &Element) -> Vec<ListLevel> {
    let mut levels = vec![ListLevel::default(); NUM_LEVELS];
    for level in list.children() {
        let index = level
            .number("text:level")
            .and_then(|level| usize::try_from(level).ok()?.checked_sub(1));
        let Some(own) = index.and_then(|index| levels.get_mut(index)) else {
            continue;
        };
        let text = |name: &str| level.attribute(name).unwrap_or_default().to_owned();
        *own = ListLevel {
            format: text("style:num-format"),
            prefix: text("style:num-prefix"),
            suffix: text("style:num-suffix"),
            num_shown: level
                .number("text:display-levels")
                .and_then(|shown| usize::try_from(shown).ok())
                .unwrap_or(1),
            start: level.number("text:start-value").unwrap_or(1),
            is_bullet: level.name() == "text:list-level-style-bullet"
                || level.name() == "text:list-level-style-image",
        };
    }
    levels
}
