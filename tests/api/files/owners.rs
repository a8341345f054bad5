//! Whose a file is.

use super::naming::chat;
use super::{FILES, PARSE, delete, error, letter, options, path, store};
use crate::server::{Answer, CHAT, TestServer};
use guichet::store::FileLimits;
use guichet::tenant::{ApiKey, KeyConfig};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn nobody_finds_or_names_anothers_file() {
    let keys = ["a", "b"].map(|name| (name, ApiKey::generate().unwrap()));
    let (store, _dir) = store(FileLimits {
        max_files: 1,
        ..FileLimits::default()
    })
    .await;
    let mut options = options(store);
    options.keys = (keys.iter())
        .map(|(name, key)| KeyConfig {
            name: (*name).to_owned(),
            hash: key.hash().to_string(),
            weight: 1,
        })
        .collect();
    let server = TestServer::start(options).await;
    let [(_, a), (_, b)] = &keys;
    let send = async |key: &ApiKey, method: Method, path: &str, body: Option<Value>| {
        let request = server.request(method, path).bearer_auth(key.reveal());
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        Answer::read(request.send().await.unwrap()).await
    };
    let put = async |key: &ApiKey| {
        let request = server.request(Method::POST, FILES);
        let request = letter().send_with(request.bearer_auth(key.reveal()));
        Answer::read(request.send().await.unwrap()).await
    };
    let mine = put(a).await.json();
    let id = mine["id"].as_str().unwrap();
    let named = chat(json!({"file_id": id}));
    let parse = json!({"file_id": id});
    let asked = [
        (Method::DELETE, path(&mine), None, 404),
        (Method::GET, path(&mine), None, 404),
        (Method::GET, format!("{}/content", path(&mine)), None, 404),
        (Method::GET, format!("{FILES}?after={id}"), None, 400),
        (Method::POST, CHAT.to_owned(), Some(named), 400),
        (Method::POST, PARSE.to_owned(), Some(parse), 400),
    ];
    for (method, path, body, status) in &asked {
        let theirs = send(b, method.clone(), path, body.clone()).await;
        let theirs = error(&theirs, *status);
        // As if it were nowhere.
        let nowhere = |text: &str| text.replace(id, "file-0");
        let body = body.as_ref().map(|body| {
            let text = nowhere(&body.to_string());
            serde_json::from_str(&text).unwrap()
        });
        let nobodys = send(b, method.clone(), &nowhere(path), body).await;
        let nobodys = error(&nobodys, *status);
        assert_eq!(nowhere(&theirs.to_string()), nobodys.to_string(), "{path}");
    }
    let list = send(b, Method::GET, FILES, None).await.json();
    assert_eq!(list["data"], json!([]));
    // A full room is its owner's alone.
    assert_eq!(put(b).await.status, 200);
    assert_eq!(error(&put(a).await, 400)["code"], "file_quota_exceeded");
    for (method, path, body, _) in asked.into_iter().rev() {
        assert_eq!(send(a, method, &path, body).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn where_nothing_is_stored_that_is_said() {
    let server = TestServer::saying("ok").await;
    for answer in [
        server.post_form(FILES, letter()).await,
        server.get(FILES).await,
        server.get("/v1/files/file-0").await,
        server.get("/v1/files/file-0/content").await,
        delete(&server, "/v1/files/file-0").await,
    ] {
        let found = error(&answer, 404);
        assert_eq!(found["code"], "files_not_kept", "{found}");
        let message = found["message"].as_str().unwrap();
        assert!(message.contains("responses.store = false"), "{message}");
    }
    let found = error(
        &server.post(PARSE, &json!({"file_id": "file-0"})).await,
        400,
    );
    assert_eq!(found["param"], "file_id");
    assert!(
        found["message"].as_str().unwrap().contains("left out"),
        "{found}"
    );
}
