mod coverage;
mod cuts;
mod long;
pub mod made;
mod markers;
mod titles;

use super::{Budget, Part, split};
use crate::document::Document;

/// Tokens about as a tokenizer of these languages counts them: five letters, three digits or a
/// sign each, and one more for each letter that is not plain.
pub fn count(text: &str) -> usize {
    let (mut tokens, mut letters, mut digits) = (0, 0, 0);
    for character in text.chars() {
        letters = if character.is_alphabetic() {
            letters + 1
        } else {
            0
        };
        digits = if character.is_ascii_digit() {
            digits + 1
        } else {
            0
        };
        tokens += usize::from(match character {
            ' ' => false,
            _ if letters > 0 => letters % 5 == 1 || !character.is_ascii(),
            _ if digits > 0 => digits % 3 == 1,
            _ => true,
        });
    }
    tokens
}

fn budget(max_tokens: usize) -> Budget {
    Budget::new(max_tokens).expect("a budget of a few tokens at least")
}

fn parts(document: &Document, max_tokens: usize) -> Vec<Part> {
    let parts = split(document, budget(max_tokens), &mut count);
    check(document, &parts, max_tokens);
    parts
}

fn texts(document: &Document, max_tokens: usize) -> Vec<&str> {
    let parts = parts(document, max_tokens);
    parts
        .iter()
        .map(|part| document.slice(&part.range))
        .collect()
}

/// What holds for all parts: nothing is missing, nothing twice, the budget is kept, and all pages
/// are in one of them.
fn check(document: &Document, parts: &[Part], max_tokens: usize) {
    let mut end = 0;
    for part in parts {
        let between = document
            .text
            .get(end..part.range.start)
            .expect("a range of the text");
        assert_eq!(between.trim(), "", "before {:?}", part.range);
        let text = document
            .text
            .get(part.range.clone())
            .expect("a range of the text");
        assert_eq!(text.trim(), text);
        assert!(part.num_tokens <= max_tokens, "{} tokens", part.num_tokens);
        end = part.range.end;
    }
    assert_eq!(document.text[end..].trim(), "");
    let pages: Vec<u32> = document.pages.iter().map(|page| page.number).collect();
    let (first, last) = (&parts[0], &parts[parts.len() - 1]);
    assert_eq!(
        (first.pages.first, last.pages.last),
        (pages[0], pages[pages.len() - 1])
    );
    for pair in parts.windows(2) {
        let [before, after] = pair else { continue };
        assert!(before.pages.first <= before.pages.last);
        assert!(
            (0..=1).contains(&(after.pages.first - before.pages.last)),
            "{pair:?}"
        );
    }
    for page in document.pages.iter().filter(|page| !page.range.is_empty()) {
        let inside = parts
            .iter()
            .filter(|part| part.range.start < page.range.end && page.range.start < part.range.end);
        for part in inside {
            assert!(part.pages.first <= page.number && page.number <= part.pages.last);
        }
    }
}
