//! On which side of a date or period something is due: `by`, `within`, `after`.

use super::Bound;

const LATEST_DATE: [&str; 17] = [
    "by",
    "until",
    "till",
    "no later than",
    "not later than",
    "on or before",
    "before",
    "avant le",
    "jusqu'au",
    "jusqu’au",
    "au plus tard le",
    "bis zum",
    "bis",
    "spätestens am",
    "spätestens bis zum",
    "spätestens",
    "vor dem",
];
const EARLIEST_DATE: [&str; 18] = [
    "from",
    "after",
    "no earlier than",
    "not before",
    "since",
    "as of",
    "as from",
    "à partir du",
    "à compter du",
    "après le",
    "dès le",
    "depuis le",
    "ab dem",
    "ab",
    "nach dem",
    "frühestens am",
    "seit dem",
    "seit",
];

const LATEST_PERIOD: [&str; 13] = [
    "within",
    "within a period of",
    "in the next",
    "dans un délai de",
    "dans le délai de",
    "sous",
    "dans les",
    "d'ici",
    "innerhalb",
    "innerhalb von",
    "binnen",
    "in den nächsten",
    "einer frist von",
];
const EARLIEST_PERIOD: [&str; 9] = [
    "after",
    "no earlier than",
    "not before",
    "après",
    "après un délai de",
    "au bout de",
    "nach",
    "nach ablauf von",
    "frühestens nach",
];

/// What the words before a date say of it.
pub fn of_date(before: &str) -> Option<Bound> {
    bound(before, &LATEST_DATE, &EARLIEST_DATE)
}

/// What the words before a period say of it.
pub fn of_period(before: &str) -> Option<Bound> {
    bound(before, &LATEST_PERIOD, &EARLIEST_PERIOD)
}

fn bound(before: &str, latest: &[&str], earliest: &[&str]) -> Option<Bound> {
    let before = before.trim_end().to_lowercase();
    let ends = |phrase: &&str| {
        let head = before.strip_suffix(*phrase);
        head.is_some_and(|head| !head.ends_with(|c: char| c.is_alphanumeric()))
    };
    // `not before` ends in `before`, so that the other side comes first.
    if earliest.iter().any(ends) {
        Some(Bound::Earliest)
    } else if latest.iter().any(ends) {
        Some(Bound::Latest)
    } else {
        None
    }
}
