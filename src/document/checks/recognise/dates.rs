//! Dates of the calendar, and on which side of them something is due.

use super::{Fact, Found, bounds, pattern};
use crate::document::checks::language::Language;
use crate::document::checks::value::Value;

const MONTHS: [&[&str]; 12] = [
    &["janvier", "januar", "jänner", "january", "janv", "jan"],
    &["février", "februar", "february", "févr", "feb"],
    &["mars", "märz", "march", "mar"],
    &["avril", "april", "avr", "apr"],
    &["mai", "may"],
    &["juin", "juni", "june", "jun"],
    &["juillet", "juli", "july", "juil", "jul"],
    &["août", "august", "aout", "aug"],
    &["septembre", "september", "sept", "sep"],
    &["octobre", "oktober", "october", "oct", "okt"],
    &["novembre", "november", "nov"],
    &["décembre", "dezember", "december", "déc", "dez", "dec"],
];

macro_rules! month {
    () => {
        r"(?P<month>(?i:janvier|januar|jänner|january|janv|jan|février|februar|february|févr|feb|mars|märz|march|mar|avril|april|avr|apr|mai|may|juin|juni|june|jun|juillet|juli|july|juil|jul|août|august|aout|aug|septembre|september|sept|sep|octobre|oktober|october|oct|okt|novembre|november|nov|décembre|dezember|december|déc|dez|dec))\b\.?"
    };
}
macro_rules! weekday {
    () => {
        r"(?:\b(?i:lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonnabend|sonntag|monday|tuesday|wednesday|thursday|friday|saturday|sunday),?[ \u{a0}](?:(?:den|dem|le|the)[ \u{a0}])?)?"
    };
}

pattern!(
    DAY_MONTH,
    weekday!(),
    r"\b(?P<day>\d{1,2}|premier|Premier)(?:er|st|nd|rd|th)?\.?[ \u{a0}\u{202f}](?:of )?",
    month!(),
    r"(?:,?[ \u{a0}\u{202f}](?P<year>(?:1[5-9]|20)\d{2}))?"
);
pattern!(
    MONTH_DAY,
    weekday!(),
    r"\b",
    month!(),
    r"[ \u{a0}](?P<day>\d{1,2})(?:st|nd|rd|th)?\b(?:,?[ \u{a0}](?P<year>(?:1[5-9]|20)\d{2}))?"
);
pattern!(
    MONTH_YEAR,
    r"\b",
    month!(),
    r"[ \u{a0}](?P<year>(?:1[5-9]|20)\d{2})\b"
);
pattern!(
    ISO,
    r"\b(?P<year>(?:1[5-9]|20)\d{2})-(?P<month>\d{2})-(?P<day>\d{2})\b"
);
pattern!(
    NUMERIC,
    weekday!(),
    r"\b(?P<day>\d{1,2})(?:[./-]|\. )(?P<month>\d{1,2})(?:[./-]|\. )(?P<year>(?:1[5-9]|20)\d{2}|\d{2})\b"
);
pattern!(
    NO_YEAR,
    r"\b(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?:[ ,;)–-]|$)"
);
// The first day of `du 3 au 5 mars`.
pattern!(
    FIRST,
    r"\b(?P<day>\d{1,2})(?:er|st|nd|rd|th)?\.?[ \u{a0}]?(?:-|–|au|bis(?: zum)?|to|and|et|und)[ \u{a0}]?$"
);

pub fn find(found: &mut Found) {
    let text = found.text.text;
    // Only German writes `3.3.`; elsewhere it is a sum at the end of a sentence.
    let german = found.text.languages.first() == Some(&Language::German);
    for pattern in [
        &*ISO,
        &*DAY_MONTH,
        &*MONTH_DAY,
        &*NUMERIC,
        &*MONTH_YEAR,
        &*NO_YEAR,
    ] {
        for hit in pattern.captures_iter(text) {
            let Some(all) = hit.get(0) else { continue };
            let day = hit.name("day").map(|day| {
                if day.as_str().ends_with("remier") {
                    Some(1)
                } else {
                    day.as_str().parse().ok()
                }
            });
            let month = hit.name("month").and_then(|month| month_of(month.as_str()));
            let year = hit.name("year").map(|year| year_of(year.as_str()));
            let last = [hit.name("day"), hit.name("month"), hit.name("year")]
                .into_iter()
                .flatten()
                .map(|part| part.end())
                .max();
            let (Some(month), Some(last)) = (month, last) else {
                continue;
            };
            let end = if std::ptr::eq(pattern, &*NO_YEAR) {
                last + 1
            } else {
                last
            };
            let valid = (1..=12).contains(&month)
                && day.is_none_or(|day| day.is_some_and(|day| (1..=31).contains(&day)));
            if !valid
                || std::ptr::eq(pattern, &*NO_YEAR) && !german
                || !found.is_free(all.start(), end)
                || is_inside(found, all.start(), end)
            {
                continue;
            }
            let value = Value::Date {
                year,
                month,
                day: day.flatten(),
            };
            if day.is_some() {
                add_first_of_range(found, all.start(), year, month);
            }
            add(found, all.start(), end, value);
        }
    }
}

/// Digits around make it part of a longer number.
fn is_inside(found: &Found, start: usize, end: usize) -> bool {
    let before = found.text.text[..start].chars().next_back();
    let after = &found.text.text[end..];
    let goes_on = after.starts_with(|c: char| c.is_alphanumeric())
        || after.starts_with(['-', '/', '.', ','])
            && after[1..].starts_with(|c: char| c.is_ascii_digit());
    goes_on || before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '/' | '.'))
}

fn add(found: &mut Found, start: usize, end: usize, value: Value) {
    let bound = bounds::of_date(found.text.before(start, 48));
    found.add_fact(Fact {
        bound,
        ..Fact::new(start, end, value)
    });
}

fn add_first_of_range(found: &mut Found, start: usize, year: Option<u16>, month: u8) {
    let before = found.text.before(start, 24);
    let Some(first) = FIRST.captures(before).and_then(|hit| hit.name("day")) else {
        return;
    };
    let at = start - before.len() + first.start();
    let end = start - before.len() + first.end();
    if let Some(day) = first
        .as_str()
        .parse()
        .ok()
        .filter(|day| (1..=31).contains(day) && found.is_free(at, end))
    {
        add(
            found,
            at,
            end,
            Value::Date {
                year,
                month,
                day: Some(day),
            },
        );
    }
}

fn month_of(written: &str) -> Option<u8> {
    if written.starts_with(|c: char| c.is_ascii_digit()) {
        return written.parse().ok();
    }
    let lower = written.to_lowercase();
    let place = MONTHS
        .iter()
        .position(|names| names.contains(&lower.as_str()))?;
    u8::try_from(place + 1).ok()
}

/// Two digits are of this century, up to a while from now, or of the last.
fn year_of(written: &str) -> u16 {
    match written.parse::<u16>().unwrap_or_default() {
        short @ 0..=69 => 2000 + short,
        short @ 70..=99 => 1900 + short,
        year => year,
    }
}
