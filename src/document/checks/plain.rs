//! How plain a text is: the length of its sentences, and how many are in the passive voice.
//!
//! The passive is told by its auxiliary and a participle near it, which takes some adjectives
//! for participles and overlooks rare verbs: a share to compare texts by, not a parse. Rare words
//! are not counted, for want of a list of frequent ones whose origin could be shown.

use super::language::Language;
use super::prepared::{Prepared, Word};
use serde::{Deserialize, Serialize};

/// What a prompt asks of a plain text. None: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlainLanguageLimits {
    /// Words in a sentence, on average.
    pub max_mean_sentence_words: Option<f32>,
    /// Words in the longest sentence.
    pub max_longest_sentence_words: Option<usize>,
    /// The share of sentences in the passive voice, from 0 to 1.
    pub max_passive_share: Option<f32>,
}

/// How plain an answer is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlainLanguage {
    pub num_sentences: usize,
    pub mean_sentence_words: f32,
    pub longest_sentence_words: usize,
    /// Of the sentences, from 0 to 1.
    pub passive_share: f32,
    /// The limits that are exceeded, by the names of their fields.
    pub exceeded: Vec<String>,
}

/// Lines of fewer words without a full stop are headings, addresses and table cells.
const SHORTEST_LINE: usize = 5;

pub fn measured(text: &Prepared, limits: Option<&PlainLanguageLimits>) -> PlainLanguage {
    let mut plain = PlainLanguage::default();
    let (mut words, mut passive) = (0, 0);
    let mut first = 0;
    for at in 1..=text.words.len() {
        if text.words.get(at).is_some_and(|word| !word.opens) {
            continue;
        }
        let sentence = &text.words[first..at];
        first = at;
        if !is_sentence(text, sentence) {
            continue;
        }
        plain.num_sentences += 1;
        words += sentence.len();
        plain.longest_sentence_words = plain.longest_sentence_words.max(sentence.len());
        passive += usize::from(is_passive(sentence, text.languages.first().copied()));
    }
    if plain.num_sentences > 0 {
        plain.mean_sentence_words = words as f32 / plain.num_sentences as f32;
        plain.passive_share = passive as f32 / plain.num_sentences as f32;
    }
    if let Some(limits) = limits {
        plain.exceeded = exceeded(&plain, limits);
    }
    plain
}

fn is_sentence(text: &Prepared, words: &[Word]) -> bool {
    let ends = words.last().is_some_and(|last| {
        text.text[last.end..]
            .trim_start_matches([')', '"', '»', '“', ' '])
            .starts_with(['.', '!', '?', ':'])
    });
    !words.is_empty() && (ends || words.len() >= SHORTEST_LINE)
}

fn exceeded(plain: &PlainLanguage, limits: &PlainLanguageLimits) -> Vec<String> {
    let mean = limits
        .max_mean_sentence_words
        .is_some_and(|most| plain.mean_sentence_words > most);
    let longest = limits
        .max_longest_sentence_words
        .is_some_and(|most| plain.longest_sentence_words > most);
    let passive = limits
        .max_passive_share
        .is_some_and(|most| plain.passive_share > most);
    let all = [
        (mean, "max_mean_sentence_words"),
        (longest, "max_longest_sentence_words"),
        (passive, "max_passive_share"),
    ];
    all.into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// Words between the auxiliary and its participle, in French and English.
const REACH: usize = 4;

fn is_passive(sentence: &[Word], language: Option<Language>) -> bool {
    let near = |is_auxiliary: fn(&str) -> bool, is_participle: fn(&str) -> bool, reach: usize| {
        sentence.iter().enumerate().any(|(at, word)| {
            is_auxiliary(&word.lower)
                && sentence[at + 1..]
                    .iter()
                    .take(reach)
                    .any(|word| is_participle(&word.lower))
        })
    };
    match language {
        Some(Language::French) => near(is_etre, is_french_participle, REACH),
        Some(Language::English) => near(is_be, is_english_participle, REACH),
        // German puts one at the second place and the other last, and in a clause the other way.
        Some(Language::German) => {
            sentence.iter().any(|word| is_werden(&word.lower))
                && sentence
                    .iter()
                    .any(|word| is_german_participle(&word.lower))
        }
        None => false,
    }
}

fn is_etre(word: &str) -> bool {
    [
        "est", "sont", "été", "sera", "seront", "était", "étaient", "être", "soit", "soient",
        "serait", "seraient", "fut", "furent",
    ]
    .contains(&word)
}

fn is_french_participle(word: &str) -> bool {
    // Those whose perfect is formed with être are active, and some endings are of other words.
    const ACTIVE: [&str; 16] = [
        "all", "venu", "arriv", "parti", "entr", "sorti", "mont", "descend", "rest", "n", "mort",
        "devenu", "tomb", "retourn", "pass", "désol",
    ];
    const OTHERS: [&str; 14] = [
        "ici",
        "ainsi",
        "aussi",
        "qui",
        "lui",
        "plus",
        "dus",
        "puis",
        "depuis",
        "avis",
        "mais",
        "jamais",
        "aussitôt",
        "samedi",
    ];
    let ends = [
        "é", "ée", "és", "ées", "i", "ie", "is", "ies", "u", "ue", "us", "ues", "it", "ite",
        "ites", "ert", "erte", "erts", "ertes",
    ];
    let stem = word
        .trim_end_matches('s')
        .trim_end_matches('e')
        .trim_end_matches('é');
    word.chars().count() > 3
        && ends.iter().any(|end| word.ends_with(end))
        && !ACTIVE.contains(&stem)
        && !OTHERS.contains(&word)
}

fn is_be(word: &str) -> bool {
    ["is", "are", "was", "were", "be", "been", "being"].contains(&word)
}

fn is_english_participle(word: &str) -> bool {
    const IRREGULAR: [&str; 26] = [
        "made",
        "paid",
        "sent",
        "held",
        "kept",
        "found",
        "built",
        "bound",
        "brought",
        "bought",
        "caught",
        "told",
        "sold",
        "left",
        "lost",
        "met",
        "read",
        "said",
        "set",
        "put",
        "cut",
        "shut",
        "done",
        "gone",
        "understood",
        "withdrawn",
    ];
    const OTHERS: [&str; 8] = [
        "need", "indeed", "hundred", "when", "then", "open", "even", "often",
    ];
    let ends =
        word.len() > 4 && (word.ends_with("ed") || word.ends_with("en") || word.ends_with("wn"));
    (ends || IRREGULAR.contains(&word)) && !OTHERS.contains(&word)
}

fn is_werden(word: &str) -> bool {
    [
        "wird", "werden", "wurde", "wurden", "worden", "werde", "würde", "würden",
    ]
    .contains(&word)
}

fn is_german_participle(word: &str) -> bool {
    const PREFIXES: [&str; 5] = ["be", "ver", "er", "ent", "zer"];
    const SEPARABLE: [&str; 12] = [
        "ab", "an", "auf", "aus", "bei", "ein", "fest", "mit", "nach", "vor", "zu", "zurück",
    ];
    let ge = |word: &str| {
        word.starts_with("ge") && word.len() > 5 && (word.ends_with('t') || word.ends_with("en"))
    };
    let separable = SEPARABLE
        .iter()
        .any(|prefix| word.strip_prefix(prefix).is_some_and(ge));
    let prefixed = PREFIXES.iter().any(|prefix| word.starts_with(prefix))
        && word.ends_with('t')
        && word.len() > 5;
    ge(word) || separable || word.ends_with("iert") || prefixed
}
