//! The agency's word list: names of people, places and offices that no form gives away.

use super::super::error::WordListError;
use super::super::kind::Kind;
use super::folded::folded;
use super::{Candidate, Search};
use aho_corasick::AhoCorasick;
use std::fmt;

/// Words that are found as a whole, in capitals or not, with the accents that the list gives.
#[derive(Default)]
pub struct WordList {
    folded: Vec<String>,
    search: Option<AhoCorasick>,
}

impl WordList {
    pub const MAX_WORDS: usize = 20_000;
    pub const MAX_WORD_BYTES: usize = 200;
    /// Letters and digits of the shortest word.
    pub const MIN_WORD_CHARS: usize = 2;

    /// # Errors
    /// If there are too many words, or one is empty, too short, too long, or has a character
    /// that a JSON string would have to escape.
    pub fn new<S: AsRef<str>>(words: &[S]) -> Result<Self, WordListError> {
        if words.len() > Self::MAX_WORDS {
            return Err(WordListError::TooMany { count: words.len() });
        }
        for (place, word) in words.iter().enumerate() {
            check(word.as_ref(), place + 1)?;
        }
        if words.is_empty() {
            return Ok(Self::default());
        }
        let mut folded: Vec<String> = words.iter().map(|word| folded(word.as_ref())).collect();
        folded.sort_unstable();
        folded.dedup();
        let search = Some(AhoCorasick::new(&folded)?);
        Ok(Self { folded, search })
    }

    /// All of them where they stand, within one another too: the longest need not be a whole
    /// word where a shorter one is.
    pub(super) fn find(&self, search: &mut Search) {
        let Some(automaton) = &self.search else {
            return;
        };
        for hit in automaton.find_overlapping_iter(&search.folded.text) {
            if search.folded.begins_word(hit.start())
                && search.folded.ends_word(hit.end())
                && let Some(word) = self.folded.get(hit.pattern().as_usize())
            {
                search.candidates.push(Candidate {
                    kind: Kind::Listed,
                    range: search.folded.original(hit.start())..search.folded.original(hit.end()),
                    key: word.clone(),
                    is_sure: true,
                });
            }
        }
    }
}

fn check(word: &str, place: usize) -> Result<(), WordListError> {
    if word.trim().is_empty() {
        return Err(WordListError::Empty { place });
    }
    if word.len() > WordList::MAX_WORD_BYTES {
        let bytes = word.len();
        return Err(WordListError::TooLong { place, bytes });
    }
    if word.contains(|c: char| matches!(c, '"' | '\\') || c.is_control()) {
        return Err(WordListError::Forbidden { place });
    }
    if word.chars().filter(|c| c.is_alphanumeric()).count() < WordList::MIN_WORD_CHARS {
        return Err(WordListError::TooShort { place });
    }
    Ok(())
}

/// How many there are, and not which.
impl fmt::Debug for WordList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WordList")
            .field("len", &self.folded.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Recogniser;
    use super::*;

    fn found<'a>(words: &[&str], text: &'a str) -> Vec<&'a str> {
        let recogniser = Recogniser::new(WordList::new(words).unwrap());
        let findings = recogniser.find(text);
        findings
            .iter()
            .map(|finding| &text[finding.range.clone()])
            .collect()
    }

    #[test]
    fn words_are_found_whole_and_the_longest_first() {
        let words = ["Jean", "Jean Du", "Jean Dupont", "Müller", "Groß", "Éloi"];
        let text = "Jean Dupont, JEAN DUPOND, jeanne, Jean\u{a0}Du; MÜLLER und Müllersmühle, GROSS, E\u{301}LOI, Eloi";
        assert_eq!(
            found(&words, text),
            [
                "Jean Dupont",
                "JEAN",
                "Jean\u{a0}Du",
                "MÜLLER",
                "GROSS",
                "E\u{301}LOI"
            ]
        );
    }

    #[test]
    fn a_name_is_found_across_the_end_of_a_line() {
        assert_eq!(found(&["Anne Roux"], "Mme Anne\nRoux"), ["Anne\nRoux"]);
    }

    #[test]
    fn a_bad_list_is_told_by_the_place_of_the_word() {
        let long = "x".repeat(201);
        for (word, says) in [
            ("  ", "word 2 of the list is empty"),
            ("a", "word 2 of the list is too short"),
            (long.as_str(), "word 2 of the list has 201 bytes"),
            ("CANARI \"dit\"", "word 2 of the list has a quotation mark"),
            ("CANARI\\", "word 2 of the list has a quotation mark"),
            ("CANARI\n", "word 2 of the list has a quotation mark"),
        ] {
            let error = WordList::new(&["Jean", word]).unwrap_err();
            assert!(error.to_string().starts_with(says), "{error}");
            assert!(!format!("{error} {error:?}").contains("CANARI"));
        }
        let many = vec!["Jean"; WordList::MAX_WORDS + 1];
        assert!(matches!(
            WordList::new(&many),
            Err(WordListError::TooMany { count: 20_001 })
        ));
    }
}
