//! Where a value stands: the words around it, and the values before and after it.

use super::lexicon::meaning;
use super::prepared::Prepared;
use super::recognise::{Bound, Fact};
use super::report::Kind;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher as _};

/// What marks a place, and how much.
pub type Mark = (u64, f32);

/// Words on either side that count, and how far they are looked for.
const WORDS: usize = 5;
const REACH: usize = 12;

/// A place in a text.
#[derive(Debug, Default)]
pub struct Place {
    /// In the order of their numbers.
    pub marks: Vec<Mark>,
    /// The mark of what a number counts.
    pub counted: Option<u64>,
    /// A range begins here.
    pub opens_range: bool,
}

/// The place of each fact, in the facts' order. Articles, which may be numbers, mark no places.
///
/// `around`: how much the values before and after one mark its place, from 0 to 1.
pub fn places(text: &Prepared, facts: &[Fact], around: f32) -> Vec<Place> {
    let mut anchors: Vec<&Fact> = Vec::new();
    let mut ranks = Vec::with_capacity(facts.len());
    for fact in facts {
        ranks.push(anchors.len());
        if !fact.article {
            anchors.push(fact);
        }
    }
    facts
        .iter()
        .zip(ranks)
        .map(|(fact, rank)| place(text, fact, &anchors, rank, around))
        .collect()
}

fn place(text: &Prepared, fact: &Fact, facts: &[&Fact], index: usize, around: f32) -> Place {
    let mut marks: HashMap<u64, f32> = HashMap::new();
    let mut put = |mark: u64, weight: f32| {
        let known = marks.entry(mark).or_default();
        *known = known.max(weight);
    };
    let before = neighbours(text, fact.start, true);
    let behind = neighbours(text, fact.end, false);
    for neighbour in before.iter().chain(&behind) {
        put(
            hash(("word", neighbour.meaning)),
            1.0 / (1.0 + 0.3 * neighbour.distance as f32),
        );
        if neighbour.in_clause {
            put(
                hash(("clause", neighbour.meaning)),
                0.8 / (1.0 + 0.3 * neighbour.distance as f32),
            );
        }
    }
    let counted = behind.first().filter(|_| fact.value.kind() == Kind::Number);
    let counted = counted.map(|counted| hash(("counted", counted.meaning)));
    if let Some(counted) = counted {
        put(counted, 2.0);
    }
    if fact.article {
        return Place {
            counted,
            ..Place::default()
        };
    }
    match fact.bound {
        Some(Bound::Latest) => put(hash("latest"), 1.0),
        Some(Bound::Earliest) => put(hash("earliest"), 1.0),
        None => {}
    }
    let opens_range = is_range(text, facts, index);
    if opens_range {
        put(hash("first of a range"), 1.5);
    }
    if index
        .checked_sub(1)
        .is_some_and(|before| is_range(text, facts, before))
    {
        put(hash("last of a range"), 1.5);
    }
    for (distance, weight) in [(1, around), (2, 0.5 * around)] {
        if let Some(before) = index
            .checked_sub(distance)
            .and_then(|before| facts.get(before))
        {
            put(hash(("before", before.value.keys().first())), weight);
        }
        if let Some(after) = facts.get(index + distance) {
            put(hash(("after", after.value.keys().first())), weight);
        }
    }
    let mut marks: Vec<Mark> = marks.into_iter().collect();
    marks.sort_by_key(|(mark, _)| *mark);
    Place {
        marks,
        counted,
        opens_range,
    }
}

/// A telling word near a value.
struct Neighbour {
    meaning: u64,
    /// Telling words between it and the value.
    distance: usize,
    /// No comma or `and` stands between them: what does belongs to the next value.
    in_clause: bool,
}

/// The telling words on one side of a byte, nearest first, up to the end of the sentence.
fn neighbours(text: &Prepared, byte: usize, before: bool) -> Vec<Neighbour> {
    let first = text.word_from(byte);
    let mut found: Vec<Neighbour> = Vec::new();
    let mut in_clause = true;
    let mut edge = byte;
    for step in 0..REACH {
        let place = if before {
            first.checked_sub(step + 1)
        } else {
            Some(first + step)
        };
        let Some(word) = place.and_then(|place| text.words.get(place)) else {
            break;
        };
        if found.len() == WORDS || !before && word.opens {
            break;
        }
        let between = if before {
            text.text.get(word.end..edge)
        } else {
            text.text.get(edge..word.start)
        };
        edge = if before { word.start } else { word.end };
        // A colon leads from a label to its value, and ends what stands before it.
        let between = between.unwrap_or_default();
        let parted = between.contains([',', ';', '(', ')']) || !before && between.contains(':');
        let joint = matches!(
            word.lower.as_str(),
            "and" | "et" | "und" | "or" | "ou" | "oder"
        );
        in_clause &= !parted && !joint;
        if let Some(meaning) = meaning(&word.lower) {
            found.push(Neighbour {
                meaning,
                distance: found.len(),
                in_clause,
            });
        }
        if before && word.opens {
            break;
        }
    }
    found
}

/// Whether a range leads from this value to the next one.
fn is_range(text: &Prepared, facts: &[&Fact], index: usize) -> bool {
    const TO: [&str; 10] = [
        "à", "au", "jusqu'au", "jusqu'à", "bis", "bis zum", "to", "until", "-", "–",
    ];
    const AND: [&str; 4] = ["et", "et le", "und dem", "and"];
    let (Some(first), Some(next)) = (facts.get(index), facts.get(index + 1)) else {
        return false;
    };
    let between = text
        .text
        .get(first.end..next.start)
        .unwrap_or_default()
        .trim();
    let opening = text.before(first.start, 16).trim_end().to_lowercase();
    let between_two = ["entre", "entre le", "zwischen", "zwischen dem", "between"]
        .iter()
        .any(|word| opening.ends_with(word));
    first.value.kind() == next.value.kind()
        && (TO.contains(&between) || between_two && AND.contains(&between))
}

fn hash(of: impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// How much two places have in common. Both lists are in the marks' order.
pub fn likeness(one: &[Mark], other: &[Mark]) -> f32 {
    let (mut at, mut sum) = (0, 0.0);
    for (mark, weight) in one {
        while other.get(at).is_some_and(|(next, _)| next < mark) {
            at += 1;
        }
        if let Some((_, there)) = other.get(at).filter(|(next, _)| next == mark) {
            sum += weight.min(*there);
        }
    }
    sum
}
