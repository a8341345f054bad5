use super::block::{Mark, PromptDocument};
use super::checks::Checks;
use super::error::RenderError;
use super::limits::{MAX_ADDED_BYTES, MAX_DOCUMENTS};
use super::sampling::Sampling;
use super::schema::OutputSchema;
use super::step::{Step, StepName};
use super::template::{Failure, Templates};
use super::variable::{LANGUAGE, Variable};
use super::version::Version;
use minijinja::Value;
use minijinja::value::Serde;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// One version of a prompt, checked: it renders in each of its languages.
pub struct Prompt {
    pub(super) id: String,
    pub(super) version: Version,
    /// Where it was read from, for the operator.
    pub(super) file: String,
    /// Of the file's bytes.
    pub(super) digest: String,
    /// The first is used where a request names none.
    pub(super) languages: Vec<String>,
    /// By language, as is the description.
    pub(super) title: BTreeMap<String, String>,
    pub(super) description: BTreeMap<String, String>,
    /// `language` first, then in the order of the file.
    pub(super) variables: Vec<Variable>,
    pub(super) documents: Option<DocumentCount>,
    pub(super) long_documents: Option<LongDocuments>,
    pub(super) schema: Option<OutputSchema>,
    pub(super) sampling: Sampling,
    pub(super) checks: Checks,
    pub(super) templates: Templates,
    /// Roles and numbers of templates.
    pub(super) messages: BTreeMap<(String, StepName), Vec<(Role, usize)>>,
}

/// How many documents a prompt takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentCount {
    pub min: usize,
    pub max: usize,
}

/// How documents are read that are longer than a model's context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LongDocuments {
    /// Each part by itself; the answers are joined in order.
    Join,
    /// Notes on each part, and an answer from all notes.
    MapReduce,
    /// An answer from the first part, which each next part completes.
    Refine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    System,
    User,
    Assistant,
}

/// What a request becomes with a prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    pub messages: Vec<(Role, String)>,
    /// That the answer must match, if any.
    pub schema: Option<Json>,
    pub sampling: Sampling,
    /// Of the prompt's file: sha256, in hexadecimal digits.
    pub digest: String,
    /// That the answer is asked for in.
    pub language: String,
}

impl Prompt {
    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Of the bytes of its file: sha256, in hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The first is used where a request names none.
    pub fn languages(&self) -> &[String] {
        &self.languages
    }

    /// What a request may set, `language` first.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// `None`: it takes no documents.
    pub fn documents(&self) -> Option<DocumentCount> {
        self.documents
    }

    /// `None`: what is longer than the context is refused.
    pub fn long_documents(&self) -> Option<LongDocuments> {
        self.long_documents
    }

    /// As its file has it: an `enum` may still name a variable.
    pub fn schema(&self) -> Option<&Json> {
        self.schema.as_ref().map(OutputSchema::as_json)
    }

    pub fn sampling(&self) -> Sampling {
        self.sampling
    }

    pub fn checks(&self) -> &Checks {
        &self.checks
    }

    /// The messages for a request whose documents fit.
    pub fn render(
        &self,
        variables: &Map<String, Json>,
        documents: &[PromptDocument],
    ) -> Result<Rendered, RenderError> {
        if documents.len() < self.min_documents() {
            return Err(RenderError::DocumentsMissing {
                min: self.min_documents(),
                num_documents: documents.len(),
            });
        }
        self.render_step(Step::Whole, variables, documents)
    }

    /// The messages for one step through long documents; `documents` are what this step reads.
    pub fn render_step(
        &self,
        step: Step<'_>,
        variables: &Map<String, Json>,
        documents: &[PromptDocument],
    ) -> Result<Rendered, RenderError> {
        let values = self.accept(variables)?;
        let max = self.documents.map_or(0, |count| count.max);
        if documents.len() > max {
            return Err(RenderError::TooManyDocuments {
                max,
                num_documents: documents.len(),
            });
        }
        self.write(step, values, documents)
            .map_err(|(error, _)| error)
    }

    fn min_documents(&self) -> usize {
        self.documents.map_or(0, |count| count.min)
    }

    /// Every variable with its value, in the order of the file; null where it has none.
    fn accept(&self, given: &Map<String, Json>) -> Result<Map<String, Json>, RenderError> {
        let known = |name: &str| self.variables.iter().any(|variable| variable.name == name);
        if let Some(name) = given.keys().find(|name| !known(name)) {
            let names = self.variables.iter().map(|variable| variable.name.clone());
            return Err(RenderError::UnknownVariable {
                name: name.clone(),
                known: names.collect(),
            });
        }
        let values = self.variables.iter().map(|variable| {
            let value = match given.get(&variable.name) {
                Some(value) => variable.accept(value)?,
                None if variable.required => {
                    let name = variable.name.clone();
                    return Err(RenderError::Missing { name });
                }
                None => variable.default.clone().unwrap_or_default(),
            };
            Ok((variable.name.clone(), value))
        });
        values.collect()
    }

    /// An error beside its details, which may quote what was given.
    pub(super) fn write(
        &self,
        step: Step<'_>,
        values: Map<String, Json>,
        documents: &[PromptDocument],
    ) -> Result<Rendered, (RenderError, Option<Failure>)> {
        let plain = |error| (error, None);
        let language = values.get(LANGUAGE).and_then(Json::as_str);
        let language = language.unwrap_or_default().to_owned();
        let messages = self.messages.get(&(language.clone(), step.name()));
        let messages = messages.ok_or(plain(RenderError::NoStep(step.name().as_str())))?;
        let texts = texts(&step, &values, documents);
        let mark = Mark::drawn(&self.digest, &texts).ok_or_else(|| {
            plain(RenderError::Template(
                "the texts hold every mark that was tried".to_owned(),
            ))
        })?;
        let given: usize = texts.iter().map(|text| text.len()).sum();
        let limit = given.saturating_mul(4).saturating_add(MAX_ADDED_BYTES);
        let context = context(&step, &values, documents, &mark);
        let rendered = messages.iter().map(|(role, number)| {
            let text = self.templates.render(*number, &context, limit);
            text.map(|text| (*role, text)).map_err(|failure| {
                let message = format!("line {}: {}", failure.line, failure.kind);
                (RenderError::Template(message), Some(failure))
            })
        });
        // Notes on a part are for the next step, not in the form of the answer.
        let schema = self
            .schema
            .as_ref()
            .filter(|_| step.name() != StepName::Part);
        Ok(Rendered {
            messages: rendered.collect::<Result<_, _>>()?,
            schema: schema.map(|schema| schema.filled(&values)),
            sampling: self.sampling,
            digest: self.digest.clone(),
            language,
        })
    }
}

/// Everything that the marks around blocks must differ from.
fn texts<'a>(
    step: &Step<'a>,
    values: &'a Map<String, Json>,
    documents: &'a [PromptDocument],
) -> Vec<&'a str> {
    let mut texts: Vec<&str> = Vec::new();
    for value in values.values() {
        let items = value.as_array().into_iter().flatten();
        texts.extend(items.chain([value]).filter_map(Json::as_str));
    }
    for document in documents {
        texts.extend([document.name.as_str(), &document.text]);
    }
    match *step {
        Step::Whole | Step::Part { .. } => {}
        Step::Merge { notes } => texts.extend(notes.iter().map(String::as_str)),
        Step::Next { previous, .. } => texts.push(previous),
    }
    texts
}

fn context(
    step: &Step<'_>,
    values: &Map<String, Json>,
    documents: &[PromptDocument],
    mark: &Mark,
) -> Value {
    let part = |number: usize, count: usize| {
        Value::from_pairs([
            ("number", Value::from(number)),
            ("count", Value::from(count)),
        ])
    };
    let mut members: Vec<(&str, Value)> = values
        .iter()
        .map(|(name, value)| (name.as_str(), Value::from(Serde(value))))
        .collect();
    let documents: Vec<Value> = documents.iter().map(PromptDocument::to_value).collect();
    members.push(("documents", Value::from(documents)));
    match *step {
        Step::Whole => {}
        Step::Part { number, count } => members.push(("part", part(number, count))),
        Step::Merge { notes } => members.push(("notes", Value::from(notes.to_vec()))),
        Step::Next {
            number,
            count,
            previous,
        } => {
            members.push(("part", part(number, count)));
            members.push(("previous", Value::from(previous)));
        }
    }
    members.push(mark.member());
    Value::from_pairs(members)
}

impl DocumentCount {
    pub(super) fn mistake(self) -> Option<String> {
        let sound = self.min <= self.max && (1..=MAX_DOCUMENTS).contains(&self.max);
        (!sound).then(|| {
            format!(
                "documents.max must be from 1 to {MAX_DOCUMENTS}, and documents.min at most as many"
            )
        })
    }
}

impl LongDocuments {
    /// The steps that need messages of their own.
    pub(super) fn steps(self) -> &'static [StepName] {
        match self {
            Self::Join => &[],
            Self::MapReduce => &[StepName::Part, StepName::Merge],
            Self::Refine => &[StepName::Next],
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::MapReduce => "map-reduce",
            Self::Refine => "refine",
        }
    }
}

impl Role {
    pub fn parse(name: &str) -> Option<Self> {
        [Self::System, Self::User, Self::Assistant]
            .into_iter()
            .find(|role| role.as_str() == name)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}
