//! Responses that nobody waits for.

use super::Running;
use super::answer::End;
use crate::api::auth::Owner;
use crate::api::error::ApiError;
use crate::api::state::ApiState;
use serde_json::Value;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};
use tokio::sync::{oneshot, watch};

/// Those that run, until their end is stored. How many there are is bounded by what the engine
/// admits.
#[derive(Default)]
pub struct Background {
    tasks: Mutex<HashMap<Key, Task>>,
}

type Key = (Owner, String);

struct Task {
    /// Taken by whoever cancels first.
    cancel: Option<oneshot::Sender<()>>,
    /// Closed when the task has left the list.
    ended: watch::Receiver<()>,
}

/// A task's place in the list, which it leaves however it ends.
struct Place {
    state: Arc<ApiState>,
    key: Key,
    /// Dropped after the place is left.
    _ended: watch::Sender<()>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.state.background.tasks().remove(&self.key);
    }
}

/// Goes on without its client; the answer as it is now, which is stored.
pub async fn start(state: &Arc<ApiState>, mut running: Running) -> Result<Value, ApiError> {
    if !running.save(SystemTime::now()).await {
        return Err(ApiError::internal("a background response cannot be stored"));
    }
    let body = running.answer.body();
    let Some(owner) = running.keep.as_ref().map(|keep| keep.owner.clone()) else {
        return Err(ApiError::internal("a background response has no owner"));
    };
    let key = (owner, running.answer.id().to_owned());
    let (cancel, mut cancelled) = oneshot::channel();
    let (ending, ended) = watch::channel(());
    let cancel = Some(cancel);
    let task = Task { cancel, ended };
    state.background.tasks().insert(key.clone(), task);
    let place = Place {
        state: Arc::clone(state),
        key,
        _ended: ending,
    };
    tokio::spawn(async move {
        let _place = place;
        let is_cancelled = {
            let mut run = pin!(running.run());
            tokio::select! {
                // Its error is in the answer.
                _ = &mut run => false,
                // A sender that was dropped means the same.
                _ = &mut cancelled => true,
            }
        };
        if is_cancelled {
            running.end(End::Cancelled).await;
        }
    });
    Ok(body)
}

impl Background {
    /// Asked before the store, whose answer may be older: one that runs no more is stored as
    /// ended.
    pub fn is_running(&self, owner: &Owner, id: &str) -> bool {
        self.tasks().contains_key(&(owner.clone(), id.to_owned()))
    }

    /// Ends one, if it runs, and waits until that is stored.
    pub async fn stop(&self, owner: &Owner, id: &str) {
        let ended = {
            let mut tasks = self.tasks();
            let Some(task) = tasks.get_mut(&(owner.clone(), id.to_owned())) else {
                return;
            };
            if let Some(cancel) = task.cancel.take() {
                // One that has just finished need not be told.
                let _ = cancel.send(());
            }
            task.ended.clone()
        };
        closed(ended).await;
    }

    /// Waits for those that run, at most until `deadline`.
    pub async fn finish(&self, deadline: Instant) {
        let all: Vec<_> = (self.tasks().values())
            .map(|task| task.ended.clone())
            .collect();
        for ended in all {
            // What does not finish in time is shown as failed later.
            let _ = tokio::time::timeout_at(deadline.into(), closed(ended)).await;
        }
    }

    fn tasks(&self) -> MutexGuard<'_, HashMap<Key, Task>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn closed(mut ended: watch::Receiver<()>) {
    // Nothing is ever sent.
    while ended.changed().await.is_ok() {}
}
