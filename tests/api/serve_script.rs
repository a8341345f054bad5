//! The scripted model as a process of its own, for clients in other languages: everything but
//! the model is real.

use crate::embeddings::encoder;
use crate::scripted::{self, Family, MODEL, Reply, Script};
use crate::server::TestServer;
use guichet::api::{Models, Served};
use guichet::config::ServerConfig;
use guichet::engine::EngineConfig;
use guichet::generation::ServedModel;
use guichet::store::{Retention, Store};
use guichet::tenant::{ApiKey, KeyConfig};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// Names the file that holds a [`Play`].
const FILE: &str = "GUICHET_TEST_SCRIPT";

const BLOCK_SIZE: usize = 16;

/// It calls as Hermes does, and writes each message on a line.
const FAMILY: Family = Family {
    template: "{# <tool_call> <think> </think> enable_thinking #}{{ tools | tojson }}{% for m in messages %}{{ '\\n' + (m | tojson) }}{% endfor %}{{ '\\n' }}",
    control: &[],
    tags: &["<think>", "</think>"],
};

/// What the model says, and how much of it at once.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Play {
    replies: Vec<Reply>,
    /// What is said to every other prompt.
    otherwise: String,
    max_model_len: usize,
    max_num_seqs: usize,
    max_num_waiting: usize,
    /// How long a step takes.
    #[serde(default)]
    step_ms: u64,
    /// How long the model takes to arrive.
    #[serde(default)]
    loads_for_ms: u64,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "serves until its input ends: tests/contract/run starts it"]
async fn a_script_is_played_to_whoever_asks() {
    let file = std::env::var(FILE).expect(FILE);
    let play: Play = toml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let key = ApiKey::generate().unwrap();
    let keys = [KeyConfig {
        name: "contract".to_owned(),
        hash: key.hash().to_string(),
        weight: 1,
    }];
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention {
        time: Duration::from_secs(3600),
        max_bytes: 64 << 20,
    };
    let store = Store::open(&dir.path().join("guichet.db"), retention).await;
    let server = TestServer::listen(ServerConfig::default(), &keys, Some(store.unwrap())).await;
    println!("{}", json!({"url": server.base, "key": key.reveal()}));

    tokio::time::sleep(Duration::from_millis(play.loads_for_ms)).await;
    server.state.set_models(play.models());
    let mut input = Vec::new();
    tokio::io::stdin().read_to_end(&mut input).await.unwrap();
    server.stop.send(()).unwrap();
    server.task.await.unwrap();
}

impl Play {
    fn models(self) -> Models {
        let config = EngineConfig {
            max_num_batched_tokens: self.max_model_len,
            max_num_seqs: self.max_num_seqs,
            max_num_outputs: self.max_num_seqs,
            max_num_waiting: self.max_num_waiting,
            restart_delay: Duration::from_millis(10),
            ..EngineConfig::new(
                0,
                self.max_model_len,
                BLOCK_SIZE,
                (self.max_num_seqs + 1) * self.max_model_len / BLOCK_SIZE,
            )
        };
        let script = Script {
            family: FAMILY,
            replies: self.replies,
            step: Duration::from_millis(self.step_ms),
            ..Script::saying(&self.otherwise)
        };
        let generators = [MODEL, "scripted-too"].map(|id| Served {
            model: Arc::new(ServedModel {
                id: id.to_owned(),
                ..scripted::served_model(script.clone(), config.clone())
            }),
            system_fingerprint: "fp_test".to_owned(),
            aliases: Vec::new(),
        });
        Models {
            generators: generators.into(),
            encoders: vec![encoder("tiny-bert", "embedder")],
        }
    }
}
