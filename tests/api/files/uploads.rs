//! Uploads, lists, and how long and how much is kept.

use super::{
    FILES, HOUR, LETTER, PARSE, delete, error, letter, letter_of, options, path, start, store,
    upload,
};
use crate::forms::Form;
use crate::server::{Answer, TestServer};
use guichet::config::ServerConfig;
use guichet::store::{FileLimits, NewFile};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

#[tokio::test]
async fn an_uploaded_file_is_found_until_it_is_deleted() {
    let (server, _dir) = start().await;
    let file = upload(&server, letter()).await;
    let id = file["id"].as_str().unwrap();
    assert!(id.starts_with("file-"), "{file}");
    for (name, value) in [
        ("object", json!("file")),
        ("bytes", json!(LETTER.len())),
        ("filename", json!("lettre.txt")),
        ("purpose", json!("user_data")),
        ("status", json!("processed")),
        (
            "sha256",
            json!("a9ab778edad0d36b42090cc80ce6a300ebd9a67568a710311218cd55d043fa0b"),
        ),
    ] {
        assert_eq!(file[name], value, "{file}");
    }
    assert_eq!(server.get(&path(&file)).await.json(), file);
    let listed = server.get(FILES).await.json();
    assert_eq!(
        listed,
        json!({"object": "list", "data": [file], "first_id": id, "last_id": id, "has_more": false})
    );
    let content = server.get(&format!("{}/content", path(&file))).await;
    assert_eq!((content.status, &*content.text), (200, LETTER));
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        ("content-length", &*LETTER.len().to_string()),
        (
            "content-disposition",
            "attachment; filename*=UTF-8''lettre%2Etxt",
        ),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(content.header(name), Some(value));
    }
    assert_eq!(
        delete(&server, &path(&file)).await.json(),
        json!({"id": id, "object": "file", "deleted": true})
    );
    for gone in [
        server.get(&path(&file)).await,
        server.get(&format!("{}/content", path(&file))).await,
        delete(&server, &path(&file)).await,
    ] {
        assert_eq!(error(&gone, 404)["code"], "file_not_found");
    }
    assert_eq!(server.get(FILES).await.json()["data"], json!([]));
}

#[tokio::test]
async fn a_list_comes_in_pages_newest_first_or_oldest_first() {
    let (server, _dir) = start().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(upload(&server, letter()).await["id"].clone());
    }
    let list = async |query: &str| server.get(&format!("{FILES}?{query}")).await;
    let listed = |answer: Answer| -> Vec<Value> {
        let files = answer.json()["data"].as_array().unwrap().clone();
        files.iter().map(|file| file["id"].clone()).collect()
    };
    let [one, two, three] = [0, 1, 2].map(|index| ids[index].clone());
    let after = |id: &Value| format!("after={}", id.as_str().unwrap());
    assert_eq!(
        listed(list("").await),
        [three.clone(), two.clone(), one.clone()]
    );
    let page = list("limit=2&order=asc").await;
    assert_eq!(page.json()["has_more"], true);
    assert_eq!(page.json()["last_id"], two);
    assert_eq!(listed(page), [one.clone(), two.clone()]);
    let rest = list(&format!("limit=2&order=asc&{}", after(&two))).await;
    assert_eq!(rest.json()["has_more"], false);
    assert_eq!(listed(rest), [three]);
    assert_eq!(listed(list(&after(&two)).await), [one]);
    assert_eq!(listed(list("purpose=user_data").await).len(), 3);
    let other = list("purpose=batch").await.json();
    assert_eq!(
        (&other["data"], &other["first_id"]),
        (&json!([]), &Value::Null)
    );
    for (query, param) in [
        ("limit=0", "limit"),
        ("limit=10001", "limit"),
        ("limit=ten", "limit"),
        ("order=up", "order"),
        ("after=file-0", "after"),
        ("before=file-0", "before"),
        ("limit=1&limit=2", "limit"),
    ] {
        assert_eq!(error(&list(query).await, 400)["param"], param, "{query}");
    }
}

#[tokio::test]
async fn a_file_ends_when_its_upload_or_the_server_says() {
    let (store, _dir) = store(FileLimits {
        time: Duration::from_secs(2 * HOUR),
        ..FileLimits::default()
    })
    .await;
    let kept = store.clone();
    let server = TestServer::start(options(store)).await;
    let time =
        |file: &Value| file["expires_at"].as_u64().unwrap() - file["created_at"].as_u64().unwrap();
    assert_eq!(time(&upload(&server, letter()).await), 2 * HOUR);
    for seconds in [3600, 2_592_000] {
        let form = letter()
            .text("expires_after[anchor]", "created_at")
            .text("expires_after[seconds]", &seconds.to_string());
        assert_eq!(time(&upload(&server, form).await), seconds);
    }
    let file = NewFile {
        id: "file-old",
        name: "a.txt",
        purpose: "user_data",
        content: b"a",
        sha256: "",
        time: None,
    };
    for (id, age, status) in [
        ("file-old", 2 * HOUR + 1, 404),
        ("file-new", 2 * HOUR - 60, 200),
    ] {
        let then = SystemTime::now() - Duration::from_secs(age);
        let file = NewFile { id, ..file };
        kept.put_file("", &file, then).await.unwrap();
        assert_eq!(server.get(&format!("{FILES}/{id}")).await.status, status);
        let parsed = server.post(PARSE, &json!({"file_id": id})).await;
        assert_eq!(parsed.status == 200, status == 200, "{}", parsed.text);
    }
    assert_eq!(
        server.get(FILES).await.json()["data"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
}

#[tokio::test]
async fn what_goes_beyond_a_callers_room_names_the_limit_and_what_is_there_stays() {
    let (store, _dir) = store(FileLimits {
        max_bytes: 100,
        max_files: 2,
        ..FileLimits::default()
    })
    .await;
    let server = TestServer::start(options(store)).await;
    let first = upload(&server, letter_of(60)).await;
    let full = error(&server.post_form(FILES, letter_of(41)).await, 400);
    assert_eq!(
        (&full["param"], &full["code"]),
        (&json!("file"), &json!("file_quota_exceeded"))
    );
    let message = full["message"].as_str().unwrap();
    for part in ["41 bytes", "100", "60", "files.max_store_mib"] {
        assert!(message.contains(part), "{message}");
    }
    upload(&server, letter_of(40)).await;
    let many = error(&server.post_form(FILES, letter_of(0)).await, 400);
    let message = many["message"].as_str().unwrap();
    assert!(
        message.contains("2 files") && message.contains("files.max_files"),
        "{message}"
    );
    assert_eq!(server.get(&path(&first)).await.status, 200);
    delete(&server, &path(&first)).await;
    upload(&server, letter_of(60)).await;
}

#[tokio::test]
async fn bad_uploads_name_the_field() {
    let (server, _dir) = start().await;
    let form = || Form::default().text("purpose", "user_data");
    let until = |anchor: &str, seconds: &str| {
        letter()
            .text("expires_after[anchor]", anchor)
            .text("expires_after[seconds]", seconds)
    };
    for (form, param, part) in [
        (form(), "file", "required"),
        (Form::default().file("a", "a"), "purpose", "required"),
        (
            Form::default().text("purpose", "assistants").file("a", "a"),
            "purpose",
            "`user_data`",
        ),
        (form().file("", "a"), "file", "1 to 255"),
        (form().file(&"a".repeat(256), "a"), "file", "1 to 255"),
        (letter().text("name", "a"), "name", "not a known parameter"),
        (
            letter().text("expires_after", "9"),
            "expires_after",
            "an object",
        ),
        (
            letter().text("expires_after[anchor]", "created_at"),
            "expires_after.seconds",
            "required",
        ),
        (until("now", "3600"), "expires_after.anchor", "`created_at`"),
        (until("created_at", "3599"), "expires_after.seconds", "3600"),
        (
            until("created_at", "2592001"),
            "expires_after.seconds",
            "2592000",
        ),
        (until("created_at", "soon"), "expires_after.seconds", "3600"),
    ] {
        let found = error(&server.post_form(FILES, form).await, 400);
        assert_eq!(found["param"], param, "{found}");
        assert!(found["message"].as_str().unwrap().contains(part), "{found}");
    }
    let json = server.post(FILES, &json!({"purpose": "user_data"})).await;
    assert_eq!(error(&json, 415)["code"], "unsupported_media_type");
    assert_eq!(server.get(FILES).await.json()["data"], json!([]));
}

#[tokio::test]
async fn a_file_may_be_as_large_as_a_document_and_no_larger() {
    let (store, _dir) = store(FileLimits::default()).await;
    let mut options = options(store);
    options.server = ServerConfig {
        max_body_mib: 1,
        ..ServerConfig::default()
    };
    let server = TestServer::start(options).await;
    let file = upload(&server, letter_of(16 << 20)).await;
    assert_eq!(file["bytes"], 16 << 20);
    let content = server.get(&format!("{}/content", path(&file))).await;
    assert_eq!(content.text.len(), 16 << 20);
    let large = error(
        &server.post_form(FILES, letter_of((16 << 20) + 1)).await,
        413,
    );
    assert_eq!(large["param"], "file", "{large}");
    assert_eq!(
        server.post_form(FILES, letter_of(18 << 20)).await.status,
        413
    );
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let (server, _dir) = start().await;
    for (path, allowed) in [
        (FILES, "GET, HEAD, POST"),
        ("/v1/files/file-0", "GET, HEAD, DELETE"),
        ("/v1/files/file-0/content", "GET, HEAD"),
    ] {
        let request = server.request(Method::PUT, path);
        let answer = Answer::read(request.send().await.unwrap()).await;
        assert_eq!(answer.status, 405, "{path}");
        assert_eq!(answer.header("allow"), Some(allowed), "{path}");
    }
}
