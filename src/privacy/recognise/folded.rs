//! A text as words are searched for in it: without capitals, with accents.
//!
//! An accented letter is the same in one character or in two, `ß` is `ss` as in capitals, any
//! white space is one space, and typographic hyphens and apostrophes are plain ones.

use unicode_normalization::char::{decompose_canonical, is_combining_mark};

pub struct Folded<'a> {
    original: &'a str,
    pub text: String,
    /// Where both texts stand after each character that has another length when folded.
    anchors: Vec<Anchor>,
}

struct Anchor {
    folded: usize,
    original: usize,
}

impl<'a> Folded<'a> {
    pub fn of(original: &'a str) -> Self {
        let mut text = String::with_capacity(original.len());
        let mut anchors = Vec::new();
        for (at, character) in original.char_indices() {
            let start = text.len();
            push_folded(character, &mut text);
            if text.len() - start != character.len_utf8() {
                anchors.push(Anchor {
                    folded: text.len(),
                    original: at + character.len_utf8(),
                });
            }
        }
        Self {
            original,
            text,
            anchors,
        }
    }

    /// Where a place of the folded text stands in the original, at the beginning of a character.
    pub fn original(&self, folded: usize) -> usize {
        let passed = self
            .anchors
            .partition_point(|anchor| anchor.folded <= folded);
        let last = passed
            .checked_sub(1)
            .and_then(|last| self.anchors.get(last));
        let at = last.map_or(folded, |last| last.original + (folded - last.folded));
        self.original.floor_char_boundary(at)
    }

    /// Whether a word begins or has begun at a place, so that a match there is no part of one.
    pub fn begins_word(&self, at: usize) -> bool {
        let before = self.text.get(..at).unwrap_or_default();
        !before.ends_with(belongs_to_word)
    }

    pub fn ends_word(&self, at: usize) -> bool {
        let after = self.text.get(at..).unwrap_or_default();
        !after.starts_with(belongs_to_word)
    }
}

pub fn belongs_to_word(character: char) -> bool {
    character.is_alphanumeric() || is_combining_mark(character)
}

fn push_folded(character: char, out: &mut String) {
    match character {
        // What a typesetter may put inside a word: soft hyphen, zero-width characters.
        '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' => {}
        'A'..='Z' => out.push(character.to_ascii_lowercase()),
        'ß' | 'ẞ' => out.push_str("ss"),
        '\u{2019}' | '\u{2bc}' => out.push('\''),
        '\u{2010}' | '\u{2011}' => out.push('-'),
        _ if character.is_whitespace() => {
            if !out.ends_with(' ') {
                out.push(' ');
            }
        }
        _ if character.is_ascii() => out.push(character),
        _ => decompose_canonical(character, |part| out.extend(part.to_lowercase())),
    }
}

/// A word or phrase, to be searched for in a folded text.
pub fn folded(phrase: &str) -> String {
    Folded::of(phrase.trim()).text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_that_only_look_alike_fold_alike() {
        for (one, other) in [
            ("CÉLESTE", "ce\u{301}leste"),
            ("GROSS", "Groß"),
            ("Jean \u{a0}\nDupont", "jean dupont"),
            ("L’Hôte", "l'hôte"),
            ("Anne\u{2011}Marie", "anne-marie"),
            ("Ver\u{ad}waltung", "Verwaltung"),
        ] {
            assert_eq!(folded(one), folded(other));
        }
        assert_ne!(folded("Rene"), folded("René"));
    }

    #[test]
    fn a_place_leads_back_to_the_original() {
        let text = "É \u{a0} ß İx\u{ad}y fin";
        let folded = Folded::of(text);
        for word in ["y fin", "fin"] {
            let at = folded.text.find(word).unwrap();
            assert_eq!(&text[folded.original(at)..], word);
        }
        for at in 0..=folded.text.len() + 1 {
            assert!(text.is_char_boundary(folded.original(at)));
        }
    }
}
