//! What becomes of an engine whose step fails, and of those who wait for it.

use crate::harness::{requests, wait_until_idle};
use guichet::engine::{
    Engine, EngineConfig, EngineError, EngineState, ItemOutput, RunnerError, SequenceEvent,
    SequenceRequest, SequenceStream, StepItem, StepOutput, StepRunner, SubmitError, TokenOutput,
};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A prompt that begins with this ends the engine.
const POISON: u32 = 13;

#[derive(Clone, Copy)]
pub enum Way {
    Error,
    Panic,
    Device,
    Incomplete,
    Hang,
}

/// Answers everything with 1, but fails in some way on a poisoned prompt.
pub struct Brittle(pub Way);

impl StepRunner for Brittle {
    fn execute(&mut self, step: &[StepItem<'_>]) -> Result<StepOutput, RunnerError> {
        let output = |item: &StepItem<'_>| ItemOutput {
            sampled: item.sample.map(|_| {
                Ok(TokenOutput {
                    id: 1,
                    ..TokenOutput::default()
                })
            }),
            ..ItemOutput::default()
        };
        if step
            .iter()
            .any(|item| item.start == 0 && item.tokens[0] == POISON)
        {
            let message = "this prompt is poison".to_owned();
            match self.0 {
                Way::Error => return Err(RunnerError::Step(message)),
                Way::Panic => panic!("{message}"),
                Way::Device => return Err(RunnerError::Device(message)),
                Way::Incomplete => {
                    return Ok(StepOutput {
                        items: vec![ItemOutput::default(); step.len()],
                    });
                }
                Way::Hang => std::thread::sleep(Duration::from_millis(300)),
            }
        }
        Ok(StepOutput {
            items: step.iter().map(output).collect(),
        })
    }
}

fn config() -> EngineConfig {
    EngineConfig {
        restart_delay: Duration::from_millis(150),
        ..EngineConfig::new(320, 512, 32, 256)
    }
}

fn start(way: Way, config: EngineConfig) -> Engine {
    Engine::start(Box::new(Brittle(way)), config).unwrap()
}

pub fn poison() -> SequenceRequest {
    SequenceRequest::new(vec![POISON, 2, 3], 5)
}

pub fn last_event(mut stream: SequenceStream) -> SequenceEvent {
    let mut last = None;
    while let Some(event) = stream.blocking_recv() {
        last = Some(event);
    }
    last.expect("a sequence ended without a last event")
}

fn wait_for(engine: &Engine, state: EngineState) {
    let start = Instant::now();
    while engine.state() != state {
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "{:?}",
            engine.state()
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_failed_step_ends_every_stream_with_an_error_and_the_engine_starts_again() {
    for way in [Way::Error, Way::Panic, Way::Incomplete] {
        let engine = start(way, config());
        let mut all = requests(3, 5, 12, 50);
        all.push(poison());
        for stream in engine.submit(all).unwrap() {
            let last = last_event(stream);
            assert!(
                matches!(&last, SequenceEvent::Failed(EngineError::Step(_))),
                "{last:?}"
            );
            // Nobody who was told may find it running.
            assert!(matches!(engine.state(), EngineState::Restarting { .. }));
        }
        let refused = engine.submit(requests(1, 5, 12, 5)).unwrap_err();
        assert!(
            matches!(refused, SubmitError::Restarting { .. }),
            "{refused:?}"
        );
        wait_until_idle(&engine);
        wait_for(&engine, EngineState::Running);
        let stream = engine.submit(requests(1, 5, 12, 5)).unwrap().remove(0);
        assert!(matches!(last_event(stream), SequenceEvent::Finished(_)));
        assert_eq!(engine.stats().num_deaths.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn a_request_in_the_step_of_two_deaths_is_quarantined_across_a_restart_of_the_process() {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("quarantine");
    let config = EngineConfig {
        quarantine_path: Some(path.clone()),
        ..config()
    };
    let engine = start(Way::Panic, config.clone());
    for _ in 0..2 {
        wait_for(&engine, EngineState::Running);
        let stream = engine.submit(vec![poison()]).unwrap().remove(0);
        assert!(matches!(last_event(stream), SequenceEvent::Failed(_)));
    }
    wait_for(&engine, EngineState::Running);
    assert_eq!(
        engine.submit(vec![poison()]).unwrap_err(),
        SubmitError::Quarantined
    );
    let other = engine.submit(requests(1, 5, 12, 5)).unwrap().remove(0);
    assert!(matches!(last_event(other), SequenceEvent::Finished(_)));
    drop(engine);
    let again = start(Way::Panic, config);
    assert_eq!(
        again.submit(vec![poison()]).unwrap_err(),
        SubmitError::Quarantined
    );
    let kept = std::fs::read_to_string(path).unwrap();
    assert_eq!(kept.matches("quarantined ").count(), 1, "{kept}");
}

#[test]
fn whoever_only_stood_beside_the_poison_is_not_quarantined_with_it() {
    let engine = start(Way::Panic, config());
    let neighbour = || SequenceRequest::new(vec![4, 5, 6], 50);
    for _ in 0..2 {
        wait_for(&engine, EngineState::Running);
        // The first time both are in the step, the second time each is computed by itself.
        for stream in engine.submit(vec![neighbour(), poison()]).unwrap() {
            last_event(stream);
        }
    }
    wait_for(&engine, EngineState::Running);
    assert_eq!(
        engine.submit(vec![poison()]).unwrap_err(),
        SubmitError::Quarantined
    );
    let stream = engine.submit(vec![neighbour()]).unwrap().remove(0);
    assert!(matches!(last_event(stream), SequenceEvent::Finished(_)));
}

#[test]
fn a_lost_device_answers_everyone_and_does_not_start_again() {
    let engine = start(Way::Device, config());
    let stream = engine.submit(vec![poison()]).unwrap().remove(0);
    assert!(matches!(last_event(stream), SequenceEvent::Failed(_)));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let lost = async { tokio::time::timeout(Duration::from_secs(5), engine.lost()).await };
    runtime.unwrap().block_on(lost).unwrap();
    assert_eq!(engine.state(), EngineState::Lost);
    assert_eq!(
        engine.submit(vec![poison()]).unwrap_err(),
        SubmitError::Stopped
    );
}

#[test]
fn a_step_that_does_not_end_is_told_from_a_busy_engine() {
    let engine = start(
        Way::Hang,
        EngineConfig {
            stall_timeout: Duration::from_millis(50),
            ..config()
        },
    );
    let stream = engine.submit(vec![poison()]).unwrap().remove(0);
    let start = Instant::now();
    while !matches!(engine.state(), EngineState::Stuck { .. }) {
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "never seen to be stuck"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(matches!(last_event(stream), SequenceEvent::Finished(_)));
    wait_for(&engine, EngineState::Running);
}

#[test]
fn a_shutdown_ends_an_engine_that_waits_to_start_again() {
    let engine = start(
        Way::Error,
        EngineConfig {
            restart_delay: Duration::from_secs(60),
            ..config()
        },
    );
    let stream = engine.submit(vec![poison()]).unwrap().remove(0);
    assert!(matches!(last_event(stream), SequenceEvent::Failed(_)));
    let start = Instant::now();
    engine.shutdown(Instant::now() + Duration::from_secs(30));
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(engine.state(), EngineState::Stopped);
}
