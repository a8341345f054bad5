//! What the sources say and an answer leaves out.

use super::compare::Comparison;
use super::prepared::{Prepared, folded};
use super::report::Kind;
use super::value::{ONE, Period, Value};
use std::collections::HashSet;

impl Comparison<'_> {
    /// The source's values of some kinds that the answer leaves out.
    pub fn missing(&self, text: &Prepared, kinds: &[Kind], changed: &HashSet<usize>) -> Vec<usize> {
        let mut addresses = self
            .facts
            .iter()
            .filter(|fact| matches!(fact.value, Value::Email(_)))
            .peekable();
        let mut words: HashSet<String> = HashSet::new();
        for word in &text.words {
            while addresses
                .next_if(|address| address.end <= word.start)
                .is_some()
            {}
            // Whoever is only in an e-mail address is not named.
            if addresses
                .peek()
                .is_none_or(|address| word.end <= address.start)
            {
                words.insert(folded(&word.lower));
            }
        }
        let mut told: HashSet<Vec<String>> = HashSet::new();
        let mut found = Vec::new();
        for (index, known) in self.sources.known.iter().enumerate() {
            let fact = &known.fact;
            if fact.structural
                || fact.article
                || fact.spelled
                || !kinds.contains(&fact.value.kind())
                || changed.contains(&index)
            {
                continue;
            }
            if !self.has(index, &words) && told.insert(fact.value.keys()) {
                found.push(index);
            }
        }
        found
    }

    fn has(&self, known: usize, words: &HashSet<String>) -> bool {
        let value = &self.sources.known[known].fact.value;
        self.says(known)
            || match value {
                Value::Person { words: names, .. } => {
                    // Where two people share a given name, it stands for neither.
                    let shares = |index: &usize| match &self.sources.known[*index].fact.value {
                        Value::Person { words, .. } => {
                            words.first() == names.first()
                                && words.get(1).is_some_and(|word| Some(word) != names.get(1))
                        }
                        _ => false,
                    };
                    let shared = names.len() > 1 && self.sources.alike(value).iter().any(shares);
                    names
                        .iter()
                        .take(2)
                        .skip(usize::from(shared))
                        .any(|name| words.contains(name))
                }
                Value::Number {
                    reading,
                    unit: None,
                } => {
                    words.contains(&(reading.likely / ONE).to_string()) && reading.likely > 31 * ONE
                }
                // `aged 25` is `25 ans`.
                Value::Duration {
                    reading,
                    period: Period::Months,
                } => {
                    let years = reading.likely / ONE / 12;
                    reading.likely % (12 * ONE) == 0
                        && years > 12
                        && words.contains(&years.to_string())
                }
                Value::Duration {
                    reading,
                    period: Period::Minutes,
                } => self
                    .by_key
                    .contains_key(&format!("t{}", reading.likely / ONE)),
                Value::Time(minutes) => self.by_key.contains_key(&format!(
                    "p{}{:?}",
                    u128::from(*minutes) * ONE,
                    Period::Minutes
                )),
                _ => false,
            }
    }
}
