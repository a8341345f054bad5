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
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Those that run. How many there are is bounded by what the engine admits.
#[derive(Default)]
pub struct Background {
    tasks: Mutex<HashMap<(Owner, String), Task>>,
}

struct Task {
    cancel: oneshot::Sender<()>,
    handle: JoinHandle<()>,
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
    let (place, known) = (Arc::clone(state), key.clone());
    // Held until the task is in the list, so that it cannot leave it before.
    let mut tasks = state.background.tasks();
    let handle = tokio::spawn(async move {
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
        place.background.tasks().remove(&known);
    });
    tasks.insert(key, Task { cancel, handle });
    Ok(body)
}

impl Background {
    pub fn is_running(&self, owner: &Owner, id: &str) -> bool {
        self.tasks().contains_key(&(owner.clone(), id.to_owned()))
    }

    /// Ends one, if it runs, and waits until that is stored.
    pub async fn stop(&self, owner: &Owner, id: &str) {
        let task = self.tasks().remove(&(owner.clone(), id.to_owned()));
        if let Some(Task { cancel, handle }) = task {
            // One that has just finished need not be told.
            let _ = cancel.send(());
            let _ = handle.await;
        }
    }

    /// Waits for those that run, at most until `deadline`.
    pub async fn finish(&self, deadline: Instant) {
        let tasks: Vec<Task> = self.tasks().drain().map(|(_, task)| task).collect();
        for task in tasks {
            // What does not finish in time is shown as failed later.
            let _ = tokio::time::timeout_at(deadline.into(), task.handle).await;
        }
    }

    fn tasks(&self) -> MutexGuard<'_, HashMap<(Owner, String), Task>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
