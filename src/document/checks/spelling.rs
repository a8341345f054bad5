//! Names that an answer writes otherwise than its sources, where no title tells that they are names.

use super::distance::distance;
use super::language::Language;
use super::prepared::{Prepared, Word, folded};
use super::report::Code;
use super::sources::Sources;
use super::value::Value;
use std::collections::{HashMap, HashSet};

/// A name that was altered: where it stands, the source's value, and what is wrong with it.
pub struct Altered {
    pub start: usize,
    pub end: usize,
    pub source: usize,
    pub code: Code,
}

/// Names of fewer letters are one slip away from too many words.
const SHORTEST_NAME: usize = 4;
const LONGEST_NAME: usize = 40;
/// Letters from which a word alone is taken for a name with a slip.
const SURE: usize = 5;
const SURE_IN_GERMAN: usize = 7;
/// Names that are compared with one word.
const MAX_CANDIDATES: usize = 24;

/// The names that an answer alters. `covered`: what other findings say of already.
pub fn altered(sources: &Sources, text: &Prepared, covered: &[(usize, usize)]) -> Vec<Altered> {
    let names = Names::of(sources);
    let mut found = Vec::new();
    let mut seen: HashSet<&str> = HashSet::new();
    let mut spans = covered.iter().peekable();
    for (at, word) in text.words.iter().enumerate() {
        while spans.next_if(|(_, end)| *end <= word.start).is_some() {}
        let is_covered = spans.peek().is_some_and(|(start, _)| *start < word.end);
        if is_covered || !is_name_like(text, word) || sources.words.contains(&folded(&word.lower)) {
            continue;
        }
        if let Some(source) = names.beside(text, at) {
            let (start, end) = names.pair(text, at);
            found.push(Altered {
                start,
                end,
                source,
                code: Code::ValueDiffers,
            });
        } else if seen.insert(&text.text[word.start..word.end])
            && let Some(source) = names.near(text, at)
        {
            found.push(Altered {
                start: word.start,
                end: word.end,
                source,
                code: Code::SpellingDiffers,
            });
        }
    }
    found
}

fn is_name_like(text: &Prepared, word: &Word) -> bool {
    let written = &text.text[word.start..word.end];
    written.starts_with(char::is_uppercase) && !written.contains(|c: char| c.is_ascii_digit())
}

/// The words of the sources' names.
struct Names {
    /// Each word, with the value it is of.
    words: HashMap<String, usize>,
    /// Words with one letter left out, and whose they are: two words a slip apart share one.
    shortened: HashMap<String, Vec<String>>,
    /// Given names before surnames, and surnames behind given names.
    given: HashMap<String, usize>,
    surnames: HashMap<String, usize>,
    words_of: HashMap<usize, HashSet<String>>,
}

impl Names {
    fn of(sources: &Sources) -> Self {
        let mut names = Names {
            words: HashMap::new(),
            shortened: HashMap::new(),
            given: HashMap::new(),
            surnames: HashMap::new(),
            words_of: HashMap::new(),
        };
        for (index, known) in sources.known.iter().enumerate() {
            if let Value::Person { words, .. } = &known.fact.value
                && let [given, surname, ..] = words.as_slice()
            {
                names.given.entry(given.clone()).or_insert(index);
                names.surnames.entry(surname.clone()).or_insert(index);
            }
            for word in name_words(&known.fact.value) {
                names
                    .words_of
                    .entry(index)
                    .or_default()
                    .insert(word.clone());
                names.words.entry(word).or_insert(index);
            }
        }
        for name in names
            .words
            .keys()
            .filter(|name| (SHORTEST_NAME..LONGEST_NAME).contains(&name.chars().count()))
        {
            for short in without_a_letter(name) {
                names.shortened.entry(short).or_default().push(name.clone());
            }
        }
        names
    }

    /// The person of the sources whose given name or surname stands beside this unknown word.
    ///
    /// German writes nouns like names. There, and where a sentence begins, only a line that holds
    /// nothing else is taken for a name.
    fn beside(&self, text: &Prepared, at: usize) -> Option<usize> {
        let word = &text.words[at];
        let before = at
            .checked_sub(1)
            .map(|at| &text.words[at])
            .filter(|before| is_joined(text, before, word) && !word.opens);
        let after = text
            .words
            .get(at + 1)
            .filter(|after| is_joined(text, word, after) && !after.opens);
        let german = text.languages.first() == Some(&Language::German);
        let opens = |word: &Word| word.opens;
        if let Some(given) = before.filter(|given| is_name_like(text, given)) {
            let alone = opens(given) && text.words.get(at + 1).is_none_or(opens);
            let person = self.given.get(&folded(&given.lower));
            return person.copied().filter(|_| alone || !german);
        }
        let surname = after.filter(|surname| is_name_like(text, surname))?;
        let alone = word.opens && text.words.get(at + 2).is_none_or(opens);
        let person = self.surnames.get(&folded(&surname.lower))?;
        (alone || !german && !word.opens).then_some(*person)
    }

    /// The word and its neighbour that told it for a name.
    fn pair(&self, text: &Prepared, at: usize) -> (usize, usize) {
        let word = &text.words[at];
        let given = at.checked_sub(1).map(|at| &text.words[at]);
        match given.filter(|given| {
            !word.opens && is_joined(text, given, word) && is_name_like(text, given)
        }) {
            Some(given) => (given.start, word.end),
            None => (
                word.start,
                text.words
                    .get(at + 1)
                    .map_or(word.end, |surname| surname.end),
            ),
        }
    }

    /// The name one slip away from a word.
    ///
    /// Many short words are a slip away from one another, the first of a sentence need not be a
    /// name, and German writes nouns like names. Such a word needs another of the same name near
    /// it.
    fn near(&self, text: &Prepared, at: usize) -> Option<usize> {
        let word = &text.words[at];
        let plain = folded(&word.lower);
        let length = plain.chars().count();
        if !(SHORTEST_NAME..LONGEST_NAME).contains(&length) {
            return None;
        }
        let candidates = without_a_letter(&plain)
            .into_iter()
            .filter_map(|short| self.shortened.get(&short))
            .flatten();
        let name = candidates.take(MAX_CANDIDATES).find(|name| {
            // A genitive is no slip.
            let genitive =
                plain.strip_suffix('s') == Some(name) || name.strip_suffix('s') == Some(&plain);
            !genitive && distance(&plain, name) == Some(1)
        })?;
        let source = *self.words.get(name)?;
        let of_name = |at: Option<usize>| {
            let beside = at
                .and_then(|at| text.words.get(at))
                .map(|word| folded(&word.lower));
            beside.is_some_and(|beside| {
                self.words_of
                    .get(&source)
                    .is_some_and(|words| words.contains(&beside))
            })
        };
        let german = text.languages.first() == Some(&Language::German);
        let unsure = length < if german { SURE_IN_GERMAN } else { SURE } + usize::from(word.opens);
        let near = [
            at.checked_sub(1),
            at.checked_sub(2),
            Some(at + 1),
            Some(at + 2),
        ];
        (!unsure || near.into_iter().any(of_name)).then_some(source)
    }
}

fn is_joined(text: &Prepared, one: &Word, next: &Word) -> bool {
    matches!(text.text.get(one.end..next.start), Some(" " | "\u{a0}"))
}

/// The folded words of a name that a slip may alter.
fn name_words(value: &Value) -> Vec<String> {
    match value {
        Value::Person { words, .. } => words.clone(),
        Value::Place { city, .. } => vec![city.clone()],
        Value::Listed(name) => name
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| word.len() > 2)
            .map(folded)
            .collect(),
        _ => Vec::new(),
    }
}

/// The word itself, and the word without each of its letters.
fn without_a_letter(word: &str) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    let shorter = (0..letters.len()).map(|left_out| {
        letters
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != left_out)
            .map(|(_, letter)| *letter)
            .collect()
    });
    std::iter::once(word.to_owned()).chain(shorter).collect()
}
