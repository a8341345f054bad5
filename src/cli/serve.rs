use super::CliError;
use crate::app::{self, App};
use crate::config::Config;
use crate::telemetry;
use clap::Args;
use serde_json::{Map, Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};

/// Threads for what blocks, such as tokenizing a long prompt; more of it waits its turn.
const MAX_BLOCKING_THREADS: usize = 16;

/// Serve a model over HTTP with an OpenAI-compatible API
///
/// The server answers at http://LISTEN/v1 until it gets SIGTERM or Ctrl-C; then it
/// finishes what it has begun and ends. GET /readyz says when the model is loaded.
#[derive(Args)]
pub struct ServeArgs {
    /// A directory with config.json, tokenizer.json and safetensors, or the name of one under weights/
    #[arg(long, value_name = "DIR|NAME")]
    model: Option<PathBuf>,

    /// Address and port to listen on; anything but loopback needs an API key in the configuration
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,

    /// A TOML file; config.example.toml lists every key
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// The id that clients use for the model [default: the directory's name]
    #[arg(long, value_name = "ID")]
    model_id: Option<String>,

    /// What computes: auto, cpu, cuda or cuda:N [default: auto, a GPU if this build has one]
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,

    /// How many GPUs, or parts of a CPU's threads, compute the model together [default: 1]
    #[arg(long, value_name = "N")]
    tensor_parallel: Option<usize>,

    /// Weights that are made and not loaded, to see how fast a shape is: random:SEED
    #[arg(long, value_name = "random:SEED")]
    weights: Option<String>,

    /// Number type of weights and KV cache in memory [default: auto, the checkpoint's own]
    #[arg(long, value_parser = ["auto", "f32", "bf16"])]
    dtype: Option<String>,

    /// Round the weights to whole numbers: faster and smaller, at a small cost in quality [default: none]
    #[arg(long, value_parser = ["none", "int8", "int4"])]
    quantize: Option<String>,

    /// Number type of the KV cache in memory: int8 takes little more than half of bf16's [default: auto, that of dtype]
    #[arg(long, value_parser = ["auto", "int8"])]
    kv_cache_dtype: Option<String>,

    /// A kernel set to pin, so that answers do not change with the processor [default: auto, the fastest]
    #[arg(long, value_name = "NAME")]
    kernels: Option<String>,

    /// Cut the model's context length down to this many tokens
    #[arg(long, value_name = "TOKENS")]
    max_model_len: Option<usize>,
}

impl ServeArgs {
    pub fn run(self) -> Result<(), CliError> {
        let config = Config::load(self.config.as_deref(), self.overrides())?;
        telemetry::init(&config.log)?;
        let models = app::resolve_models(&config)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .worker_threads(num_http_threads())
            .max_blocking_threads(MAX_BLOCKING_THREADS)
            .build()?;
        let result = runtime.block_on(async {
            let terminated = terminated()?;
            let app = App::bind(config).await?;
            app.run(models, terminated).await?;
            Ok(())
        });
        // Whatever still blocks has nobody to answer to.
        runtime.shutdown_background();
        result
    }

    /// The flags that were given, in the shape of the configuration file.
    fn overrides(&self) -> Value {
        let path = self.model.as_ref().map(|model| json!(model));
        let server = [("listen", self.listen.map(|listen| json!(listen)))];
        let model = [
            ("path", path),
            ("id", self.model_id.as_ref().map(|id| json!(id))),
            ("device", self.device.as_ref().map(|device| json!(device))),
            ("tensor_parallel", self.tensor_parallel.map(|n| json!(n))),
            (
                "weights",
                self.weights.as_ref().map(|weights| json!(weights)),
            ),
            ("dtype", self.dtype.as_ref().map(|dtype| json!(dtype))),
            (
                "quantize",
                self.quantize.as_ref().map(|quantize| json!(quantize)),
            ),
            (
                "kv_cache_dtype",
                self.kv_cache_dtype.as_ref().map(|dtype| json!(dtype)),
            ),
            (
                "kernels",
                self.kernels.as_ref().map(|kernels| json!(kernels)),
            ),
            ("max_model_len", self.max_model_len.map(|len| json!(len))),
        ];
        json!({"server": given(server), "model": given(model)})
    }
}

/// Threads that read requests and write answers: on half of the cores, because each that wakes
/// takes a core from the kernels in the middle of a step, and a token wakes a second one to look
/// for more.
fn num_http_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2))
}

fn given<const N: usize>(flags: [(&str, Option<Value>); N]) -> Map<String, Value> {
    flags
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

/// Exit status after a second signal, as of a command that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Listens for the signals now, so that none is lost; ends with the first. A second one
/// ends the process at once.
fn terminated() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let mut next = async move || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        next().await;
        tokio::spawn(async move {
            next().await;
            tracing::warn!("a second signal: ending without waiting for requests");
            std::process::exit(INTERRUPTED);
        });
    })
}
