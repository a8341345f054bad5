//! Against a hub of our own on loopback.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::StreamExt;

use super::super::digest::Hasher;
use super::*;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

#[derive(Default)]
struct Shelf {
    /// Name, content as served, digest as listed.
    files: BTreeMap<String, (Vec<u8>, Option<String>)>,
    /// The next download of a large file breaks off after so many bytes.
    break_after: Option<usize>,
    /// Every download: file and the start of its range.
    downloads: Vec<(String, u64)>,
}

type Shared = Arc<Mutex<Shelf>>;

fn sha256(bytes: &[u8]) -> String {
    let mut hasher = Hasher::default();
    hasher.write_all(bytes).unwrap();
    hasher.finish()
}

async fn listing(
    State(shelf): State<Shared>,
    UrlPath((_, _, revision)): UrlPath<(String, String, String)>,
) -> Response {
    if revision != "main" {
        return StatusCode::NOT_FOUND.into_response();
    }
    let shelf = shelf.lock().unwrap();
    let siblings: Vec<_> = shelf
        .files
        .iter()
        .map(|(name, (content, digest))| {
            let lfs = digest.as_ref().map(|sha256| serde_json::json!({"sha256": sha256, "size": content.len(), "pointerSize": 134}));
            serde_json::json!({"rfilename": name, "size": content.len(), "blobId": "x", "lfs": lfs})
        })
        .collect();
    serde_json::json!({"id": "o/r", "sha": COMMIT, "siblings": siblings})
        .to_string()
        .into_response()
}

async fn content(
    State(shelf): State<Shared>,
    UrlPath((_, _, commit, name)): UrlPath<(String, String, String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    assert_eq!(commit, COMMIT, "downloads name the commit, not the branch");
    let mut shelf = shelf.lock().unwrap();
    let Some((content, digest)) = shelf.files.get(&name).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let range = headers
        .get(header::RANGE)
        .map(|value| value.to_str().unwrap().to_owned());
    let start: usize = range.as_deref().map_or(0, |range| {
        range
            .strip_prefix("bytes=")
            .unwrap()
            .split('-')
            .next()
            .unwrap()
            .parse()
            .unwrap()
    });
    let rest = content[start..].to_vec();
    let base = Response::builder()
        .status(if range.is_some() { 206 } else { 200 })
        .header(header::CONTENT_LENGTH, rest.len())
        .header(header::ETAG, "\"e\"")
        .header("x-repo-commit", COMMIT);
    if method == Method::HEAD {
        return base.body(Body::empty()).unwrap();
    }
    shelf.downloads.push((name, start as u64));
    match shelf.break_after.take_if(|_| digest.is_some()) {
        None => base.body(Body::from(rest)).unwrap(),
        Some(count) => {
            let first: Result<Bytes, std::io::Error> = Ok(Bytes::from(rest[..count].to_vec()));
            let broken = Err(std::io::Error::other("the cable was pulled"));
            // A pause lets the first part leave before the connection dies.
            let stream = futures_util::stream::iter([first, broken]).then(|part| async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                part
            });
            base.body(Body::from_stream(stream)).unwrap()
        }
    }
}

/// Serves `shelf` on a free port until the runtime is dropped.
fn serve(shelf: &Shared) -> (tokio::runtime::Runtime, Hub) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .route("/api/models/{org}/{repo}/revision/{revision}", get(listing))
        .route("/{org}/{repo}/resolve/{commit}/{name}", get(content))
        .with_state(Arc::clone(shelf));
    runtime.spawn(async move { axum::serve(listener, router).await });
    (
        runtime,
        Hub {
            endpoint,
            token: None,
            patience: Duration::from_secs(5),
        },
    )
}

fn weights() -> Vec<u8> {
    (0..300_000_u32)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

fn shelf() -> Shared {
    let mut files = BTreeMap::new();
    files.insert("config.json".to_owned(), (b"{}".to_vec(), None));
    files.insert("tokenizer.json".to_owned(), (b"{\"t\":1}".to_vec(), None));
    files.insert(
        "model.safetensors".to_owned(),
        (weights(), Some(sha256(&weights()))),
    );
    for unwanted in [
        "pytorch_model.bin",
        "modeling.py",
        "consolidated.safetensors",
        "README.md",
    ] {
        files.insert(unwanted.to_owned(), (b"unwanted".to_vec(), None));
    }
    Arc::new(Mutex::new(Shelf {
        files,
        ..Shelf::default()
    }))
}

fn source() -> HubSource {
    HubSource {
        repo: "o/r".into(),
        revision: "main".into(),
        files: Vec::new(),
    }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_pull_brings_what_serving_needs_and_the_commit() {
    let (_runtime, hub) = serve(&shelf());
    let dir = tempfile::tempdir().unwrap();
    let mut last = None;
    let commit = hub
        .fetch(&source(), dir.path(), &mut |t| {
            last = Some((t.file.to_owned(), t.done, t.total))
        })
        .unwrap();
    assert_eq!(commit, COMMIT);
    assert_eq!(
        names(dir.path()),
        ["config.json", "model.safetensors", "tokenizer.json"]
    );
    assert_eq!(
        std::fs::read(dir.path().join("model.safetensors")).unwrap(),
        weights()
    );
    assert_eq!(last, Some(("model.safetensors".into(), 300_000, 300_000)));
}

#[test]
fn a_broken_connection_is_continued_where_it_broke() {
    let shelf = shelf();
    shelf.lock().unwrap().break_after = Some(100_000);
    let (_runtime, hub) = serve(&shelf);
    let dir = tempfile::tempdir().unwrap();
    hub.fetch(&source(), dir.path(), &mut |_| {}).unwrap();
    assert_eq!(
        std::fs::read(dir.path().join("model.safetensors")).unwrap(),
        weights()
    );
    let starts: Vec<u64> = shelf
        .lock()
        .unwrap()
        .downloads
        .iter()
        .filter(|(name, _)| name == "model.safetensors")
        .map(|d| d.1)
        .collect();
    assert_eq!(starts, [0, 100_000]);
}

#[test]
fn a_stopped_pull_goes_on_and_a_finished_file_is_not_fetched_again() {
    let shelf = shelf();
    let (_runtime, hub) = serve(&shelf);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join(".model.safetensors.part"),
        &weights()[..200_000],
    )
    .unwrap();
    std::fs::write(dir.path().join("left-by-another-revision.json"), "{}").unwrap();
    hub.fetch(&source(), dir.path(), &mut |_| {}).unwrap();
    assert!(
        shelf
            .lock()
            .unwrap()
            .downloads
            .contains(&("model.safetensors".into(), 200_000))
    );
    assert_eq!(
        names(dir.path()),
        ["config.json", "model.safetensors", "tokenizer.json"]
    );

    shelf.lock().unwrap().downloads.clear();
    hub.fetch(&source(), dir.path(), &mut |_| {}).unwrap();
    assert!(
        shelf
            .lock()
            .unwrap()
            .downloads
            .iter()
            .all(|(name, _)| name != "model.safetensors")
    );
}

#[test]
fn corrupted_weights_are_refused_and_not_kept() {
    let shelf = shelf();
    shelf
        .lock()
        .unwrap()
        .files
        .get_mut("model.safetensors")
        .unwrap()
        .0[12_345] ^= 1;
    let (_runtime, hub) = serve(&shelf);
    let dir = tempfile::tempdir().unwrap();
    let error = hub.fetch(&source(), dir.path(), &mut |_| {}).unwrap_err();
    assert!(
        matches!(&error, HubError::Corrupt { file, .. } if file == "model.safetensors"),
        "{error}"
    );
    assert_eq!(names(dir.path()), ["config.json", "tokenizer.json"]);
}

#[test]
fn a_digest_in_the_manifest_outranks_what_the_hub_says() {
    let (_runtime, hub) = serve(&shelf());
    let dir = tempfile::tempdir().unwrap();
    let pinned = super::super::ManifestFile {
        path: "config.json".into(),
        size: None,
        sha256: Some(sha256(b"{ }")),
    };
    let source = HubSource {
        files: vec![pinned],
        ..source()
    };
    let error = hub.fetch(&source, dir.path(), &mut |_| {}).unwrap_err();
    assert!(
        matches!(&error, HubError::Corrupt { file, .. } if file == "config.json"),
        "{error}"
    );
}

#[test]
fn a_repository_that_cannot_be_served_is_refused_before_any_download() {
    for (missing, word) in [
        ("model.safetensors", "safetensors"),
        ("tokenizer.json", "tokenizer.json"),
        ("config.json", "config.json"),
    ] {
        let shelf = shelf();
        shelf.lock().unwrap().files.remove(missing);
        let (_runtime, hub) = serve(&shelf);
        let dir = tempfile::tempdir().unwrap();
        let error = hub.fetch(&source(), dir.path(), &mut |_| {}).unwrap_err();
        assert!(
            matches!(&error, HubError::Refused { reason, .. } if reason.contains(word)),
            "{error}"
        );
        assert!(shelf.lock().unwrap().downloads.is_empty());
    }
}

#[test]
fn an_unknown_revision_is_an_answer_and_not_an_absence() {
    let (_runtime, hub) = serve(&shelf());
    let dir = tempfile::tempdir().unwrap();
    let source = HubSource {
        revision: "v9/x".into(),
        ..source()
    };
    let error = hub.fetch(&source, dir.path(), &mut |_| {}).unwrap_err();
    assert!(
        matches!(&error, HubError::Refused { reason, .. } if reason.contains("v9/x")),
        "{error}"
    );
}

#[test]
fn a_hub_that_does_not_answer_is_given_up_soon() {
    let dir = tempfile::tempdir().unwrap();
    // Accepts connections and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for endpoint in [
        format!("http://{}", silent.local_addr().unwrap()),
        format!("http://{closed}"),
        "http://no-such-host.invalid".to_owned(),
    ] {
        let hub = Hub {
            endpoint,
            token: None,
            patience: Duration::from_millis(500),
        };
        let start = Instant::now();
        let error = hub.fetch(&source(), dir.path(), &mut |_| {}).unwrap_err();
        assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
        assert!(
            start.elapsed() < Duration::from_secs(3),
            "{:?}",
            start.elapsed()
        );
    }
}
