//! What an operator sees: models, probes, metrics, request ids, routes.

use crate::scripted::{self, MAX_MODEL_LEN, MODEL, Script};
use crate::server::{Answer, CHAT, COMPLETIONS, Options, TestServer};
use guichet::config::ServerConfig;
use guichet::engine::{EngineConfig, Replicas};
use guichet::generation::ServedModel;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn hello() -> Value {
    json!({"model": MODEL, "messages": [{"role": "user", "content": "hi"}]})
}

#[tokio::test]
async fn models_are_listed_with_their_context_length() {
    let server = TestServer::saying("").await;
    let model = json!({"id": MODEL, "object": "model", "created": 1_700_000_000, "owned_by": "guichet",
        "max_model_len": MAX_MODEL_LEN, "task": "generate", "aliases": ["another-name"]});
    assert_eq!(
        server.get("/v1/models").await.json(),
        json!({"object": "list", "data": [model.clone()]})
    );
    assert_eq!(server.get("/v1/models/scripted").await.json(), model);
    assert_eq!(server.get("/v1/models/another-name").await.json(), model);
    let unknown = server.get("/v1/models/org/other").await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["error"]["code"], "model_not_found");
}

#[tokio::test]
async fn a_server_is_alive_at_once_and_ready_when_its_model_is_loaded() {
    let server = TestServer::start_loading(ServerConfig::default(), &[]).await;
    assert_eq!(server.get("/livez").await.status, 200);
    for path in ["/readyz", "/health", "/v1/models"] {
        assert_eq!(server.get(path).await.status, 503, "{path}");
    }
    let answer = server.post(CHAT, &hello()).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["error"]["code"], "model_loading");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(server.get("/metrics").await.status, 200);
}

#[tokio::test]
async fn a_server_whose_engine_died_is_alive_but_not_ready() {
    let script = Script {
        fails_at: Some(0),
        panics: true,
        ..Script::saying("")
    };
    let server = TestServer::start(Options::new(script)).await;
    assert_eq!(server.get("/readyz").await.status, 200);
    let answer = server.post(CHAT, &hello()).await;
    assert!([500, 503].contains(&answer.status), "{}", answer.text);
    let deadline = Instant::now() + Duration::from_secs(5);
    while server.get("/readyz").await.status != 503 {
        assert!(Instant::now() < deadline, "still ready");
    }
    assert_eq!(server.get("/livez").await.status, 200);
    assert_eq!(server.post(CHAT, &hello()).await.status, 503);
}

#[tokio::test]
async fn a_failed_step_is_a_500_that_names_the_request_and_hides_the_cause() {
    let script = Script {
        fails_at: Some(1),
        ..Script::saying("abc")
    };
    let server = TestServer::start(Options::new(script)).await;
    let request = server
        .request(Method::POST, CHAT)
        .json(&hello())
        .header("x-request-id", "case-17");
    let answer = Answer::read(request.send().await.unwrap()).await;
    assert_eq!(answer.status, 500);
    assert!(
        answer.json()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("case-17")
    );
    assert!(!answer.text.contains("the script fails here"));
}

#[tokio::test]
async fn a_full_queue_is_a_503_with_retry_after() {
    let script = Script {
        step: Duration::from_millis(20),
        ..Script::saying(&"x".repeat(1000))
    };
    let mut options = Options::new(script);
    options.engine.max_num_seqs = 1;
    options.engine.max_num_waiting = 1;
    let server = TestServer::start(options).await;
    let slow = || tokio::spawn(server.request(Method::POST, CHAT).json(&hello()).send());
    let first = slow();
    server
        .wait_for_metric("guichet_requests_running", 1.0)
        .await;
    let second = slow();
    server
        .wait_for_metric("guichet_requests_waiting", 1.0)
        .await;
    let answer = server.post(CHAT, &hello()).await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("1"))
    );
    assert_eq!(answer.json()["error"]["code"], "overloaded");
    first.abort();
    second.abort();
}

#[tokio::test]
async fn metrics_count_what_was_done() {
    let server = TestServer::saying("abcd").await;
    server.post(CHAT, &hello()).await;
    server.get("/nowhere").await;
    server
        .wait_for_metric("guichet_requests_running", 0.0)
        .await;
    let metrics = server.get("/metrics").await;
    assert!(
        metrics
            .header("content-type")
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    assert!(metrics.text.ends_with("# EOF\n"));
    for (name, value) in [
        ("guichet_requests_waiting", 0.0),
        ("guichet_kv_blocks_used", 0.0),
        ("guichet_kv_blocks_total", 1024.0),
        ("guichet_preemptions_total", 0.0),
        ("guichet_time_to_first_token_seconds_count", 1.0),
        ("guichet_inter_token_latency_seconds_count", 3.0),
        ("guichet_generation_duration_seconds_count", 1.0),
        (
            r#"guichet_http_requests_total{method="POST",route="/v1/chat/completions",status="200"}"#,
            1.0,
        ),
        (
            r#"guichet_http_requests_total{method="GET",route="unmatched",status="404"}"#,
            1.0,
        ),
        (r#"vllm:num_requests_running{model_name="scripted"}"#, 0.0),
        (r#"vllm:num_requests_waiting{model_name="scripted"}"#, 0.0),
        (r#"vllm:kv_cache_usage_perc{model_name="scripted"}"#, 0.0),
        (
            r#"guichet_replica_up{model_name="scripted",replica="0"}"#,
            1.0,
        ),
    ] {
        assert_eq!(
            server.metric(name).await,
            Some(value),
            "{name}\n{}",
            metrics.text
        );
    }
    assert!(server.metric("guichet_prompt_tokens_total").await > Some(0.0));
    assert!(server.metric("guichet_generated_tokens_total").await >= Some(4.0));
}

#[tokio::test]
async fn a_model_is_ready_as_long_as_one_of_its_engines_runs() {
    let works = Script::saying("abc");
    let fails = Script {
        fails_at: Some(1),
        ..works.clone()
    };
    let config = EngineConfig {
        restart_delay: Duration::from_secs(60),
        ..scripted::engine_config()
    };
    let engine = |script: &Script| (scripted::runner(script.clone()), config.clone());
    let server = TestServer::listen(ServerConfig::default(), &[], None).await;
    server.set_model(ServedModel {
        engines: Replicas::start(vec![engine(&fails), engine(&works)]).unwrap(),
        ..scripted::served_model(works, config.clone())
    });
    let is_up = async |replica| {
        let name = format!(r#"guichet_replica_up{{model_name="scripted",replica="{replica}"}}"#);
        server.metric(&name).await
    };
    assert_eq!([is_up(0).await, is_up(1).await], [Some(1.0), Some(1.0)]);
    assert_eq!(server.metric("guichet_kv_blocks_total").await, Some(2048.0));
    let statuses = [
        server.post(CHAT, &hello()).await,
        server.post(CHAT, &hello()).await,
    ];
    assert_eq!(statuses.map(|answer| answer.status), [500, 200]);
    for probe in ["/livez", "/readyz", "/health"] {
        assert_eq!(server.get(probe).await.status, 200, "{probe}");
    }
    assert_eq!([is_up(0).await, is_up(1).await], [Some(0.0), Some(1.0)]);
    assert_eq!(
        server.metric("guichet_engine_deaths_total").await,
        Some(1.0)
    );
}

#[tokio::test]
async fn a_request_id_is_the_clients_or_a_new_one() {
    let server = TestServer::saying("").await;
    let id_for = async |id: Option<&str>| {
        let mut request = server.request(Method::GET, "/v1/models");
        if let Some(id) = id {
            request = request.header("x-request-id", id);
        }
        Answer::read(request.send().await.unwrap())
            .await
            .header("x-request-id")
            .unwrap()
            .to_owned()
    };
    assert_eq!(id_for(Some("Akte_17.b-2")).await, "Akte_17.b-2");
    let long = "x".repeat(129);
    for not_kept in [None, Some("a b"), Some("a;b"), Some(long.as_str())] {
        let id = id_for(not_kept).await;
        assert!(id.starts_with("req-"), "{id}");
    }
    assert_ne!(id_for(None).await, id_for(None).await);
    for path in ["/livez", "/nowhere", "/metrics"] {
        assert!(
            server.get(path).await.header("x-request-id").is_some(),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_model_whose_name_is_no_text_is_unknown() {
    let server = TestServer::saying("Yes.").await;
    let answer = server.get("/v1/models/%ff").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.json()["error"]["code"], "model_not_found");
}

#[tokio::test]
async fn a_wrong_method_is_told_which_is_right() {
    let server = TestServer::saying("").await;
    for (method, path, allow) in [
        (Method::GET, CHAT, "POST"),
        (Method::DELETE, COMPLETIONS, "POST"),
        (Method::POST, "/v1/models", "GET, HEAD"),
        (Method::PUT, "/v1/models/scripted", "GET, HEAD"),
        (Method::POST, "/metrics", "GET, HEAD"),
    ] {
        let answer = Answer::read(server.request(method, path).send().await.unwrap()).await;
        assert_eq!(answer.status, 405, "{path}");
        assert_eq!(answer.header("allow"), Some(allow), "{path}");
        assert!(
            answer.json()["error"]["message"]
                .as_str()
                .unwrap()
                .contains(allow)
        );
    }
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let server = TestServer::saying("").await;
    for path in [
        "/v1/models",
        "/v1/models/scripted",
        "/livez",
        "/readyz",
        "/health",
        "/metrics",
    ] {
        let answer = Answer::read(server.request(Method::HEAD, path).send().await.unwrap()).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{path}");
    }
}
