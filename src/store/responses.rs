use super::{Store, StoreError, as_i64, seconds};
use std::time::SystemTime;

/// A response as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResponse {
    /// The response object, as JSON.
    pub body: String,
    /// The items of the conversation up to its end, as JSON.
    pub items: String,
}

impl Store {
    /// Keeps a response, in the place of an older state of it. The owner's oldest ones make room.
    pub async fn put_response(
        &self,
        owner: &str,
        id: &str,
        response: &StoredResponse,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let num_bytes = (response.body.len() + response.items.len()) as u64;
        let max_bytes = self.retention.max_bytes;
        if num_bytes > max_bytes {
            return Err(StoreError::TooLarge {
                num_bytes,
                max_bytes,
            });
        }
        let mut transaction = self.pool.begin().await?;
        sqlx::query("DELETE FROM responses WHERE expires_at <= ?")
            .bind(seconds(now))
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT OR REPLACE INTO responses (owner, id, stored_at, expires_at, num_bytes, body, items) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(owner)
        .bind(id)
        .bind(seconds(now))
        .bind(seconds(now + self.retention.time))
        .bind(as_i64(num_bytes))
        .bind(&response.body)
        .bind(&response.items)
        .execute(&mut *transaction)
        .await?;
        // Newest first, this one before all, until the budget is used.
        sqlx::query(
            "DELETE FROM responses WHERE owner = ?1 AND id IN (SELECT id FROM (SELECT id, SUM(num_bytes) OVER \
             (ORDER BY id = ?2 DESC, stored_at DESC, id DESC) AS total FROM responses WHERE owner = ?1) \
             WHERE total > ?3)",
        )
        .bind(owner)
        .bind(id)
        .bind(as_i64(max_bytes))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// `None` for what is not there, not there any more, or another's.
    pub async fn response(
        &self,
        owner: &str,
        id: &str,
        now: SystemTime,
    ) -> Result<Option<StoredResponse>, StoreError> {
        let found: Option<(String, String)> = sqlx::query_as(
            "SELECT body, items FROM responses WHERE owner = ? AND id = ? AND expires_at > ?",
        )
        .bind(owner)
        .bind(id)
        .bind(seconds(now))
        .fetch_optional(&self.pool)
        .await?;
        Ok(found.map(|(body, items)| StoredResponse { body, items }))
    }

    /// Whether it was there.
    pub async fn delete_response(
        &self,
        owner: &str,
        id: &str,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let deleted =
            sqlx::query("DELETE FROM responses WHERE owner = ? AND id = ? AND expires_at > ?")
                .bind(owner)
                .bind(id)
                .bind(seconds(now))
                .execute(&self.pool)
                .await?;
        Ok(deleted.rows_affected() > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Retention;
    use super::*;
    use std::time::Duration;

    const DAY: Duration = Duration::from_secs(86_400);

    async fn store(max_bytes: u64) -> (Store, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let retention = Retention {
            time: DAY,
            max_bytes,
        };
        let store = Store::open(&dir.path().join("new/guichet.db"), retention).await;
        (store.unwrap(), dir)
    }

    fn response(len: usize) -> StoredResponse {
        StoredResponse {
            body: "b".repeat(len / 2),
            items: "i".repeat(len - len / 2),
        }
    }

    #[tokio::test]
    async fn a_response_is_its_owners_alone() {
        let (store, _dir) = store(1000).await;
        let now = SystemTime::now();
        store
            .put_response("a", "resp_1", &response(10), now)
            .await
            .unwrap();
        let found = |owner: &'static str| store.response(owner, "resp_1", now);
        assert_eq!(found("a").await.unwrap(), Some(response(10)));
        assert_eq!(found("b").await.unwrap(), None);
        assert!(!store.delete_response("b", "resp_1", now).await.unwrap());
        // The same id is another response with another owner.
        store
            .put_response("b", "resp_1", &response(20), now)
            .await
            .unwrap();
        assert!(store.delete_response("b", "resp_1", now).await.unwrap());
        assert_eq!(found("a").await.unwrap(), Some(response(10)));
    }

    #[tokio::test]
    async fn what_is_kept_ends_with_its_time() {
        let (store, _dir) = store(1000).await;
        let now = SystemTime::now();
        store
            .put_response("a", "resp_1", &response(10), now)
            .await
            .unwrap();
        let later = |time| now + DAY - Duration::from_secs(5) + time;
        let soon = later(Duration::ZERO);
        assert!(store.response("a", "resp_1", soon).await.unwrap().is_some());
        let late = later(Duration::from_secs(10));
        assert!(store.response("a", "resp_1", late).await.unwrap().is_none());
        assert!(!store.delete_response("a", "resp_1", late).await.unwrap());
    }

    #[tokio::test]
    async fn the_oldest_make_room_and_what_never_fits_is_an_error() {
        let (store, _dir) = store(100).await;
        let start = SystemTime::now();
        let at = |second| start + Duration::from_secs(second);
        for (second, id) in [(1, "resp_1"), (2, "resp_2"), (3, "resp_3")] {
            store
                .put_response("a", id, &response(40), at(second))
                .await
                .unwrap();
        }
        store
            .put_response("b", "resp_4", &response(100), at(4))
            .await
            .unwrap();
        let mut left = Vec::new();
        for (owner, id) in [
            ("a", "resp_1"),
            ("a", "resp_2"),
            ("a", "resp_3"),
            ("b", "resp_4"),
        ] {
            if store.response(owner, id, at(5)).await.unwrap().is_some() {
                left.push(id);
            }
        }
        assert_eq!(left, ["resp_2", "resp_3", "resp_4"]);
        // An older one that is written again is no newcomer to make room for.
        store
            .put_response("a", "resp_2", &response(90), at(6))
            .await
            .unwrap();
        assert!(
            store
                .response("a", "resp_2", at(6))
                .await
                .unwrap()
                .is_some()
        );
        assert!(
            store
                .response("a", "resp_3", at(6))
                .await
                .unwrap()
                .is_none()
        );
        let refused = store
            .put_response("a", "resp_5", &response(101), at(7))
            .await;
        assert!(matches!(refused, Err(StoreError::TooLarge { .. })));
    }

    #[tokio::test]
    async fn a_file_is_opened_again_with_what_is_in_it() {
        let (store, dir) = store(1000).await;
        let now = SystemTime::now();
        store
            .put_response("a", "resp_1", &response(10), now)
            .await
            .unwrap();
        store.close().await;
        let retention = Retention {
            time: DAY,
            max_bytes: 1000,
        };
        let path = dir.path().join("new/guichet.db");
        let again = Store::open(&path, retention).await.unwrap();
        assert!(again.response("a", "resp_1", now).await.unwrap().is_some());
        let refused = Store::open(Path::new("/proc/none/guichet.db"), retention).await;
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("responses.store = false"), "{message}");
    }

    use std::path::Path;
}
