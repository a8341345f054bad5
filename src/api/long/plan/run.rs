//! The execution of a plan, without its executor: what may run now, and what has come of it.

use super::error::RunError;
use super::progress::Progress;
use super::provenance::{Provenance, StepProvenance, pages_of};
use super::step::{Ask, PlannedStep, Task};
use super::{Plan, Source};
use crate::document::parts::fit;
use crate::prompt::StepName;
use std::num::NonZeroUsize;

pub struct Run {
    plan: Plan,
    /// Steps that may run at the same time.
    concurrency: NonZeroUsize,
    states: Vec<State>,
    num_running: usize,
    num_done: usize,
    was_shortened: Vec<bool>,
}

enum State {
    Waiting,
    Running,
    /// Empty once the step has it that reads it.
    Done(String),
}

/// Between the answers to two parts that are joined.
#[cfg(test)]
const JOINT: &str = "\n\n";

/// What a plan ends with.
#[cfg(test)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub text: String,
    pub provenance: Provenance,
}

impl Run {
    pub fn new(plan: Plan, concurrency: NonZeroUsize) -> Self {
        Self {
            states: plan.steps.iter().map(|_| State::Waiting).collect(),
            was_shortened: vec![false; plan.steps.len()],
            plan,
            concurrency,
            num_running: 0,
            num_done: 0,
        }
    }

    /// The steps that may begin now beside those that run, the earliest first. They count as
    /// running until their results are there; each is handed out once.
    pub fn begin(&mut self) -> Vec<Task> {
        let mut tasks = Vec::new();
        for step in 0..self.plan.steps.len() {
            if self.num_running >= self.concurrency.get() {
                break;
            }
            if let Some(task) = self.task(step) {
                self.states[step] = State::Running;
                self.num_running += 1;
                tasks.push(task);
            }
        }
        tasks
    }

    /// Takes what a step has written. What a later step could not read in full is cut at the end
    /// of a sentence, which the provenance tells; an answer is never cut. `count` is that of the
    /// parts.
    ///
    /// # Errors
    ///
    /// `NotRunning`, which changes nothing.
    pub fn end(
        &mut self,
        step: usize,
        text: String,
        count: &mut dyn FnMut(&str) -> usize,
    ) -> Result<Progress, RunError> {
        let planned = self
            .plan
            .steps
            .get(step)
            .ok_or(RunError::NotRunning(step))?;
        let state = self
            .states
            .get_mut(step)
            .filter(|state| matches!(state, State::Running));
        let state = state.ok_or(RunError::NotRunning(step))?;
        let mut text = text;
        if !planned.is_answer {
            let kept = fit(&text, self.plan.max_passed_tokens, count).len();
            self.was_shortened[step] = kept < text.trim_end().len();
            text.truncate(kept);
        }
        *state = State::Done(text);
        self.num_running -= 1;
        self.num_done += 1;
        Ok(self.progress(planned))
    }

    /// The answer and where it is from, once all steps have ended; the run itself before. Requests
    /// answer with the last step themselves.
    #[cfg(test)]
    pub fn finish(self) -> Result<Outcome, Box<Self>> {
        if self.num_done < self.plan.steps.len() {
            return Err(Box::new(self));
        }
        let provenance = self.provenance();
        let answers = self.plan.steps.iter().zip(&self.states);
        let answers = answers.filter_map(|(step, state)| match state {
            State::Done(text) if step.is_answer => Some(text.as_str()),
            _ => None,
        });
        Ok(Outcome {
            text: answers.collect::<Vec<_>>().join(JOINT),
            provenance,
        })
    }

    /// Of all steps that the plan has, also of those that have not run yet.
    pub fn provenance(&self) -> Provenance {
        let steps = self.plan.steps.iter().zip(&self.was_shortened);
        Provenance {
            sources: self.plan.sources.clone(),
            steps: steps
                .map(|(step, was_shortened)| StepProvenance {
                    kind: step.kind,
                    level: step.level,
                    reads: step.reads.clone(),
                    covers: step.covers.clone(),
                    pages: pages_of(self.covered(step)),
                    was_shortened: *was_shortened,
                })
                .collect(),
        }
    }

    /// A step that waits for nothing any more, with the texts that it takes.
    fn task(&mut self, step: usize) -> Option<Task> {
        let planned = self.plan.steps.get(step)?;
        let is_done = |step: &usize| matches!(self.states.get(*step), Some(State::Done(_)));
        if !matches!(self.states.get(step), Some(State::Waiting))
            || !planned.takes.iter().all(is_done)
        {
            return None;
        }
        let states = &mut self.states;
        // Each text is read by one step, which may have it.
        let mut taken = planned
            .takes
            .iter()
            .filter_map(|step| match states.get_mut(*step) {
                Some(State::Done(text)) => Some(std::mem::take(text)),
                _ => None,
            });
        let (number, count) = (planned.reads.end, self.plan.sources.len());
        let ask = match planned.kind {
            StepName::Whole => Ask::Whole,
            StepName::Part => Ask::Part { number, count },
            StepName::Merge => Ask::Merge {
                notes: taken.collect(),
            },
            StepName::Next => Ask::Next {
                number,
                count,
                previous: taken.next().unwrap_or_default(),
            },
        };
        Some(Task {
            step,
            ask,
            reads: planned.reads.clone(),
            max_prompt_tokens: planned.prompt_tokens,
            max_output_tokens: planned.output_tokens,
            is_answer: planned.is_answer,
        })
    }

    fn progress(&self, step: &PlannedStep) -> Progress {
        let pages = pages_of(self.covered(step));
        let first = pages.first();
        Progress {
            done: self.num_done,
            total: self.plan.steps.len(),
            level: step.level,
            pages: first.map(|first| first.pages),
            document: first.map_or(0, |first| first.document + 1),
        }
    }

    fn covered(&self, step: &PlannedStep) -> &[Source] {
        self.plan
            .sources
            .get(step.covers.clone())
            .unwrap_or_default()
    }
}
