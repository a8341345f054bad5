//! What outlives a request: SQLite, in one file of the state directory.
//!
//! Everything is kept under its owner, the name of an API key, and found under it alone: who asks
//! for what is another's finds nothing. What is kept ends by itself, by its age; and each owner has a
//! budget, to which the oldest responses yield, and files do not.

mod files;
mod responses;

pub use files::{FileLimits, FilePage, FileQuery, NewFile, StoredFile};
pub use responses::StoredResponse;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Connections to one file: SQLite has one writer at a time.
const MAX_CONNECTIONS: u32 = 4;
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long and how much is kept of responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    pub time: Duration,
    /// Of one owner.
    pub max_bytes: u64,
}

/// A handle to the file. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    pool: SqlitePool,
    retention: Retention,
    files: FileLimits,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot keep responses and files in {}: {source}; set server.state_dir to a directory that can be written, or responses.store = false", .path.display())]
    Open { path: PathBuf, source: sqlx::Error },
    #[error("the tables of {} are not this version's: {source}", .path.display())]
    Migrate {
        path: PathBuf,
        source: sqlx::migrate::MigrateError,
    },
    #[error("the store failed: {0}")]
    Query(#[from] sqlx::Error),
    /// Nothing was stored.
    #[error("{num_bytes} bytes are more than the {max_bytes} that one caller may keep")]
    TooLarge { num_bytes: u64, max_bytes: u64 },
    /// Nothing was stored.
    #[error("one caller may keep {max} files")]
    TooManyFiles { max: u64 },
    /// Nothing was stored.
    #[error(
        "{num_bytes} bytes have no place beside the {used_bytes} of {max_bytes} that one caller may keep in files"
    )]
    NoRoom {
        num_bytes: u64,
        used_bytes: u64,
        max_bytes: u64,
    },
}

impl Store {
    /// Opens the file at `path`, making it and its directory where they lack.
    pub async fn open(path: &Path, retention: Retention) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Open {
            path: path.to_owned(),
            source,
        };
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(|error| failed(sqlx::Error::Io(error)))?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A crash of the machine may lose the last answers, and never the file.
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY_TIMEOUT)
            // What is deleted is overwritten, and not only found no more.
            .pragma("secure_delete", "ON");
        let pool = SqlitePoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .connect_with(options)
            .await
            .map_err(failed)?;
        sqlx::migrate!("src/store/migrations")
            .run(&pool)
            .await
            .map_err(|source| StoreError::Migrate {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            pool,
            retention,
            files: FileLimits::default(),
        })
    }

    /// The same with other limits on files.
    pub fn with_file_limits(self, files: FileLimits) -> Self {
        Self { files, ..self }
    }

    /// Takes out of the file what nobody finds any more.
    pub async fn forget_expired(&self, now: SystemTime) -> Result<(), StoreError> {
        for delete in [
            "DELETE FROM responses WHERE expires_at <= ?",
            "DELETE FROM files WHERE expires_at <= ?",
        ] {
            sqlx::query(delete)
                .bind(seconds(now))
                .execute(&self.pool)
                .await?;
        }
        self.empty_log().await
    }

    /// Takes what was written into the file, and nothing of it stays beside: what is deleted would
    /// be there until later writes pass over it.
    async fn empty_log(&self) -> Result<(), StoreError> {
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Waits until what is being written is written, and closes the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn as_i64(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Unix seconds.
fn seconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}
