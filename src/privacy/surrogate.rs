//! What stands in a text in place of a value: `[IBAN1]`.
//!
//! A label, a number that belongs to the value within the request, and a letter for each spelling
//! after the first: `[IBAN1b]` is the same account, written otherwise. Brackets and capitals are
//! copied by models, break into few tokens, and mean nothing in JSON, HTML or Markdown; an
//! underscore would be escaped in Markdown, and angle brackets taken for a tag.
//!
//! A text that already holds something of this form keeps it: then all surrogates of the request
//! carry three letters that no text has in this place, `[IBAN-KTZ1]`. They are drawn from the
//! request, so that the same request makes the same prompt.

use super::kind::Kind;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt;

/// Forms that are tried before a request is refused. None is needed twice by chance.
const MAX_TRIES: u32 = 64;

/// No vowels: no word of a language, and none that a model takes for one.
const LETTERS: &[u8; 16] = b"BCDFGHJKMNPQRSTV";

/// How the surrogates of one request look.
#[derive(Debug)]
pub struct Form {
    /// Empty, or a hyphen and three letters.
    mark: String,
}

impl Form {
    /// The first form that no text holds, in capitals or not. `None` if texts hold all of them.
    pub fn drawn(texts: &[&str]) -> Option<Self> {
        let plain = Self {
            mark: String::new(),
        };
        if !plain.stands_in(texts) {
            return Some(plain);
        }
        let mut request = Sha256::new();
        for text in texts {
            // Each length before its text: what is split otherwise is another request.
            request.update((text.len() as u64).to_le_bytes());
            request.update(text.as_bytes());
        }
        let mut forms = (0..MAX_TRIES).map(|attempt| {
            let digest = request
                .clone()
                .chain_update(attempt.to_le_bytes())
                .finalize();
            let letters = digest
                .iter()
                .take(3)
                .map(|byte| char::from(LETTERS[usize::from(byte % 16)]));
            Self {
                mark: std::iter::once('-').chain(letters).collect(),
            }
        });
        forms.find(|form| !form.stands_in(texts))
    }

    fn stands_in(&self, texts: &[&str]) -> bool {
        let heads = Kind::ALL.map(|kind| format!("{}{}", kind.label(), self.mark));
        texts.iter().any(|text| {
            text.match_indices('[').any(|(at, _)| {
                let after = text.as_bytes().get(at + 1..).unwrap_or_default();
                heads.iter().any(|head| {
                    after
                        .get(..head.len())
                        .is_some_and(|found| found.eq_ignore_ascii_case(head.as_bytes()))
                        && after.get(head.len()).is_some_and(u8::is_ascii_digit)
                })
            })
        })
    }

    /// `number` counts values from 1, `spelling` their spellings from 0.
    pub fn surrogate(&self, kind: Kind, number: usize, spelling: usize) -> String {
        let mark = &self.mark;
        format!("[{}{mark}{number}{}]", kind.label(), letters(spelling))
    }
}

/// Nothing for the first spelling, then `b` to `z`, `aa` and so on.
fn letters(spelling: usize) -> String {
    let mut letters = Vec::new();
    let mut rest = if spelling == 0 { 0 } else { spelling + 1 };
    while rest > 0 {
        rest -= 1;
        // Below 26, so that it is a letter.
        letters.push(char::from(b'a' + (rest % 26) as u8));
        rest /= 26;
    }
    letters.iter().rev().collect()
}

/// Which value each surrogate stands for.
#[derive(Default)]
pub struct Surrogates {
    /// By the surrogate in small letters.
    values: BTreeMap<String, String>,
}

/// What a text is to the surrogates of a request.
pub enum Held<'a> {
    /// One of them, whole.
    Whole(&'a str),
    /// The beginning of one.
    Beginning,
    Other,
}

impl Surrogates {
    pub fn insert(&mut self, surrogate: &str, value: &str) {
        self.values
            .insert(surrogate.to_ascii_lowercase(), value.to_owned());
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Capitals and small letters are one: a model may write either. No text of the request
    /// holds a surrogate in any of them.
    pub fn held(&self, text: &str) -> Held<'_> {
        let text = text.to_ascii_lowercase();
        match self.values.range(text.clone()..).next() {
            Some((surrogate, value)) if *surrogate == text => Held::Whole(value),
            Some((surrogate, _)) if surrogate.starts_with(&text) => Held::Beginning,
            _ => Held::Other,
        }
    }
}

/// How many there are, and not what they stand for.
impl fmt::Debug for Surrogates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surrogates")
            .field("len", &self.values.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_have_letters_of_their_own() {
        assert_eq!(
            [0, 1, 2, 25, 26, 27].map(letters),
            ["", "b", "c", "z", "aa", "ab"]
        );
        let all: std::collections::BTreeSet<String> = (0..2000).map(letters).collect();
        assert_eq!(all.len(), 2000);
    }

    #[test]
    fn a_form_that_a_text_holds_is_not_used() {
        let form = Form::drawn(&["nothing", "[IBAN]", "IBAN1", "[IBAN 1]"]).unwrap();
        assert_eq!(form.surrogate(Kind::Iban, 1, 0), "[IBAN1]");
        for text in ["[IBAN1]", "see [iban7", "[Name3]"] {
            let form = Form::drawn(&["nothing", text]).unwrap();
            let surrogate = form.surrogate(Kind::Iban, 1, 1);
            assert!(surrogate.starts_with("[IBAN-"), "{surrogate}");
            assert!(surrogate.ends_with("1b]"), "{surrogate}");
            let again = Form::drawn(&["nothing", text]).unwrap();
            assert_eq!(surrogate, again.surrogate(Kind::Iban, 1, 1));
        }
    }
}
