use super::{Store, StoreError, as_i64, seconds};
use futures_util::stream::{Stream, TryStreamExt as _, try_unfold};
use std::pin::pin;
use std::time::{Duration, SystemTime};

/// What is read or written of a file at a time.
const PIECE_BYTES: usize = 1 << 20;

/// How much one owner may keep in files, and for how long unless a file says so itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLimits {
    pub time: Duration,
    pub max_bytes: u64,
    pub max_files: u64,
}

/// A file that is to be kept.
#[derive(Debug, Clone, Copy)]
pub struct NewFile<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub purpose: &'a str,
    pub content: &'a [u8],
    /// SHA-256 of the content, in hexadecimal.
    pub sha256: &'a str,
    /// `None`: for as long as the store keeps files.
    pub time: Option<Duration>,
}

/// What is known of a kept file beside its content.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredFile {
    number: i64,
    pub id: String,
    pub name: String,
    pub purpose: String,
    #[sqlx(try_from = "i64")]
    pub num_bytes: u64,
    pub sha256: String,
    /// Unix seconds, as is the end.
    pub created_at: i64,
    pub expires_at: i64,
}

/// Which files of an owner, and in what order.
#[derive(Debug, Clone, Copy)]
pub struct FileQuery<'a> {
    /// Those that follow the file of this id.
    pub after: Option<&'a str>,
    pub purpose: Option<&'a str>,
    pub newest_first: bool,
    /// At most so many.
    pub limit: usize,
}

/// A part of a list of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePage {
    pub files: Vec<StoredFile>,
    /// Others follow.
    pub has_more: bool,
}

impl Default for FileLimits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(7 * 86_400),
            max_bytes: 256 << 20,
            max_files: 1000,
        }
    }
}

impl Store {
    /// Keeps a file whole, or nothing of it. Unlike responses, what is there already makes no room:
    /// a file is named again, and must be there then.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooManyFiles`] and [`StoreError::NoRoom`] where it would be more than the owner
    /// may keep.
    pub async fn put_file(
        &self,
        owner: &str,
        file: &NewFile<'_>,
        now: SystemTime,
    ) -> Result<StoredFile, StoreError> {
        let FileLimits {
            time,
            max_bytes,
            max_files,
        } = self.files;
        let mut transaction = self.pool.begin().await?;
        // This takes the one writer's lock, so that nobody fills the room that is found below.
        sqlx::query("DELETE FROM files WHERE expires_at <= ?")
            .bind(seconds(now))
            .execute(&mut *transaction)
            .await?;
        let (num_files, used): (i64, i64) = sqlx::query_as(
            "SELECT COUNT(*), COALESCE(SUM(num_bytes), 0) FROM files WHERE owner = ?",
        )
        .bind(owner)
        .fetch_one(&mut *transaction)
        .await?;
        if num_files >= as_i64(max_files) {
            return Err(StoreError::TooManyFiles { max: max_files });
        }
        let num_bytes = file.content.len() as u64;
        let used_bytes = used.unsigned_abs();
        if used_bytes.saturating_add(num_bytes) > max_bytes {
            return Err(StoreError::NoRoom {
                num_bytes,
                used_bytes,
                max_bytes,
            });
        }
        let stored: StoredFile = sqlx::query_as(
            "INSERT INTO files (owner, id, name, purpose, num_bytes, sha256, created_at, expires_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
        )
        .bind(owner)
        .bind(file.id)
        .bind(file.name)
        .bind(file.purpose)
        .bind(as_i64(num_bytes))
        .bind(file.sha256)
        .bind(seconds(now))
        .bind(seconds(now + file.time.unwrap_or(time)))
        .fetch_one(&mut *transaction)
        .await?;
        for (part, bytes) in (0i64..).zip(file.content.chunks(PIECE_BYTES)) {
            sqlx::query("INSERT INTO file_pieces (file, part, bytes) VALUES (?, ?, ?)")
                .bind(stored.number)
                .bind(part)
                .bind(bytes)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(stored)
    }

    /// `None` for what is not there, not there any more, or another's.
    pub async fn file(
        &self,
        owner: &str,
        id: &str,
        now: SystemTime,
    ) -> Result<Option<StoredFile>, StoreError> {
        Ok(
            sqlx::query_as("SELECT * FROM files WHERE owner = ? AND id = ? AND expires_at > ?")
                .bind(owner)
                .bind(id)
                .bind(seconds(now))
                .fetch_optional(&self.pool)
                .await?,
        )
    }

    /// `None` where the file is not there that others are asked for after.
    pub async fn files(
        &self,
        owner: &str,
        query: FileQuery<'_>,
        now: SystemTime,
    ) -> Result<Option<FilePage>, StoreError> {
        let after = match query.after {
            None if query.newest_first => i64::MAX,
            None => 0,
            Some(id) => match self.file(owner, id, now).await? {
                Some(file) => file.number,
                None => return Ok(None),
            },
        };
        let select = if query.newest_first {
            sqlx::query_as(
                "SELECT * FROM files WHERE owner = ? AND expires_at > ? AND number < ? \
                 AND purpose = COALESCE(?, purpose) ORDER BY number DESC LIMIT ?",
            )
        } else {
            sqlx::query_as(
                "SELECT * FROM files WHERE owner = ? AND expires_at > ? AND number > ? \
                 AND purpose = COALESCE(?, purpose) ORDER BY number LIMIT ?",
            )
        };
        let mut files: Vec<StoredFile> = select
            .bind(owner)
            .bind(seconds(now))
            .bind(after)
            .bind(query.purpose)
            // One more tells whether others follow.
            .bind(as_i64(query.limit as u64).saturating_add(1))
            .fetch_all(&self.pool)
            .await?;
        let has_more = files.len() > query.limit;
        files.truncate(query.limit);
        Ok(Some(FilePage { files, has_more }))
    }

    /// The content, piece by piece. It ends before its end where the file is deleted meanwhile.
    pub fn file_content(
        &self,
        file: &StoredFile,
    ) -> impl Stream<Item = Result<Vec<u8>, StoreError>> + Send + 'static {
        let (pool, number) = (self.pool.clone(), file.number);
        try_unfold(0i64, move |part| {
            let pool = pool.clone();
            async move {
                let piece: Option<(Vec<u8>,)> =
                    sqlx::query_as("SELECT bytes FROM file_pieces WHERE file = ? AND part = ?")
                        .bind(number)
                        .bind(part)
                        .fetch_optional(&pool)
                        .await?;
                Ok::<_, StoreError>(piece.map(|(bytes,)| (bytes, part + 1)))
            }
        })
    }

    /// The whole content; `None` where the file is deleted meanwhile.
    pub async fn whole_file(&self, file: &StoredFile) -> Result<Option<Vec<u8>>, StoreError> {
        let num_bytes = usize::try_from(file.num_bytes).unwrap_or(0);
        let mut whole = Vec::with_capacity(num_bytes);
        let mut pieces = pin!(self.file_content(file));
        while let Some(piece) = pieces.try_next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok((whole.len() as u64 == file.num_bytes).then_some(whole))
    }

    /// Whether it was there.
    pub async fn delete_file(
        &self,
        owner: &str,
        id: &str,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let deleted =
            sqlx::query("DELETE FROM files WHERE owner = ? AND id = ? AND expires_at > ?")
                .bind(owner)
                .bind(id)
                .bind(seconds(now))
                .execute(&self.pool)
                .await?;
        let was_there = deleted.rows_affected() > 0;
        if was_there {
            self.empty_log().await?;
        }
        Ok(was_there)
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
