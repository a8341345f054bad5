//! Times of day.

use super::{Found, pattern};
use crate::document::checks::language::Language;
use crate::document::checks::value::Value;

pattern!(
    FRENCH,
    r"\b(?P<hour>\d{1,2})[ \u{a0}\u{202f}]?[hH](?:[ \u{a0}\u{202f}]?(?P<minute>\d{2}))?\b"
);
pattern!(
    COLON,
    r"\b(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::\d{2})?(?:[ \u{a0}]?(?P<half>[aApP])\.?[mM]\b\.?|[ \u{a0}]Uhr\b|[ \u{a0}]h\b)?"
);
pattern!(
    POINT,
    r"\b(?P<hour>\d{1,2})\.(?P<minute>\d{2})[ \u{a0}]?(?:Uhr\b|(?P<half>[aApP])\.?[mM]\b\.?)"
);
pattern!(
    HOUR,
    r"\b(?P<hour>\d{1,2})[ \u{a0}]?(?:Uhr\b|(?P<half>[aApP])\.?[mM]\b\.?|o['’]clock|noon\b)"
);
// `10 Uhr 30`, if no unit follows: `um 10 Uhr 30 km/h` has two values.
pattern!(
    HOUR_MINUTE,
    r"\b(?P<time>(?P<hour>\d{1,2})[ \u{a0}]Uhr[ \u{a0}](?P<minute>[0-5]\d))(?:[.,;)\n]|$)",
);
// `9 heures` is a time of day where something happens then, and else a period.
pattern!(
    HEURES,
    r"(?:(?:^|[\s(])(?i:à|de|dès|vers|avant|après|entre|et)[ \u{a0}]|jusqu['’]à[ \u{a0}])(?P<time>(?P<hour>\d{1,2})[ \u{a0}]heures?(?:[ \u{a0}](?P<minute>\d{2})\b)?)"
);

// The first hour of `8–12 Uhr`.
pattern!(
    FIRST,
    r"\b(?P<hour>\d{1,2})(?:[.:](?P<minute>\d{2}))?[ \u{a0}]?(?:-|–|bis|to|à)[ \u{a0}]?$",
);

pub fn find(found: &mut Found) {
    for pattern in [&*FRENCH, &*COLON, &*POINT, &*HOUR_MINUTE, &*HOUR, &*HEURES] {
        for hit in pattern.captures_iter(found.text.text) {
            let Some(all) = hit.name("time").or(hit.get(0)) else {
                continue;
            };
            // `de 9 heures` begins a range of hours, or is how long something takes.
            let of = hit.get(0).is_some_and(|whole| {
                whole
                    .as_str()
                    .trim_start()
                    .to_lowercase()
                    .starts_with("de ")
            });
            if of
                && !found
                    .text
                    .after(all.end(), 8)
                    .trim_start()
                    .starts_with(['à', 'j', '-', '–'])
            {
                continue;
            }
            let number = |name| {
                hit.name(name)
                    .map_or(Some(0), |part| part.as_str().parse::<u16>().ok())
            };
            let (Some(hour), Some(minute)) = (number("hour"), number("minute")) else {
                continue;
            };
            let half = hit.name("half").map(|half| half.as_str().to_lowercase());
            // In German, `21 am Montag` is no time, and there is no hour 13 of a half day.
            let bare = half.is_some() && minute == 0 && !all.as_str().contains(['.', ':']);
            let german = found.text.languages.first() == Some(&Language::German);
            if half.is_some() && hour > 12 || bare && german && all.as_str().ends_with("am") {
                continue;
            }
            let hour = match half.as_deref() {
                Some("p") if hour < 12 => hour + 12,
                Some("a") if hour == 12 => 0,
                _ => hour,
            };
            if hour <= 24
                && minute < 60
                && !ends_a_number(found.text.before(all.start(), 8))
                && found.is_free(all.start(), all.end())
            {
                found.add(all.start(), all.end(), Value::Time(hour * 60 + minute));
                add_first_of_range(found, all.start(), hour, half.as_deref() == Some("p"));
            }
        }
    }
}

/// Adds the hour that a range begins with, in the half of the day that it ends in.
fn add_first_of_range(found: &mut Found, start: usize, last: u16, afternoon: bool) {
    let before = found.text.before(start, 16);
    let Some(hit) = FIRST.captures(before) else {
        return;
    };
    let number = |name| {
        hit.name(name)
            .map_or(Some(0), |part| part.as_str().parse::<u16>().ok())
    };
    let (Some(hour), Some(minute), Some(first)) =
        (number("hour"), number("minute"), hit.name("hour"))
    else {
        return;
    };
    let hour = if afternoon && hour < 12 && hour + 12 < last {
        hour + 12
    } else {
        hour
    };
    let at = start - before.len() + first.start();
    let end = start - before.len()
        + hit
            .name("minute")
            .map_or(first.end(), |minute| minute.end());
    if hour <= 24 && minute < 60 && found.is_free(at, end) {
        found.add(at, end, Value::Time(hour * 60 + minute));
    }
}

/// Whether a text ends like the head of a file number: `9312978-`.
fn ends_a_number(before: &str) -> bool {
    let head = before.strip_suffix(['-', '/', '.', ':']);
    head.is_some_and(|head| {
        head.len() > 2 && head.bytes().rev().take(3).all(|byte| byte.is_ascii_digit())
    })
}
