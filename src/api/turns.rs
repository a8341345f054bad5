//! Who may do now what takes a core for a while.

use crate::generation::Caller;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places for work that takes a core, fewer than there are, so that decoding goes on. Each
/// caller stands in line with as many requests as there are places, so that nobody waits behind
/// a thousand of another's.
pub struct Turns {
    places: Arc<Semaphore>,
    /// By the caller's number.
    lines: Vec<Arc<Semaphore>>,
}

/// Dropping it gives the place back.
pub struct Place {
    _line: Option<OwnedSemaphorePermit>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// Half the cores: for rendering and tokenizing. Callers have the numbers from 0 to
    /// `num_keys`.
    pub fn on_half_the_cores(num_keys: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        Self::new(num_keys, (cores / 2).max(1))
    }

    /// For callers from 0 to `num_keys`.
    pub fn new(num_keys: usize, num_places: usize) -> Self {
        let line = || Arc::new(Semaphore::new(num_places));
        Self {
            places: Arc::new(Semaphore::new(num_places)),
            lines: (0..=num_keys).map(|_| line()).collect(),
        }
    }

    /// Waits for a place. A client that leaves meanwhile leaves the line.
    pub async fn place(&self, caller: Caller) -> Place {
        // The semaphores are never closed, so there always is a permit in the end.
        let line = match self.lines.get(caller.number as usize) {
            Some(line) => Arc::clone(line).acquire_owned().await.ok(),
            None => None,
        };
        Place {
            _line: line,
            _place: Arc::clone(&self.places).acquire_owned().await.ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    fn caller(number: u32) -> Caller {
        Caller { number, weight: 1 }
    }

    #[tokio::test]
    async fn one_callers_crowd_stands_behind_anothers_first_request() {
        let turns = Arc::new(Turns::on_half_the_cores(2));
        let held = turns.place(caller(1)).await;
        let mut crowd = Vec::new();
        for _ in 0..50 {
            let turns = Arc::clone(&turns);
            crowd.push(tokio::spawn(async move { turns.place(caller(1)).await }));
        }
        tokio::task::yield_now().await;
        let other = turns.place(caller(2));
        drop(held);
        timeout(Duration::from_secs(5), other).await.unwrap();
        for task in crowd {
            timeout(Duration::from_secs(5), task)
                .await
                .unwrap()
                .unwrap();
        }
    }
}
