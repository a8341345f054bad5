//! A prompt that a body names by its id.

use super::files::{self, ReadFile};
use super::told::PromptTold;
use super::{Conversation, object, text};
use crate::api::error::ApiError;
use crate::api::fields::{Field, Fields};
use crate::api::json::Json;
use crate::api::limits;
use crate::api::parameters::{self, Ignored, PROMPT, RESPONSE_PART};
use crate::api::state::ApiState;
use crate::document::checks::{CheckOptions, Kind, PlainLanguageLimits};
use crate::prompt::{
    CheckKind, LongDocuments, LookupError, PromptDocument, PromptLibrary, RenderError, Rendered,
    Step,
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Where the object stands in a body.
const FIELD: &str = "prompt";

/// A prompt of the library, with what it is given.
pub struct Named {
    library: Arc<PromptLibrary>,
    id: String,
    version: Option<String>,
    variables: Map<String, Value>,
}

/// What a body names, if it names one.
pub fn named(
    state: &ApiState,
    body: &Fields<'_>,
    ignored: &mut Ignored,
) -> Result<Option<Named>, ApiError> {
    let Some(field) = body.get(FIELD) else {
        return Ok(None);
    };
    let fields = field.object()?;
    parameters::check(PROMPT, &fields, ignored)?;
    let named = Named {
        library: Arc::clone(&state.prompts),
        id: fields.require("id")?.string()?.to_owned(),
        version: (fields.get("version"))
            .map(|field| field.string().map(str::to_owned))
            .transpose()?,
        variables: match fields.get("variables") {
            Some(field) => variables(&field, ignored)?,
            None => Map::new(),
        },
    };
    // Nobody's documents are read for a prompt that is not there.
    named.find()?;
    Ok(Some(named))
}

/// Texts, and lists and numbers as a prompt's file declares them; a text may come as a part, as
/// OpenAI's clients write it.
fn variables(field: &Field<'_>, ignored: &mut Ignored) -> Result<Map<String, Value>, ApiError> {
    let fields = field.object()?;
    let entries = fields.entries();
    if entries.count() > limits::MAX_PROMPT_VARIABLES {
        return Err(field.must(format_args!(
            "hold at most {} variables",
            limits::MAX_PROMPT_VARIABLES
        )));
    }
    let mut value = |field: Field<'_>| match field.value() {
        Json::Object(_) => {
            let part = field.object()?;
            let kind = part.require("type")?;
            match kind.string()? {
                "input_text" => {
                    parameters::check(RESPONSE_PART, &part, ignored)?;
                    Ok(part.require("text")?.string()?.into())
                }
                _ => Err(kind
                    .must("be `input_text`: documents of a prompt are the files of the messages")),
            }
        }
        value => Ok(value.to_value()),
    };
    fields
        .entries()
        .map(|(name, field)| Ok((name.to_owned(), value(field)?)))
        .collect()
}

/// A prompt in a body.
pub struct Expanded {
    pub told: PromptTold,
    /// Those that the body's messages begin with.
    pub num_messages: usize,
}

/// As a body holds them.
pub fn messages_of(rendered: &Rendered) -> Vec<Json> {
    let messages = rendered.messages.iter();
    messages
        .map(|(role, content)| {
            object([
                ("role", text(role.as_str())),
                ("content", text(content.as_str())),
            ])
        })
        .collect()
}

impl Named {
    fn find(&self) -> Result<&crate::prompt::Prompt, ApiError> {
        self.library
            .get(&self.id, self.version.as_deref())
            .map_err(|error| {
                let param = match error {
                    LookupError::Id { .. } => "prompt.id",
                    LookupError::Version { .. } => "prompt.version",
                };
                ApiError::unknown_prompt(param, &error)
            })
    }

    /// All that the variables say, a line each.
    pub fn values(&self) -> String {
        let mut values = String::new();
        for value in self.variables.values() {
            match value {
                Value::String(text) => values.push_str(text),
                other => values.push_str(&other.to_string()),
            }
            values.push('\n');
        }
        values
    }

    /// What the prompt looks for in answers.
    pub fn check_options(&self) -> Result<CheckOptions, ApiError> {
        let checks = self.find()?.checks();
        Ok(CheckOptions {
            report_missing: checks.missing.iter().map(|kind| kind_of(*kind)).collect(),
            plain_language: checks.plain_language.map(|limits| PlainLanguageLimits {
                max_mean_sentence_words: limits.max_average_sentence_words.map(|max| max as f32),
                max_longest_sentence_words: limits.max_sentence_words.map(|max| max as usize),
                max_passive_share: limits.max_passive_share.map(|max| max as f32),
            }),
            ..CheckOptions::default()
        })
    }

    /// Puts the prompt's messages before those of the body, and its wishes where the body has none
    /// of its own.
    pub fn expand(
        &self,
        body: &mut Json,
        conversation: Conversation,
        files: &[ReadFile],
    ) -> Result<Expanded, ApiError> {
        let prompt = self.find()?;
        // A prompt that takes no documents leaves them where they were.
        let documents: Vec<PromptDocument> = match prompt.documents() {
            Some(_) => files::for_prompt(files),
            None => Vec::new(),
        };
        let rendered = prompt
            .render(&self.variables, &documents)
            .map_err(|error| failed(&error, conversation.list))?;
        match prompt.documents() {
            Some(_) => files::remove(body, conversation, files),
            None => files::write(body, conversation, files)?,
        }
        let told = PromptTold {
            id: prompt.id().to_owned(),
            version: prompt.version().to_string(),
            digest: rendered.digest.clone(),
            language: rendered.language.clone(),
        };
        let mut messages = messages_of(&rendered);
        let expanded = Expanded {
            told,
            num_messages: messages.len(),
        };
        match body.entry_mut(conversation.list) {
            Some(Json::Array(given)) => messages.append(given),
            // A response's input may be a text.
            Some(Json::String(given)) => messages.push(object([
                ("role", text("user")),
                ("content", text(std::mem::take(given))),
            ])),
            // What is none of them is refused where messages are read.
            Some(Json::Null) | None => {}
            Some(_) => return Ok(expanded),
        }
        body.set(conversation.list, Json::Array(messages));
        let sampling = rendered.sampling;
        let integer = |value: u32| Json::Integer(value.into());
        for (name, value) in [
            ("temperature", sampling.temperature.map(Json::Float)),
            ("top_p", sampling.top_p.map(Json::Float)),
            ("top_k", sampling.top_k.map(integer)),
            (
                "repetition_penalty",
                sampling.repetition_penalty.map(Json::Float),
            ),
            ("seed", sampling.seed.map(integer)),
        ] {
            if let Some(value) = value {
                body.set_absent(name, value);
            }
        }
        let says = |body: &Json, names: &[&str]| {
            let mut said = names.iter().filter_map(|name| body.entry(name));
            said.any(|value| *value != Json::Null)
        };
        if let Some(max_tokens) = sampling.max_tokens
            && !says(body, conversation.max_tokens)
        {
            body.set(conversation.max_tokens[0], integer(max_tokens));
        }
        if let Some(schema) = rendered.schema
            && !says(body, conversation.formats)
        {
            let (name, format) = (conversation.format)(Json::from(&schema));
            body.set(name, format);
        }
        Ok(expanded)
    }

    /// How it reads documents that are longer than the context, if it does.
    pub fn long_documents(&self) -> Result<Option<LongDocuments>, ApiError> {
        Ok(self.find()?.long_documents())
    }

    /// The messages of one step.
    pub fn render_step(
        &self,
        step: Step<'_>,
        documents: &[PromptDocument],
    ) -> Result<Rendered, ApiError> {
        let rendered = self.find()?.render_step(step, &self.variables, documents);
        rendered.map_err(|error| failed(&error, FIELD))
    }
}

fn kind_of(kind: CheckKind) -> Kind {
    match kind {
        CheckKind::Number => Kind::Number,
        CheckKind::Amount => Kind::Amount,
        CheckKind::Date => Kind::Date,
        CheckKind::Deadline => Kind::Duration,
        CheckKind::Name => Kind::Name,
        CheckKind::Email => Kind::Email,
        CheckKind::Phone => Kind::Phone,
        CheckKind::Iban => Kind::Iban,
        CheckKind::FileNumber => Kind::FileNumber,
        CheckKind::LegalReference => Kind::LegalReference,
    }
}

/// An error of a prompt on the field that it is about.
fn failed(error: &RenderError, list: &'static str) -> ApiError {
    let variable = |name: &str| format!("prompt.variables.{name}");
    let field = match error {
        RenderError::UnknownVariable { name, .. } | RenderError::Missing { name, .. } => {
            variable(name)
        }
        RenderError::DocumentsMissing { .. } | RenderError::TooManyDocuments { .. } => {
            list.to_owned()
        }
        other => other.variable().map_or_else(|| FIELD.to_owned(), variable),
    };
    ApiError::said(field, error)
}
