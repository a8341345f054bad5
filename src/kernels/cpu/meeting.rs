//! Sums over ranks that are threads of one process.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock};

/// Where ranks come together, as often one as the other.
pub struct Meeting {
    state: Mutex<State>,
    changed: Condvar,
    /// What each rank has brought, of even and of odd rounds: who still adds up one round is not
    /// disturbed by who begins the next, and nobody can be two rounds ahead.
    parts: [Vec<RwLock<Vec<f32>>>; 2],
}

#[derive(Default)]
struct State {
    round: usize,
    num_arrived: usize,
    has_ended: bool,
}

/// Why there is no sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeetingError {
    /// A rank does not come any more.
    Ended,
    /// Ranks bring more numbers than others.
    Sizes,
}

impl Meeting {
    pub fn new(size: usize) -> Self {
        let parts = || (0..size).map(|_| RwLock::default()).collect();
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            parts: [parts(), parts()],
        }
    }

    /// `x` = the sum of what all ranks bring, added in the order of ranks by each of them.
    pub fn add_up(&self, rank: usize, x: &mut [f32]) -> Result<(), MeetingError> {
        // It stays until this rank has arrived, too.
        let round = self.state().round;
        let parts = &self.parts[round % 2];
        {
            let mut own = parts[rank].write().unwrap_or_else(PoisonError::into_inner);
            own.clear();
            own.extend_from_slice(x);
        }
        self.wait_for_all(round)?;
        for (rank, part) in parts.iter().enumerate() {
            let part = part.read().unwrap_or_else(PoisonError::into_inner);
            if part.len() != x.len() {
                return Err(MeetingError::Sizes);
            }
            match rank {
                0 => x.copy_from_slice(&part),
                _ => x.iter_mut().zip(&*part).for_each(|(x, part)| *x += part),
            }
        }
        Ok(())
    }

    /// Whoever waits, or comes, gets an error.
    pub fn end(&self) {
        self.state().has_ended = true;
        self.changed.notify_all();
    }

    /// After an end, once nobody is inside.
    pub fn begin_anew(&self) {
        let mut state = self.state();
        state.has_ended = false;
        state.num_arrived = 0;
    }

    fn wait_for_all(&self, round: usize) -> Result<(), MeetingError> {
        let mut state = self.state();
        if state.has_ended {
            return Err(MeetingError::Ended);
        }
        state.num_arrived += 1;
        if state.num_arrived == self.parts[0].len() {
            state.num_arrived = 0;
            state.round = state.round.wrapping_add(1);
            self.changed.notify_all();
            return Ok(());
        }
        while state.round == round && !state.has_ended {
            let woken = self.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
        // A round that is complete is no less so if somebody has left since.
        match state.round == round {
            true => Err(MeetingError::Ended),
            false => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
