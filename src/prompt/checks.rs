use serde::{Deserialize, Serialize};

/// What is compared between documents and an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    Number,
    Amount,
    Date,
    Deadline,
    Name,
    Email,
    Phone,
    Iban,
    FileNumber,
    LegalReference,
}

/// Section `[checks]`: what is looked for in answers to this prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checks {
    /// Reported where an answer changes one, or has one that no document supports.
    #[serde(default = "all_kinds")]
    pub kinds: Vec<CheckKind>,
    /// Reported where an answer leaves one out.
    #[serde(default)]
    pub missing: Vec<CheckKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plain_language: Option<PlainLanguage>,
}

/// Section `[checks.plain_language]`: beyond one of these, an answer is reported as hard to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlainLanguage {
    /// Words in the longest sentence; at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_sentence_words: Option<u32>,
    /// Words in a sentence on average; at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_average_sentence_words: Option<u32>,
    /// Sentences in the passive among all; 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_passive_share: Option<f64>,
    /// Words that are rare in the language among all; 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rare_word_share: Option<f64>,
}

impl CheckKind {
    pub const ALL: [Self; 10] = [
        Self::Number,
        Self::Amount,
        Self::Date,
        Self::Deadline,
        Self::Name,
        Self::Email,
        Self::Phone,
        Self::Iban,
        Self::FileNumber,
        Self::LegalReference,
    ];
}

fn all_kinds() -> Vec<CheckKind> {
    CheckKind::ALL.to_vec()
}

impl Default for Checks {
    /// What a prompt without this section gets: every kind, and nothing need be complete.
    fn default() -> Self {
        Self {
            kinds: all_kinds(),
            missing: Vec::new(),
            plain_language: None,
        }
    }
}

impl Checks {
    pub(super) fn mistake(&self) -> Option<String> {
        let stray = self.missing.iter().find(|kind| !self.kinds.contains(kind));
        if let Some(kind) = stray {
            let kind = serde_json::json!(kind);
            return Some(format!(
                "checks.missing has {kind}, which is not in checks.kinds"
            ));
        }
        self.plain_language
            .as_ref()
            .and_then(PlainLanguage::mistake)
    }
}

impl PlainLanguage {
    fn mistake(&self) -> Option<String> {
        let words = [
            ("max_sentence_words", self.max_sentence_words),
            (
                "max_average_sentence_words",
                self.max_average_sentence_words,
            ),
        ];
        let shares = [
            ("max_passive_share", self.max_passive_share),
            ("max_rare_word_share", self.max_rare_word_share),
        ];
        let words = words
            .iter()
            .find(|(_, words)| *words == Some(0))
            .map(|(name, _)| format!("checks.plain_language.{name} must be at least 1"));
        words.or_else(|| {
            shares
                .iter()
                .find(|(_, share)| share.is_some_and(|share| !(0.0..=1.0).contains(&share)))
                .map(|(name, _)| format!("checks.plain_language.{name} must be from 0 to 1"))
        })
    }
}
