//! Each message of a prompt is rendered with samples of what requests may bring, so that a file
//! with a mistake in a rare branch does not wait for the request that takes it.

use super::block::PromptDocument;
use super::definition::Prompt;
use super::error::{Mistake, RenderError};
use super::file::Section;
use super::step::{Step, StepName};
use super::template::Failure;
use super::variable::{LANGUAGE, Variable, VariableType};
use serde_json::{Map, Value as Json, json};

impl Prompt {
    pub(super) fn rehearse(&self, sections: &[Section]) -> Result<(), Mistake> {
        let notes = ["First notes.".to_owned(), "Second notes.".to_owned()];
        let (number, count) = (2, 3);
        for section in sections {
            let step = match section.step {
                StepName::Whole => Step::Whole,
                StepName::Part => Step::Part { number, count },
                StepName::Merge => Step::Merge { notes: &notes },
                StepName::Next => Step::Next {
                    number,
                    count,
                    previous: "The answer so far.",
                },
            };
            for documents in self.sample_documents(section.step) {
                for mut values in self.sample_values() {
                    values.insert(LANGUAGE.to_owned(), section.language.as_str().into());
                    self.write(step, values, &documents)
                        .map_err(|error| unrendered(error, section.line))?;
                }
            }
        }
        Ok(())
    }

    fn sample_documents(&self, step: StepName) -> Vec<Vec<PromptDocument>> {
        let sample = |number: usize| PromptDocument {
            number,
            name: format!("letter-{number}.pdf"),
            pages: (number % 2 == 1).then_some(number),
            text: "A sample, with {{ braces }} and {% tags %}.".to_owned(),
        };
        let some = |count: usize| (1..=count).map(sample).collect::<Vec<_>>();
        match (self.documents, step) {
            (None, _) | (_, StepName::Merge) => vec![Vec::new()],
            (Some(_), StepName::Part | StepName::Next) => vec![some(1)],
            (Some(count), StepName::Whole) => vec![some(count.min.min(2)), some(count.max.min(2))],
        }
    }

    /// All variables, and only those that must be given; then each of these with every value of
    /// each variable that a template may ask for, or without it.
    fn sample_values(&self) -> Vec<Map<String, Json>> {
        let least = |variable: &Variable| match &variable.default {
            _ if variable.required => samples(&variable.kind).swap_remove(0),
            Some(default) => default.clone(),
            None => Json::Null,
        };
        let all = |variable: &Variable| samples(&variable.kind).swap_remove(0);
        let bases: [&dyn Fn(&Variable) -> Json; 2] = [&least, &all];
        let mut sets = Vec::new();
        for base in bases {
            let base: Map<String, Json> = self
                .variables
                .iter()
                .map(|variable| (variable.name.clone(), base(variable)))
                .collect();
            for variable in &self.variables {
                for value in samples(&variable.kind).into_iter().chain([least(variable)]) {
                    let mut values = base.clone();
                    values.insert(variable.name.clone(), value);
                    sets.push(values);
                }
            }
        }
        sets
    }
}

fn samples(kind: &VariableType) -> Vec<Json> {
    let text = |max_chars: usize| "Sample".chars().take(max_chars).collect::<String>();
    match kind {
        VariableType::Text { max_chars, choices } if choices.is_empty() => {
            vec![json!(text(*max_chars))]
        }
        VariableType::Text { choices, .. } => choices.iter().map(|choice| json!(choice)).collect(),
        VariableType::Integer { min, max } => vec![json!(max), json!(min)],
        VariableType::Boolean => vec![json!(true), json!(false)],
        VariableType::List { max_chars, .. } => vec![json!([text(*max_chars)])],
    }
}

fn unrendered((error, failure): (RenderError, Option<Failure>), line: usize) -> Mistake {
    match failure {
        Some(failure) => Mistake::new(failure.line, failure.detail),
        None => Mistake::new(line, error.to_string()),
    }
}
