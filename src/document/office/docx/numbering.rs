//! Automatic numbers of paragraphs: `Article 3`, `2.1`, `b)`. They are nowhere in the text, and
//! a document without them cannot be cited.

use crate::document::office::numbering::format_number;
use crate::document::office::xml::Element;
use std::collections::HashMap;

const NUM_LEVELS: usize = 9;

#[derive(Default)]
pub struct Numbering {
    abstracts: HashMap<String, Vec<Level>>,
    /// A numbering's abstract one, and where its levels begin instead.
    instances: HashMap<String, (String, [Option<u64>; NUM_LEVELS])>,
    /// Numberings of one abstract one go on counting where another has stopped.
    counters: HashMap<String, [Option<u64>; NUM_LEVELS]>,
    begun: std::collections::HashSet<String>,
}

#[derive(Clone, Default)]
struct Level {
    start: u64,
    format: String,
    /// With `%1` for the first level's number.
    text: String,
}

impl Numbering {
    pub fn read(root: &Element) -> Self {
        let mut numbering = Self::default();
        for child in root.children() {
            match child.name() {
                "w:abstractNum" => {
                    let Some(id) = child.attribute("w:abstractNumId") else {
                        continue;
                    };
                    let mut levels = vec![Level::default(); NUM_LEVELS];
                    for level in child.children().filter(|level| level.name() == "w:lvl") {
                        if let Some(own) =
                            level_index(level).and_then(|index| levels.get_mut(index))
                        {
                            *own = Level::read(level);
                        }
                    }
                    numbering.abstracts.insert(id.to_owned(), levels);
                }
                "w:num" => {
                    let base = child
                        .child("w:abstractNumId")
                        .and_then(|base| base.attribute("w:val"));
                    let (Some(id), Some(base)) = (child.attribute("w:numId"), base) else {
                        continue;
                    };
                    let mut starts = [None; NUM_LEVELS];
                    for over in child
                        .children()
                        .filter(|over| over.name() == "w:lvlOverride")
                    {
                        let start = over
                            .child("w:startOverride")
                            .and_then(|start| start.number("w:val"));
                        if let Some(own) = level_index(over).and_then(|index| starts.get_mut(index))
                        {
                            *own = start;
                        }
                    }
                    numbering
                        .instances
                        .insert(id.to_owned(), (base.to_owned(), starts));
                }
                _ => {}
            }
        }
        numbering
    }

    /// What stands before the next paragraph of a numbering: `2.1`, or `-` for a bullet.
    pub fn next(&mut self, id: &str, level: u8) -> Option<String> {
        let level = usize::from(level).min(NUM_LEVELS - 1);
        let (base, starts) = self.instances.get(id)?;
        let levels = self.abstracts.get(base)?;
        let counters = self.counters.entry(base.clone()).or_default();
        if self.begun.insert(id.to_owned()) {
            for (counter, start) in counters.iter_mut().zip(starts) {
                if start.is_some() {
                    *counter = None;
                }
            }
        }
        let start = |index: usize| {
            starts[index].unwrap_or_else(|| levels.get(index).map_or(1, |own| own.start))
        };
        counters[level] =
            Some(counters[level].map_or_else(|| start(level), |number| number.saturating_add(1)));
        for counter in &mut counters[level + 1..] {
            *counter = None;
        }
        let own = levels.get(level)?;
        if own.format == "bullet" {
            return Some("-".to_owned());
        }
        let mut label = String::new();
        let mut chars = own.text.chars();
        while let Some(c) = chars.next() {
            let part = (c == '%')
                .then(|| chars.clone().next()?.to_digit(10))
                .flatten();
            match part.and_then(|digit| usize::try_from(digit).ok()?.checked_sub(1)) {
                Some(index) if index < NUM_LEVELS => {
                    chars.next();
                    let number = counters[index].unwrap_or_else(|| start(index));
                    let format = levels
                        .get(index)
                        .map(|own| own.format.as_str())
                        .unwrap_or_default();
                    label.push_str(&format_number(number, format));
                }
                _ => label.push(c),
            }
        }
        (!label.trim().is_empty()).then_some(label)
    }
}

impl Level {
    fn read(level: &Element) -> Self {
        let value = |name: &str| level.child(name).and_then(|child| child.attribute("w:val"));
        Self {
            start: value("w:start")
                .and_then(|start| start.parse().ok())
                .unwrap_or(1),
            format: value("w:numFmt").unwrap_or("decimal").to_owned(),
            text: value("w:lvlText").unwrap_or_default().to_owned(),
        }
    }
}

fn level_index(level: &Element) -> Option<usize> {
    level.attribute("w:ilvl")?.parse().ok()
}
