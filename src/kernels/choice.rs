//! What a device is asked about the rows of logits that it has, and what it answers: a device that
//! has chosen a token need not give away the row.
//!
//! Owns the question's words. What a wish means and the order in which wishes take effect are those
//! of whoever asks; a device computes the same.

use super::RowSummary;

/// What is needed of one row of logits.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum RowUse {
    /// Its summary.
    #[default]
    Summary,
    /// The logits themselves.
    Values,
    /// A token, chosen on the device; asked only within the [`ChoiceLimits`].
    Choice(Choice),
}

/// What a device takes in a [`Choice`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChoiceLimits {
    /// Logits of a row.
    pub max_vocab: usize,
    /// Edits of a row.
    pub max_edits: usize,
    /// Tokens that are reported beside the chosen one.
    pub max_top: usize,
}

/// A token to choose from a row of logits, and what to report of the row.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub token: TokenChoice,
    /// How many of the most probable tokens to report, at most as many as the row has.
    pub num_top: usize,
    /// The ids that are allowed, 64 a word, the first in its lowest bit; `None`: all. A word is there
    /// for every id of the row.
    pub mask: Option<Vec<u64>>,
    /// At most one for each id, and none for ids that the row does not have.
    pub edits: Vec<LogitEdit>,
    /// For edits that are repeated: positive logits are divided by it, others multiplied.
    pub repetition_penalty: f32,
    /// Subtracted from a logit once for each of its edit's count.
    pub frequency_penalty: f32,
    /// Subtracted from a logit whose edit has a count.
    pub presence_penalty: f32,
}

/// Which token of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TokenChoice {
    /// This one, and no edit or mask has a say.
    Known(u32),
    /// The first of the largest, after edits and mask.
    Largest,
    Drawn(Draw),
}

/// A draw from an edited row: temperature, top-k, top-p, min-p.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw {
    /// Above 0.
    pub temperature: f32,
    /// 1 or more.
    pub top_k: Option<usize>,
    /// Above 0; 1 keeps all.
    pub top_p: f32,
    /// 0 to 1.
    pub min_p: f32,
    /// In [0, 1): the share of what is kept at which the token lies. Tokens stand in the order of
    /// their ids, or, where top-k or top-p cut, from the most probable on.
    pub u: f64,
}

/// What changes one logit, in the order of its fields.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LogitEdit {
    pub id: u32,
    /// It becomes −∞; unless that leaves no token.
    pub is_banned: bool,
    pub bias: f32,
    /// The repetition penalty is for it.
    pub is_repeated: bool,
    /// How often the frequency penalty is for it; above 0 the presence penalty is, too.
    pub count: u32,
}

/// What a device chose from a row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chosen {
    /// The first of the largest where the row is no distribution.
    pub id: u32,
    /// As the model gave it; −∞ for a known id that the model does not have.
    pub logit: f32,
    /// The mask leaves no token, and nothing was chosen.
    pub is_stuck: bool,
    /// Ids and logits of the most probable, best first; none where the row is no distribution.
    pub top: Vec<(u32, f32)>,
}

/// A row of logits as far as it was asked for.
#[derive(Debug, Clone, Copy)]
pub struct RowResult<'a> {
    pub summary: RowSummary,
    /// The row; empty where only a device has it.
    pub values: &'a [f32],
    /// Where a device was asked to choose.
    pub chosen: Option<&'a Chosen>,
}
