//! Values that the sources have, but in the place of another one: two amounts that were exchanged.

use super::compare::Comparison;
use super::context::likeness;
use super::recognise::{Apart, Fact};
use super::value::Value;

/// How much better two values must fit when they change places, and one alone.
const EXCHANGED: f32 = 1.0;
const MISPLACED: f32 = 2.6;
/// Places in which a value might belong.
const MAX_RIVALS: usize = 4;

impl Comparison<'_> {
    /// The source's value in whose place this one stands, if it is better placed there than where
    /// the sources have it.
    pub(super) fn misplaced(&self, index: usize, bearing: &[usize]) -> Option<usize> {
        let fact = &self.facts[index];
        if fact.apart.is_some() && !self.complete {
            return self.greeted_in_vain(fact, bearing);
        }
        let place = &self.places[index].marks;
        let own = self.sources.likest(place, bearing);
        let mut rivals: Vec<(usize, f32)> = self
            .sources
            .in_place(fact.value.kind(), place)
            .into_iter()
            .filter(|rival| self.is_rival(&fact.value, *rival))
            .map(|rival| {
                (
                    rival,
                    likeness(place, &self.sources.known[rival].place.marks),
                )
            })
            .filter(|(_, likeness)| *likeness > own)
            .collect();
        rivals.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        let alone = !matches!(fact.value, Value::Person { .. });
        if let Some((rival, _)) = rivals
            .first()
            .filter(|_| alone)
            .filter(|(_, likeness)| likeness - own >= MISPLACED)
        {
            return Some(*rival);
        }
        rivals
            .into_iter()
            .take(MAX_RIVALS)
            .find(|(rival, likeness)| {
                self.exchange(*rival, bearing)
                    .is_some_and(|gain| gain + likeness - own >= EXCHANGED)
            })
            .map(|(rival, _)| rival)
    }

    /// Who wrote a source is greeted in the reply to it, and not whom the source greets.
    fn greeted_in_vain(&self, fact: &Fact, bearing: &[usize]) -> Option<usize> {
        let both = |index: &&usize| self.sources.known[**index].fact.apart == Some(Apart::Greeted);
        let greeted = self.reply && fact.apart == Some(Apart::Greeted);
        bearing.iter().find(both).copied().filter(|_| greeted)
    }

    /// Whether a range of days runs backwards here, and in no source.
    pub(super) fn is_reversed(&self, index: usize, bearing: &[usize]) -> bool {
        let ends = self
            .facts
            .get(index..)
            .and_then(|facts| backwards(facts.iter()));
        let known = |index: &usize| self.sources.known.get(*index..).unwrap_or_default().iter();
        self.places[index].opens_range
            && ends == Some(true)
            && !bearing.iter().any(|index| {
                self.sources.known[*index].place.opens_range
                    && backwards(known(index).map(|known| &known.fact)) == Some(true)
            })
    }

    fn is_rival(&self, value: &Value, rival: usize) -> bool {
        let other = &self.sources.known[rival].fact.value;
        std::mem::discriminant(value) == std::mem::discriminant(other)
            && !value.is_borne_out_by(other)
            && !other.is_borne_out_by(value)
    }

    /// How much better the rival's own value in the answer would stand in the place that the
    /// sources give to ours. None where the answer does not have it.
    fn exchange(&self, rival: usize, bearing: &[usize]) -> Option<f32> {
        let value = &self.sources.known[rival].fact.value;
        let alike = value
            .keys()
            .into_iter()
            .filter_map(|key| self.by_key.get(&key))
            .flatten();
        let others = alike.filter(|other| {
            (self.complete || self.facts[**other].apart.is_none())
                && self.facts[**other].value.is_borne_out_by(value)
        });
        let gains = others.map(|other| {
            let own = self.sources.bearing_out(&self.facts[*other].value);
            let place = &self.places[*other].marks;
            self.sources.likest(place, bearing) - self.sources.likest(place, &own)
        });
        gains.max_by(f32::total_cmp)
    }
}

/// Whether the first of two dates is after the second. None if they are no two whole dates.
fn backwards<'f>(mut facts: impl Iterator<Item = &'f Fact>) -> Option<bool> {
    let mut day = || match facts.next()?.value {
        Value::Date { year, month, day } => Some((year, month, day?)),
        _ => None,
    };
    let (first, last) = (day()?, day()?);
    // `du 12 octobre au 3 mars 2026` leaves a year to be guessed.
    (first.0.is_some() && last.0.is_some()).then_some(first > last)
}
