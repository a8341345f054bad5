//! Answers with the values in them that stand-ins took the place of (`privacy`).

use crate::generation::{GenerationEvent, Part};
use crate::privacy::{Restorer, Session};
use std::sync::Arc;

/// Puts the values back into the answers of one generation, as they come.
pub struct Restored {
    session: Arc<Session>,
    /// The answers are JSON.
    is_json: bool,
    /// What each choice is saying, and what is held back of it.
    choices: Vec<Option<(Saying, Restorer)>>,
}

/// A run of text that parts of one kind make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Saying {
    Content,
    Reasoning,
    Arguments(usize),
}

impl Restored {
    pub fn new(session: Arc<Session>, num_choices: usize, is_json: bool) -> Self {
        Self {
            session,
            is_json,
            choices: (0..num_choices).map(|_| None).collect(),
        }
    }

    /// What becomes of an event: nothing, while all of its text may still be part of a stand-in.
    pub fn take(&mut self, event: GenerationEvent) -> Vec<GenerationEvent> {
        let GenerationEvent::Delta {
            choice,
            part,
            logprobs,
        } = event
        else {
            let mut events = match &event {
                GenerationEvent::Finished { choice, .. } => self.flush(*choice),
                _ => Vec::new(),
            };
            events.push(event);
            return events;
        };
        let saying = match part {
            Part::Content(_) => Some(Saying::Content),
            Part::Reasoning(_) => Some(Saying::Reasoning),
            Part::Arguments { index, .. } => Some(Saying::Arguments(index)),
            Part::Call { .. } => None,
        };
        let goes_on =
            matches!(self.choices.get(choice), Some(Some((open, _))) if Some(*open) == saying);
        let mut events = match goes_on {
            true => Vec::new(),
            false => self.flush(choice),
        };
        let part = match saying {
            Some(saying) => self.restore(choice, saying, part),
            None => part,
        };
        let is_empty = match &part {
            Part::Content(text) | Part::Reasoning(text) | Part::Arguments { text, .. } => {
                text.is_empty() && logprobs.is_empty()
            }
            Part::Call { .. } => false,
        };
        if !is_empty {
            events.push(GenerationEvent::Delta {
                choice,
                part,
                logprobs,
            });
        }
        events
    }

    fn restore(&mut self, choice: usize, saying: Saying, part: Part) -> Part {
        let Some(slot) = self.choices.get_mut(choice) else {
            return part;
        };
        let (_, restorer) = slot.get_or_insert_with(|| {
            let restorer = self.session.restorer();
            let restorer = match saying {
                Saying::Arguments(_) => restorer.escaping_json(),
                Saying::Content if self.is_json => restorer.escaping_json(),
                _ => restorer,
            };
            (saying, restorer)
        });
        match part {
            Part::Content(text) => Part::Content(restorer.push(&text)),
            Part::Reasoning(text) => Part::Reasoning(restorer.push(&text)),
            Part::Arguments { index, text } => Part::Arguments {
                index,
                text: restorer.push(&text),
            },
            part => part,
        }
    }

    /// What was held back of a run of text that has ended.
    fn flush(&mut self, choice: usize) -> Vec<GenerationEvent> {
        let open = self.choices.get_mut(choice).and_then(Option::take);
        let Some((saying, mut restorer)) = open else {
            return Vec::new();
        };
        let text = restorer.finish();
        if text.is_empty() {
            return Vec::new();
        }
        let part = match saying {
            Saying::Content => Part::Content(text),
            Saying::Reasoning => Part::Reasoning(text),
            Saying::Arguments(index) => Part::Arguments { index, text },
        };
        vec![GenerationEvent::Delta {
            choice,
            part,
            logprobs: Vec::new(),
        }]
    }
}
