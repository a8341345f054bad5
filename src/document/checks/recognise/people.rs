//! People, told by their titles, and the names of the agency's word list.

use super::{Apart, Fact, Found};
use crate::document::checks::prepared::{Prepared, folded};
use crate::document::checks::value::{Gender, Value};
use aho_corasick::AhoCorasick;

/// Titles in lower case, and whom they are for.
const TITLES: &[(&str, Option<Gender>)] = &[
    ("madame", Some(Gender::Female)),
    ("mme", Some(Gender::Female)),
    ("mademoiselle", Some(Gender::Female)),
    ("mlle", Some(Gender::Female)),
    ("monsieur", Some(Gender::Male)),
    ("m", Some(Gender::Male)),
    ("maître", None),
    ("me", None),
    ("docteur", None),
    ("professeur", None),
    ("frau", Some(Gender::Female)),
    ("herr", Some(Gender::Male)),
    ("herrn", Some(Gender::Male)),
    ("mrs", Some(Gender::Female)),
    ("ms", Some(Gender::Female)),
    ("miss", Some(Gender::Female)),
    ("mr", Some(Gender::Male)),
    ("sir", Some(Gender::Male)),
    ("dr", None),
    ("prof", None),
    ("pr", None),
];
const DEGREES: [&str; 8] = [
    "dr",
    "prof",
    "docteur",
    "professeur",
    "dipl",
    "ing",
    "phil",
    "med",
];
const PARTICLES: [&str; 14] = [
    "de", "du", "des", "la", "le", "von", "van", "der", "den", "zu", "d", "l", "el", "al",
];
/// Words that follow a title and are no name.
const NOT_NAMES: [&str; 16] = [
    "le",
    "la",
    "les",
    "madame",
    "monsieur",
    "sir",
    "madam",
    "maire",
    "préfet",
    "préfète",
    "président",
    "présidente",
    "und",
    "herren",
    "damen",
    "or",
];
/// Offices that follow a title, or stand between it and a name.
const OFFICES: [&str; 16] = [
    "bürgermeister",
    "oberbürgermeister",
    "präfekt",
    "minister",
    "präsident",
    "direktor",
    "landrat",
    "landrät",
    "richter",
    "staatssekretär",
    "rechtsanwalt",
    "rechtsanwält",
    "kolleg",
    "dezernent",
    "vorsitzende",
    "justice",
];
const MAX_WORDS: usize = 5;

pub fn find_listed(found: &mut Found, names: &[String], listed: &AhoCorasick) {
    let text = found.text.text;
    for hit in listed.find_iter(text) {
        let before = text[..hit.start()].chars().next_back();
        let after = text[hit.end()..].chars().next();
        let whole =
            !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric);
        if let Some(name) = names
            .get(hit.pattern().as_usize())
            .filter(|_| whole && found.is_free(hit.start(), hit.end()))
        {
            found.add(hit.start(), hit.end(), Value::Listed(name.clone()));
        }
    }
}

pub fn find(found: &mut Found) {
    let text = found.text;
    let mut at = 0;
    while at < text.words.len() {
        let word = &text.words[at];
        let title = TITLES.iter().find(|(title, _)| *title == word.lower);
        let capital = text.text[word.start..word.end].starts_with(char::is_uppercase);
        let Some((_, gender)) = title.filter(|_| capital) else {
            at += 1;
            continue;
        };
        let (names, next) = names_after(found, at);
        if let Some(last) = names.last() {
            let end = text.words[*last].end;
            if found.is_free(word.start, end) {
                let words = names
                    .iter()
                    .map(|name| folded(&text.words[*name].lower))
                    .collect();
                let value = Value::Person {
                    words,
                    gender: *gender,
                };
                let apart = apart(text, word.start, end);
                found.add_fact(Fact {
                    apart,
                    ..Fact::new(word.start, end, value)
                });
            }
        }
        at = next.max(at + 1);
    }
}

/// Whether somebody is greeted or signs here: behind a greeting, or alone on a line.
fn apart(text: &Prepared, start: usize, end: usize) -> Option<Apart> {
    const GREETINGS: [&str; 12] = [
        "bonjour",
        "guten tag",
        "hello",
        "dear",
        "cher",
        "chère",
        "geehrte",
        "geehrter",
        "lieber",
        "liebe",
        "hallo",
        "guten morgen",
    ];
    let before = text.before(start, 24).trim_end().to_lowercase();
    let after = text.after(end, 8).trim_matches([' ', ',', '.', ':', '!']);
    if GREETINGS.iter().any(|greeting| before.ends_with(greeting)) {
        Some(Apart::Greeted)
    } else {
        (before.is_empty() && after.is_empty()).then_some(Apart::Alone)
    }
}

/// The words of a name behind a title, particles left out, and the word to go on from.
fn names_after(found: &Found, title: usize) -> (Vec<usize>, usize) {
    let text = found.text;
    let mut names = Vec::new();
    let mut at = title + 1;
    while names.len() < MAX_WORDS {
        let Some(word) = text.words.get(at) else {
            break;
        };
        let between = &text.text[text.words[at - 1].end..word.start];
        let after_degree = at == title + 1 || DEGREES.contains(&text.words[at - 1].lower.as_str());
        let joined = match between {
            " " | "\u{a0}" | "-" | "'" | "’" => true,
            ". " | ".\u{a0}" => {
                after_degree || at - 1 > title && text.words[at - 1].lower.chars().count() == 1
            }
            _ => false,
        };
        if !joined
            || NOT_NAMES.contains(&word.lower.as_str())
                && names.is_empty()
                && !PARTICLES.contains(&word.lower.as_str())
        {
            break;
        }
        let capital = text.text[word.start..word.end].starts_with(char::is_uppercase);
        if (DEGREES.contains(&word.lower.as_str())
            || OFFICES.iter().any(|office| word.lower.starts_with(office)))
            && names.is_empty()
            || !capital && PARTICLES.contains(&word.lower.as_str())
        {
            at += 1;
            continue;
        }
        if !capital
            || word.lower.starts_with(|c: char| c.is_ascii_digit())
            || !found.is_free(word.start, word.end)
        {
            break;
        }
        names.push(at);
        at += 1;
    }
    (names, at)
}
