//! `GET /metrics`: what an operator watches, in the OpenMetrics format.

use super::error::ApiError;
use super::state::{ApiState, Served};
use axum::extract::State;
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const HTTP_REQUESTS: &str = "guichet_http_requests";
const TIME_TO_FIRST_TOKEN: &str = "guichet_time_to_first_token_seconds";
const INTER_TOKEN: &str = "guichet_inter_token_latency_seconds";
const END_TO_END: &str = "guichet_generation_duration_seconds";

const RUNNING: &str = "guichet_requests_running";
const WAITING: &str = "guichet_requests_waiting";
const KV_BLOCKS_USED: &str = "guichet_kv_blocks_used";
const KV_BLOCKS_CACHED: &str = "guichet_kv_blocks_cached";
const KV_BLOCKS_TOTAL: &str = "guichet_kv_blocks_total";
const PROMPT_TOKENS: &str = "guichet_prompt_tokens";
const GENERATED_TOKENS: &str = "guichet_generated_tokens";
const CACHED_TOKENS: &str = "guichet_cached_prompt_tokens";
const DEATHS: &str = "guichet_engine_deaths";
const PREEMPTIONS: &str = "guichet_preemptions";
const STEPS: &str = "guichet_engine_steps";

// The names that dashboards and gateways built for vLLM ask for.
const VLLM_RUNNING: &str = "vllm:num_requests_running";
const VLLM_WAITING: &str = "vllm:num_requests_waiting";
const VLLM_KV_USAGE: &str = "vllm:kv_cache_usage_perc";

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
    /// `served` is filled when the model is loaded; until then the engine has no metrics.
    pub(super) fn new(served: Arc<OnceLock<Served>>) -> Self {
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
        registry.register_collector(Box::new(EngineCollector { served }));
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

/// Reads the engine's gauges and counters at each scrape.
struct EngineCollector {
    served: Arc<OnceLock<Served>>,
}

impl fmt::Debug for EngineCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EngineCollector")
    }
}

impl Collector for EngineCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(served) = self.served.get() else {
            return Ok(());
        };
        let stats = served.model.engine.stats();
        let read = |value: &AtomicU64| value.load(Ordering::Relaxed);
        let gauge = |value: u64| ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
        let (running, waiting) = (read(&stats.num_running), read(&stats.num_waiting));
        let (used, total) = (read(&stats.num_blocks_used), read(&stats.num_blocks_total));

        let mut plain = |name: &str, help: &str, kind: MetricType, metric: &dyn Encode| {
            metric.encode_into(encoder.encode_descriptor(name, help, None, kind)?)
        };
        plain(
            RUNNING,
            "Sequences being computed",
            MetricType::Gauge,
            &gauge(running),
        )?;
        plain(
            WAITING,
            "Sequences admitted and not yet computed",
            MetricType::Gauge,
            &gauge(waiting),
        )?;
        plain(
            KV_BLOCKS_USED,
            "Blocks of the KV cache that running sequences hold",
            MetricType::Gauge,
            &gauge(used),
        )?;
        plain(
            KV_BLOCKS_CACHED,
            "Blocks of the KV cache that are kept for prompts to come",
            MetricType::Gauge,
            &gauge(read(&stats.num_blocks_cached)),
        )?;
        plain(
            KV_BLOCKS_TOTAL,
            "Blocks of the KV cache",
            MetricType::Gauge,
            &gauge(total),
        )?;
        for (name, help, value) in [
            (
                PROMPT_TOKENS,
                "Prompt tokens computed",
                &stats.num_prompt_tokens,
            ),
            (
                GENERATED_TOKENS,
                "Tokens generated",
                &stats.num_generated_tokens,
            ),
            (
                PREEMPTIONS,
                "Sequences set back for want of KV blocks, or for another caller's share",
                &stats.num_preemptions,
            ),
            (
                CACHED_TOKENS,
                "Prompt tokens found in the prefix cache instead of computed",
                &stats.num_cached_tokens,
            ),
            (
                DEATHS,
                "Times that a failed step ended the engine",
                &stats.num_deaths,
            ),
            (STEPS, "Steps that the engine computed", &stats.num_steps),
        ] {
            plain(
                name,
                help,
                MetricType::Counter,
                &ConstCounter::new(read(value)),
            )?;
        }

        let usage = if total == 0 {
            0.0
        } else {
            used as f64 / total as f64
        };
        let labels = [("model_name", served.model.id.as_str())];
        let mut labelled = |name: &str, help: &str, metric: &dyn Encode| {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            metric.encode_into(family.encode_family(&labels)?)
        };
        labelled(
            VLLM_RUNNING,
            "The same as guichet_requests_running",
            &gauge(running),
        )?;
        labelled(
            VLLM_WAITING,
            "The same as guichet_requests_waiting",
            &gauge(waiting),
        )?;
        labelled(
            VLLM_KV_USAGE,
            "Used share of the KV cache, 0 to 1",
            &ConstGauge::new(usage),
        )
    }
}

/// [`EncodeMetric`] that can stand behind a reference.
trait Encode {
    fn encode_into(&self, encoder: prometheus_client::encoding::MetricEncoder<'_>) -> fmt::Result;
}

impl<M: EncodeMetric + TypedMetric> Encode for M {
    fn encode_into(&self, encoder: prometheus_client::encoding::MetricEncoder<'_>) -> fmt::Result {
        self.encode(encoder)
    }
}
