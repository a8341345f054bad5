use crate::harness::{collect, options, requests, smollm2, start, tiny, together, wait_until_idle};
use guichet::engine::{Engine, ModelOptions, SequenceEvent, SubmitError};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

#[test]
fn sixty_four_streams_of_mixed_lengths_finish_and_leave_no_block() {
    let engine = start(&smollm2(), &options());
    let mut requests = requests(64, 60, 49_152, 1);
    for (index, request) in requests.iter_mut().enumerate() {
        request.max_tokens = 1 + index % 16;
    }
    let answers = together(&engine, &requests);
    assert!(
        answers
            .iter()
            .zip(&requests)
            .all(|(answer, request)| answer.len() == request.max_tokens)
    );
    wait_until_idle(&engine);
}

#[test]
fn clients_that_leave_free_their_blocks_while_others_go_on() {
    let engine = start(&tiny(), &options());
    let requests = requests(64, 60, 320, 200);
    let expected = together(&engine, &requests);
    let mut streams = engine.submit(requests).unwrap();
    for stream in streams.iter_mut().step_by(2) {
        stream.blocking_recv().unwrap();
    }
    let mut index = 0;
    streams.retain(|_| {
        index += 1;
        index % 2 == 0
    });
    let answers: Vec<_> = streams.into_iter().map(collect).collect();
    assert!(answers.iter().eq(expected.iter().skip(1).step_by(2)));
    wait_until_idle(&engine);
}

#[test]
fn a_full_queue_refuses_all_of_a_request_or_none() {
    let engine = start(
        &tiny(),
        &ModelOptions {
            max_num_seqs: 2,
            max_num_waiting: 3,
            ..options()
        },
    );
    assert_eq!(
        engine.submit(requests(9, 5, 320, 5)).unwrap_err(),
        SubmitError::TooMany { count: 9, limit: 5 }
    );
    let running = engine.submit(requests(5, 5, 320, 400)).unwrap();
    assert!(matches!(
        engine.submit(requests(1, 5, 320, 5)).unwrap_err(),
        SubmitError::Overloaded { .. }
    ));
    while engine.stats().num_running.load(Ordering::SeqCst) < 2 {
        std::thread::yield_now();
    }
    drop(running);
    wait_until_idle(&engine);
    assert_eq!(together(&engine, &requests(5, 5, 320, 5)).len(), 5);
}

#[test]
fn a_shutdown_finishes_what_was_admitted_and_refuses_the_rest() {
    let engine = start(&tiny(), &options());
    let streams = engine.submit(requests(8, 30, 320, 50)).unwrap();
    engine.shutdown(Instant::now() + Duration::from_secs(60));
    assert!(
        streams
            .into_iter()
            .all(|stream| collect(stream).len() == 50)
    );
    assert_eq!(
        engine.submit(requests(1, 5, 320, 5)).unwrap_err(),
        SubmitError::Stopped
    );
}

#[test]
fn a_shutdown_past_its_deadline_ends_streams_with_an_error() {
    let engine = start(&tiny(), &options());
    let mut streams = engine.submit(requests(1, 30, 320, 400)).unwrap();
    engine.shutdown(Instant::now());
    let mut last = None;
    while let Some(event) = streams[0].blocking_recv() {
        last = Some(event);
    }
    assert!(matches!(last, Some(SequenceEvent::Failed(_))), "{last:?}");
}

#[test]
fn a_damaged_weight_ends_the_request_that_reaches_it_and_no_other() {
    let dir = tempfile::TempDir::new().unwrap();
    for entry in std::fs::read_dir(tiny()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    // The embedding of id 7 becomes NaN.
    let path = dir.path().join("model.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let json: serde_json::Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    let embedding = &json["model.embed_tokens.weight"];
    let start = 8 + header + embedding["data_offsets"][0].as_u64().unwrap() as usize;
    let row = embedding["shape"][1].as_u64().unwrap() as usize * 4;
    for number in bytes[start + 7 * row..start + 8 * row].chunks_exact_mut(4) {
        number.copy_from_slice(&f32::NAN.to_le_bytes());
    }
    std::fs::write(&path, bytes).unwrap();

    let mut healthy = requests(5, 20, 320, 12);
    for request in &mut healthy {
        let mut prompt = request.prompt.to_vec();
        prompt.retain(|id| *id != 7);
        prompt.push(8);
        request.prompt = prompt.into();
        request.sampling.temperature = 0.0;
    }
    let expected = together(&start_engine(&tiny()), &healthy);
    let engine = start_engine(dir.path());
    let mut all = healthy.clone();
    all[2].prompt = [8, 7, 8].into();
    for (index, mut stream) in engine.submit(all).unwrap().into_iter().enumerate() {
        if index == 2 {
            let prompt = stream.blocking_recv().unwrap();
            assert!(matches!(prompt, SequenceEvent::Prompt(_)), "{prompt:?}");
            let event = stream.blocking_recv().unwrap();
            assert!(matches!(event, SequenceEvent::Failed(_)), "{event:?}");
        } else {
            assert_eq!(collect(stream), expected[index]);
        }
    }
    assert!(engine.is_alive());
    wait_until_idle(&engine);
}

fn start_engine(dir: &std::path::Path) -> Engine {
    start(dir, &options())
}

#[test]
fn clients_that_leave_at_any_moment_leave_nothing_running() {
    let engine = start(&tiny(), &options());
    for round in 0..40 {
        let streams = engine.submit(requests(8, 20, 320, 300)).unwrap();
        std::thread::scope(|scope| {
            for (index, stream) in streams.into_iter().enumerate() {
                scope.spawn(move || {
                    std::thread::sleep(Duration::from_micros(97 * (round + index as u64 * 5)));
                    drop(stream);
                });
            }
        });
    }
    wait_until_idle(&engine);
    let steps = engine.stats().num_steps.load(Ordering::SeqCst);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(engine.stats().num_steps.load(Ordering::SeqCst), steps);
}

#[test]
fn whoever_was_answered_may_ask_again_at_once() {
    let engine = start(
        &tiny(),
        &ModelOptions {
            max_num_seqs: 2,
            max_num_waiting: 2,
            ..options()
        },
    );
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let stream = engine.submit(requests(1, 5, 320, 3)).unwrap().remove(0);
                    assert_eq!(collect(stream).len(), 3);
                }
            });
        }
    });
}
