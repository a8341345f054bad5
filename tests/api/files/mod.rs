//! `/v1/files`: what is kept, for whom, how long, and who names it.

mod naming;
mod owners;
mod uploads;

use crate::forms::Form;
use crate::scripted::{self, Script};
use crate::server::{Answer, Options, TestServer};
use guichet::engine::{EngineConfig, KvGroup};
use guichet::store::{FileLimits, Retention, Store};
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;
use tempfile::TempDir;

pub const FILES: &str = "/v1/files";
pub const PARSE: &str = "/v1/documents/parse";
pub const LETTER: &str = "Objet : demande\nMontant : 1 234,56 €";
pub const HOUR: u64 = 3600;

pub async fn store(limits: FileLimits) -> (Store, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention {
        time: Duration::from_secs(HOUR),
        max_bytes: 1 << 20,
    };
    let store = Store::open(&dir.path().join("guichet.db"), retention).await;
    (store.unwrap().with_file_limits(limits), dir)
}

pub fn options(store: Store) -> Options {
    Options {
        engine: EngineConfig {
            max_model_len: 4096,
            kv_groups: vec![KvGroup::without_window(1024)],
            ..scripted::engine_config()
        },
        store: Some(store),
        ..Options::new(Script::saying("ok"))
    }
}

pub async fn start() -> (TestServer, TempDir) {
    let (store, dir) = store(FileLimits::default()).await;
    (TestServer::start(options(store)).await, dir)
}

pub fn letter() -> Form {
    Form::default()
        .text("purpose", "user_data")
        .file("lettre.txt", LETTER)
}

/// A file of so many bytes.
pub fn letter_of(len: usize) -> Form {
    Form::default()
        .text("purpose", "user_data")
        .file("a.txt", vec![b'a'; len])
}

pub async fn upload(server: &TestServer, form: Form) -> Value {
    let answer = server.post_form(FILES, form).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

pub fn path(file: &Value) -> String {
    format!("{FILES}/{}", file["id"].as_str().unwrap())
}

pub async fn delete(server: &TestServer, path: &str) -> Answer {
    let request = server.request(Method::DELETE, path);
    Answer::read(request.send().await.unwrap()).await
}

pub fn error(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text);
    answer.json()["error"].clone()
}
