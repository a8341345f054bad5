//! What the documents of a request are made into steps of.

use super::plan::{Lengths, Overhead, Plan, PlanError, Room, SEAM_TOKENS, Source, Task};
use crate::api::error::ApiError;
use crate::api::inputs::Named;
use crate::api::limits;
use crate::document::Document;
use crate::document::parts::{Part, split};
use crate::generation::{GenerationError, ServedModel};
use crate::prompt::{LongDocuments, PromptDocument, Rendered, Step};
use crate::text::{ChatMessage, ChatPrompt};
use std::sync::Arc;
use std::time::SystemTime;

/// What the documents of a request are made into steps of.
pub struct Work {
    pub named: Arc<Named>,
    pub strategy: LongDocuments,
    pub documents: Vec<Document>,
    pub shown: Vec<PromptDocument>,
    pub asked: Asked,
    /// The most tokens of the answer, where the request or its prompt says.
    pub wanted: Option<usize>,
    /// What the last step's prompt has beside.
    pub beside: Arc<str>,
}

/// A plan, and what its steps are made of.
pub struct Prepared {
    pub plan: Plan,
    /// As the sources, each with the document that it is of.
    pub parts: Vec<(usize, Part)>,
    pub documents: Vec<Document>,
}

/// The request around the prompt's messages, which every step has.
#[derive(Clone)]
pub struct Asked {
    /// Without them.
    prompt: ChatPrompt,
    /// Where they stand.
    first: usize,
}

impl Asked {
    /// `num_rendered` messages of the prompt, from the one with this number, are the library's.
    pub fn new(mut prompt: ChatPrompt, first: usize, num_rendered: usize) -> Self {
        let len = prompt.messages.len();
        let end = (first + num_rendered).min(len);
        let first = first.min(end);
        prompt.messages.drain(first..end);
        Self { prompt, first }
    }

    pub fn has_tools(&self) -> bool {
        !self.prompt.tools.is_empty()
    }

    pub fn with(&self, rendered: &Rendered) -> ChatPrompt {
        let mut prompt = self.prompt.clone();
        let messages = rendered.messages.iter().map(|(role, content)| ChatMessage {
            role: role.as_str().to_owned(),
            content: content.clone().into(),
            ..ChatMessage::default()
        });
        prompt.messages.splice(self.first..self.first, messages);
        prompt
    }
}

/// Why documents cannot be read in steps.
pub enum Unreadable {
    Plan(PlanError),
    Generation(GenerationError),
    Api(ApiError),
}

impl Unreadable {
    pub fn on(self, field: &'static str) -> ApiError {
        match self {
            Self::Plan(error) => ApiError::said(field, &error),
            Self::Generation(error) => ApiError::from_generation(&error, field),
            Self::Api(error) => error,
        }
    }
}

impl From<PlanError> for Unreadable {
    fn from(error: PlanError) -> Self {
        Self::Plan(error)
    }
}

impl From<GenerationError> for Unreadable {
    fn from(error: GenerationError) -> Self {
        Self::Generation(error)
    }
}

impl From<ApiError> for Unreadable {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl Work {
    /// The plan, or nothing where the documents fit with the answer. Takes time in proportion to
    /// the text.
    pub fn prepared(self, model: &ServedModel) -> Result<Option<Prepared>, Unreadable> {
        let mut count =
            |text: &str| (model.tokenizer.encode_bare(text)).map_or(text.len(), |ids| ids.len());
        let beside = match &*self.beside {
            "" => 0,
            beside => count(beside) + SEAM_TOKENS,
        };
        let context = model.max_model_len().saturating_sub(beside);
        let clock = SystemTime::now();
        let tokens = |step: Step<'_>, documents: &[PromptDocument]| -> Result<usize, Unreadable> {
            let rendered = self.named.render_step(step, documents)?;
            Ok(model
                .rendered(&self.asked.with(&rendered), clock)?
                .ids
                .len())
        };
        let wanted = self.wanted.unwrap_or(context / 4);
        if tokens(Step::Whole, &self.shown)? + wanted.min(context / 2) <= context {
            return Ok(None);
        }
        let empty = self.shown.iter().map(|document| PromptDocument {
            text: String::new(),
            ..document.clone()
        });
        let empty: Vec<PromptDocument> = empty.collect();
        // The marks of the longest name take the most.
        let longest = empty.iter().max_by_key(|document| document.name.len());
        let overhead = Overhead::measured(self.strategy, |step| match step {
            Step::Merge { .. } => tokens(step, &[]),
            Step::Whole => tokens(step, &empty),
            _ => tokens(step, longest.map_or(&[], std::slice::from_ref)),
        })?;
        let room = Room {
            context,
            overhead,
            lengths: Lengths::within(self.strategy, context, wanted),
        };
        let budget = room.part_budget(self.strategy)?;
        let mut parts = Vec::new();
        for (index, document) in self.documents.iter().enumerate() {
            let split = split(document, budget, &mut count);
            parts.extend(split.into_iter().map(|part| (index, part)));
        }
        let sources = parts.iter();
        let sources = sources.map(|(document, part)| Source::new(*document, part));
        let plan = Plan::new(self.strategy, sources.collect(), &room)?;
        Ok(Some(Prepared {
            plan: plan.within(limits::MAX_LONG_TOKENS as u64)?,
            parts,
            documents: self.documents,
        }))
    }
}

/// What a step is shown of the documents.
pub fn read_by(
    task: &Task,
    parts: &[(usize, Part)],
    documents: &[Document],
    shown: &[PromptDocument],
) -> Vec<PromptDocument> {
    let read = parts.get(task.reads.clone()).unwrap_or_default().iter();
    let read = read.filter_map(|(index, part)| {
        Some(PromptDocument {
            text: part.shown(documents.get(*index)?),
            ..shown.get(*index)?.clone()
        })
    });
    read.collect()
}
