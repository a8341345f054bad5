use crate::scripted::{MODEL, Script};
use crate::server::{Answer, CHAT, Options, TestServer};
use guichet::tenant::{ApiKey, KeyConfig};
use reqwest::Method;
use serde_json::json;

async fn server_with_a_key() -> (TestServer, ApiKey) {
    let key = ApiKey::generate().unwrap();
    let keys = vec![KeyConfig {
        name: "tax-office".to_owned(),
        hash: key.hash().to_string(),
        weight: 1,
    }];
    (
        TestServer::start(Options {
            keys,
            ..Options::new(Script::saying("ok"))
        })
        .await,
        key,
    )
}

#[tokio::test]
async fn every_route_but_the_probes_needs_a_key() {
    let (server, _) = server_with_a_key().await;
    for path in ["/livez", "/readyz", "/health"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    for path in [
        "/v1/models",
        "/v1/models/scripted",
        "/metrics",
        CHAT,
        "/nowhere",
        "/livez/",
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert_eq!(answer.json()["error"]["code"], "invalid_api_key");
        assert_eq!(answer.json()["error"]["type"], "authentication_error");
    }
}

#[tokio::test]
async fn the_right_key_opens_and_a_wrong_one_does_not() {
    let (server, key) = server_with_a_key().await;
    let body = json!({"model": MODEL, "messages": [{"role": "user", "content": "hi"}]});
    let ask = async |authorization: String| {
        let request = server
            .request(Method::POST, CHAT)
            .json(&body)
            .header("authorization", authorization);
        Answer::read(request.send().await.unwrap()).await.status
    };
    assert_eq!(ask(format!("Bearer {}", key.reveal())).await, 200);
    assert_eq!(
        ask(format!("bearer {}", key.reveal())).await,
        200,
        "schemes have no case"
    );
    for wrong in [
        key.reveal().to_owned(),
        format!("Basic {}", key.reveal()),
        format!("Bearer {}x", key.reveal()),
        format!("Bearer {}", key.hash()),
        "Bearer ".to_owned(),
        "Bearer".to_owned(),
    ] {
        assert_eq!(ask(wrong.clone()).await, 401, "{wrong}");
    }
}
