//! A server of every kind of model, whose template prints all that it is given.

use crate::embeddings;
use crate::forms::Form;
use crate::scripted::{self, Family, Script};
use crate::server::{Answer, TestServer};
use guichet::api::{Models, Served, ServedEncoding};
use guichet::config::ServerConfig;
use guichet::engine::EngineConfig;
use guichet::store::{NewFile, Retention, Store};
use guichet::text::Tokenizer;
use reqwest::Url;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// A second model of each kind.
pub const OTHER: &str = "other";
/// A third one, whose tokenizer puts a token before each prompt.
pub const WITH_BOS: &str = "with-bos";
pub const EMBEDDER: &str = "embedder";
pub const RANKER: &str = "ranker";

/// Files that are there: `a` and `b`.
pub const KEPT: [&str; 2] = ["file-a", "file-b"];

/// What stands for the query of a list.
pub const LIST_FILES: &str = "GET /v1/files";

/// It has two templates.
pub const FAMILY: Family = Family {
    template: concat!(
        r#"[{"name": "default", "template": "{# <tool_call> <think> </think> #}{{ tools | tojson }}{{ documents | tojson }}{{ reasoning_effort }}{{ enable_thinking }}{% for m in messages %}[{{ m | tojson }}]{% endfor %}{% if add_generation_prompt %}!{% endif %}"}, "#,
        r#"{"name": "rag", "template": "rag{{ messages | tojson }}"}]"#
    ),
    control: &[],
    tags: &["<think>", "</think>"],
};

pub struct Server {
    pub server: TestServer,
    /// What the first model was given.
    pub script: Script,
    _dir: TempDir,
}

impl Server {
    pub async fn saying(text: &str) -> Self {
        Self::configured(text, ServerConfig::default()).await
    }

    pub async fn configured(text: &str, server: ServerConfig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let retention = Retention {
            time: Duration::from_secs(3600),
            max_bytes: 16 << 20,
        };
        let store = Store::open(&dir.path().join("guichet.db"), retention).await;
        let store = store.unwrap();
        keep_files(&store).await;
        let script = Script {
            family: FAMILY,
            ..Script::saying(text)
        };
        let server = TestServer::listen(server, &[], Some(store)).await;
        server.state.set_models(Models {
            generators: generators(&script),
            encoders: encoders(),
        });
        Self {
            server,
            script,
            _dir: dir,
        }
    }
}

impl Server {
    /// As the route takes it: JSON, a form or a query.
    pub async fn ask(&self, route: &str, body: &Value) -> Answer {
        match route {
            "/v1/files" => self.server.post_form(route, Form::from(body)).await,
            LIST_FILES => {
                let mut url = Url::parse("http://localhost/v1/files").unwrap();
                for (name, value) in body.as_object().unwrap() {
                    let text = value.as_str().map_or(value.to_string(), str::to_owned);
                    url.query_pairs_mut().append_pair(name, &text);
                }
                let query = url.query().unwrap_or_default();
                self.server.get(&format!("/v1/files?{query}")).await
            }
            _ => self.server.post(route, body).await,
        }
    }
}

async fn keep_files(store: &Store) {
    for (id, content) in KEPT.into_iter().zip(["a", "b"]) {
        let file = NewFile {
            id,
            name: "a.txt",
            purpose: "user_data",
            content: content.as_bytes(),
            sha256: content,
            time: None,
        };
        store.put_file("", &file, SystemTime::now()).await.unwrap();
    }
}

fn generators(script: &Script) -> Vec<Served> {
    let config = || EngineConfig {
        max_model_len: 4096,
        ..scripted::engine_config()
    };
    let other = || Script::saying("Something else.");
    let mut models = vec![
        scripted::served_model(script.clone(), config()),
        scripted::served_model(other(), config()),
        scripted::served_model(other(), config()),
    ];
    models[1].id = OTHER.to_owned();
    models[2].id = WITH_BOS.to_owned();
    models[2].tokenizer = Arc::new(with_bos());
    let served = |model| Served {
        model: Arc::new(model),
        system_fingerprint: "fp_test".to_owned(),
        aliases: Vec::new(),
    };
    models.into_iter().map(served).collect()
}

fn with_bos() -> Tokenizer {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-llama");
    let text = std::fs::read_to_string(path.join("tokenizer.json")).unwrap();
    let mut tokenizer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let bos = tokenizer["added_tokens"][0].clone();
    tokenizer["post_processor"] = json!({
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": bos["content"], "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {bos["content"].as_str().unwrap(): {"id": bos["content"], "ids": [bos["id"]], "tokens": [bos["content"]]}},
    });
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    Tokenizer::from_dir(dir.path()).unwrap()
}

fn encoders() -> Vec<ServedEncoding> {
    let encoder = |name: &str, id: &str| {
        let mut served = embeddings::encoder(name, id);
        if let Some(model) = Arc::get_mut(&mut served.model) {
            model.matryoshka_dimensions = vec![24];
        }
        served
    };
    vec![
        encoder("tiny-bert", EMBEDDER),
        encoder("tiny-bert", OTHER),
        encoder("tiny-xlm-roberta", RANKER),
        encoder("tiny-xlm-roberta", "other-ranker"),
    ]
}
