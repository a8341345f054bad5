//! HTTP and OpenAI JSON, and nothing else speaks either.
//!
//! Owns the routes, what a request may hold, what an answer looks like and every message
//! that a client reads. Refuses to know tensors and to guess: a field is honoured, refused
//! by name or listed as ignored.

mod annotations;
mod answer;
mod asker;
mod auth;
mod body;
mod capabilities;
mod chat;
mod chat_answer;
mod chat_chunks;
mod completions;
mod cors;
mod delivery;
mod documents;
mod embeddings;
mod error;
mod error_body;
#[cfg(test)]
mod error_tests;
mod fields;
mod files;
mod form;
mod health;
mod info;
mod inputs;
mod json;
pub mod limits;
mod logprobs;
mod long;
mod messages;
mod metrics;
mod models;
pub mod openapi;
mod output_format;
pub mod parameters;
mod prompt;
mod prompts;
mod random;
pub mod reference;
mod request;
mod request_id;
mod rerank;
mod responses;
mod restored;
mod sampling_fields;
mod service_tier;
mod sse;
mod state;
mod template_fields;
mod tokens;
mod tools;
mod turns;

pub use state::{ApiState, DocumentReader, Models, Served, ServedEncoding};

use axum::Router;
use axum::http::{Method, Uri};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use error::ApiError;
use std::sync::Arc;

const CHAT: &str = "/v1/chat/completions";
const COMPLETIONS: &str = "/v1/completions";
const RENDER: &str = "/v1/chat/completions/render";
const TOKENIZE: &str = "/tokenize";
const DETOKENIZE: &str = "/detokenize";
const EMBEDDINGS: &str = "/v1/embeddings";
const RESPONSES: &str = "/v1/responses";
const RERANK: &str = "/v1/rerank";
/// As Hugging Face's text-embeddings-inference has it.
const TEI_RERANK: &str = "/rerank";
const PARSE: &str = "/v1/documents/parse";
const FILES: &str = "/v1/files";
const PROMPTS: &str = "/v1/prompts";
const CAPABILITIES: &str = "/v1/capabilities";
const OPENAPI: &str = "/openapi.json";

/// Routes whose bodies may hold documents.
const TAKE_DOCUMENTS: [&str; 4] = [CHAT, RESPONSES, RENDER, PARSE];

/// Routes that take a body.
const POSTED: [&str; 10] = [
    RESPONSES,
    CHAT,
    COMPLETIONS,
    RENDER,
    TOKENIZE,
    DETOKENIZE,
    EMBEDDINGS,
    RERANK,
    TEI_RERANK,
    PARSE,
];

/// Every route of the server.
pub fn router(state: Arc<ApiState>) -> Router {
    let cors = state.cors.clone();
    let router = Router::new()
        .route(CHAT, post(chat::create))
        .route(COMPLETIONS, post(completions::create))
        .route(RENDER, post(tokens::render))
        .route(TOKENIZE, post(tokens::tokenize))
        .route(DETOKENIZE, post(tokens::detokenize))
        .route(RESPONSES, post(responses::create))
        .route(
            "/v1/responses/{id}",
            get(responses::get).delete(responses::delete),
        )
        .route("/v1/responses/{id}/cancel", post(responses::cancel))
        .route(
            "/v1/responses/{id}/input_items",
            get(responses::input_items),
        )
        .route(PARSE, post(documents::parse))
        .route(FILES, get(files::list).post(files::create))
        .route("/v1/files/{id}", get(files::get).delete(files::delete))
        .route("/v1/files/{id}/content", get(files::content))
        .route(PROMPTS, get(prompts::list))
        .route("/v1/prompts/{id}", get(prompts::get))
        .route(EMBEDDINGS, post(embeddings::create))
        .route(RERANK, post(rerank::create))
        .route(TEI_RERANK, post(rerank::rank_texts))
        .route("/info", get(info::get))
        .route(CAPABILITIES, get(capabilities::get))
        .route(OPENAPI, get(openapi::get))
        .route("/v1/models", get(models::list))
        // Ids may hold slashes: org/model.
        .route("/v1/models/{*id}", get(models::get))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/health", get(health::readyz))
        .route("/metrics", get(metrics::get))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .layer(from_fn_with_state(Arc::clone(&state), auth::layer))
        .layer(from_fn_with_state(
            Arc::clone(&state.metrics),
            request_id::layer,
        ))
        .with_state(state);
    match cors {
        // Outermost: a preflight has no key.
        Some(cors) => router.layer(cors),
        None => router,
    }
}

async fn not_found(method: Method, uri: Uri) -> ApiError {
    ApiError::unknown_route(&method, uri.path())
}

async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    let path = uri.path();
    let kept = [RESPONSES, FILES]
        .iter()
        .find_map(|kind| path.strip_prefix(kind));
    let allowed = match kept.filter(|rest| !rest.is_empty()) {
        Some(rest) if rest.ends_with("/cancel") => "POST",
        Some(rest) if !rest.ends_with("/input_items") && !rest.ends_with("/content") => {
            "GET, HEAD, DELETE"
        }
        None if path == FILES => "GET, HEAD, POST",
        None if POSTED.contains(&path) => "POST",
        _ => "GET, HEAD",
    };
    ApiError::method_not_allowed(&method, path, allowed)
}
