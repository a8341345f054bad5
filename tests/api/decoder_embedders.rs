//! Decoders that embed and rerank.

use crate::embeddings::{check_refused, golden, serve, start_with, vector};
use crate::server::TestServer;
use guichet::config::{ModelConfig, TaskChoice};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn reranker() -> ModelConfig {
    ModelConfig {
        task: TaskChoice::Rerank,
        ..ModelConfig::default()
    }
}

async fn start() -> TestServer {
    let told = ModelConfig {
        prompts: BTreeMap::from([("legal".to_owned(), "Find the law in force".to_owned())]),
        default_prompt: Some("legal".to_owned()),
        ..reranker()
    };
    let embedder = ModelConfig::default;
    let cut = ModelConfig {
        matryoshka_dimensions: vec![8, 16],
        ..embedder()
    };
    start_with(vec![
        serve("tiny-qwen3-embedding", "causal", cut),
        serve("tiny-embeddinggemma", "bidirectional", embedder()),
        serve("tiny-qwen3-reranker", "ranker", reranker()),
        serve("tiny-qwen3-reranker", "told-ranker", told),
    ])
    .await
}

#[tokio::test]
async fn a_decoder_embeds_texts_and_puts_its_prompts_before_them() {
    let server = start().await;
    for (id, name) in [
        ("causal", "tiny-qwen3-embedding"),
        ("bidirectional", "tiny-embeddinggemma"),
    ] {
        let golden = golden(name);
        assert!(golden.iter().any(|text| text["prompt"].is_string()));
        for text in &golden {
            let mut body = json!({"model": id, "input": text["text"]});
            if text["prompt"].is_string() {
                body["input_type"] = "query".into();
            }
            let answer = server.post("/v1/embeddings", &body).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let list = answer.json();
            let num_tokens = text["ids"].as_array().unwrap().len();
            assert_eq!(list["usage"]["prompt_tokens"], num_tokens);
            let got = vector(&list["data"][0]);
            let expected = text["vector"].as_array().unwrap();
            assert_eq!(got.len(), expected.len());
            for (got, expected) in got.iter().zip(expected) {
                assert!((got - expected.as_f64().unwrap()).abs() < 1e-5, "{id}");
            }
        }
    }
    // What a projection makes is shorter than what is projected.
    let body = json!({"model": "bidirectional", "input": "a", "dimensions": 32});
    check_refused(
        &server.post("/v1/embeddings", &body).await,
        "dimensions",
        "24",
    );
}

#[tokio::test]
async fn an_embedding_is_cut_to_the_lengths_that_the_operator_allows() {
    let server = start().await;
    let body = |len: usize| json!({"model": "causal", "input": "le délai", "dimensions": len});
    let whole = server.post("/v1/embeddings", &body(32)).await.json();
    let cut = server.post("/v1/embeddings", &body(8)).await.json();
    let (whole, cut) = (vector(&whole["data"][0]), vector(&cut["data"][0]));
    assert_eq!(cut.len(), 8);
    assert!((cut.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-6);
    let ratio = cut[0] / whole[0];
    assert!(ratio > 1.0);
    assert!(
        cut.iter()
            .zip(&whole)
            .all(|(cut, whole)| (cut - whole * ratio).abs() < 1e-5)
    );
    let answer = server.post("/v1/embeddings", &body(9)).await;
    check_refused(&answer, "dimensions", "8 or 16 or 32");
}

async fn rerank(server: &TestServer, model: &str, golden: &[Value]) -> Vec<f64> {
    let documents: Vec<_> = golden.iter().map(|text| &text["text"]).collect();
    let body = json!({"model": model, "query": golden[0]["query"], "documents": documents});
    let answer = server.post("/v1/rerank", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let list = answer.json();
    let results = list["results"].as_array().unwrap();
    let mut scores = vec![f64::NAN; results.len()];
    for result in results {
        let index = result["index"].as_u64().unwrap() as usize;
        scores[index] = result["relevance_score"].as_f64().unwrap();
    }
    let order: Vec<_> = results
        .iter()
        .map(|result| result["relevance_score"].as_f64())
        .collect();
    assert!(order.is_sorted_by(|a, b| a >= b));
    scores
}

#[tokio::test]
async fn a_decoder_ranks_documents_by_how_likely_it_says_yes() {
    let server = start().await;
    let golden = golden("tiny-qwen3-reranker");
    let scores = rerank(&server, "ranker", &golden).await;
    for (got, text) in scores.iter().zip(&golden) {
        let expected = 1.0 / (1.0 + (-text["score"].as_f64().unwrap()).exp());
        assert!((got - expected).abs() < 1e-4, "{got} {expected}");
    }
    let told = rerank(&server, "told-ranker", &golden).await;
    assert!(told.iter().zip(&scores).any(|(a, b)| (a - b).abs() > 1e-3));
    let models = server.get("/v1/models").await.json();
    let tasks: Vec<_> = (models["data"].as_array().unwrap().iter())
        .map(|model| model["task"].as_str().unwrap())
        .collect();
    assert_eq!(tasks, ["generate", "embed", "embed", "rerank", "rerank"]);
}

#[tokio::test]
async fn a_document_in_a_question_is_cut_only_where_that_is_asked_for() {
    let server = start().await;
    let long = "Votre demande d'allocation a été reçue. ".repeat(100);
    let body = |truncate: bool| json!({"model": "ranker", "query": "a", "texts": [long], "truncate": truncate});
    check_refused(
        &server.post("/rerank", &body(false)).await,
        "texts",
        "texts[0]",
    );
    let answer = server.post("/rerank", &body(true)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}
