//! Dates told from today: `la semaine prochaine`.

use super::Found;
use crate::document::checks::language::Language;
use crate::document::checks::value::Value;
use Language::{English, French, German};

/// What it says in English, the language, and the words.
const PHRASES: &[(&str, Language, &str)] = &[
    ("today", French, "aujourd'hui"),
    ("today", French, "aujourd’hui"),
    ("today", German, "heute"),
    ("today", English, "today"),
    ("tomorrow", French, "demain"),
    ("tomorrow", German, "morgen"),
    ("tomorrow", English, "tomorrow"),
    ("the day after tomorrow", French, "après-demain"),
    ("the day after tomorrow", German, "übermorgen"),
    ("the day after tomorrow", English, "the day after tomorrow"),
    ("yesterday", French, "hier"),
    ("yesterday", German, "gestern"),
    ("yesterday", English, "yesterday"),
    ("this week", French, "cette semaine"),
    ("this week", German, "diese woche"),
    ("this week", German, "dieser woche"),
    ("this week", English, "this week"),
    ("next week", French, "semaine prochaine"),
    ("next week", German, "nächste woche"),
    ("next week", German, "nächster woche"),
    ("next week", German, "nächsten woche"),
    ("next week", German, "kommende woche"),
    ("next week", German, "kommenden woche"),
    ("next week", English, "next week"),
    ("next week", English, "coming week"),
    ("last week", French, "semaine dernière"),
    ("last week", German, "letzte woche"),
    ("last week", German, "vergangene woche"),
    ("last week", English, "last week"),
    ("this month", French, "ce mois-ci"),
    ("this month", German, "diesen monat"),
    ("this month", German, "diesem monat"),
    ("this month", English, "this month"),
    ("next month", French, "mois prochain"),
    ("next month", German, "nächsten monat"),
    ("next month", German, "nächster monat"),
    ("next month", German, "kommenden monat"),
    ("next month", English, "next month"),
    ("next month", English, "coming month"),
    ("last month", French, "mois dernier"),
    ("last month", German, "letzten monat"),
    ("last month", German, "vergangenen monat"),
    ("last month", English, "last month"),
    ("the end of the week", French, "fin de la semaine"),
    ("the end of the week", German, "ende der woche"),
    ("the end of the week", German, "wochenende"),
    ("the end of the week", English, "end of the week"),
    ("the end of the month", French, "fin du mois"),
    ("the end of the month", German, "ende des monats"),
    ("the end of the month", German, "monatsende"),
    ("the end of the month", English, "end of the month"),
    ("the end of the year", French, "fin de l'année"),
    ("the end of the year", French, "fin de l’année"),
    ("the end of the year", German, "ende des jahres"),
    ("the end of the year", German, "jahresende"),
    ("the end of the year", English, "end of the year"),
    ("the end of the year", English, "year's end"),
];

/// The most words of a phrase.
const LONGEST: usize = 4;

pub fn find(found: &mut Found) {
    let text = found.text;
    let mut at = 0;
    while at < text.words.len() {
        let hit = (1..=LONGEST).rev().find_map(|count| {
            let last = text.words.get(at + count - 1)?;
            let written = text
                .text
                .get(text.words[at].start..last.end)
                .filter(|written| written.len() < 40)?;
            let name = named(&written.to_lowercase(), &text.languages)?;
            Some((count, last.end, name))
        });
        match hit {
            // `guten Morgen`, and a morning, are no tomorrow.
            Some((_, end, name))
                if !text.text[text.words[at].start..end].starts_with('M')
                    && found.is_free(text.words[at].start, end) =>
            {
                found.add(text.words[at].start, end, Value::RelativeDate(name));
            }
            _ => {}
        }
        at += hit.map_or(1, |(count, _, _)| count);
    }
}

fn named(written: &str, languages: &[Language]) -> Option<&'static str> {
    let mut phrases = PHRASES
        .iter()
        .filter(|(_, language, _)| languages.contains(language));
    phrases
        .find(|(_, _, words)| *words == written)
        .map(|(name, _, _)| *name)
}
