use super::{plan, sources};
use crate::api::long::plan::error::RunError;
use crate::api::long::plan::run::Outcome;
use crate::api::long::plan::step::Ask;
use crate::api::long::plan::{Plan, Run, Task};
use crate::document::parts::Pages;
use crate::prompt::LongDocuments;
use LongDocuments::{Join, MapReduce, Refine};
use std::num::NonZeroUsize;

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

fn run(plan: Plan, concurrency: usize) -> Run {
    Run::new(plan, NonZeroUsize::new(concurrency).expect("some"))
}

/// What a model would write: something that tells all that it was given.
fn answer(task: &Task) -> String {
    match &task.ask {
        Ask::Whole => format!("w{}", task.reads.end),
        Ask::Part { number, count } => format!("p{number}/{count}"),
        Ask::Merge { notes } => format!("({})", notes.join(" ")),
        Ask::Next {
            number, previous, ..
        } => format!("{previous}+n{number}"),
    }
}

/// Runs a plan to its end; `pick` says which of the running steps ends next.
fn outcome(plan: Plan, concurrency: usize, mut pick: impl FnMut(usize) -> usize) -> Outcome {
    let mut run = run(plan, concurrency);
    let mut running = run.begin();
    let mut done = 0;
    while !running.is_empty() {
        assert!(running.len() <= concurrency);
        let task = running.remove(pick(running.len()));
        let progress = run
            .end(task.step, answer(&task), &mut words)
            .expect("a running step");
        done += 1;
        assert_eq!(progress.done, done);
        running.extend(run.begin());
    }
    run.finish().ok().expect("all steps have ended")
}

#[test]
fn the_order_in_which_steps_end_changes_nothing() {
    for strategy in [Join, MapReduce, Refine] {
        let plan = plan(strategy, 23, 2048).expect("a plan");
        let first = outcome(plan.clone(), 1, |_| 0);
        assert_eq!(outcome(plan.clone(), 8, |count| count - 1), first);
        let mut state = 7_usize;
        let chance = |count: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % count
        };
        assert_eq!(outcome(plan, 5, chance), first);
    }
}

#[test]
fn the_answer_is_made_of_all_parts_in_order() {
    let join = outcome(plan(Join, 3, 2048).expect("a plan"), 3, |_| 0);
    assert_eq!(join.text, "w1\n\nw2\n\nw3");
    let refine = outcome(plan(Refine, 4, 2048).expect("a plan"), 3, |_| 0);
    assert_eq!(refine.text, "w1+n2+n3+n4");
    let merged = outcome(plan(MapReduce, 7, 2048).expect("a plan"), 3, |_| 0);
    assert_eq!(merged.text, "((p1/7 p2/7 p3/7 p4/7) (p5/7 p6/7 p7/7))");
}

#[test]
fn a_merge_begins_as_soon_as_its_notes_are_there() {
    let mut run = run(plan(MapReduce, 7, 2048).expect("a plan"), 100);
    let parts = run.begin();
    assert_eq!(parts.len(), 7);
    for task in &parts[..4] {
        assert_eq!(run.begin(), []);
        run.end(task.step, answer(task), &mut words)
            .expect("running");
    }
    let merges = run.begin();
    assert_eq!(merges.len(), 1);
    assert!(matches!(&merges[0].ask, Ask::Merge { notes } if notes.len() == 4));
    assert!(!merges[0].is_answer);
}

#[test]
fn progress_tells_steps_rounds_and_pages() {
    let mut run = run(plan(MapReduce, 7, 2048).expect("a plan"), 100);
    let parts = run.begin();
    let progress = run
        .end(parts[2].step, "n".to_owned(), &mut words)
        .expect("running");
    let json = serde_json::to_string(&progress).expect("numbers");
    assert_eq!(
        json,
        r#"{"done":1,"total":10,"level":0,"pages":{"first":3,"last":3},"document":1}"#
    );
    for task in parts.iter().filter(|task| task.step != 2) {
        run.end(task.step, "n".to_owned(), &mut words)
            .expect("running");
    }
    let merge = run.begin().remove(0);
    let progress = run
        .end(merge.step, "n".to_owned(), &mut words)
        .expect("running");
    assert_eq!((progress.done, progress.level), (8, 1));
    assert_eq!(progress.pages, Some(Pages { first: 1, last: 4 }));
}

#[test]
fn what_is_too_long_for_the_next_step_is_shortened_and_told() {
    let mut run = run(plan(Refine, 2, 2048).expect("a plan"), 1);
    let first = run.begin().remove(0);
    let long = "Ein Satz mit fünf Wörtern. ".repeat(400);
    run.end(first.step, long.clone(), &mut words)
        .expect("running");
    let next = run.begin().remove(0);
    let Ask::Next {
        previous,
        number: 2,
        count: 2,
    } = &next.ask
    else {
        panic!("{:?}", next.ask);
    };
    assert!(words(previous) <= 441 && words(previous) > 400 && previous.ends_with("Wörtern."));
    run.end(next.step, long.clone(), &mut words)
        .expect("running");
    let outcome = run.finish().ok().expect("an outcome");
    assert_eq!(outcome.text, long);
    let shortened: Vec<bool> = outcome
        .provenance
        .steps
        .iter()
        .map(|step| step.was_shortened)
        .collect();
    assert_eq!(shortened, [true, false]);
}

#[test]
fn a_step_that_does_not_run_has_no_result() {
    let mut run = run(plan(MapReduce, 7, 2048).expect("a plan"), 2);
    assert_eq!(
        run.end(0, String::new(), &mut words),
        Err(RunError::NotRunning(0))
    );
    let task = run.begin().remove(0);
    run.end(task.step, String::new(), &mut words)
        .expect("running");
    assert_eq!(
        run.end(task.step, String::new(), &mut words),
        Err(RunError::NotRunning(0))
    );
    assert_eq!(
        run.end(99, String::new(), &mut words),
        Err(RunError::NotRunning(99))
    );
    assert!(run.finish().is_err());
}

#[test]
fn several_documents_are_read_one_after_another_and_told_apart() {
    let mut all = sources(4, 600);
    for source in all.iter_mut().skip(2) {
        source.document = 1;
        source.pages.first -= 2;
        source.pages.last -= 2;
    }
    let plan = Plan::new(MapReduce, all, &super::room(2048)).expect("a plan");
    let outcome = outcome(plan, 4, |_| 0);
    let json = serde_json::to_value(&outcome.provenance.steps[4]).expect("plain values");
    assert_eq!(
        json["pages"],
        serde_json::json!([{"document": 0, "first": 1, "last": 2}, {"document": 1, "first": 1, "last": 2}])
    );
}

#[test]
fn seeds_follow_from_the_request_and_the_step_alone() {
    let seeds = |seed| {
        let tasks = run(plan(MapReduce, 9, 2048).expect("a plan"), 9).begin();
        tasks.iter().map(|task| task.seed(seed)).collect::<Vec<_>>()
    };
    let (mut all, again) = (seeds(42), seeds(42));
    assert_eq!(all, again);
    assert_eq!(all[0], 42);
    all.extend(seeds(43));
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 18);
}
