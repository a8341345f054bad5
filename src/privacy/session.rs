//! The values of one request, and what stands for each of them.

use super::applied::{Applied, Replacement};
use super::error::PrivacyError;
use super::kind::{Kind, Mode};
use super::recognise::{Candidate, Recogniser, resolved};
use super::report::Report;
use super::restorer::Restorer;
use super::surrogate::{Form, Surrogates};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// One request: its surrogates, and what was found in it.
///
/// A value has the same surrogate in all texts of the request, and no other value has it. Numbers
/// follow the order of the texts: a conversation that goes on keeps those that it has.
#[derive(Debug)]
pub struct Session {
    surrogates: Arc<Surrogates>,
    report: Report,
}

impl Session {
    /// Replaces the values in all texts of a request, in the order in which a model reads them.
    ///
    /// All at once, because one text decides about another: a surrogate must stand in none of
    /// them, and a number that is labelled in one is known in the next without its label.
    ///
    /// # Errors
    /// In [`Mode::Block`] if anything is found; and if the texts hold every form of surrogates
    /// that was tried, which does not happen by chance.
    pub fn new(
        recogniser: &Recogniser,
        mode: Mode,
        texts: &[&str],
    ) -> Result<(Self, Vec<Applied>), PrivacyError> {
        let candidates: Vec<Vec<Candidate>> = texts
            .iter()
            .map(|text| recogniser.candidates(text))
            .collect();
        let known: HashSet<(Kind, &str)> = candidates
            .iter()
            .flat_map(|found| resolved(found, |candidate| candidate.is_sure))
            .map(Candidate::value)
            .collect();
        let found: Vec<Vec<&Candidate>> = candidates
            .iter()
            .map(|found| {
                resolved(found, |candidate| {
                    candidate.is_sure || known.contains(&candidate.value())
                })
            })
            .collect();

        let report = report(mode, &found);
        if mode == Mode::Block && !report.found.is_empty() {
            return Err(PrivacyError::Blocked(report));
        }
        let mut surrogates = Surrogates::default();
        let applied = if mode == Mode::Pseudonymize && !report.found.is_empty() {
            let form = Form::drawn(texts).ok_or(PrivacyError::NoSurrogate)?;
            let mut numbers = Numbers::default();
            replace_all(texts, &found, |candidate, spelling| {
                let (number, place) = numbers.of(candidate, spelling);
                let surrogate = form.surrogate(candidate.kind, number, place);
                surrogates.insert(&surrogate, spelling);
                surrogate
            })
        } else {
            replace_all(texts, &found, |candidate, _| {
                format!("[{}]", candidate.kind.label())
            })
        };
        let session = Self {
            surrogates: Arc::new(surrogates),
            report,
        };
        Ok((session, applied))
    }

    /// For one answer. It passes everything if nothing is to be put back.
    #[must_use]
    pub fn restorer(&self) -> Restorer {
        Restorer::new(Arc::clone(&self.surrogates))
    }

    /// A whole text with its values.
    #[must_use]
    pub fn restore(&self, text: &str) -> String {
        let mut restorer = self.restorer();
        let mut restored = restorer.push(text);
        restored.push_str(&restorer.finish());
        restored
    }

    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }
}

fn report(mode: Mode, found: &[Vec<&Candidate>]) -> Report {
    let mut report = Report::new(mode);
    let mut seen = HashSet::new();
    for candidate in found.iter().flatten() {
        report.count(candidate.kind, seen.insert(candidate.value()));
    }
    report
}

/// The number of each value within its kind, and the place of each of its spellings.
#[derive(Default)]
struct Numbers<'a> {
    values: HashMap<(Kind, &'a str), Numbered<'a>>,
    counts: HashMap<Kind, usize>,
}

struct Numbered<'a> {
    number: usize,
    spellings: HashMap<&'a str, usize>,
}

impl<'a> Numbers<'a> {
    fn of(&mut self, candidate: &'a Candidate, spelling: &'a str) -> (usize, usize) {
        let value = self.values.entry(candidate.value()).or_insert_with(|| {
            let count = self.counts.entry(candidate.kind).or_default();
            *count += 1;
            Numbered {
                number: *count,
                spellings: HashMap::new(),
            }
        });
        let next = value.spellings.len();
        (
            value.number,
            *value.spellings.entry(spelling).or_insert(next),
        )
    }
}

fn replace_all<'a>(
    texts: &[&'a str],
    found: &'a [Vec<&'a Candidate>],
    mut replacement: impl FnMut(&'a Candidate, &'a str) -> String,
) -> Vec<Applied> {
    texts
        .iter()
        .zip(found)
        .map(|(text, found)| replace(text, found, &mut replacement))
        .collect()
}

fn replace<'a>(
    original: &'a str,
    found: &[&'a Candidate],
    replacement: &mut impl FnMut(&'a Candidate, &'a str) -> String,
) -> Applied {
    let mut text = String::with_capacity(original.len());
    let mut replacements = Vec::with_capacity(found.len());
    let mut done = 0;
    for candidate in found {
        let range = candidate.range.clone();
        // Recognisers give ranges within their text, on borders of characters.
        let (Some(between), Some(spelling)) =
            (original.get(done..range.start), original.get(range.clone()))
        else {
            debug_assert!(false, "a finding at {range:?} is no part of its text");
            continue;
        };
        text.push_str(between);
        let start = text.len();
        text.push_str(&replacement(candidate, spelling));
        done = range.end;
        replacements.push(Replacement {
            original: range,
            replaced: start..text.len(),
            kind: candidate.kind,
        });
    }
    text.push_str(original.get(done..).unwrap_or_default());
    Applied {
        text,
        replacements,
        original_len: original.len(),
    }
}
