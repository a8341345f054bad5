//! What a paragraph's style says of it: whether it is a heading, and how it is numbered.

use crate::document::office::xml::Element;
use std::collections::HashMap;

/// Styles inherit from one another no deeper than this.
const MAX_INHERITANCE: usize = 20;

#[derive(Default)]
pub struct Styles(HashMap<String, Style>);

#[derive(Default)]
struct Style {
    name: String,
    based_on: Option<String>,
    outline_level: Option<u8>,
    numbering: Option<(String, Option<u8>)>,
    is_hidden: bool,
}

impl Styles {
    pub fn read(root: &Element) -> Self {
        let styles = root.children().filter(|child| child.name() == "w:style");
        Self(
            styles
                .filter_map(|style| {
                    Some((style.attribute("w:styleId")?.to_owned(), Style::read(style)))
                })
                .collect(),
        )
    }

    /// From 1 to 9, and 0 for a title.
    pub fn heading_level(&self, id: &str) -> Option<u8> {
        self.find(id, |style| {
            if style.name.eq_ignore_ascii_case("title") {
                return Some(0);
            }
            style
                .outline_level
                .filter(|level| *level < 9)
                .map(|level| level + 1)
        })
    }

    /// Which numbering, and which of its levels.
    pub fn numbering(&self, id: &str) -> Option<(String, Option<u8>)> {
        self.find(id, |style| style.numbering.clone())
    }

    pub fn is_hidden(&self, id: &str) -> bool {
        self.find(id, |style| style.is_hidden.then_some(()))
            .is_some()
    }

    fn find<T>(&self, id: &str, ask: impl Fn(&Style) -> Option<T>) -> Option<T> {
        let mut style = self.0.get(id);
        for _ in 0..MAX_INHERITANCE {
            let current = style?;
            if let Some(found) = ask(current) {
                return Some(found);
            }
            style = self.0.get(current.based_on.as_ref()?);
        }
        None
    }
}

impl Style {
    fn read(style: &Element) -> Self {
        let value = |path: &[&str]| style.at(path).and_then(|at| at.attribute("w:val"));
        let name = value(&["w:name"]).unwrap_or_default().to_owned();
        // Built-in names are English in every language of Office.
        let named_level = name
            .to_ascii_lowercase()
            .strip_prefix("heading ")
            .and_then(|level| level.parse::<u8>().ok()?.checked_sub(1));
        Self {
            based_on: value(&["w:basedOn"]).map(str::to_owned),
            outline_level: value(&["w:pPr", "w:outlineLvl"])
                .and_then(|level| level.parse().ok())
                .or(named_level),
            numbering: style.at(&["w:pPr", "w:numPr"]).and_then(numbering),
            is_hidden: style.at(&["w:rPr", "w:vanish"]).is_some_and(is_on),
            name,
        }
    }
}

/// `w:numPr`: which numbering, and which of its levels.
pub fn numbering(properties: &Element) -> Option<(String, Option<u8>)> {
    let value = |name: &str| {
        properties
            .child(name)
            .and_then(|child| child.attribute("w:val"))
    };
    let level = value("w:ilvl").and_then(|level| level.parse().ok());
    Some((value("w:numId")?.to_owned(), level))
}

/// A property that is there is on, unless it says otherwise.
pub fn is_on(property: &Element) -> bool {
    !matches!(property.attribute("w:val"), Some("0" | "false" | "off"))
}
