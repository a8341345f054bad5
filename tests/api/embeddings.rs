//! Embedding and reranking models beside one that chats.

use crate::scripted::{self, Script};
use crate::server::{Answer, TestServer};
use guichet::api::{Models, Served, ServedEncoding};
use guichet::app::load_served_encoder;
use guichet::config::{Config, ModelConfig, ServerConfig};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

pub fn golden(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(fixture(name).join("golden.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

pub fn encoder(name: &str, id: &str) -> ServedEncoding {
    let prompts = BTreeMap::from([("passage".to_owned(), "passage: ".to_owned())]);
    let model = ModelConfig {
        prompts,
        ..ModelConfig::default()
    };
    serve(name, id, model)
}

/// A fixture, in f32.
pub fn serve(name: &str, id: &str, model: ModelConfig) -> ServedEncoding {
    let config = Config {
        model: ModelConfig {
            path: Some(fixture(name)),
            id: Some(id.to_owned()),
            dtype: guichet::config::DtypeChoice::F32,
            ..model
        },
        ..Config::default()
    };
    ServedEncoding {
        model: Arc::new(load_served_encoder(&fixture(name), &config).unwrap()),
        aliases: vec![format!("{id}-alias")],
    }
}

pub async fn start() -> TestServer {
    let encoders = vec![
        encoder("tiny-bert", "embedder"),
        encoder("tiny-xlm-roberta", "ranker"),
    ];
    start_with(encoders).await
}

/// Beside a model that chats.
pub async fn start_with(encoders: Vec<ServedEncoding>) -> TestServer {
    let server = TestServer::start_loading(ServerConfig::default(), &[]).await;
    let script = Script::saying("Bonjour.");
    server.state.set_models(Models {
        generators: vec![Served {
            model: Arc::new(scripted::served_model(script, scripted::engine_config())),
            system_fingerprint: "fp_test".to_owned(),
            aliases: Vec::new(),
        }],
        encoders,
    });
    server
}

pub fn vector(item: &Value) -> Vec<f64> {
    let numbers = item["embedding"].as_array().unwrap();
    numbers.iter().map(|x| x.as_f64().unwrap()).collect()
}

#[track_caller]
pub fn check_refused(answer: &Answer, param: &str, words: &str) {
    assert_eq!(answer.status, 400, "{}", answer.text);
    let error = &answer.json()["error"];
    assert_eq!(error["param"], param, "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(words), "{message}");
}

#[tokio::test]
async fn embeddings_are_the_models_one_long_and_in_order() {
    let server = start().await;
    let golden = golden("tiny-bert");
    let golden: Vec<_> = golden
        .iter()
        .filter(|text| text["vector"].is_array())
        .collect();
    let texts: Vec<_> = golden.iter().map(|text| &text["text"]).collect();
    let answer = server
        .post(
            "/v1/embeddings",
            &json!({"model": "embedder", "input": texts}),
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let list = answer.json();
    assert_eq!(list["object"], "list");
    assert_eq!(list["model"], "embedder");
    let num_tokens: usize = golden
        .iter()
        .map(|t| t["ids"].as_array().unwrap().len())
        .sum();
    assert_eq!(
        list["usage"],
        json!({"prompt_tokens": num_tokens, "total_tokens": num_tokens})
    );
    for (index, (item, expected)) in list["data"]
        .as_array()
        .unwrap()
        .iter()
        .zip(&golden)
        .enumerate()
    {
        assert_eq!(item["index"], index);
        assert_eq!(item["object"], "embedding");
        for (got, expected) in vector(item)
            .iter()
            .zip(expected["vector"].as_array().unwrap())
        {
            assert!((got - expected.as_f64().unwrap()).abs() < 1e-5);
        }
    }
    // Token ids are the same text, and the alias the same model.
    let ids = json!({"model": "embedder-alias", "input": golden[0]["ids"]});
    let alone = server.post("/v1/embeddings", &ids).await.json();
    assert_eq!(alone["data"][0], list["data"][0]);
}

#[tokio::test]
async fn base64_is_the_same_numbers() {
    let server = start().await;
    let body = |format: &str| json!({"model": "embedder", "input": "une lettre", "encoding_format": format});
    let floats = server.post("/v1/embeddings", &body("float")).await.json();
    let packed = server.post("/v1/embeddings", &body("base64")).await.json();
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(packed["data"][0]["embedding"].as_str().unwrap())
        .unwrap();
    let numbers = bytes.chunks_exact(4);
    let unpacked: Vec<f32> = numbers
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect();
    let floats = vector(&floats["data"][0]);
    assert_eq!(unpacked.len(), 48);
    assert_eq!(
        unpacked,
        floats.iter().map(|x| *x as f32).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_use_puts_its_words_before_the_text() {
    let server = start().await;
    let ask = async |body: Value| {
        let answer = server.post("/v1/embeddings", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        vector(&answer.json()["data"][0])
    };
    let plain = ask(json!({"model": "embedder", "input": "query: le délai"})).await;
    let query = ask(json!({"model": "embedder", "input": "le délai", "input_type": "query"})).await;
    let passage =
        ask(json!({"model": "embedder", "input": "le délai", "input_type": "passage"})).await;
    assert_eq!(plain, query);
    assert_ne!(query, passage);
    let unknown = json!({"model": "embedder", "input": "a", "input_type": "song"});
    let answer = server.post("/v1/embeddings", &unknown).await;
    check_refused(&answer, "input_type", "`passage`, `query`");
}

#[tokio::test]
async fn bad_requests_for_embeddings_name_the_field() {
    let server = start().await;
    let long = "délai ".repeat(600);
    for (change, param, words) in [
        (json!({"input": ""}), "input", "empty"),
        (json!({"input": []}), "input", "1 to 2048 texts"),
        (json!({"input": ["a", ""]}), "input", "at 1"),
        (json!({"input": [1, 99999]}), "input", "99999"),
        (json!({"input": 3}), "input", "a number"),
        (json!({"input": ["a", long]}), "input", "`input[1]`"),
        (json!({"input": long}), "input", "384"),
        (
            json!({"encoding_format": "hex"}),
            "encoding_format",
            "`base64`",
        ),
        (json!({"dimensions": 24}), "dimensions", "48"),
        (json!({"dimensions": 0}), "dimensions", "1 to"),
        (json!({"inputs": "a"}), "inputs", "`input` is"),
    ] {
        let mut body = json!({"model": "embedder", "input": "a"});
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        let answer = server.post("/v1/embeddings", &body).await;
        check_refused(&answer, param, words);
    }
    let body = json!({"model": "embedder", "input": "a", "dimensions": 48, "user": "u"});
    let answer = server.post("/v1/embeddings", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("x-guichet-ignored"), Some("user"));
}

#[tokio::test]
async fn each_model_answers_where_it_can() {
    let server = start().await;
    let chat =
        |model: &str| json!({"model": model, "messages": [{"role": "user", "content": "a"}]});
    let answer = server.post("/v1/chat/completions", &chat("embedder")).await;
    check_refused(&answer, "model", "/v1/embeddings");
    let answer = server.post("/v1/chat/completions", &chat("ranker")).await;
    check_refused(&answer, "model", "/v1/rerank");
    let models = server.get("/v1/models").await.json();
    let ids: Vec<_> = models["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["id"])
        .collect();
    let tasks: Vec<_> = models["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["task"])
        .collect();
    assert_eq!(tasks, ["generate", "embed", "rerank"]);
    let id = ids[0].as_str().unwrap();
    assert_eq!(
        server.post("/v1/chat/completions", &chat(id)).await.status,
        200
    );
    let body = json!({"model": id, "input": "a"});
    let answer = server.post("/v1/embeddings", &body).await;
    check_refused(&answer, "model", "/v1/chat/completions");
    let answer = server
        .post("/v1/embeddings", &json!({"model": "x", "input": "a"}))
        .await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.json()["error"]["code"], "model_not_found");
    let answer = server.get("/v1/models/embedder-alias").await;
    assert_eq!(answer.json()["id"], "embedder");
    assert_eq!(server.get("/v1/embeddings").await.status, 405);
}

#[tokio::test]
async fn documents_are_ranked_by_the_models_scores() {
    let server = start().await;
    let golden = golden("tiny-xlm-roberta");
    let texts: Vec<_> = golden.iter().map(|text| &text["text"]).collect();
    let score = |index: usize| golden[index]["score"].as_f64().unwrap();
    let query = &golden[0]["query"];

    let answer = server
        .post(
            "/rerank",
            &json!({"query": query, "texts": texts, "raw_scores": true, "return_text": true}),
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let ranks = answer.json();
    let ranks = ranks.as_array().unwrap();
    assert_eq!(ranks.len(), texts.len());
    for rank in ranks {
        let index = rank["index"].as_u64().unwrap() as usize;
        assert!((rank["score"].as_f64().unwrap() - score(index)).abs() < 1e-4);
        assert_eq!(rank["text"], *texts[index]);
    }
    let scores: Vec<_> = ranks
        .iter()
        .map(|rank| rank["score"].as_f64().unwrap())
        .collect();
    assert!(scores.windows(2).all(|pair| pair[0] >= pair[1]));
    assert!(scores[0] > scores[scores.len() - 1]);

    let documents: Vec<_> = texts.iter().map(|text| json!({"text": text})).collect();
    let body = json!({"model": "ranker", "query": query, "documents": documents, "top_n": 2, "return_documents": true});
    let answer = server.post("/v1/rerank", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let best = answer.json();
    let results = best["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for (result, rank) in results.iter().zip(ranks) {
        assert_eq!(result["index"], rank["index"]);
        assert_eq!(result["document"]["text"], rank["text"]);
        let expected = 1.0 / (1.0 + (-rank["score"].as_f64().unwrap()).exp());
        assert!((result["relevance_score"].as_f64().unwrap() - expected).abs() < 1e-6);
    }
    assert!(best["usage"]["total_tokens"].as_u64().unwrap() > 100);

    let info = server.get("/info").await.json();
    assert_eq!(info["model_id"], "ranker");
    assert!(info["model_type"]["reranker"].is_object());
}

#[tokio::test]
async fn a_document_is_cut_only_where_that_is_asked_for_and_told() {
    let server = start().await;
    let long = "Votre demande d'allocation a été reçue. ".repeat(60);
    let body = |more: Value| {
        let mut body = json!({"model": "ranker", "query": "a", "documents": ["kurz", long]});
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    };
    let answer = server.post("/v1/rerank", &body(json!({}))).await;
    check_refused(&answer, "documents", "documents[1]");
    let answer = server
        .post("/v1/rerank", &body(json!({"max_tokens_per_doc": 20})))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    for result in answer.json()["results"].as_array().unwrap() {
        let is_long = result["index"] == 1;
        assert_eq!(result["truncated_from"].is_u64(), is_long, "{result}");
    }
    let texts = |truncate: bool| json!({"query": "a", "texts": [long], "truncate": truncate});
    check_refused(
        &server.post("/rerank", &texts(false)).await,
        "texts",
        "texts[0]",
    );
    assert_eq!(server.post("/rerank", &texts(true)).await.status, 200);
    let extra =
        json!({"model": "ranker", "query": "a", "documents": [{"text": "a", "title": "b"}]});
    let answer = server.post("/v1/rerank", &extra).await;
    check_refused(&answer, "documents[0].title", "not a known parameter");
}

#[tokio::test]
async fn encoders_are_counted_and_stop_in_order() {
    let server = start().await;
    let body = json!({"model": "embedder", "input": ["a", "b", "c"]});
    assert_eq!(server.post("/v1/embeddings", &body).await.status, 200);
    // The answer may be there first.
    server
        .wait_for_metric("guichet_encoded_texts_total{model_name=\"embedder\"}", 3.0)
        .await;
    assert_eq!(server.get("/readyz").await.status, 200);
    let state = Arc::clone(&server.state);
    server.stop.send(()).unwrap();
    server.task.await.unwrap();
    let encoders = &state.loaded().unwrap().encoders;
    assert!(
        encoders
            .iter()
            .all(|served| { served.model.engine.state() == guichet::engine::EngineState::Stopped })
    );
}
