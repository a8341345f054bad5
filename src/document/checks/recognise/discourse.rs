//! Small numbers in words that count what only the text itself has: `two possibilities`.

use super::Found;

/// What a text counts of its own: two possibilities, three steps.
const DISCOURSE: &[&str] = &[
    "possibilité",
    "option",
    "étape",
    "point",
    "raison",
    "façon",
    "manière",
    "partie",
    "chose",
    "question",
    "solution",
    "cas",
    "condition",
    "moyen",
    "texte",
    "document",
    "exemple",
    "motif",
    "choix",
    "règle",
    "erreur",
    "mot",
    "phrase",
    "page",
    "möglichkeit",
    "schritt",
    "punkt",
    "grund",
    "gründe",
    "weise",
    "teil",
    "ding",
    "frage",
    "lösung",
    "fall",
    "fälle",
    "bedingung",
    "weg",
    "vorschrift",
    "beispiel",
    "option",
    "regel",
    "fehler",
    "satz",
    "sätze",
    "seite",
    "wege",
    "sache",
    "possibilit",
    "step",
    "reason",
    "way",
    "part",
    "thing",
    "case",
    "rule",
    "example",
    "choice",
    "text",
    "mistake",
    "sentence",
];

/// Whether what is counted behind a number is of the text itself.
pub fn is_counted(found: &Found, end: usize) -> bool {
    let next = found.text.word_from(end);
    let words = found
        .text
        .words
        .iter()
        .skip(next)
        .take(2)
        .filter(|word| word.start < end + 24);
    words.into_iter().any(|word| {
        DISCOURSE
            .iter()
            .any(|noun| word.lower.starts_with(noun) && word.lower.len() < noun.len() + 5)
    })
}

/// `les deux` and `the two` point back at what has been counted before.
pub fn is_definite(before: &str) -> bool {
    const ARTICLES: [&str; 12] = [
        "les", "des", "ces", "vos", "die", "der", "den", "beiden", "diese", "the", "these", "your",
    ];
    let last = before
        .trim_end()
        .rsplit(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or_default();
    ARTICLES.contains(&last.to_lowercase().as_str())
}
