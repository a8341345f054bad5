use super::EngineConfig;
use super::admission::Admission;
use super::faults::Faults;
use super::quarantine::Quarantine;
use super::stats::EngineStats;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// What handles and the engine's thread both see.
#[derive(Debug)]
pub(super) struct Shared {
    /// The engine's number among those of its model.
    pub replica: usize,
    pub config: EngineConfig,
    pub stats: EngineStats,
    pub admission: Arc<Admission>,
    pub quarantine: Arc<Quarantine>,
    pub lost: Notify,
    phase: AtomicU8,
    /// Milliseconds since the start, while the phase is `Restarting`.
    restart_at: AtomicU64,
    start: Instant,
}

/// What an engine does, as far as one who submits is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineState {
    /// Takes sequences.
    Running,
    /// A step takes so long already that it will probably never end.
    Stuck { since: Duration },
    /// It died and starts again.
    Restarting { retry_after: Duration },
    /// It was told to stop.
    Stopped,
    /// Its device failed; only a new process can use it again.
    Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    Restarting,
    Stopped,
    Lost,
}

impl Shared {
    pub fn new(replica: usize, config: EngineConfig, quarantine: Arc<Quarantine>) -> Self {
        Self {
            replica,
            stats: EngineStats::default(),
            admission: Arc::new(Admission::new(&config, Faults::default())),
            quarantine,
            lost: Notify::new(),
            phase: AtomicU8::new(Phase::Running as u8),
            restart_at: AtomicU64::new(0),
            start: Instant::now(),
            config,
        }
    }

    /// The engine's clock.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::SeqCst);
    }

    /// Announces a restart after `delay`.
    pub fn set_restarting(&self, delay: Duration) {
        let at = (self.now() + delay).as_millis();
        self.restart_at
            .store(u64::try_from(at).unwrap_or(u64::MAX), Ordering::SeqCst);
        self.set_phase(Phase::Restarting);
    }

    /// Leaves the phase `Running`, if it is that.
    pub fn stop(&self) {
        let (running, stopped) = (Phase::Running as u8, Phase::Stopped as u8);
        // Another phase already takes no more sequences.
        let _ = self
            .phase
            .compare_exchange(running, stopped, Ordering::SeqCst, Ordering::SeqCst);
    }

    pub fn state(&self) -> EngineState {
        let phase = self.phase.load(Ordering::SeqCst);
        if phase == Phase::Running as u8 {
            let since = self.stats.in_step_for(self.now());
            return match since > self.config.stall_timeout {
                true => EngineState::Stuck { since },
                false => EngineState::Running,
            };
        }
        if phase == Phase::Restarting as u8 {
            let at = Duration::from_millis(self.restart_at.load(Ordering::SeqCst));
            return EngineState::Restarting {
                retry_after: at.saturating_sub(self.now()),
            };
        }
        match phase == Phase::Lost as u8 {
            true => EngineState::Lost,
            false => EngineState::Stopped,
        }
    }
}
