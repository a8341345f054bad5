//! What an answer puts between quotation marks, as if somebody had said it.

use super::SourceText;
use super::prepared::Prepared;
use super::report::MarkedQuotation;

/// Fewer words are a name or a manner of speaking.
const MIN_WORDS: usize = 3;
/// More are no quotation, but marks that do not belong together.
const MAX_BYTES: usize = 2000;
/// The most of them that are compared.
const MAX_QUOTATIONS: usize = 100;

/// What opens a quotation, and what ends it.
const MARKS: [(char, &[char]); 5] = [
    ('«', &['»']),
    ('»', &['«']),
    ('„', &['“', '”', '"']),
    ('“', &['”']),
    ('"', &['"']),
];

/// Each quotation of the answer, and whether a source has its words in this order.
pub fn compare(sources: &[SourceText], answer: &Prepared) -> Vec<MarkedQuotation> {
    let ranges = quotations(answer.text);
    if ranges.is_empty() {
        return Vec::new();
    }
    let known: Vec<(&str, String)> = sources
        .iter()
        .map(|source| (source.name, spoken(source.text)))
        .collect();
    let compared = ranges.into_iter().map(|(start, end)| {
        let words = spoken(&answer.text[start..end]);
        let source = known
            .iter()
            .find(|(_, text)| !words.is_empty() && holds(text, &words));
        MarkedQuotation {
            quoted: answer.quoted(start, end),
            verbatim: source.is_some(),
            source: source.map(|(name, _)| (*name).to_owned()),
        }
    });
    compared.collect()
}

/// Ranges between marks that belong together, the outermost of them.
fn quotations(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some((at, open)) = next_mark(text, from) {
        let start = at + open.len_utf8();
        from = start;
        let Some((_, ends)) = MARKS.iter().find(|(mark, _)| *mark == open) else {
            continue;
        };
        let reach = text.floor_char_boundary(text.len().min(start + MAX_BYTES));
        let Some(len) = text[start..reach].find(*ends) else {
            continue;
        };
        let words = &text[start..start + len];
        if words.contains("\n\n") {
            continue;
        }
        let start = start + (words.len() - words.trim_start().len());
        let end = start + words.trim().len();
        if words.split_whitespace().count() >= MIN_WORDS && found.len() < MAX_QUOTATIONS {
            found.push((start, end));
        }
        from = from.max(end);
        // The closing mark opens no other.
        from += text[from..].find(*ends).map_or(0, |at| at + 1);
        from = text.ceil_char_boundary(from);
    }
    found
}

fn next_mark(text: &str, from: usize) -> Option<(usize, char)> {
    let mut characters = text[from..].char_indices();
    characters
        .find(|(_, character)| MARKS.iter().any(|(mark, _)| mark == character))
        .map(|(at, character)| (from + at, character))
}

/// A text as it is read aloud: words and signs with one space between, in one kind of apostrophe,
/// without the marks that end a sentence around it.
fn spoken(text: &str) -> String {
    let words: Vec<String> = text
        .split_whitespace()
        .map(|word| word.replace('’', "'").to_lowercase())
        .collect();
    let joined = words.join(" ");
    joined
        .trim_end_matches(['.', ',', ';', ':', '!', '?', '…', ' '])
        .to_owned()
}

/// Whether the words stand in the text, and not within other words.
fn holds(text: &str, words: &str) -> bool {
    let is_within = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
    text.match_indices(words).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + words.len()..]);
        !is_within(before.chars().next_back()) && !is_within(after.chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verbatim(source: &str, answer: &str) -> Vec<(String, bool)> {
        let sources = [SourceText {
            name: "a",
            text: source,
        }];
        let compared = compare(&sources, &Prepared::new(answer, &[]));
        let told = compared.into_iter();
        told.map(|told| (told.quoted.text, told.verbatim)).collect()
    }

    #[test]
    fn quotations_of_every_language_are_compared() {
        let source =
            "Vous devez répondre avant le 30 avril. Die Frist endet am Montag, you must reply.";
        let answer = "Il dit « vous devez\nrépondre » et „Die Frist endet am Dienstag“, “you must reply.” and \
            \"you must pay\".";
        assert_eq!(
            verbatim(source, answer),
            [
                ("vous devez\nrépondre".to_owned(), true),
                ("Die Frist endet am Dienstag".to_owned(), false),
                ("you must reply.".to_owned(), true),
                ("you must pay".to_owned(), false),
            ]
        );
    }

    #[test]
    fn a_word_in_marks_and_marks_without_an_end_are_no_quotations() {
        assert!(verbatim("x", "das „Amt“ und 3\" Rohr, « sans fin").is_empty());
        assert!(verbatim("x", "\"one\n\ntwo three four\"").is_empty());
    }

    #[test]
    fn words_within_other_words_do_not_count() {
        assert_eq!(
            verbatim("le paiement de 1500 euros dus", "« paiement de 1500 euro »"),
            [("paiement de 1500 euro".to_owned(), false)]
        );
    }
}
