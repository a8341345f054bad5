//! What the sources say, to be found by value, by place and by kind.

use super::context::{Mark, Place, likeness, places};
use super::prepared::{Prepared, folded};
use super::recognise::Fact;
use super::report::{Kind, SourceQuote};
use super::value::Value;
use std::collections::{HashMap, HashSet};

/// One source, ready to be searched, with its values.
pub struct Source<'a> {
    pub name: &'a str,
    pub text: &'a Prepared<'a>,
    pub facts: Vec<Fact>,
}

/// A value of a source.
pub struct Known<'a> {
    pub fact: Fact,
    pub place: Place,
    text: &'a Prepared<'a>,
    name: &'a str,
}

pub struct Sources<'a> {
    pub known: Vec<Known<'a>>,
    /// The folded words of all sources.
    pub words: HashSet<String>,
    by_key: HashMap<String, Vec<usize>>,
    by_mark: HashMap<(Kind, u64), Vec<usize>>,
    by_kind: HashMap<Kind, Vec<usize>>,
}

/// How many values one key, mark or kind leads to. What repeats more often than that is looked at
/// where it first stands, so that the time stays in proportion to the texts.
const MAX_CANDIDATES: usize = 48;

impl<'a> Sources<'a> {
    pub fn new(sources: Vec<Source<'a>>) -> Self {
        let mut all = Sources {
            known: Vec::new(),
            words: HashSet::new(),
            by_key: HashMap::new(),
            by_mark: HashMap::new(),
            by_kind: HashMap::new(),
        };
        for source in sources {
            all.words
                .extend(source.text.words.iter().map(|word| folded(&word.lower)));
            let places = places(source.text, &source.facts, 1.0);
            for (fact, place) in source.facts.into_iter().zip(places) {
                all.add(Known {
                    fact,
                    place,
                    text: source.text,
                    name: source.name,
                });
            }
        }
        all
    }

    fn add(&mut self, known: Known<'a>) {
        let index = self.known.len();
        let kind = known.fact.value.kind();
        if known.fact.article {
            // It may be no number, and then bears none out.
            return;
        }
        for key in known.fact.value.keys() {
            push(self.by_key.entry(key).or_default(), index);
        }
        if !known.fact.structural {
            for (mark, _) in &known.place.marks {
                push(self.by_mark.entry((kind, *mark)).or_default(), index);
            }
            push(self.by_kind.entry(kind).or_default(), index);
        }
        self.known.push(known);
    }

    /// Values that share a key with this one.
    pub fn alike(&self, value: &Value) -> Vec<usize> {
        let keys = value.keys();
        let mut found: Vec<usize> = keys
            .iter()
            .filter_map(|key| self.by_key.get(key))
            .flatten()
            .copied()
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Values that bear this one out.
    pub fn bearing_out(&self, value: &Value) -> Vec<usize> {
        let mut found = self.alike(value);
        found.retain(|index| value.is_borne_out_by(&self.known[*index].fact.value));
        found
    }

    /// Values of a kind that stand in a place like this one.
    pub fn in_place(&self, kind: Kind, place: &[Mark]) -> Vec<usize> {
        let lists = place
            .iter()
            .filter_map(|(mark, _)| self.by_mark.get(&(kind, *mark)));
        let mut found: Vec<usize> = lists.flatten().copied().collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    pub fn of_kind(&self, kind: Kind) -> &[usize] {
        self.by_kind.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// The most that a place has in common with those of some values.
    pub fn likest(&self, place: &[Mark], among: &[usize]) -> f32 {
        among
            .iter()
            .map(|index| likeness(place, &self.known[*index].place.marks))
            .fold(0.0, f32::max)
    }

    pub fn quote(&self, index: usize) -> SourceQuote {
        let known = &self.known[index];
        SourceQuote {
            source: known.name.to_owned(),
            quoted: known.text.quoted(known.fact.start, known.fact.end),
        }
    }
}

fn push(list: &mut Vec<usize>, index: usize) {
    if list.len() < MAX_CANDIDATES {
        list.push(index);
    }
}
