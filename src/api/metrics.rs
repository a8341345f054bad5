//! `GET /metrics`: what an operator watches, in the OpenMetrics format.

mod engines;

use super::error::ApiError;
use super::state::{ApiState, Models};
use axum::extract::State;
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use engines::EngineCollector;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const HTTP_REQUESTS: &str = "guichet_http_requests";
const TIME_TO_FIRST_TOKEN: &str = "guichet_time_to_first_token_seconds";
const INTER_TOKEN: &str = "guichet_inter_token_latency_seconds";
const END_TO_END: &str = "guichet_generation_duration_seconds";

const CONTENT_TYPE_OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the API measures itself, and a registry that also reads the engine at each scrape.
pub struct Metrics {
    registry: Registry,
    http_requests: Family<HttpLabels, Counter>,
    time_to_first_token: Histogram,
    inter_token: Histogram,
    end_to_end: Histogram,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HttpLabels {
    method: &'static str,
    route: String,
    status: u16,
}

impl Metrics {
    /// `models` is filled when they are loaded; until then the engines have no metrics.
    pub(super) fn new(models: Arc<OnceLock<Models>>) -> Self {
        let http_requests = Family::default();
        // 1 ms to 524 s: a token on a GPU, a long answer on a CPU.
        let histogram = || Histogram::new(exponential_buckets(0.001, 2.0, 20));
        let (time_to_first_token, inter_token, end_to_end) =
            (histogram(), histogram(), histogram());
        let mut registry = Registry::default();
        registry.register(
            HTTP_REQUESTS,
            "Requests answered, by route and status",
            http_requests.clone(),
        );
        registry.register(
            TIME_TO_FIRST_TOKEN,
            "From the request to the first text of each choice",
            time_to_first_token.clone(),
        );
        registry.register(
            INTER_TOKEN,
            "Between two pieces of text of one choice, which are one token nearly always",
            inter_token.clone(),
        );
        registry.register(
            END_TO_END,
            "From the request to the end of its last choice",
            end_to_end.clone(),
        );
        registry.register_collector(Box::new(EngineCollector { models }));
        Self {
            registry,
            http_requests,
            time_to_first_token,
            inter_token,
            end_to_end,
        }
    }

    pub(super) fn count_request(&self, method: &Method, route: &str, status: u16) {
        // A client may invent methods; a label must not grow with them.
        let method = match method.as_str() {
            "GET" => "GET",
            "HEAD" => "HEAD",
            "POST" => "POST",
            _ => "other",
        };
        self.http_requests
            .get_or_create(&HttpLabels {
                method,
                route: route.to_owned(),
                status,
            })
            .inc();
    }

    pub(super) fn observe_first_token(&self, since_request: Duration) {
        self.time_to_first_token
            .observe(since_request.as_secs_f64());
    }

    pub(super) fn observe_inter_token(&self, since_last: Duration) {
        self.inter_token.observe(since_last.as_secs_f64());
    }

    pub(super) fn observe_end(&self, since_request: Duration) {
        self.end_to_end.observe(since_request.as_secs_f64());
    }
}

/// `GET /metrics`.
pub async fn get(State(state): State<Arc<ApiState>>) -> Response {
    let mut body = String::new();
    match text::encode(&mut body, &state.metrics.registry) {
        Ok(()) => ([(CONTENT_TYPE, CONTENT_TYPE_OPENMETRICS)], body).into_response(),
        Err(fmt::Error) => ApiError::internal("encoding the metrics").into_response(),
    }
}
