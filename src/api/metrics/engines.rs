//! What engines count, read at each scrape.

use crate::api::state::Models;
use crate::engine::{EncodingStats, Engine, EngineStats};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::{MetricType, TypedMetric};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// A metric's name, what it says, whether it only grows, and where it is read.
struct Metric<S> {
    name: &'static str,
    help: &'static str,
    is_counter: bool,
    of: fn(&S) -> &AtomicU64,
}

const fn gauge<S>(name: &'static str, help: &'static str, of: fn(&S) -> &AtomicU64) -> Metric<S> {
    Metric {
        name,
        help,
        is_counter: false,
        of,
    }
}

const fn counter<S>(name: &'static str, help: &'static str, of: fn(&S) -> &AtomicU64) -> Metric<S> {
    Metric {
        name,
        help,
        is_counter: true,
        of,
    }
}

/// Over all models that generate.
const OF_ENGINES: [Metric<EngineStats>; 11] = [
    gauge(
        "guichet_requests_running",
        "Sequences being computed",
        |stats| &stats.num_running,
    ),
    gauge(
        "guichet_requests_waiting",
        "Sequences admitted and not yet computed",
        |stats| &stats.num_waiting,
    ),
    gauge(
        "guichet_kv_blocks_used",
        "Blocks of the KV cache that running sequences hold",
        |stats| &stats.num_blocks_used,
    ),
    gauge(
        "guichet_kv_blocks_cached",
        "Blocks of the KV cache that are kept for prompts to come",
        |stats| &stats.num_blocks_cached,
    ),
    gauge(
        "guichet_kv_blocks_total",
        "Blocks of the KV cache",
        |stats| &stats.num_blocks_total,
    ),
    counter("guichet_prompt_tokens", "Prompt tokens computed", |stats| {
        &stats.num_prompt_tokens
    }),
    counter("guichet_generated_tokens", "Tokens generated", |stats| {
        &stats.num_generated_tokens
    }),
    counter(
        "guichet_preemptions",
        "Sequences set back for want of KV blocks, or for another caller's share",
        |stats| &stats.num_preemptions,
    ),
    counter(
        "guichet_cached_prompt_tokens",
        "Prompt tokens found in the prefix cache instead of computed",
        |stats| &stats.num_cached_tokens,
    ),
    counter(
        "guichet_engine_deaths",
        "Times that a failed step ended the engine",
        |stats| &stats.num_deaths,
    ),
    counter(
        "guichet_engine_steps",
        "Steps that the engine computed",
        |stats| &stats.num_steps,
    ),
];

/// Of each model by its id, over its engines, under the names that dashboards and gateways built
/// for vLLM ask for.
const OF_EACH_MODEL: [Metric<EngineStats>; 2] = [
    gauge(
        "vllm:num_requests_running",
        "The same as guichet_requests_running",
        |stats| &stats.num_running,
    ),
    gauge(
        "vllm:num_requests_waiting",
        "The same as guichet_requests_waiting",
        |stats| &stats.num_waiting,
    ),
];
const VLLM_KV_USAGE: &str = "vllm:kv_cache_usage_perc";

/// Of each engine of a model, by its number.
const REPLICA_UP: &str = "guichet_replica_up";
const REPLICA_REQUESTS: &str = "guichet_replica_requests";

/// Of each encoder by its id.
const OF_EACH_ENCODER: [Metric<EncodingStats>; 4] = [
    gauge(
        "guichet_texts_waiting",
        "Texts that wait for an encoder",
        |stats| &stats.num_waiting,
    ),
    counter(
        "guichet_encoded_texts",
        "Texts that encoders computed",
        |stats| &stats.num_texts,
    ),
    counter(
        "guichet_encoded_tokens",
        "Tokens of texts that encoders computed",
        |stats| &stats.num_tokens,
    ),
    counter(
        "guichet_encoder_batches",
        "Batches that encoders computed",
        |stats| &stats.num_batches,
    ),
];

/// Reads the engines' gauges and counters at each scrape.
pub struct EngineCollector {
    pub models: Arc<OnceLock<Models>>,
}

impl fmt::Debug for EngineCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EngineCollector")
    }
}

impl Collector for EngineCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(models) = self.models.get() else {
            return Ok(());
        };
        let generators = || {
            let models = models.generators.iter();
            models.map(|served| (&*served.model.id, served.model.engines.engines()))
        };
        let encoders = || {
            models
                .encoders
                .iter()
                .map(|served| (&*served.model.id, served.model.engine.stats()))
        };
        for metric in &OF_ENGINES {
            let sum = generators().map(|(_, engines)| metric.sum(engines)).sum();
            let to = encoder.encode_descriptor(metric.name, metric.help, None, metric.kind())?;
            metric.value(sum).encode_into(to)?;
        }
        for metric in &OF_EACH_MODEL {
            let sums = generators().map(|(model, engines)| (model, metric.sum(engines)));
            metric.encode_each(&mut encoder, sums)?;
        }
        for metric in &OF_EACH_ENCODER {
            let values = encoders().map(|(model, stats)| (model, metric.read(stats)));
            metric.encode_each(&mut encoder, values)?;
        }
        let help = "Used share of the KV cache, 0 to 1";
        let mut family = encoder.encode_descriptor(VLLM_KV_USAGE, help, None, MetricType::Gauge)?;
        for (model, engines) in generators() {
            let sum = |of: fn(&EngineStats) -> &AtomicU64| {
                let values = engines.iter().map(|engine| of(engine.stats()));
                values.map(|v| v.load(Ordering::Relaxed)).sum::<u64>() as f64
            };
            let (used, all) = (sum(|s| &s.num_blocks_used), sum(|s| &s.num_blocks_total));
            let labels = [("model_name", model)];
            ConstGauge::new(used / all.max(1.0)).encode(family.encode_family(&labels)?)?;
        }
        let help = "Whether an engine takes requests, 0 or 1";
        let is_up = |engine: &Engine| i64::from(engine.is_alive());
        encode_replicas(&mut encoder, REPLICA_UP, help, generators(), is_up)?;
        let help = "Sequences that an engine computes or has waiting";
        let num_requests = |engine: &Engine| {
            let read = |value: &AtomicU64| value.load(Ordering::Relaxed);
            let stats = engine.stats();
            i64::try_from(read(&stats.num_running) + read(&stats.num_waiting)).unwrap_or(i64::MAX)
        };
        encode_replicas(
            &mut encoder,
            REPLICA_REQUESTS,
            help,
            generators(),
            num_requests,
        )
    }
}

fn encode_replicas<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    generators: impl Iterator<Item = (&'a str, &'a [Engine])>,
    value: impl Fn(&Engine) -> i64,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (model, engines) in generators {
        for (replica, engine) in engines.iter().enumerate() {
            let replica = replica.to_string();
            let labels = [("model_name", model), ("replica", &*replica)];
            ConstGauge::new(value(engine)).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

impl Metric<EngineStats> {
    fn sum(&self, engines: &[Engine]) -> u64 {
        let values = engines.iter().map(|engine| self.read(engine.stats()));
        values.sum()
    }
}

impl<S> Metric<S> {
    fn read(&self, stats: &S) -> u64 {
        (self.of)(stats).load(Ordering::Relaxed)
    }

    fn kind(&self) -> MetricType {
        match self.is_counter {
            true => MetricType::Counter,
            false => MetricType::Gauge,
        }
    }

    fn value(&self, value: u64) -> Box<dyn Encode> {
        match self.is_counter {
            true => Box::new(ConstCounter::new(value)),
            false => Box::new(ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX))),
        }
    }

    fn encode_each<'a>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        values: impl Iterator<Item = (&'a str, u64)>,
    ) -> fmt::Result {
        let mut family = encoder.encode_descriptor(self.name, self.help, None, self.kind())?;
        for (model, value) in values {
            let labels = [("model_name", model)];
            let to = family.encode_family(&labels)?;
            self.value(value).encode_into(to)?;
        }
        Ok(())
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
