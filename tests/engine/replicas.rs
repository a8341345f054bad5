//! Several engines behind one model: where requests go, and that nobody can tell from an answer.

use crate::death::{Brittle, Way, last_event, poison};
use crate::harness::{Noise, collect, options, requests, start, tiny, together, wait_until_idle};
use guichet::engine::{
    Class, Engine, EngineConfig, EngineState, FlowId, ModelOptions, Namespace, Origin, Replicas,
    RunnerError, SequenceEvent, SequenceRequest, SequenceStream, StepItem, StepOutput, StepRunner,
    SubmitError, load_replicas,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Answers everything with 1, slowly.
struct Slow;

impl StepRunner for Slow {
    fn execute(&mut self, step: &[StepItem<'_>]) -> Result<StepOutput, RunnerError> {
        std::thread::sleep(Duration::from_millis(5));
        Brittle(Way::Hang).execute(step)
    }
}

/// The tiny model on two threads.
fn load_tiny(replicas: usize) -> Replicas {
    let options = ModelOptions {
        replicas,
        ..options()
    };
    let pools = options.thread_pools().unwrap();
    let loaded = load_replicas(&tiny(), &options, &pools).unwrap();
    Replicas::start(loaded.into_iter().map(|m| (m.runner, m.config)).collect()).unwrap()
}

fn two(runner: fn() -> Box<dyn StepRunner>, config: EngineConfig) -> Replicas {
    Replicas::start(vec![(runner(), config.clone()), (runner(), config)]).unwrap()
}

fn slow() -> Box<dyn StepRunner> {
    Box::new(Slow)
}

/// Limits of engines that only seem to compute.
fn config() -> EngineConfig {
    EngineConfig {
        restart_delay: Duration::from_millis(150),
        ..EngineConfig::new(320, 512, 32, 256)
    }
}

fn of(caller: u32, prompt: Vec<u32>, max_tokens: usize) -> SequenceRequest {
    SequenceRequest {
        origin: Origin {
            flow: FlowId(caller),
            weight: 1,
            class: Class::Interactive,
            namespace: Namespace(caller.into()),
        },
        ..SequenceRequest::new(prompt, max_tokens)
    }
}

fn submit(replicas: &Replicas, request: SequenceRequest) -> SequenceStream {
    replicas.submit(vec![request]).unwrap().remove(0)
}

fn of_each(replicas: &Replicas, of: fn(&Engine) -> &AtomicU64) -> Vec<u64> {
    let engines = replicas.engines().iter();
    engines.map(|e| of(e).load(Ordering::SeqCst)).collect()
}

/// Sequences that each engine has once all are on their way.
fn wait_for_running(replicas: &Replicas, expected: [u64; 2]) {
    let start = Instant::now();
    loop {
        let running = of_each(replicas, |e| &e.stats().num_running);
        let waiting = of_each(replicas, |e| &e.stats().num_waiting);
        let open: Vec<u64> = running.iter().zip(&waiting).map(|(r, w)| r + w).collect();
        if open == expected {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{open:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn answers_have_the_same_bits_from_one_engine_and_from_several() {
    let requests = requests(24, 100, 320, 20);
    let expected = together(&start(&tiny(), &options()), &requests);
    for num_engines in [1, 2] {
        let replicas = load_tiny(num_engines);
        // Twice: the second time prompts are found where they were computed, or computed anew.
        for _ in 0..2 {
            let streams = requests.iter().map(|r| submit(&replicas, r.clone()));
            let streams: Vec<_> = streams.collect();
            let answers: Vec<_> = streams.into_iter().map(collect).collect();
            assert_eq!(answers, expected, "{num_engines} engines");
        }
        let generated = of_each(&replicas, |e| &e.stats().num_generated_tokens);
        assert!(generated.iter().all(|n| *n > 0), "{generated:?}");
    }
}

#[test]
fn each_turn_of_a_conversation_finds_the_one_before_it_in_a_flood_of_other_prompts() {
    let replicas = load_tiny(2);
    let mut noise = Noise::new(3);
    let mut ids = |len| {
        (0..len)
            .map(|_| noise.below(320) as u32)
            .collect::<Vec<_>>()
    };
    let mut conversations: Vec<Vec<u32>> = (0..4).map(|_| ids(70)).collect();
    for turn in 0..3 {
        for conversation in &mut conversations {
            let known = conversation.len();
            let mut flood = Vec::new();
            // At first nothing runs beside them, so that they are dealt out among the engines.
            if turn > 0 {
                flood.extend((0..5).map(|_| submit(&replicas, of(2, ids(90), 4))));
                conversation.extend(ids(30));
            }
            let mut stream = submit(&replicas, of(1, conversation.clone(), 20));
            let Some(SequenceEvent::Prompt(report)) = stream.blocking_recv() else {
                panic!("no report of the prompt");
            };
            // All full blocks before; the last token that was generated was not computed.
            let expected = match turn {
                0 => 0,
                _ => (known - 1) / 32 * 32,
            };
            assert_eq!(report.num_cached_tokens, expected, "turn {turn}");
            conversation.extend(collect(stream).iter().map(|(id, _)| id));
            flood.into_iter().for_each(|stream| _ = collect(stream));
        }
    }
    let cached = of_each(&replicas, |e| &e.stats().num_cached_tokens);
    assert!(cached.iter().all(|n| *n > 0), "on one engine: {cached:?}");
}

#[test]
fn what_a_busy_engine_holds_goes_to_the_other_when_it_is_clearly_busier() {
    // One engine may have a single sequence more.
    let config = EngineConfig {
        max_num_seqs: 8,
        ..config()
    };
    let replicas = two(slow, config);
    let letter = || of(1, vec![7; 64], 400);
    let mut streams = vec![submit(&replicas, letter()), submit(&replicas, letter())];
    wait_for_running(&replicas, [2, 0]);
    streams.push(submit(&replicas, letter()));
    wait_for_running(&replicas, [2, 1]);
    let choices = replicas.submit(vec![letter(); 3]).unwrap();
    wait_for_running(&replicas, [2, 4]);
    drop((streams, choices));
    wait_for_running(&replicas, [0, 0]);
}

#[test]
fn what_one_engine_has_no_room_for_another_takes_before_it_is_refused() {
    let config = EngineConfig {
        max_num_seqs: 1,
        max_num_waiting: 1,
        max_num_outputs: 1,
        ..config()
    };
    let replicas = two(slow, config);
    let (a, b) = (vec![3; 64], vec![4; 64]);
    let flow = |caller, prompt: &Vec<u32>| of(caller, prompt.clone(), 400);
    let mut open = replicas.submit(vec![flow(1, &a); 2]).unwrap();
    open.extend(replicas.submit(vec![flow(2, &b); 2]).unwrap());
    wait_for_running(&replicas, [2, 2]);
    // The first engine holds the prompt, but has no place left for this caller.
    open.push(submit(&replicas, flow(1, &a)));
    wait_for_running(&replicas, [2, 3]);
    open.push(submit(&replicas, flow(1, &a)));
    let refused = replicas.submit(vec![flow(1, &a)]).unwrap_err();
    assert!(matches!(refused, SubmitError::Overloaded { .. }));
    let refused = replicas.check_room(flow(1, &a).origin).unwrap_err();
    assert!(matches!(refused, SubmitError::Overloaded { .. }));
    assert_eq!(replicas.check_room(flow(3, &a).origin), Ok(()));
    // What no engine will ever take is refused as such, whoever has room.
    let refused = replicas.submit(vec![flow(3, &a); 3]).unwrap_err();
    assert_eq!(refused, SubmitError::TooMany { count: 3, limit: 2 });
    let refused = replicas.submit(vec![of(3, vec![5; 300], 300)]).unwrap_err();
    assert!(matches!(refused, SubmitError::NeverFits { .. }));
    drop(open);
    wait_for_running(&replicas, [0, 0]);
    submit(&replicas, flow(1, &a));
}

#[test]
fn the_context_is_that_of_the_smallest_engine() {
    let small = EngineConfig {
        max_model_len: 128,
        ..config()
    };
    let replicas = Replicas::start(vec![(slow(), config()), (slow(), small)]).unwrap();
    assert_eq!(replicas.config().max_sequence_len(), 128);
    for _ in 0..2 {
        let refused = replicas.submit(vec![of(1, vec![5; 120], 9)]).unwrap_err();
        assert!(matches!(refused, SubmitError::NeverFits { limit: 128, .. }));
        drop(submit(&replicas, of(1, vec![5; 120], 8)));
    }
}

#[test]
fn while_an_engine_starts_again_the_other_takes_its_requests() {
    let replicas = two(
        || Box::new(Brittle(Way::Error)),
        EngineConfig {
            restart_delay: Duration::from_secs(60),
            ..config()
        },
    );
    let stream = submit(&replicas, poison());
    assert!(matches!(last_event(stream), SequenceEvent::Failed(_)));
    let dead = replicas.engines()[0].state();
    assert!(matches!(dead, EngineState::Restarting { .. }), "{dead:?}");
    assert_eq!(replicas.state(), EngineState::Running);
    for request in requests(20, 60, 320, 5) {
        // A prompt may begin with the poison by chance.
        let request = SequenceRequest::new([&[1], &*request.prompt].concat(), 5);
        let stream = submit(&replicas, request);
        assert!(matches!(last_event(stream), SequenceEvent::Finished(_)));
    }
    assert_eq!(replicas.check_room(Origin::default()), Ok(()));
    // The other dies, too, and then nobody takes requests.
    let stream = submit(&replicas, poison());
    assert!(matches!(last_event(stream), SequenceEvent::Failed(_)));
    let refused = replicas.submit(vec![poison()]).unwrap_err();
    assert!(matches!(refused, SubmitError::Restarting { .. }));
    assert_eq!(of_each(&replicas, |e| &e.stats().num_deaths), [1, 1]);
}

#[test]
fn a_request_of_which_two_engines_died_is_in_quarantine_on_all() {
    let replicas = two(|| Box::new(Brittle(Way::Panic)), config());
    for _ in 0..2 {
        let stream = submit(&replicas, poison());
        assert!(matches!(last_event(stream), SequenceEvent::Failed(_)));
    }
    let start = Instant::now();
    while !replicas.engines().iter().all(Engine::is_alive) {
        assert!(start.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(1));
    }
    for _ in 0..2 {
        let refused = replicas.submit(vec![poison()]).unwrap_err();
        assert_eq!(refused, SubmitError::Quarantined);
        let other = submit(&replicas, of(1, vec![1, 2, 3], 5));
        assert!(matches!(last_event(other), SequenceEvent::Finished(_)));
    }
}

#[test]
fn a_model_is_lost_only_with_its_last_device() {
    let replicas = two(|| Box::new(Brittle(Way::Device)), config());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let is_lost = |patience| {
        let lost = async { tokio::time::timeout(patience, replicas.lost()).await };
        runtime.block_on(lost).is_ok()
    };
    let stream = submit(&replicas, poison());
    assert!(matches!(last_event(stream), SequenceEvent::Failed(_)));
    assert_eq!(replicas.engines()[0].state(), EngineState::Lost);
    assert_eq!(replicas.state(), EngineState::Running);
    assert!(!is_lost(Duration::from_millis(50)));
    let other = submit(&replicas, of(1, vec![1, 2, 3], 5));
    assert!(matches!(last_event(other), SequenceEvent::Finished(_)));
    let stream = submit(&replicas, poison());
    assert!(matches!(last_event(stream), SequenceEvent::Failed(_)));
    assert_eq!(replicas.state(), EngineState::Lost);
    assert!(is_lost(Duration::from_secs(10)));
    let refused = replicas.submit(vec![poison()]).unwrap_err();
    assert_eq!(refused, SubmitError::Stopped);
}

#[test]
fn a_shutdown_finishes_what_every_engine_has_admitted() {
    let replicas = load_tiny(2);
    let streams: Vec<_> = requests(8, 30, 320, 50)
        .into_iter()
        .map(|request| submit(&replicas, request))
        .collect();
    replicas.shutdown(Instant::now() + Duration::from_secs(60));
    for stream in streams {
        assert_eq!(collect(stream).len(), 50);
    }
    let refused = replicas.submit(requests(1, 5, 320, 5)).unwrap_err();
    assert_eq!(refused, SubmitError::Stopped);
    assert_eq!(replicas.state(), EngineState::Stopped);
    replicas.engines().iter().for_each(wait_until_idle);
    let generated = of_each(&replicas, |e| &e.stats().num_generated_tokens);
    assert!(generated.iter().all(|n| *n > 0), "{generated:?}");
}
