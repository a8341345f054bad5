use crate::prompt::{Step, StepName};
use serde::Serialize;
use std::ops::Range;

/// A step, and what it takes at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStep {
    pub kind: StepName,
    /// 0 for what reads documents, and from 1 for each round of merging.
    pub level: usize,
    /// The sources whose text is in its prompt.
    pub reads: Range<usize>,
    /// The sources that its answer is drawn from, by itself or through the steps that it takes.
    pub covers: Range<usize>,
    /// The steps whose texts are in its prompt, all of them earlier ones.
    pub takes: Vec<usize>,
    /// Upper bound.
    pub prompt_tokens: usize,
    /// Upper bound, and the limit to generate with.
    pub output_tokens: usize,
    /// What it writes is the answer, or by `join` a piece of it.
    pub is_answer: bool,
}

/// Upper bounds of what all steps take together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Cost {
    pub num_whole: usize,
    pub num_part: usize,
    pub num_merge: usize,
    pub num_next: usize,
    /// Rounds of merging.
    pub num_levels: usize,
    pub prompt_tokens: u64,
    pub output_tokens: u64,
    /// Of the step that takes most, prompt and answer together.
    pub max_step_tokens: usize,
}

impl Cost {
    pub(super) fn of(steps: &[PlannedStep]) -> Self {
        let mut cost = Self::default();
        for step in steps {
            match step.kind {
                StepName::Whole => cost.num_whole += 1,
                StepName::Part => cost.num_part += 1,
                StepName::Merge => cost.num_merge += 1,
                StepName::Next => cost.num_next += 1,
            }
            cost.num_levels = cost.num_levels.max(step.level);
            cost.prompt_tokens += step.prompt_tokens as u64;
            cost.output_tokens += step.output_tokens as u64;
            let taken = step.prompt_tokens + step.output_tokens;
            cost.max_step_tokens = cost.max_step_tokens.max(taken);
        }
        cost
    }
}

/// A step that may run now, with the texts that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The step's place in the plan, by which its result is handed back.
    pub step: usize,
    pub ask: Ask,
    /// The sources whose text its prompt shows.
    pub reads: Range<usize>,
    /// No prompt of this step takes more, so that it fits the context with its answer.
    pub max_prompt_tokens: usize,
    pub max_output_tokens: usize,
    pub is_answer: bool,
}

/// What to render: a [`Step`] that owns its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    Whole,
    Part {
        number: usize,
        count: usize,
    },
    Merge {
        notes: Vec<String>,
    },
    Next {
        number: usize,
        count: usize,
        previous: String,
    },
}

impl Ask {
    pub fn as_step(&self) -> Step<'_> {
        match self {
            Self::Whole => Step::Whole,
            &Self::Part { number, count } => Step::Part { number, count },
            Self::Merge { notes } => Step::Merge { notes },
            Self::Next {
                number,
                count,
                previous,
            } => Step::Next {
                number: *number,
                count: *count,
                previous,
            },
        }
    }
}

impl Task {
    /// The seed of this step's draws. It follows from the request's and the step's place alone, so
    /// that the order in which steps run changes nothing; a document that is read in one step is
    /// drawn with the request's own.
    pub fn seed(&self, request: u64) -> u64 {
        if self.step == 0 {
            return request;
        }
        // SplitMix64, which spreads neighbouring steps over all seeds.
        let mut mixed =
            request.wrapping_add((self.step as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
