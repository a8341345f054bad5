use super::super::Retention;
use super::*;

const HOUR: Duration = Duration::from_secs(3600);

async fn store(limits: FileLimits) -> (Store, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention {
        time: HOUR,
        max_bytes: 1000,
    };
    let store = Store::open(&dir.path().join("guichet.db"), retention).await;
    (store.unwrap().with_file_limits(limits), dir)
}

fn limits() -> FileLimits {
    FileLimits {
        time: 2 * HOUR,
        ..FileLimits::default()
    }
}

fn file<'a>(id: &'a str, content: &'a [u8]) -> NewFile<'a> {
    NewFile {
        id,
        name: "a.txt",
        purpose: "user_data",
        content,
        sha256: "0",
        time: None,
    }
}

const ALL: FileQuery<'_> = FileQuery {
    after: None,
    purpose: None,
    newest_first: true,
    limit: 10,
};

fn ids(page: Option<FilePage>) -> (Vec<String>, bool) {
    let page = page.unwrap();
    let ids = page.files.into_iter().map(|file| file.id);
    (ids.collect(), page.has_more)
}

#[tokio::test]
async fn a_file_of_many_pieces_comes_back_byte_for_byte() {
    let (store, _dir) = store(limits()).await;
    let now = SystemTime::now();
    for len in [
        0,
        1,
        PIECE_BYTES - 1,
        PIECE_BYTES,
        PIECE_BYTES + 1,
        3 * PIECE_BYTES,
    ] {
        let content: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        let id = format!("file-{len}");
        let stored = store.put_file("a", &file(&id, &content), now).await;
        assert_eq!(stored.as_ref().unwrap().num_bytes, len as u64);
        let whole = store.whole_file(&stored.unwrap()).await.unwrap();
        assert!(whole.is_some_and(|whole| whole == content), "{len}");
    }
}

#[tokio::test]
async fn a_file_is_its_owners_alone() {
    let (store, _dir) = store(limits()).await;
    let now = SystemTime::now();
    store
        .put_file("a", &file("file-1", b"mine"), now)
        .await
        .unwrap();
    assert_eq!(store.file("b", "file-1", now).await.unwrap(), None);
    assert_eq!(ids(store.files("b", ALL, now).await.unwrap()).0, [""; 0]);
    let after = FileQuery {
        after: Some("file-1"),
        ..ALL
    };
    assert_eq!(store.files("b", after, now).await.unwrap(), None);
    assert!(!store.delete_file("b", "file-1", now).await.unwrap());
    // The same id is another file with another owner.
    store
        .put_file("b", &file("file-1", b"theirs"), now)
        .await
        .unwrap();
    assert!(store.delete_file("b", "file-1", now).await.unwrap());
    let mine = store.file("a", "file-1", now).await.unwrap().unwrap();
    assert_eq!(store.whole_file(&mine).await.unwrap().unwrap(), b"mine");
}

#[tokio::test]
async fn a_file_ends_with_its_own_time_or_the_stores() {
    let (store, _dir) = store(limits()).await;
    let now = SystemTime::now();
    let short = NewFile {
        time: Some(HOUR),
        ..file("file-short", b"a")
    };
    for file in [short, file("file-long", b"b")] {
        store.put_file("a", &file, now).await.unwrap();
    }
    let later = |time| now + time - Duration::from_secs(2);
    let left = async |now| ids(store.files("a", ALL, now).await.unwrap()).0;
    assert_eq!(left(later(HOUR)).await, ["file-long", "file-short"]);
    let second = Duration::from_secs(4);
    assert_eq!(left(later(HOUR) + second).await, ["file-long"]);
    let end = later(2 * HOUR) + second;
    assert_eq!(store.file("a", "file-long", end).await.unwrap(), None);
    assert!(!store.delete_file("a", "file-long", end).await.unwrap());
    store.forget_expired(end).await.unwrap();
    let count = "SELECT COUNT(*) FROM file_pieces";
    let (pieces,): (i64,) = sqlx::query_as(count).fetch_one(&store.pool).await.unwrap();
    assert_eq!(pieces, 0);
}

#[tokio::test]
async fn what_goes_beyond_the_owners_room_is_refused_and_nothing_makes_room() {
    let (store, _dir) = store(FileLimits {
        max_bytes: 100,
        max_files: 3,
        ..limits()
    })
    .await;
    let now = SystemTime::now();
    let put = async |owner: &str, id: &str, len: usize, now| {
        let content = vec![0; len];
        store.put_file(owner, &file(id, &content), now).await
    };
    put("a", "file-1", 60, now).await.unwrap();
    assert!(matches!(
        put("a", "file-2", 41, now).await,
        Err(StoreError::NoRoom {
            num_bytes: 41,
            used_bytes: 60,
            max_bytes: 100
        })
    ));
    put("b", "file-2", 100, now).await.unwrap();
    put("a", "file-2", 40, now).await.unwrap();
    put("a", "file-3", 0, now).await.unwrap();
    assert!(matches!(
        put("a", "file-4", 0, now).await,
        Err(StoreError::TooManyFiles { max: 3 })
    ));
    assert!(store.delete_file("a", "file-1", now).await.unwrap());
    put("a", "file-4", 60, now).await.unwrap();
    // What has ended takes no room either.
    put("a", "file-5", 100, now + 3 * HOUR).await.unwrap();
}

#[tokio::test]
async fn uploads_at_one_time_share_the_room() {
    let (store, _dir) = store(FileLimits {
        max_bytes: 100,
        ..limits()
    })
    .await;
    let now = SystemTime::now();
    let content = [0; 40];
    let ids: Vec<String> = (0..8).map(|id| format!("file-{id}")).collect();
    let files: Vec<_> = ids.iter().map(|id| file(id, &content)).collect();
    let puts = files.iter().map(|file| store.put_file("a", file, now));
    let done = futures_util::future::join_all(puts).await;
    let is_refused = |put: &&_| matches!(put, Err(StoreError::NoRoom { .. }));
    assert_eq!(done.iter().filter(is_refused).count(), 6, "{done:?}");
    let kept = store.files("a", ALL, now).await.unwrap().unwrap();
    assert_eq!(kept.files.len(), 2);
}

#[tokio::test]
async fn nothing_of_a_deleted_file_is_left_on_the_disk() {
    let (store, dir) = store(limits()).await;
    let now = SystemTime::now();
    let line = b"Aktenzeichen 4711\n";
    let content = line.repeat(100_000);
    for id in ["file-1", "file-2"] {
        store.put_file("a", &file(id, &content), now).await.unwrap();
    }
    assert!(store.delete_file("a", "file-1", now).await.unwrap());
    store.forget_expired(now + 3 * HOUR).await.unwrap();
    // While the store is open: its log lies beside the file.
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let is_left = bytes.windows(line.len()).any(|bytes| bytes == line);
        assert!(!is_left);
    }
}

#[tokio::test]
async fn a_list_goes_on_after_a_file_in_either_order() {
    let (store, _dir) = store(limits()).await;
    let now = SystemTime::now();
    for id in ["file-b", "file-c", "file-a"] {
        store.put_file("a", &file(id, b"x"), now).await.unwrap();
    }
    let list = async |query| ids(store.files("a", query, now).await.unwrap());
    let page = FileQuery { limit: 2, ..ALL };
    assert_eq!(
        list(page).await,
        (vec!["file-a".into(), "file-c".into()], true)
    );
    let next = FileQuery {
        after: Some("file-c"),
        ..page
    };
    assert_eq!(list(next).await, (vec!["file-b".into()], false));
    let oldest_first = FileQuery {
        newest_first: false,
        ..next
    };
    assert_eq!(list(oldest_first).await, (vec!["file-a".into()], false));
    let other = FileQuery {
        purpose: Some("batch"),
        ..ALL
    };
    assert_eq!(list(other).await, (vec![], false));
}
