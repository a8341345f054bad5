//! The plan of a long document: all steps in which its parts are read, and what they take, before
//! any is computed.
//!
//! - [`Room`] says what a model and a prompt leave for the parts;
//! - [`Plan::new`] lists the steps, or tells what to change where there is no plan;
//! - [`Run`] hands the steps out as they become possible, takes their results, and tells how far
//!   it is and which pages each step saw.
//!
//! Renders, tokenizes and generates nothing: whoever runs it does, in whatever order.

mod error;
mod merging;
mod progress;
mod provenance;
mod room;
mod run;
mod source;
mod step;

pub use error::PlanError;
pub use progress::Progress;
pub use provenance::Provenance;
pub use room::{Lengths, Overhead, Room, SEAM_TOKENS};
pub use run::Run;
pub use source::Source;
pub use step::{Cost, PlannedStep, Task};

use crate::prompt::{LongDocuments, StepName};
use std::ops::Range;

/// Parts in one plan. With a context of 2,048 tokens they hold some 10,000 pages.
pub const MAX_PARTS: usize = 4096;

/// All steps, in an order in which each follows those whose texts it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub strategy: LongDocuments,
    /// The parts of all documents, in order.
    pub sources: Vec<Source>,
    pub steps: Vec<PlannedStep>,
    /// Most tokens of a text that a later step reads, as its prompt has it.
    max_passed_tokens: usize,
}

impl Plan {
    /// One step where all sources fit together, else as the strategy says. `sources` were cut for
    /// [`Room::part_budget`], or to be smaller.
    ///
    /// # Errors
    ///
    /// `TooManyParts`; `PartTooLong` where they were cut for another room; `RoomTooSmall` where
    /// two notes do not fit one prompt, and those of `part_budget`.
    pub fn new(
        strategy: LongDocuments,
        sources: Vec<Source>,
        room: &Room,
    ) -> Result<Self, PlanError> {
        let max_passed_tokens = room.passed_tokens(strategy);
        let mut plan = Self {
            strategy,
            sources,
            steps: Vec::new(),
            max_passed_tokens,
        };
        if room.holds_whole(strategy, &plan.sources) {
            let all = 0..plan.sources.len();
            let num_tokens = plan.tokens_of(&all);
            plan.steps.push(PlannedStep {
                kind: StepName::Whole,
                level: 0,
                reads: all.clone(),
                covers: all,
                takes: Vec::new(),
                prompt_tokens: room.whole_prompt_tokens(&plan.sources),
                output_tokens: room.whole_output_tokens(strategy, num_tokens),
                is_answer: true,
            });
            return Ok(plan);
        }
        plan.check_parts(room)?;
        match strategy {
            LongDocuments::Join => plan.join(room),
            LongDocuments::Refine => plan.refine(room),
            LongDocuments::MapReduce => plan.map_reduce(room)?,
        }
        Ok(plan)
    }

    /// What all steps take together, at most.
    pub fn cost(&self) -> Cost {
        Cost::of(&self.steps)
    }

    /// The plan, if all its steps take at most `max_tokens`, prompts and answers together.
    ///
    /// # Errors
    ///
    /// `TooManyTokens`.
    pub fn within(self, max_tokens: u64) -> Result<Self, PlanError> {
        let cost = self.cost();
        let num_tokens = cost.prompt_tokens + cost.output_tokens;
        match num_tokens > max_tokens {
            true => Err(PlanError::TooManyTokens {
                num_tokens,
                max_tokens,
                num_steps: self.steps.len(),
            }),
            false => Ok(self),
        }
    }

    fn check_parts(&self, room: &Room) -> Result<(), PlanError> {
        let max = room.part_budget(self.strategy)?.max_tokens();
        if self.sources.len() > MAX_PARTS {
            return Err(PlanError::TooManyParts {
                num_parts: self.sources.len(),
            });
        }
        let long = self.sources.iter().enumerate();
        match long.into_iter().find(|(_, source)| source.num_tokens > max) {
            Some((index, source)) => Err(PlanError::PartTooLong {
                number: index + 1,
                num_tokens: source.num_tokens,
                max_tokens: max,
            }),
            None => Ok(()),
        }
    }

    fn join(&mut self, room: &Room) {
        for (index, source) in self.sources.iter().enumerate() {
            self.steps.push(PlannedStep {
                kind: StepName::Whole,
                level: 0,
                reads: index..index + 1,
                covers: index..index + 1,
                takes: Vec::new(),
                prompt_tokens: room.overhead.whole + room::SEAM_TOKENS + source.num_tokens,
                output_tokens: room.whole_output_tokens(self.strategy, source.num_tokens),
                is_answer: true,
            });
        }
    }

    fn refine(&mut self, room: &Room) {
        let last = self.sources.len().saturating_sub(1);
        for (index, source) in self.sources.iter().enumerate() {
            let (kind, overhead) = match index {
                0 => (StepName::Whole, room.overhead.whole),
                _ => (StepName::Next, room.overhead.next + self.max_passed_tokens),
            };
            self.steps.push(PlannedStep {
                kind,
                level: 0,
                reads: index..index + 1,
                covers: 0..index + 1,
                takes: index.checked_sub(1).into_iter().collect(),
                prompt_tokens: overhead + room::SEAM_TOKENS + source.num_tokens,
                output_tokens: room.lengths.answer,
                is_answer: index == last,
            });
        }
    }

    fn map_reduce(&mut self, room: &Room) -> Result<(), PlanError> {
        for (index, source) in self.sources.iter().enumerate() {
            self.steps.push(PlannedStep {
                kind: StepName::Part,
                level: 0,
                reads: index..index + 1,
                covers: index..index + 1,
                takes: Vec::new(),
                prompt_tokens: room.overhead.part + room::SEAM_TOKENS + source.num_tokens,
                output_tokens: room.lengths.note,
                is_answer: false,
            });
        }
        let rounds = merging::rounds(self.steps.len(), room)?;
        let mut notes: Vec<usize> = (0..self.steps.len()).collect();
        for (round, groups) in rounds.iter().enumerate() {
            let is_answer = round + 1 == rounds.len();
            let mut merged = Vec::with_capacity(groups.len());
            for group in groups {
                let takes = notes.get(group.clone()).unwrap_or_default().to_vec();
                // One note alone needs no merging, unless the answer is made of it.
                if let ([note], false) = (takes.as_slice(), is_answer) {
                    merged.push(*note);
                    continue;
                }
                merged.push(self.steps.len());
                let step = self.merge(takes, round + 1, is_answer, room);
                self.steps.push(step);
            }
            notes = merged;
        }
        Ok(())
    }

    fn merge(&self, takes: Vec<usize>, level: usize, is_answer: bool, room: &Room) -> PlannedStep {
        let covers = takes.iter().filter_map(|step| self.steps.get(*step));
        let covers: Vec<Range<usize>> = covers.map(|step| step.covers.clone()).collect();
        let first = covers.first().map_or(0, |covers| covers.start);
        let end = covers.last().map_or(0, |covers| covers.end);
        PlannedStep {
            kind: StepName::Merge,
            level,
            reads: 0..0,
            covers: first..end,
            prompt_tokens: room.merge_prompt_tokens(takes.len()),
            takes,
            output_tokens: match is_answer {
                true => room.lengths.answer,
                false => room.lengths.note,
            },
            is_answer,
        }
    }

    fn tokens_of(&self, sources: &Range<usize>) -> usize {
        let sources = self.sources.get(sources.clone()).unwrap_or_default();
        sources.iter().map(|source| source.num_tokens).sum()
    }
}

#[cfg(test)]
mod tests;
