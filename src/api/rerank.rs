//! `POST /v1/rerank`, as Cohere and Jina have it, and `POST /rerank` and `GET /info`, as Hugging
//! Face's text-embeddings-inference has them.

use super::body::JsonBody;
use super::embeddings::EmbeddingUsage;
use super::error::ApiError;
use super::fields::{Field, Fields};
use super::json::Json as Value;
use super::limits;
use super::parameters::{self, Ignored};
use super::random;
use super::state::ApiState;
use crate::encoding::{Cut, Encoded, ServedEncoder, Text, sigmoid};
use crate::generation::Caller;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub struct Reranked {
    id: String,
    model: String,
    results: Vec<RerankResult>,
    usage: EmbeddingUsage,
}

#[derive(Serialize, ToSchema)]
struct RerankResult {
    index: usize,
    relevance_score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<Document>,
    /// Not theirs: something was cut off the document, and so many tokens were there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated_from: Option<usize>,
}

#[derive(Serialize, ToSchema)]
struct Document {
    text: String,
}

#[derive(Serialize, ToSchema)]
pub struct Rank {
    index: usize,
    score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// What `/v1/rerank` and `/rerank` come to.
struct Ranking {
    model: Arc<ServedEncoder>,
    documents: Vec<String>,
    encoded: Encoded,
    /// Best first; of equals the first.
    order: Vec<usize>,
}

pub async fn create(
    State(state): State<Arc<ApiState>>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let fields = Fields::root(&body)?;
    let model = Arc::clone(
        &state
            .encoder(&fields, ServedEncoder::is_reranker, false)?
            .model,
    );
    let mut ignored = state.ignored();
    parameters::check(parameters::RERANK, &fields, &mut ignored)?;
    let documents = documents(&fields.require("documents")?, &mut ignored)?;
    let top_n = match fields.get("top_n") {
        Some(field) => field.count(limits::MAX_TEXTS)?,
        None => documents.len(),
    };
    let with_documents = fields.flag("return_documents")?.unwrap_or(false);
    let cut = match fields.get("max_tokens_per_doc") {
        Some(field) => Cut::ToSecond(field.count(limits::MAX_MAX_TOKENS)?),
        None => Cut::Nothing,
    };
    let query = fields.require("query")?;
    let ranking = rank(&state, caller, model, &query, documents, cut, "documents").await?;
    let scores = ranking.scores(sigmoid);
    let results = ranking.order.iter().take(top_n).map(|index| RerankResult {
        index: *index,
        relevance_score: scores[*index],
        document: with_documents.then(|| Document {
            text: ranking.documents[*index].clone(),
        }),
        truncated_from: ranking.truncated_from(*index),
    });
    let reranked = Reranked {
        id: format!("rerank-{}", random::hex()),
        model: ranking.model.id.clone(),
        results: results.collect(),
        usage: EmbeddingUsage {
            prompt_tokens: ranking.encoded.num_tokens,
            total_tokens: ranking.encoded.num_tokens,
        },
    };
    let mut response = Json(reranked).into_response();
    ignored.write_header(&mut response);
    Ok(response)
}

/// `POST /rerank`.
pub async fn rank_texts(
    State(state): State<Arc<ApiState>>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let fields = Fields::root(&body)?;
    let model = Arc::clone(
        &state
            .encoder(&fields, ServedEncoder::is_reranker, true)?
            .model,
    );
    let mut ignored = state.ignored();
    parameters::check(parameters::TEI_RERANK, &fields, &mut ignored)?;
    let texts = fields.require("texts")?;
    let documents = texts
        .items("texts", limits::MAX_TEXTS)?
        .map(|text| Ok(text.string()?.to_owned()))
        .collect::<Result<Vec<_>, ApiError>>()?;
    let raw = fields.flag("raw_scores")?.unwrap_or(false);
    let with_text = fields.flag("return_text")?.unwrap_or(false);
    let from_left = match fields.get("truncation_direction") {
        None => false,
        Some(field) => match field.string()? {
            "Right" | "right" => false,
            "Left" | "left" => true,
            _ => return Err(field.must("be `Left` or `Right`")),
        },
    };
    let cut = match (fields.flag("truncate")?.unwrap_or(false), from_left) {
        (false, _) => Cut::Nothing,
        (true, false) => Cut::ToTotal(model.max_text_len()),
        (true, true) => Cut::BeginningToTotal(model.max_text_len()),
    };
    let query = fields.require("query")?;
    let ranking = rank(&state, caller, model, &query, documents, cut, "texts").await?;
    let scores = ranking.scores(|score| if raw { score } else { sigmoid(score) });
    let ranks: Vec<_> = (ranking.order.iter())
        .map(|index| Rank {
            index: *index,
            score: scores[*index],
            text: with_text.then(|| ranking.documents[*index].clone()),
        })
        .collect();
    let mut response = Json(ranks).into_response();
    ignored.write_header(&mut response);
    Ok(response)
}

async fn rank(
    state: &ApiState,
    caller: Caller,
    model: Arc<ServedEncoder>,
    query: &Field<'_>,
    documents: Vec<String>,
    cut: Cut,
    field: &'static str,
) -> Result<Ranking, ApiError> {
    let query = query.string()?.to_owned();
    let pair = |document: &String| Text::Pair(query.clone(), document.clone());
    let texts: Vec<_> = documents.iter().map(pair).collect();
    let reader = Arc::clone(&model);
    let tokenized = state
        .beside_connections(caller, move || reader.tokenize(&texts, "", cut))
        .await?;
    let failed =
        |error| ApiError::from_encoding(&error, field, |i| format!("query` and `{field}[{i}]"));
    let encoded = model
        .encode(caller, tokenized.map_err(failed)?, state.request_timeout)
        .await
        .map_err(failed)?;
    let mut order: Vec<usize> = (0..documents.len()).collect();
    order.sort_by(|a, b| encoded.rows[*b][0].total_cmp(&encoded.rows[*a][0]));
    Ok(Ranking {
        model,
        documents,
        encoded,
        order,
    })
}

impl Ranking {
    /// By document.
    fn scores(&self, of: impl Fn(f32) -> f32) -> Vec<f32> {
        self.encoded.rows.iter().map(|row| of(row[0])).collect()
    }

    fn truncated_from(&self, index: usize) -> Option<usize> {
        let mut cut = self.encoded.cut.iter();
        cut.find(|(document, _)| *document == index)
            .map(|(_, len)| *len)
    }
}

/// Strings, or objects with a `text`.
fn documents(field: &Field<'_>, ignored: &mut Ignored) -> Result<Vec<String>, ApiError> {
    field
        .items("documents", limits::MAX_TEXTS)?
        .map(|document| match document.value() {
            Value::Object(_) => {
                let fields = document.object()?;
                parameters::check(parameters::DOCUMENT, &fields, ignored)?;
                Ok(fields.require("text")?.string()?.to_owned())
            }
            _ => Ok(document.string()?.to_owned()),
        })
        .collect()
}
