//! Holds an answer against its sources: numbers, amounts, dates, deadlines, names, addresses, file
//! numbers and legal references, across the forms and words of French, German and English.
//!
//! It reads values and where they stand. It knows nothing of models, requests or files, and it
//! proves no answer right: what it does not recognise, it does not compare. Its time is in
//! proportion to the texts.

mod compare;
mod context;
mod distance;
mod error;
mod language;
mod lexicon;
mod misplaced;
mod missing;
mod names;
mod number_words;
mod numerals;
mod plain;
mod prepared;
mod quotation_marks;
mod recognise;
mod report;
mod sources;
mod spelling;
#[cfg(test)]
mod tests;
mod value;

pub use error::ChecksError;
pub use language::Language;
pub use names::NameList;
pub use plain::{PlainLanguage, PlainLanguageLimits};
pub use report::{
    Code, Compared, Finding, Kind, MarkedQuotation, Quoted, Report, SourceQuote, Span, Status,
};

use compare::{Comparison, Verdict};
use prepared::Prepared;
use recognise::{Fact, facts};
use sources::{Source, Sources};
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use value::Value;

/// A text that an answer was made from.
#[derive(Debug, Clone, Copy)]
pub struct SourceText<'a> {
    pub name: &'a str,
    pub text: &'a str,
}

/// What is asked of the checks.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// The languages of the texts. Empty: told from each text by itself.
    pub languages: Vec<Language>,
    /// Kinds that an answer must not leave out.
    pub report_missing: Vec<Kind>,
    /// Limits on how hard the answer is to read.
    pub plain_language: Option<PlainLanguageLimits>,
    /// Names that the agency lists.
    pub names: NameList,
    /// The answer is a reply: it greets those who wrote the sources.
    pub reply: bool,
}

/// The most findings of a report. Those beyond are counted.
pub const MAX_FINDINGS: usize = 1000;

/// What a text tells to whoever quotes it.
#[derive(Debug, Clone)]
pub struct Surveyed {
    /// Where numbers, amounts, dates, references and the like stand, each of them whole.
    pub values: Vec<Range<usize>>,
    /// That most of it is in.
    pub language: Language,
}

pub fn survey(text: &str) -> Surveyed {
    let text = Prepared::new(text, &[]);
    let facts = facts(&text, &[], None).into_iter();
    Surveyed {
        values: facts.map(|fact| fact.start..fact.end).collect(),
        language: text.language(),
    }
}

/// Compares what an answer says with what its sources say.
pub fn check(sources: &[SourceText], answer: &str, options: &CheckOptions) -> Report {
    let prepared: Vec<Prepared> = sources
        .iter()
        .map(|source| Prepared::new(source.text, &options.languages))
        .collect();
    let facts_of = |text| facts(text, &options.names.names, options.names.search.as_ref());
    let read = sources.iter().zip(&prepared).map(|(source, text)| Source {
        name: source.name,
        text,
        facts: facts_of(text),
    });
    let texts = sources;
    let sources = Sources::new(read.collect());
    let answer = Prepared::new(answer, &options.languages);
    let answer_facts = facts_of(&answer);
    let comparison = Comparison::new(&sources, &answer, &answer_facts, options.reply);
    let verdicts = comparison.verdicts();

    let mut findings: Vec<(usize, Finding)> = Vec::new();
    let mut changed = HashSet::new();
    let mut add = |start, end, kind, status, code, near: Option<usize>| {
        let source = near.map(|near| sources.quote(near));
        findings.push((
            start,
            Finding {
                kind,
                status,
                code,
                answer: Some(answer.quoted(start, end)),
                source,
            },
        ));
    };
    for (fact, verdict) in answer_facts.iter().zip(&verdicts) {
        if let Verdict::Found(status, code, near) = *verdict {
            add(fact.start, fact.end, fact.value.kind(), status, code, near);
            changed.extend(
                near.filter(|_| status == Status::Changed && !fact.article && !fact.spelled),
            );
        }
    }
    let told = answer_facts
        .iter()
        .zip(&verdicts)
        .filter(|(fact, verdict)| {
            matches!(verdict, Verdict::Found(..)) || matches!(fact.value, Value::Person { .. })
        });
    let covered: Vec<(usize, usize)> = told.map(|(fact, _)| (fact.start, fact.end)).collect();
    for name in spelling::altered(&sources, &answer, &covered) {
        add(
            name.start,
            name.end,
            Kind::Name,
            Status::Changed,
            name.code,
            Some(name.source),
        );
    }
    findings.sort_by_key(|(start, _)| *start);
    let mut findings: Vec<Finding> = findings.into_iter().map(|(_, finding)| finding).collect();
    findings.extend(
        comparison
            .missing(&answer, &options.report_missing, &changed)
            .into_iter()
            .map(|near| Finding {
                kind: sources.known[near].fact.value.kind(),
                status: Status::Missing,
                code: Code::NotInAnswer,
                answer: None,
                source: Some(sources.quote(near)),
            }),
    );

    let num_not_listed = findings.len().saturating_sub(MAX_FINDINGS);
    findings.truncate(MAX_FINDINGS);
    Report {
        findings,
        num_not_listed,
        compared: compared(&sources, &answer_facts, &verdicts),
        quotations: quotation_marks::compare(texts, &answer),
        language: answer.language(),
        plain_language: plain::measured(&answer, options.plain_language.as_ref()),
    }
}

fn compared(sources: &Sources, facts: &[Fact], verdicts: &[Verdict]) -> BTreeMap<Kind, Compared> {
    let mut compared: BTreeMap<Kind, Compared> = BTreeMap::new();
    for known in sources.known.iter().filter(|known| !known.fact.structural) {
        compared
            .entry(known.fact.value.kind())
            .or_default()
            .in_sources += 1;
    }
    for (fact, verdict) in facts
        .iter()
        .zip(verdicts)
        .filter(|(_, verdict)| **verdict != Verdict::NotCompared)
    {
        let kind = compared.entry(fact.value.kind()).or_default();
        kind.in_answer += 1;
        kind.supported += usize::from(*verdict == Verdict::Supported);
    }
    compared
}
