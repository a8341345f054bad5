//! What a check says.

use super::language::Language;
use super::plain::PlainLanguage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What sort of value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Counts, measures and percentages.
    Number,
    /// Days of the calendar, months, and dates told from today.
    Date,
    Amount,
    /// Periods of time and deadlines: `30 jours`.
    Duration,
    /// Times of day.
    Time,
    /// People with a title, parts of addresses, and the agency's word list.
    Name,
    Email,
    Phone,
    Iban,
    FileNumber,
    LegalReference,
}

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The sources say something else in this place.
    Changed,
    /// No source says it.
    Unsupported,
    /// A source says it, and the answer does not.
    Missing,
}

/// Why there is a finding. The set grows; clients must expect codes that they do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The value differs from the one that stands in the same place of a source.
    ValueDiffers,
    /// The number is the same and its unit is another.
    UnitDiffers,
    /// The number is the same and its currency is another.
    CurrencyDiffers,
    /// The article is the same and its law is another.
    LawDiffers,
    /// `before` became `after`, or the other way round.
    DeadlineSignDiffers,
    /// The form of address does not fit the person.
    TitleDiffers,
    /// The word is one letter away from a name of the sources.
    SpellingDiffers,
    /// The sources have the value, but in the place of another one.
    Misplaced,
    /// Nothing in the sources is like it.
    NotInSources,
    /// The answer leaves it out.
    NotInAnswer,
    /// An IBAN whose check digits are wrong, and which no source has.
    IbanInvalid,
}

/// A range of a text: bytes of its UTF-8, and Unicode code points. Ends are exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub start_byte: usize,
    pub end_byte: usize,
    pub start_code_point: usize,
    pub end_code_point: usize,
}

/// A value as it stands in a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quoted {
    pub text: String,
    #[serde(flatten)]
    pub span: Span,
}

/// A value as it stands in a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceQuote {
    /// The name of the source.
    pub source: String,
    #[serde(flatten)]
    pub quoted: Quoted,
}

/// One value that an answer and its sources do not agree on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub kind: Kind,
    pub status: Status,
    pub code: Code,
    /// Where the answer says it. None for what is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Quoted>,
    /// The source's value that is nearest, where there is one; what is missing, for what is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceQuote>,
}

/// How many values of a kind were compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// Values found in the answer.
    pub in_answer: usize,
    /// Those of them that the sources have, in the same place as far as can be told.
    pub supported: usize,
    /// Values found in the sources.
    pub in_sources: usize,
}

/// Words that the answer puts between quotation marks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkedQuotation {
    #[serde(flatten)]
    pub quoted: Quoted,
    /// Whether a source has them in this order, whatever its line breaks, capitals and apostrophes.
    pub verbatim: bool,
    /// The first source that has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// All that the checks say of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// In the answer's order; what is missing last, in the sources' order.
    pub findings: Vec<Finding>,
    /// How many more findings there are beyond the most that are listed.
    pub num_not_listed: usize,
    pub compared: BTreeMap<Kind, Compared>,
    /// What stands between quotation marks, from three words on.
    pub quotations: Vec<MarkedQuotation>,
    /// The language that most of the answer is in.
    pub language: Language,
    pub plain_language: PlainLanguage,
}
