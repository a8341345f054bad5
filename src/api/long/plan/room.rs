//! What a model's context and a prompt's messages leave for documents.

use super::MAX_PARTS;
use super::error::PlanError;
use super::source::Source;
use crate::document::parts::Budget;
use crate::prompt::StepName;
use crate::prompt::{LongDocuments, Step};

/// A text in a prompt may take so many tokens more than by itself, and the marks around it than
/// those that were measured: they carry eight letters, drawn anew for each prompt, twice.
pub const SEAM_TOKENS: usize = 16;

/// A text that was generated may take more tokens when it is read again, by a sixteenth.
const REREAD: usize = 16;

/// What `join` answers a part with, beside what is in proportion to it.
const JOIN_TOKENS: usize = 32;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Tokens of a prompt and its answer together.
    pub context: usize,
    pub overhead: Overhead,
    pub lengths: Lengths,
}

/// Tokens of each step's prompt without what it reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Overhead {
    pub whole: usize,
    pub part: usize,
    pub merge: usize,
    /// Of the marks around one note.
    pub per_note: usize,
    pub next: usize,
}

/// The most tokens that steps may answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// Of notes on a part, and of notes merged into notes.
    pub note: usize,
    /// Of the answer; by `refine` of every step, and by `join` of each part's.
    pub answer: usize,
    /// By `join`: of a hundred tokens that are read.
    pub join_percent: usize,
}

impl Overhead {
    /// Measures those steps that the strategy has. `count` renders a step with its documents'
    /// names and without their text, and tells the tokens of the prompt.
    ///
    /// # Errors
    ///
    /// Those of `count`.
    pub fn measured<E>(
        strategy: LongDocuments,
        mut count: impl FnMut(Step<'_>) -> Result<usize, E>,
    ) -> Result<Self, E> {
        // The largest numbers take the most tokens.
        let (number, parts) = (MAX_PARTS, MAX_PARTS);
        let mut overhead = Self {
            whole: count(Step::Whole)?,
            ..Self::default()
        };
        match strategy {
            LongDocuments::Join => {}
            LongDocuments::Refine => {
                overhead.next = count(Step::Next {
                    number,
                    count: parts,
                    previous: "",
                })?;
            }
            LongDocuments::MapReduce => {
                let notes = [String::new(), String::new()];
                overhead.part = count(Step::Part {
                    number,
                    count: parts,
                })?;
                let one = count(Step::Merge { notes: &notes[..1] })?;
                let two = count(Step::Merge { notes: &notes })?;
                overhead.per_note = two.saturating_sub(one);
                overhead.merge = one.saturating_sub(overhead.per_note);
            }
        }
        Ok(overhead)
    }
}

impl Lengths {
    /// Translations between the languages of Europe take up to half as many tokens again.
    pub const JOIN_PERCENT: usize = 150;

    /// Lengths that leave most of a context to what is read: a quarter for the answer, or what
    /// the prompt wants if that is less, and a twelfth for notes, so that several fit one prompt.
    /// By `join` an answer may be as long as is wanted, for its part is made to suit it.
    pub fn within(strategy: LongDocuments, context: usize, wanted: usize) -> Self {
        let answer = match strategy {
            LongDocuments::Join => wanted.min(context),
            LongDocuments::MapReduce | LongDocuments::Refine => wanted.min(context / 4),
        };
        Self {
            note: answer.min(context / 12),
            answer,
            join_percent: Self::JOIN_PERCENT,
        }
    }
}

impl Room {
    /// What a part may take.
    ///
    /// # Errors
    ///
    /// `RoomTooSmall` tells what context the smallest part would need.
    pub fn part_budget(&self, strategy: LongDocuments) -> Result<Budget, PlanError> {
        let (step, taken) = match strategy {
            LongDocuments::MapReduce => (StepName::Part, self.overhead.part + self.lengths.note),
            LongDocuments::Join => (StepName::Whole, self.overhead.whole),
            LongDocuments::Refine => {
                let next = self.overhead.next + self.passed_tokens(strategy);
                let (step, overhead) = match next > self.overhead.whole {
                    true => (StepName::Next, next),
                    false => (StepName::Whole, self.overhead.whole),
                };
                (step, overhead + self.lengths.answer)
            }
        };
        let taken = taken + SEAM_TOKENS;
        let room = self.context.saturating_sub(taken);
        let (room, needed) = match strategy {
            LongDocuments::Join => {
                let per_answer = self.lengths.answer.saturating_sub(JOIN_TOKENS);
                let of_answer = per_answer * 100 / self.lengths.join_percent.max(1);
                let both = room.saturating_sub(JOIN_TOKENS) * 100;
                let smallest = Budget::MIN_TOKENS + self.join_output_tokens(Budget::MIN_TOKENS);
                let room = both / (100 + self.lengths.join_percent);
                if of_answer < Budget::MIN_TOKENS && room >= Budget::MIN_TOKENS {
                    return Err(PlanError::AnswerTooShort {
                        max_tokens: self.lengths.answer,
                        needed: self.join_output_tokens(Budget::MIN_TOKENS),
                    });
                }
                (room.min(of_answer), taken + smallest)
            }
            LongDocuments::MapReduce | LongDocuments::Refine => (room, taken + Budget::MIN_TOKENS),
        };
        Budget::new(room).ok_or(PlanError::RoomTooSmall {
            step,
            context: self.context,
            needed,
        })
    }

    /// What all documents may take together to be read in one step.
    pub(super) fn holds_whole(&self, strategy: LongDocuments, sources: &[Source]) -> bool {
        let num_tokens = sources.iter().map(|source| source.num_tokens).sum();
        let output = match strategy {
            LongDocuments::Join => self.join_output_tokens(num_tokens),
            LongDocuments::MapReduce | LongDocuments::Refine => self.lengths.answer,
        };
        output <= self.lengths.answer && self.whole_prompt_tokens(sources) + output <= self.context
    }

    pub(super) fn whole_prompt_tokens(&self, sources: &[Source]) -> usize {
        let texts = sources.iter().map(|source| source.num_tokens + SEAM_TOKENS);
        self.overhead.whole + texts.sum::<usize>()
    }

    pub(super) fn whole_output_tokens(&self, strategy: LongDocuments, num_tokens: usize) -> usize {
        match strategy {
            LongDocuments::Join => self.join_output_tokens(num_tokens).min(self.lengths.answer),
            LongDocuments::MapReduce | LongDocuments::Refine => self.lengths.answer,
        }
    }

    /// The most tokens of a text of a step as a later one's prompt has it.
    pub(super) fn passed_tokens(&self, strategy: LongDocuments) -> usize {
        let written = match strategy {
            LongDocuments::MapReduce => self.lengths.note,
            LongDocuments::Refine => self.lengths.answer,
            LongDocuments::Join => return 0,
        };
        written + written / REREAD + SEAM_TOKENS
    }

    pub(super) fn merge_prompt_tokens(&self, num_notes: usize) -> usize {
        self.overhead.merge + num_notes * self.per_note_tokens()
    }

    /// Notes that one prompt holds beside what is answered.
    pub(super) fn notes_held(&self, output: usize) -> usize {
        let room = self.context.saturating_sub(self.overhead.merge + output);
        room / self.per_note_tokens()
    }

    fn per_note_tokens(&self) -> usize {
        self.overhead.per_note + self.passed_tokens(LongDocuments::MapReduce)
    }

    fn join_output_tokens(&self, num_tokens: usize) -> usize {
        (num_tokens * self.lengths.join_percent).div_ceil(100) + JOIN_TOKENS
    }
}
