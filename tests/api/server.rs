//! A server on a free loopback port, and a client for it.

use crate::scripted::{self, Script};
use guichet::api::{ApiState, DocumentReader, Models, Served};
use guichet::app;
use guichet::config::ServerConfig;
use guichet::document::ParseLimits;
use guichet::document::sandbox::Parser;
use guichet::engine::{EngineConfig, KvGroup};
use guichet::generation::ServedModel;
use guichet::prompt::{BUILT_IN, PromptLibrary};
use guichet::store::Store;
use guichet::tenant::{KeyConfig, KeyRing};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub const CHAT: &str = "/v1/chat/completions";
pub const COMPLETIONS: &str = "/v1/completions";

pub struct Options {
    pub script: Script,
    pub server: ServerConfig,
    pub keys: Vec<KeyConfig>,
    pub engine: EngineConfig,
    pub store: Option<Store>,
}

impl Options {
    pub fn new(script: Script) -> Self {
        Self {
            script,
            server: ServerConfig::default(),
            keys: Vec::new(),
            engine: scripted::engine_config(),
            store: None,
        }
    }
}

pub struct TestServer {
    pub base: String,
    pub client: reqwest::Client,
    pub state: Arc<ApiState>,
    pub stop: oneshot::Sender<()>,
    pub task: JoinHandle<()>,
}

/// An answer that was read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn read(response: Response) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The `data` of each event of a stream.
    pub fn events(&self) -> Vec<&str> {
        self.text
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .collect()
    }

    /// The chunks of a stream that ended in order.
    pub fn chunks(&self) -> Vec<Value> {
        let events = self.events();
        let (last, chunks) = events
            .split_last()
            .unwrap_or_else(|| panic!("no events: {}", self.text));
        assert_eq!(*last, "[DONE]", "{}", self.text);
        chunks
            .iter()
            .map(|chunk| serde_json::from_str(chunk).unwrap())
            .collect()
    }
}

impl TestServer {
    pub async fn saying(text: &str) -> Self {
        Self::start(Options::new(Script::saying(text))).await
    }

    pub async fn start(options: Options) -> Self {
        let Options {
            script,
            server,
            keys,
            engine,
            store,
        } = options;
        let this = Self::listen(server, &keys, store).await;
        this.set_model(scripted::served_model(script, engine));
        this
    }

    /// What the server answers with from now on.
    pub fn set_model(&self, model: ServedModel) {
        self.state.set_models(Models {
            generators: vec![Served {
                model: Arc::new(model),
                system_fingerprint: "fp_test".to_owned(),
                aliases: vec!["another-name".to_owned()],
            }],
            encoders: Vec::new(),
        });
    }

    /// A server whose model never arrives.
    pub async fn start_loading(server: ServerConfig, keys: &[KeyConfig]) -> Self {
        Self::listen(server, keys, None).await
    }

    /// A server without a model.
    pub async fn listen(server: ServerConfig, keys: &[KeyConfig], store: Option<Store>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let state = ApiState::new(&server, KeyRing::new(keys).unwrap())
            .with_documents(DocumentReader {
                parser: Arc::new(Parser::new(env!("CARGO_BIN_EXE_guichet").into())),
                limits: ParseLimits {
                    max_input_bytes: 16 << 20,
                    ..ParseLimits::default()
                },
            })
            .with_prompts(PromptLibrary::load(BUILT_IN, &[]).unwrap());
        let state = Arc::new(state.with_store(store));
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&state);
        let task = tokio::spawn(async move {
            let stopped = async {
                // A test that ends without saying so stops its server too.
                let _ = stopped.await;
            };
            app::serve(listener, serving, &server, stopped).await;
        });
        Self {
            base,
            client: reqwest::Client::new(),
            state,
            stop,
            task,
        }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::read(self.request(Method::GET, path).send().await.unwrap()).await
    }

    /// One with room for whole letters.
    pub async fn with_room(script: Script) -> Self {
        Self::start(Options {
            engine: EngineConfig {
                max_model_len: 16_384,
                kv_groups: vec![KvGroup::without_window(4096)],
                ..scripted::engine_config()
            },
            ..Options::new(script)
        })
        .await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::read(
            self.request(Method::POST, path)
                .json(body)
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    /// The value of one metric, whose labels are part of its name.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics").await.text;
        let line = text
            .lines()
            .find(|line| line.split(' ').next() == Some(name))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// Waits until a metric has a value; panics after half a minute, which a busy machine may need.
    pub async fn wait_for_metric(&self, name: &str, value: f64) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let now = self.metric(name).await;
            if now == Some(value) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{name} is {now:?} and not {value}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
