//! Holds each value of an answer against those of the sources.

use super::context::{Mark, Place, likeness, places};
use super::distance::resemblance;
use super::prepared::Prepared;
use super::recognise::{Fact, is_valid_iban};
use super::report::{Code, Kind, Status};
use super::sources::Sources;
use super::value::{ONE, Period, Reading, Value};
use std::collections::HashMap;

/// What became of one value of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Supported,
    /// The status and code of a finding, and the source's value that is nearest.
    Found(Status, Code, Option<usize>),
    /// Counts something of its own: `two possibilities`.
    NotCompared,
}

/// From here on a place is taken to be the same, and a value to be another one's slip.
const SAME_PLACE: f32 = 1.2;
const SLIP: f32 = 0.5;
/// The share of the sources' values from which an answer tells nearly all.
const COMPLETE: f32 = 0.8;
/// How much the order of values says where only some of them are told.
const PARTIAL: f32 = 0.3;

pub struct Comparison<'a> {
    pub(super) sources: &'a Sources<'a>,
    pub(super) facts: &'a [Fact],
    pub(super) places: Vec<Place>,
    pub(super) by_key: HashMap<String, Vec<usize>>,
    /// The answer tells nearly all that the sources do, as a translation does. Then those whom it
    /// greets and who sign are the same, too.
    pub(super) complete: bool,
    pub(super) reply: bool,
    /// Counts of the sources that the answer does not tell.
    untold: usize,
}

impl<'a> Comparison<'a> {
    /// `reply`: the answer is a reply to the sources.
    pub fn new(sources: &'a Sources<'a>, text: &Prepared, facts: &'a [Fact], reply: bool) -> Self {
        let mut by_key: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, fact) in facts.iter().enumerate() {
            for key in fact.value.keys() {
                let list = by_key.entry(key).or_default();
                if list.len() < MAX_ALIKE {
                    list.push(index);
                }
            }
        }
        let mut comparison = Self {
            sources,
            facts,
            places: places(text, facts, PARTIAL),
            by_key,
            complete: false,
            reply,
            untold: 0,
        };
        let told = (0..sources.known.len())
            .filter(|known| comparison.says(*known))
            .count();
        comparison.complete = told as f32 >= COMPLETE * sources.known.len() as f32;
        let is_count = |known: &usize| {
            let fact = &sources.known[*known].fact;
            matches!(fact.value, Value::Number { unit: None, .. }) && !fact.structural
        };
        let counts = (0..sources.known.len()).filter(is_count);
        comparison.untold = counts.filter(|known| !comparison.says(*known)).count();
        if comparison.complete {
            comparison.places = places(text, facts, 1.0);
        }
        comparison
    }

    pub fn verdicts(&self) -> Vec<Verdict> {
        (0..self.facts.len())
            .map(|index| self.verdict(index))
            .collect()
    }

    fn verdict(&self, index: usize) -> Verdict {
        let fact = &self.facts[index];
        if fact.structural && !self.counts_the_same(index) {
            return Verdict::NotCompared;
        }
        if fact.article {
            return self.article(index);
        }
        let bearing = self.sources.bearing_out(&fact.value);
        if bearing.is_empty() {
            return if self.is_told_otherwise(&fact.value) {
                Verdict::Supported
            } else {
                self.unlike(index)
            };
        }
        let known = |index: &usize| &self.sources.known[*index].fact;
        if let Some(bound) = fact.bound
            && bearing
                .iter()
                .all(|index| known(index).bound.is_some_and(|other| other != bound))
        {
            return Verdict::Found(
                Status::Changed,
                Code::DeadlineSignDiffers,
                bearing.first().copied(),
            );
        }
        if let Value::Person {
            gender: Some(gender),
            ..
        } = &fact.value
        {
            let genders: Vec<_> = bearing
                .iter()
                .filter_map(|index| match &known(index).value {
                    Value::Person { gender, .. } => *gender,
                    _ => None,
                })
                .collect();
            if !genders.is_empty() && !genders.contains(gender) {
                return Verdict::Found(
                    Status::Changed,
                    Code::TitleDiffers,
                    bearing.first().copied(),
                );
            }
        }
        if let Some(other) = self.of_another_given_name(&fact.value, &bearing) {
            return Verdict::Found(Status::Changed, Code::ValueDiffers, Some(other));
        }
        if self.is_reversed(index, &bearing) {
            return Verdict::Found(Status::Changed, Code::Misplaced, bearing.first().copied());
        }
        match self.misplaced(index, &bearing) {
            Some(instead) => Verdict::Found(Status::Changed, Code::Misplaced, Some(instead)),
            None => Verdict::Supported,
        }
    }

    /// `un enfant` where a source has three, and the answer says of no three.
    fn article(&self, index: usize) -> Verdict {
        let counted: Option<Mark> = self.places[index].counted.map(|mark| (mark, 1.0));
        let others = self.sources.in_place(Kind::Number, counted.as_slice());
        let told = others.iter().any(|other| self.says(*other));
        match others.first() {
            Some(other) if self.complete && !told => {
                Verdict::Found(Status::Changed, Code::ValueDiffers, Some(*other))
            }
            _ => Verdict::NotCompared,
        }
    }

    /// A surname that the sources have alone bears out any given name, unless they have it with
    /// another one.
    fn of_another_given_name(&self, value: &Value, bearing: &[usize]) -> Option<usize> {
        let Value::Person { words, .. } = value else {
            return None;
        };
        let words_of = |index: &usize| match &self.sources.known[*index].fact.value {
            Value::Person { words, .. } => words.as_slice(),
            _ => &[],
        };
        let (given, surname) = (words.first()?, words.get(1)?);
        if bearing.iter().any(|index| words_of(index).len() > 1) {
            return None;
        }
        let alike = self.sources.alike(value);
        alike.into_iter().find(|index| {
            words_of(index).get(1) == Some(surname) && words_of(index).first() != Some(given)
        })
    }

    /// Whether the sources say the same in a value of another kind.
    fn is_told_otherwise(&self, value: &Value) -> bool {
        let any = |value: Value| !self.sources.bearing_out(&value).is_empty();
        match value {
            // A year alone, an age, and a number whose unit stands in the head of a table.
            Value::Number {
                reading,
                unit: None,
            } => {
                let whole = reading.likely / ONE;
                let year = (1500..2100).contains(&whole) && reading.likely % ONE == 0;
                let amount = |currency: &&'static str| {
                    any(Value::Amount {
                        reading: *reading,
                        currency,
                    })
                };
                let age = Value::Duration {
                    reading: reading.times(12),
                    period: Period::Months,
                };
                year && self.sources.words.contains(&whole.to_string())
                    || whole > 31 && ["EUR", "CHF", "GBP", "USD"].iter().any(amount)
                    || whole > 12 && any(age)
            }
            Value::Duration {
                reading,
                period: Period::Minutes,
            } => u16::try_from(reading.likely / ONE).is_ok_and(|minutes| any(Value::Time(minutes))),
            Value::Time(minutes) => {
                let reading = Reading::sure(u128::from(*minutes) * ONE);
                any(Value::Duration {
                    reading,
                    period: Period::Minutes,
                })
            }
            // A name without a title in the sources.
            Value::Person { words, .. } => {
                let unknown = self.sources.alike(value).is_empty();
                unknown
                    && words
                        .iter()
                        .take(2)
                        .all(|word| self.sources.words.contains(word))
            }
            _ => false,
        }
    }

    /// What to say of a value that no source bears out.
    fn unlike(&self, index: usize) -> Verdict {
        let fact = &self.facts[index];
        let kind = fact.value.kind();
        let place = &self.places[index].marks;
        let mut candidates = self.sources.in_place(kind, place);
        candidates.extend(self.sources.alike(&fact.value));
        candidates.extend(self.sources.of_kind(kind));
        let fit = |candidate: &usize| {
            let known = &self.sources.known[*candidate];
            (
                likeness(place, &known.place.marks),
                resemblance(&fact.value, &known.fact.value),
            )
        };
        let best = candidates
            .into_iter()
            .filter(|candidate| self.sources.known[*candidate].fact.value.kind() == kind)
            .map(|candidate| (candidate, fit(&candidate)))
            .max_by(|(_, (a, b)), (_, (c, d))| (a + 2.0 * b).total_cmp(&(c + 2.0 * d)));
        let same_place = best.is_some_and(|(_, (likeness, _))| likeness >= SAME_PLACE);
        // `one copy is free` says nothing of the five copies that are told of, too; and where all
        // counts of the sources are told, another small one is the answer's own.
        let one = matches!(fact.value, Value::Number { reading, .. } if reading.likely == ONE);
        let told = best.is_some_and(|(near, _)| one && self.says(near));
        let own = one || self.untold == 0;
        if fact.spelled && (told || !same_place && own) {
            return Verdict::NotCompared;
        }
        match best {
            Some((near, (_, slip))) if same_place || slip >= SLIP => Verdict::Found(
                Status::Changed,
                differing(&fact.value, &self.sources.known[near].fact.value),
                Some(near),
            ),
            best => {
                let wrong = matches!(&fact.value, Value::Iban(iban) if !is_valid_iban(iban));
                let code = if wrong {
                    Code::IbanInvalid
                } else {
                    Code::NotInSources
                };
                Verdict::Found(Status::Unsupported, code, best.map(|(near, _)| near))
            }
        }
    }

    /// `two points` is of the text itself, unless the sources count points.
    fn counts_the_same(&self, index: usize) -> bool {
        let counted: Option<Mark> = self.places[index].counted.map(|mark| (mark, 1.0));
        !self
            .sources
            .in_place(Kind::Number, counted.as_slice())
            .is_empty()
    }

    /// Whether the answer says what the sources say there.
    pub(super) fn says(&self, known: usize) -> bool {
        let known = &self.sources.known[known];
        let value = &known.fact.value;
        let alike = value
            .keys()
            .into_iter()
            .filter_map(|key| self.by_key.get(&key))
            .flatten();
        alike.into_iter().any(|index| {
            let fact = &self.facts[*index];
            let counts =
                known.place.counted.is_some() && self.places[*index].counted == known.place.counted;
            !fact.article && (!fact.structural || counts) && fact.value.is_borne_out_by(value)
        })
    }
}

/// Values of an answer that are looked at for one key.
const MAX_ALIKE: usize = 8;

/// What two values of a kind, one in the place of the other, differ in.
fn differing(one: &Value, other: &Value) -> Code {
    match (one, other) {
        (Value::Number { reading: a, .. }, Value::Number { reading: b, .. }) if a.agrees(b) => {
            Code::UnitDiffers
        }
        (Value::Amount { reading: a, .. }, Value::Amount { reading: b, .. }) if a.agrees(b) => {
            Code::CurrencyDiffers
        }
        (
            Value::Reference { number: a, law, .. },
            Value::Reference {
                number: b,
                law: other,
                ..
            },
        ) if a == b && law != other => Code::LawDiffers,
        _ => Code::ValueDiffers,
    }
}
