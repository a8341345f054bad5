//! `GET /v1/capabilities`: what this server does with a request, for programs that want to know
//! before they ask. From the same tables as the checks and the documentation.

use super::error::ApiError;
use super::limits;
use super::parameters::{Outcome, Parameter};
use super::reference::ENDPOINTS;
use super::state::{ApiState, Served, ServedEncoding};
use crate::encoding::EncoderTask;
use crate::generation::{SCHEMA_FORMATS, enforced_keywords};
use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub async fn get(State(state): State<Arc<ApiState>>) -> Result<Json<Value>, ApiError> {
    let models = state.models()?;
    let generators = models.generators.iter().map(generator);
    let models: Vec<Value> = generators
        .chain(models.encoders.iter().map(encoder))
        .collect();
    let endpoints: Map<String, Value> = ENDPOINTS
        .iter()
        .map(|(route, table)| ((*route).to_owned(), parameters(table)))
        .collect();
    let limits: Map<String, Value> = limits::TABLE
        .iter()
        .map(|limit| (limit.name.to_lowercase(), limit.value.into()))
        .collect();
    Ok(Json(json!({
        "object": "capabilities",
        "version": env!("CARGO_PKG_VERSION"),
        "models": models,
        "parameters": endpoints,
        "json_schema": {
            "keywords": enforced_keywords().collect::<Vec<_>>(),
            "formats": SCHEMA_FORMATS,
        },
        "stores_responses": state.store.is_some(),
        "limits": limits,
    })))
}

/// Names by what becomes of them.
fn parameters(table: &[Parameter]) -> Value {
    let named = |is_meant: fn(&Outcome) -> bool| -> Vec<&str> {
        let meant = table.iter().filter(|p| is_meant(&p.outcome));
        meant.map(|p| p.name).collect()
    };
    json!({
        "honoured": named(|outcome| matches!(outcome, Outcome::Honoured)),
        "refused": named(|outcome| matches!(outcome, Outcome::RefusedUnless(_))),
        "ignored": named(|outcome| matches!(outcome, Outcome::Ignored)),
    })
}

fn generator(served: &Served) -> Value {
    let model = &served.model;
    json!({
        "id": model.id,
        "aliases": served.aliases,
        "task": "generate",
        "max_model_len": model.max_model_len(),
        "chat": model.chat_template.is_some(),
        "chat_templates": model.chat_template.iter().flat_map(|one| one.names()).collect::<Vec<_>>(),
        "tools": format!("{:?}", model.dialect.tools()).to_lowercase(),
        "reasoning": model.dialect.thinks(),
        "structured_outputs": ["json_object", "json_schema", "regex", "choice", "grammar"],
    })
}

fn encoder(served: &ServedEncoding) -> Value {
    let model = &served.model;
    let mut about = json!({
        "id": model.id,
        "aliases": served.aliases,
        "max_model_len": model.max_text_len(),
    });
    match model.task {
        EncoderTask::Embedding => {
            about["task"] = "embed".into();
            about["dimensions"] = model.hidden_size.into();
            about["shorter_dimensions"] = model.matryoshka_dimensions.clone().into();
            about["input_types"] = model.prompts.keys().cloned().collect::<Vec<_>>().into();
        }
        EncoderTask::Classification { num_labels } => {
            about["task"] = if model.is_reranker() {
                "rerank"
            } else {
                "classify"
            }
            .into();
            about["labels"] = num_labels.into();
        }
    }
    about
}
