//! `GET /v1/capabilities`: what this server does with a request, for programs that want to know
//! before they ask. From the same tables as the checks and the documentation.

use super::error::ApiError;
use super::limits;
use super::models::task_of;
use super::parameters::{Outcome, Parameter};
use super::reference::ENDPOINTS;
use super::state::{ApiState, Served, ServedEncoding};
use crate::encoding::EncoderTask;
use crate::generation::{SCHEMA_FORMATS, SCHEMA_LIMITS, enforced_keywords};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub struct Capabilities {
    object: &'static str,
    version: &'static str,
    models: Vec<ModelCapabilities>,
    /// By route.
    parameters: BTreeMap<&'static str, Outcomes>,
    json_schema: JsonSchema,
    stores_responses: bool,
    /// By name.
    limits: BTreeMap<String, usize>,
    /// By name.
    ranges: BTreeMap<String, Bounds>,
}

/// Names of parameters by what becomes of them.
#[derive(Serialize, ToSchema)]
struct Outcomes {
    honoured: Vec<&'static str>,
    refused: Vec<&'static str>,
    ignored: Vec<&'static str>,
}

/// What of JSON Schema is enforced.
#[derive(Serialize, ToSchema)]
struct JsonSchema {
    keywords: Vec<&'static str>,
    formats: Vec<&'static str>,
    /// By name.
    limits: BTreeMap<String, usize>,
}

#[derive(Serialize, ToSchema)]
struct Bounds {
    minimum: f64,
    maximum: f64,
}

#[derive(Serialize, ToSchema)]
struct ModelCapabilities {
    id: String,
    aliases: Vec<String>,
    max_model_len: usize,
    /// `generate`, `embed`, `rerank` or `classify`.
    task: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    generates: Option<Generates>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embeds: Option<Embeds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_labels: Option<usize>,
}

#[derive(Serialize, ToSchema)]
struct Generates {
    /// It has a chat template.
    chat: bool,
    /// The names of its chat templates.
    chat_templates: Vec<String>,
    /// The format in which it calls functions.
    tools: &'static str,
    reasoning: bool,
    structured_outputs: Vec<&'static str>,
}

#[derive(Serialize, ToSchema)]
struct Embeds {
    dimensions: usize,
    shorter_dimensions: Vec<usize>,
    input_types: Vec<String>,
}

pub async fn get(State(state): State<Arc<ApiState>>) -> Result<Json<Capabilities>, ApiError> {
    let models = state.models()?;
    let generators = models.generators.iter().map(ModelCapabilities::generator);
    let encoders = models.encoders.iter().map(ModelCapabilities::encoder);
    let parameters = ENDPOINTS.iter();
    let limits = limits::TABLE
        .iter()
        .map(|limit| (limit.name.to_lowercase(), limit.value));
    // This one is the operator's.
    let max_body_bytes = ("max_body_bytes".to_owned(), state.max_body_bytes);
    let ranges = limits::RANGES.iter().map(|range| {
        let bounds = Bounds {
            minimum: range.value.min,
            maximum: range.value.max,
        };
        (range.name.to_lowercase(), bounds)
    });
    Ok(Json(Capabilities {
        object: "capabilities",
        version: env!("CARGO_PKG_VERSION"),
        models: generators.chain(encoders).collect(),
        parameters: parameters
            .map(|(route, table)| (*route, Outcomes::of(table)))
            .collect(),
        json_schema: JsonSchema {
            keywords: enforced_keywords().collect(),
            formats: SCHEMA_FORMATS.to_vec(),
            limits: SCHEMA_LIMITS
                .iter()
                .map(|(name, value, _)| (name.to_lowercase(), *value))
                .collect(),
        },
        stores_responses: state.store.is_some(),
        limits: limits.chain([max_body_bytes]).collect(),
        ranges: ranges.collect(),
    }))
}

impl Outcomes {
    fn of(table: &'static [Parameter]) -> Self {
        let named = |is_meant: fn(&Outcome) -> bool| {
            let meant = table.iter().filter(|p| is_meant(&p.outcome));
            meant.map(|p| p.name).collect()
        };
        Self {
            honoured: named(|outcome| matches!(outcome, Outcome::Honoured)),
            refused: named(|outcome| matches!(outcome, Outcome::RefusedUnless(_))),
            ignored: named(|outcome| matches!(outcome, Outcome::Ignored | Outcome::SentBack)),
        }
    }
}

impl ModelCapabilities {
    fn generator(served: &Served) -> Self {
        let model = &served.model;
        Self {
            id: model.id.clone(),
            aliases: served.aliases.clone(),
            max_model_len: model.max_model_len(),
            task: "generate",
            generates: Some(Generates {
                chat: model.chat_template.is_some(),
                chat_templates: (model.chat_template.iter())
                    .flat_map(|template| template.names().map(str::to_owned))
                    .collect(),
                tools: model.dialect.tools().name(),
                reasoning: model.dialect.thinks(),
                structured_outputs: vec![
                    "json_object",
                    "json_schema",
                    "regex",
                    "choice",
                    "grammar",
                ],
            }),
            embeds: None,
            num_labels: None,
        }
    }

    fn encoder(served: &ServedEncoding) -> Self {
        let model = &served.model;
        let (embeds, num_labels) = match model.task {
            EncoderTask::Embedding => {
                let embeds = Embeds {
                    dimensions: model.num_dimensions,
                    shorter_dimensions: model.matryoshka_dimensions.clone(),
                    input_types: model.prompts.keys().cloned().collect(),
                };
                (Some(embeds), None)
            }
            EncoderTask::Classification { num_labels } => (None, Some(num_labels)),
        };
        Self {
            id: model.id.clone(),
            aliases: served.aliases.clone(),
            max_model_len: model.max_text_len(),
            task: task_of(model),
            generates: None,
            embeds,
            num_labels,
        }
    }
}
