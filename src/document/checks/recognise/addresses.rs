//! Streets with their house numbers, and places with their postcodes.

use super::{Found, pattern};
use crate::document::checks::prepared::folded;
use crate::document::checks::value::Value;

pattern!(
    FRENCH,
    r"\b(?P<house>\d{1,4}(?: ?(?:bis|ter|quater|[A-Da-d]\b))?),? (?P<name>(?i:rue|avenue|av\.|boulevard|bd\.?|place|allées?|chemin|impasse|quai|route|cours|square|passage|sentier|faubourg)(?:[ \u{a0}](?:d['’]|l['’])?[\p{L}'’-]{1,30}){1,6})",
);
pattern!(
    GERMAN,
    r"\b(?P<name>(?:\p{Lu}[\p{L}-]{1,40}(?:straße|strasse|str\.|weg|platz|allee|gasse|ring|damm|ufer|Straße|Strasse|Allee|Weg|Platz|Ring)|(?:Am|An der|An den|Im|In der|Auf dem|Auf der|Zum|Zur|Unter den|Beim) \p{Lu}[\p{L}-]{1,30})) (?P<house>\d{1,4} ?[a-f]?)\b",
);
pattern!(
    ENGLISH,
    r"\b(?P<house>\d{1,4}[a-d]?),? (?P<name>(?:\p{Lu}[\p{L}'’-]{1,30} ){1,4}(?:Road|Street|Lane|Close|Avenue|Drive|Way|Place|Square|Court|Terrace|Gardens|Crescent|Hill|Row|Park|Rd|St|Ave)\b)",
);
pattern!(
    CONTINENTAL,
    r"(?:\b[DFL]-)?\b(?P<postcode>\d{4,5}|\d{2} \d{3})[ \u{a0}](?P<city>\p{Lu}[\p{L}'’-]{1,40}(?: (?:am|an der|im|sur|lès|de la|la|le|\p{Lu}[\p{L}'’-]{1,30})){0,3})"
);
pattern!(
    BRITISH,
    r"\b(?:(?P<city>\p{Lu}[\p{L}'’-]{1,30}),? )?(?P<postcode>[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2})\b(?: (?P<next>\p{Lu}[\p{L}'’-]{1,30}))?"
);

pub fn find(found: &mut Found) {
    let text = found.text.text;
    for pattern in [&*FRENCH, &*GERMAN, &*ENGLISH] {
        for hit in pattern.captures_iter(text) {
            let (Some(all), Some(house), Some(name)) =
                (hit.get(0), hit.name("house"), hit.name("name"))
            else {
                continue;
            };
            let named = if std::ptr::eq(pattern, &*GERMAN) {
                ends_well(found, name.as_str(), all.end())
            } else {
                is_street(name.as_str())
            };
            if named && found.is_free(all.start(), all.end()) {
                let house = house.as_str().replace(' ', "").to_lowercase();
                found.add(
                    all.start(),
                    all.end(),
                    Value::Street {
                        house,
                        name: street(name.as_str()),
                    },
                );
            }
        }
    }
    for hit in BRITISH.captures_iter(text) {
        let (Some(all), Some(postcode)) = (hit.get(0), hit.name("postcode")) else {
            continue;
        };
        let city = hit
            .name("city")
            .or(hit.name("next"))
            .map_or("", |city| city.as_str());
        if found.is_free(all.start(), all.end()) {
            add_place(
                found,
                all.start(),
                all.end(),
                &postcode.as_str().replace(' ', ""),
                city,
            );
        }
    }
    for hit in CONTINENTAL.captures_iter(text) {
        let (Some(all), Some(postcode), Some(city)) =
            (hit.get(0), hit.name("postcode"), hit.name("city"))
        else {
            continue;
        };
        if is_place(
            found,
            &postcode.as_str().replace(' ', ""),
            city.as_str(),
            all.start(),
        ) && found.is_free(all.start(), all.end())
        {
            let first = city.as_str().split([' ', ',']).next().unwrap_or_default();
            add_place(
                found,
                all.start(),
                city.start() + first.len(),
                &postcode.as_str().replace(' ', ""),
                first,
            );
        }
    }
}

/// `Im Jahr 2026` and `Am Montag 3` are no streets: one that begins with a preposition ends its
/// line, or a place follows.
fn ends_well(found: &Found, name: &str, end: usize) -> bool {
    let after = found.text.after(end, 8).trim_start();
    !name.contains(' ')
        || after.is_empty()
        || after.starts_with(',')
        || after.starts_with(|c: char| c.is_ascii_digit())
}

/// `3 places de parking` and `68 square metres` are no streets: what is also another word needs a
/// name behind it.
fn is_street(name: &str) -> bool {
    const OTHERS: [&str; 6] = ["place", "cours", "route", "passage", "square", "chemin"];
    let (first, rest) = name.split_once([' ', '\u{a0}']).unwrap_or((name, ""));
    !OTHERS.contains(&first.to_lowercase().as_str()) || rest.contains(char::is_uppercase)
}

fn add_place(found: &mut Found, start: usize, end: usize, postcode: &str, city: &str) {
    found.add(
        start,
        end,
        Value::Place {
            postcode: postcode.to_owned(),
            city: folded(city),
        },
    );
}

/// German writes nouns like places. A postcode begins a line or follows a comma, and its place
/// ends one; four digits are also a year or a count.
fn is_place(found: &Found, postcode: &str, city: &str, start: usize) -> bool {
    const MONEY: [&str; 5] = ["Euro", "Euros", "EUR", "Franken", "CHF"];
    let before = found.text.before(start, 4).trim_end();
    let opens = before.is_empty() || before.ends_with([',', '-', '–', '|', '(', ':']);
    let year = postcode.len() == 4 && (postcode.starts_with("19") || postcode.starts_with("20"));
    let known = MONEY.iter().any(|money| city.starts_with(money));
    !known && !year && (opens || postcode.len() == 5 && postcode.as_bytes()[2..] != *b"000")
}

/// `Goethestr.` and `Goethestraße` are one.
fn street(name: &str) -> String {
    let plain = folded(name.trim_end())
        .replace("strasse", "str")
        .replace("str.", "str");
    let plain = plain
        .replace("avenue", "av")
        .replace("av.", "av")
        .replace("boulevard", "bd");
    plain.chars().filter(|c| c.is_alphanumeric()).collect()
}
