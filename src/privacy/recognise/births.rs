//! Dates of birth: dates that the words beside them make one.

use super::super::kind::Kind;
use super::{Candidate, Search, pattern};

/// How far from a date the word stands that makes it one of birth, in bytes.
const REACH: usize = 70;

const MONTHS: [&[&str]; 12] = [
    &["janvier", "januar", "jänner", "january", "janv", "jan"],
    &["février", "februar", "february", "févr", "feb"],
    &["mars", "märz", "march", "mar"],
    &["avril", "april", "avr", "apr"],
    &["mai", "may"],
    &["juin", "juni", "june", "jun"],
    &["juillet", "juli", "july", "juil", "jul"],
    &["août", "aout", "august", "aug"],
    &["septembre", "september", "sept", "sep"],
    &["octobre", "oktober", "october", "oct", "okt"],
    &["novembre", "november", "nov"],
    &["décembre", "dezember", "december", "déc", "dez", "dec"],
];

/// Words in small letters between `née` or `born` and the date.
const CONNECTORS: [&str; 26] = [
    "le", "la", "les", "l", "à", "a", "au", "aux", "en", "de", "du", "des", "d", "sur", "sous",
    "am", "an", "der", "den", "in", "im", "bei", "on", "at", "the", "dem",
];

pattern!(
    NUMERIC,
    r"\b(?P<day>\d{1,2})(?:[./-]|\.\s)(?P<month>\d{1,2})(?:[./-]|\.\s)(?P<year>(?:1[89]|20)\d{2}|\d{2})\b",
);
pattern!(
    ISO,
    r"\b(?P<year>(?:1[89]|20)\d{2})-(?P<month>\d{2})-(?P<day>\d{2})\b",
);
pattern!(
    DAY_MONTH,
    r"\b(?P<day>\d{1,2})(?:er|st|nd|rd|th)?\.?\s(?:of\s)?(?P<name>[A-Za-zäéèûô]{3,9})\.?,?\s(?P<year>(?:1[89]|20)\d{2})\b",
);
pattern!(
    MONTH_DAY,
    r"\b(?P<name>[A-Za-z]{3,9})\.?\s(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s(?P<year>(?:1[89]|20)\d{2})\b",
);

pub fn find(search: &mut Search) {
    for pattern in [&*ISO, &*NUMERIC, &*DAY_MONTH, &*MONTH_DAY] {
        for hit in pattern.captures_iter(search.text) {
            let Some((all, key)) = hit.get(0).zip(key(&hit)) else {
                continue;
            };
            let is_sure = is_of_birth(search, all.start(), all.end());
            search.candidates.push(Candidate {
                kind: Kind::DateOfBirth,
                range: all.range(),
                key,
                is_sure,
            });
        }
    }
}

/// The date in one spelling, or `None` if the calendar has no such day.
fn key(hit: &regex::Captures) -> Option<String> {
    let number = |name| hit.name(name)?.as_str().parse::<u32>().ok();
    let day = number("day")?;
    let month = match hit.name("name") {
        Some(name) => {
            let name = name.as_str().to_lowercase();
            let place = MONTHS.iter().position(|names| names.contains(&&*name))?;
            u32::try_from(place).ok()? + 1
        }
        None => number("month")?,
    };
    // Of two digits, nobody is born in a year that is still to come.
    let year = match number("year")? {
        year @ 0..30 => 2000 + year,
        year @ 30..100 => 1900 + year,
        year => year,
    };
    let is_day = (1..=31).contains(&day) && (1..=12).contains(&month);
    is_day.then(|| format!("{year:04}-{month:02}-{day:02}"))
}

fn is_of_birth(search: &Search, start: usize, end: usize) -> bool {
    let text = search.text;
    let before = search
        .labels
        .ending_in(Kind::DateOfBirth, start.saturating_sub(REACH)..start);
    let mut before = before.filter_map(|label| text.get(label.end..start));
    // German says it behind the date, too: `der am 3.3.1985 in Köln geborene Kläger`.
    let after = search
        .labels
        .ending_in(Kind::DateOfBirth, end..end + REACH)
        .filter(|label| label.start >= end)
        .filter(|label| {
            let word = text.get(label.start..label.end).unwrap_or_default();
            word.to_lowercase().starts_with("geboren")
        });
    let mut after = after.filter_map(|label| text.get(end..label.start));
    before.any(leads_to_date)
        || after.any(|between| leads_to_date(between) && !between.contains(','))
}

/// Whether only names and places, and the words that join them, stand between a word about birth
/// and a date: `née Roux à Saint-Denis (93), le`.
fn leads_to_date(between: &str) -> bool {
    let is_layout =
        |c: char| c.is_whitespace() || matches!(c, ':' | '|' | '.' | '(' | ')' | '*' | '-');
    if between.chars().all(is_layout) {
        return true;
    }
    let is_end = |c: char| matches!(c, '\n' | '.' | ';' | ':' | '!' | '?' | '|');
    // The point of `geb.` stands first, and the colon of a form at either end.
    let between = between
        .trim_start_matches(['.', ':', ')'])
        .trim_end_matches([':', ' ', '\u{a0}']);
    if between.contains(is_end) {
        return false;
    }
    between
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .all(|word| {
            let is_name = word.starts_with(char::is_uppercase);
            let is_number = word.len() <= 3 && word.bytes().all(|byte| byte.is_ascii_digit());
            is_name || is_number || CONNECTORS.contains(&word)
        })
}

#[cfg(test)]
mod tests {
    use super::super::found;

    #[test]
    fn a_date_is_one_of_birth_by_the_words_beside_it() {
        for (text, date) in [
            ("M. Roux, né le 12 mars 1985 à Lyon", "12 mars 1985"),
            (
                "née Petit à Saint-Denis (93), le 1er janvier 1990.",
                "1er janvier 1990",
            ),
            ("né(e) le : 12/03/1985", "12/03/1985"),
            ("Date de naissance\n12/03/1985", "12/03/1985"),
            ("| Geburtsdatum | 12.03.1985 |", "12.03.1985"),
            ("geb. am 3. 4. 1961 in Bonn", "3. 4. 1961"),
            ("Herr Kurz (geb. 03.04.61)", "03.04.61"),
            (
                "der am 3. April 1961 in Köln geborene Kläger",
                "3. April 1961",
            ),
            ("Frau Kurz, geboren in Bad Ems am 3.4.1961", "3.4.1961"),
            ("She was born on 3 April 1961 in Leeds", "3 April 1961"),
            ("Date of birth (DOB): April 3, 1961", "April 3, 1961"),
            ("born 1961-04-03", "1961-04-03"),
        ] {
            assert_eq!(found(text), [date], "{text}");
        }
    }

    #[test]
    fn other_dates_are_none() {
        for text in [
            "Fait à Lyon, le 12 mars 2026",
            "geboren in Köln, hat am 3.3.2026 einen Antrag gestellt",
            "Date de naissance inconnue. Courrier du 12/03/2026",
            "née le 31 brumaire 1985",
            "né le 45/13/1985",
            "die neugeborenen Kinder, am 3.4.2026",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }
}
