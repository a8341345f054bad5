//! Which of the three languages a text is in, told by the words that every text is full of.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    #[serde(rename = "fr")]
    French,
    #[serde(rename = "de")]
    German,
    #[serde(rename = "en")]
    English,
}

impl Language {
    pub const ALL: [Language; 3] = [Language::French, Language::German, Language::English];

    /// Words that are frequent in this language and no words of the others.
    fn telling(self) -> &'static [&'static str] {
        match self {
            Language::French => &[
                "le", "la", "les", "des", "du", "un", "une", "et", "est", "sont", "pour", "dans",
                "vous", "votre", "vos", "nous", "au", "aux", "que", "qui", "ne", "pas", "sur",
                "avec", "à", "cette", "par", "il", "elle", "ou", "de", "d", "l", "sous", "selon",
            ],
            Language::German => &[
                "der", "die", "das", "und", "den", "dem", "ein", "eine", "einen", "einer", "ist",
                "sind", "nicht", "sie", "ihr", "ihre", "ihren", "wir", "zu", "von", "vom", "für",
                "mit", "auf", "im", "am", "werden", "wird", "bei", "zum", "zur", "oder", "haben",
                "hat", "nach", "bis",
            ],
            Language::English => &[
                "the", "of", "and", "to", "is", "are", "you", "your", "we", "our", "for", "with",
                "this", "that", "be", "by", "from", "will", "has", "have", "it", "not", "at", "or",
                "an", "which",
            ],
        }
    }
}

/// Words looked at: enough to tell the language of any text.
const MAX_WORDS: usize = 20_000;

/// The languages of a text, the one with the most telling words first. Another language counts
/// as present from a fifth of the first one's words.
pub fn languages<'a>(words: impl Iterator<Item = &'a str>) -> Vec<Language> {
    let mut counts = [0usize; 3];
    for word in words.take(MAX_WORDS) {
        for (count, language) in counts.iter_mut().zip(Language::ALL) {
            *count += usize::from(language.telling().contains(&word));
        }
    }
    let mut found: Vec<(usize, Language)> = counts.into_iter().zip(Language::ALL).collect();
    found.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    // A text without any telling word may be in each of them.
    let most = found[0].0;
    found.retain(|(count, _)| count * 5 >= most);
    found.into_iter().map(|(_, language)| language).collect()
}
