//! `GET /info`: the encoder that is served, as text-embeddings-inference tells it.

use super::error::ApiError;
use super::limits;
use super::state::ApiState;
use crate::encoding::{EncoderTask, ServedEncoder};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub struct Info {
    model_id: String,
    model_type: ModelType,
    max_input_length: usize,
    max_batch_tokens: usize,
    max_batch_requests: usize,
    max_client_batch_size: usize,
    auto_truncate: bool,
    version: &'static str,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ModelType {
    Embedding(Embedding),
    Reranker(Reranker),
}

#[derive(Serialize, ToSchema)]
#[schema(as = EmbeddingModel)]
struct Embedding {
    pooling: &'static str,
}

#[derive(Serialize, ToSchema)]
struct Reranker {
    id2label: BTreeMap<&'static str, &'static str>,
    label2id: BTreeMap<&'static str, u32>,
}

/// Of a reranker, if one is served, else of an embedding model.
pub async fn get(State(state): State<Arc<ApiState>>) -> Result<Json<Info>, ApiError> {
    const LABEL: &str = "LABEL_0";
    let encoders = &state.models()?.encoders;
    let is_embedder = |model: &ServedEncoder| model.task == EncoderTask::Embedding;
    let served = (encoders.iter().find(|served| served.model.is_reranker()))
        .or_else(|| encoders.iter().find(|served| is_embedder(&served.model)));
    let Some(served) = served else {
        return Err(ApiError::no_encoder());
    };
    let model = &served.model;
    let config = model.engine.config();
    Ok(Json(Info {
        model_id: model.id.clone(),
        model_type: match model.task {
            EncoderTask::Embedding => ModelType::Embedding(Embedding {
                pooling: model.pooling,
            }),
            EncoderTask::Classification { .. } => ModelType::Reranker(Reranker {
                id2label: BTreeMap::from([("0", LABEL)]),
                label2id: BTreeMap::from([(LABEL, 0)]),
            }),
        },
        max_input_length: config.max_text_len,
        max_batch_tokens: config.max_batched_tokens,
        max_batch_requests: config.max_batched_texts,
        max_client_batch_size: limits::MAX_TEXTS,
        auto_truncate: false,
        version: env!("CARGO_PKG_VERSION"),
    }))
}
