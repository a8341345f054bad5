//! A document of 300 pages on a model of 2,048 tokens.

use crate::api::long::plan::step::Ask;
use crate::api::long::plan::{Lengths, Overhead, Plan, Room, Run, Source};
use crate::document::parts::split;
use crate::document::parts::tests::{count, made};
use crate::prompt::LongDocuments;
use std::num::NonZeroUsize;

fn room(strategy: LongDocuments) -> Room {
    Room {
        context: 2048,
        overhead: Overhead {
            whole: 350,
            part: 380,
            merge: 400,
            per_note: 24,
            next: 400,
        },
        lengths: Lengths::within(strategy, 2048, 2500),
    }
}

#[test]
fn three_hundred_pages_are_read_without_a_gap_and_twice_the_same() {
    let document = made::three_hundred_pages();
    for strategy in [
        LongDocuments::MapReduce,
        LongDocuments::Refine,
        LongDocuments::Join,
    ] {
        let read = || {
            let room = room(strategy);
            let budget = room.part_budget(strategy).expect("room for parts");
            let parts = split(&document, budget, &mut count);
            let sources = parts.iter().map(|part| Source::new(0, part)).collect();
            let plan = Plan::new(strategy, sources, &room).expect("a plan");
            println!(
                "{strategy:?}, parts of {} tokens: {:?}",
                budget.max_tokens(),
                plan.cost()
            );
            let mut run = Run::new(plan, NonZeroUsize::new(8).expect("eight"));
            let mut saw_word = Vec::new();
            let mut last = None;
            loop {
                let tasks = run.begin();
                if tasks.is_empty() {
                    break;
                }
                for task in tasks {
                    let read: String = parts[task.reads.clone()]
                        .iter()
                        .map(|part| part.shown(&document))
                        .collect();
                    if read.contains(made::PLANTED) {
                        saw_word.push(task.reads.clone());
                    }
                    let taken = match &task.ask {
                        Ask::Merge { notes } => notes.iter().map(|note| count(note) + 24).sum(),
                        Ask::Next { previous, .. } => count(previous),
                        Ask::Whole | Ask::Part { .. } => 0,
                    };
                    assert!(count(&read) + taken <= task.max_prompt_tokens - 350);
                    // Longer than may be passed on, as text of random weights is.
                    let text = read
                        .get(..read.floor_char_boundary(4000))
                        .unwrap_or_default()
                        .to_owned()
                        + "Fin.";
                    last = Some(run.end(task.step, text, &mut count).expect("running"));
                }
            }
            let last = last.expect("steps");
            assert_eq!(last.done, last.total);
            let outcome = run.finish().ok().expect("an outcome");
            assert_eq!(saw_word.len(), 1);
            let seen = &outcome.provenance.sources[saw_word[0].start];
            assert!((seen.pages.first..=seen.pages.last).contains(&287));
            outcome
        };
        let outcome = read();
        let sources = &outcome.provenance.sources;
        assert_eq!(
            (
                sources[0].pages.first,
                sources[sources.len() - 1].pages.last
            ),
            (1, 300)
        );
        for pair in sources.windows(2) {
            assert!(pair[1].pages.first <= pair[0].pages.last + 1);
            assert_eq!(
                document.text[pair[0].range.end..pair[1].range.start].trim(),
                ""
            );
        }
        assert_eq!(read(), outcome);
    }
}
