use super::{plan, room, sources};
use crate::api::long::plan::{Lengths, MAX_PARTS, Overhead, Plan, PlanError, Room};
use crate::document::parts::Budget;
use crate::prompt::{LongDocuments, Step, StepName};
use LongDocuments::{Join, MapReduce, Refine};

#[test]
fn what_fits_is_one_step_whatever_the_strategy() {
    for strategy in [Join, MapReduce, Refine] {
        let plan = Plan::new(strategy, sources(1, 200), &room(2048)).expect("a plan");
        assert_eq!(plan.steps.len(), 1);
        assert_eq!(plan.steps[0].kind, StepName::Whole);
        assert_eq!(plan.steps[0].prompt_tokens, 300 + 16 + 200);
        assert!(plan.steps[0].is_answer);
    }
    let several = Plan::new(MapReduce, sources(4, 200), &room(2048)).expect("a plan");
    assert_eq!(
        (several.steps.len(), several.steps[0].reads.clone()),
        (1, 0..4)
    );
}

#[test]
fn no_step_takes_more_than_the_context() {
    for strategy in [Join, MapReduce, Refine] {
        for context in [1500, 2048, 4096, 32_768] {
            let room = room(context);
            let budget = room.part_budget(strategy).expect("room for parts");
            for num_parts in 1..60 {
                let sources = sources(num_parts, budget.max_tokens());
                let plan = Plan::new(strategy, sources, &room).expect("a plan");
                assert!(
                    plan.cost().max_step_tokens <= context,
                    "{strategy:?} {context}"
                );
            }
        }
    }
}

#[test]
fn each_step_follows_those_it_takes_and_each_text_is_taken_once() {
    for strategy in [Join, MapReduce, Refine] {
        for num_parts in 2..200 {
            let plan = plan(strategy, num_parts, 2048).expect("a plan");
            let mut taken = vec![0; plan.steps.len()];
            for (index, step) in plan.steps.iter().enumerate() {
                for take in &step.takes {
                    assert!(*take < index);
                    taken[*take] += 1;
                }
            }
            for (step, taken) in plan.steps.iter().zip(taken) {
                assert_eq!(taken, usize::from(!step.is_answer));
            }
            let last = plan.steps.last().expect("steps");
            let whole = if strategy == Join {
                num_parts - 1..num_parts
            } else {
                0..num_parts
            };
            assert_eq!(last.covers, whole);
        }
    }
}

#[test]
fn notes_are_merged_in_as_many_rounds_as_they_need() {
    // 248 tokens a note: 5 in a prompt for the answer, and 6 in one for notes.
    let levels = |num_parts| {
        plan(MapReduce, num_parts, 2048)
            .expect("a plan")
            .cost()
            .num_levels
    };
    assert_eq!([2, 5, 6, 30, 31, 180].map(levels), [1, 1, 2, 2, 3, 3]);
    let plan = plan(MapReduce, 31, 2048).expect("a plan");
    let cost = plan.cost();
    assert_eq!((cost.num_part, cost.num_merge), (31, 6 + 2 + 1));
    assert_eq!(cost.output_tokens, 31 * 200 + 8 * 200 + 400);
    let prompts: usize = plan.steps.iter().map(|step| step.prompt_tokens).sum();
    assert_eq!(cost.prompt_tokens, prompts as u64);
}

#[test]
fn refine_reads_part_after_part_and_join_each_by_itself() {
    let refine = plan(Refine, 7, 2048).expect("a plan");
    assert_eq!((refine.cost().num_whole, refine.cost().num_next), (1, 6));
    assert_eq!(refine.steps[6].takes, [5]);
    assert_eq!(
        (
            refine.steps[6].reads.clone(),
            refine.steps[6].covers.clone()
        ),
        (6..7, 0..7)
    );
    let join = plan(Join, 7, 2048).expect("a plan");
    assert_eq!(join.cost().num_whole, 7);
    assert!(
        join.steps
            .iter()
            .all(|step| step.is_answer && step.takes.is_empty())
    );
    assert_eq!(join.steps[0].output_tokens, 240 * 3 / 2 + 32);
}

#[test]
fn a_room_too_small_for_a_part_says_what_it_takes() {
    for strategy in [Join, MapReduce, Refine] {
        let Err(PlanError::RoomTooSmall { needed, .. }) = room(500).part_budget(strategy) else {
            panic!("500 tokens are no room");
        };
        assert!(room(needed - 1).part_budget(strategy).is_err());
        let budget = room(needed)
            .part_budget(strategy)
            .expect("room for the smallest part");
        assert!(budget.max_tokens() >= Budget::MIN_TOKENS);
    }
    let error = plan(MapReduce, 4, 500).expect_err("too small");
    assert_eq!(
        error.to_string(),
        "the document does not fit the model's context, and in parts its step `part` needs 600 tokens where the model has 500: lower max_tokens, shorten the prompt, or ask a model with a longer context"
    );
}

#[test]
fn a_room_too_small_for_two_notes_says_what_it_takes() {
    let mut small = room(1000);
    small.lengths.answer = 200;
    let Err(PlanError::RoomTooSmall { step, needed, .. }) =
        Plan::new(MapReduce, sources(9, 100), &small)
    else {
        panic!("1,000 tokens hold one note");
    };
    assert_eq!((step, needed), (StepName::Merge, 340 + 2 * 248 + 200));
    small.context = needed;
    Plan::new(MapReduce, sources(9, 100), &small).expect("room for two notes");
}

#[test]
fn an_answer_too_short_to_join_is_told_apart_from_a_context_too_short() {
    let mut room = room(2048);
    room.lengths.answer = 100;
    assert_eq!(
        room.part_budget(Join),
        Err(PlanError::AnswerTooShort {
            max_tokens: 100,
            needed: 128
        })
    );
    room.lengths.answer = 128;
    assert_eq!(room.part_budget(Join).expect("a budget").max_tokens(), 64);
}

#[test]
fn too_many_parts_and_parts_of_another_room_are_refused() {
    let error = plan(MapReduce, MAX_PARTS + 1, 2048).expect_err("too many");
    assert_eq!(
        error,
        PlanError::TooManyParts {
            num_parts: MAX_PARTS + 1
        }
    );
    let error = Plan::new(MapReduce, sources(3, 3000), &room(2048)).expect_err("too long");
    assert!(matches!(
        error,
        PlanError::PartTooLong {
            number: 1,
            num_tokens: 3000,
            ..
        }
    ));
}

#[test]
fn a_plan_beyond_what_is_allowed_is_refused_before_anything_is_computed() {
    let plan = plan(MapReduce, 31, 2048).expect("a plan");
    let all = plan.cost().prompt_tokens + plan.cost().output_tokens;
    let error = plan.clone().within(all - 1).expect_err("one too many");
    assert!(
        error
            .to_string()
            .contains(&format!("takes up to {all} tokens, and {} are", all - 1))
    );
    assert_eq!(plan.clone().within(all), Ok(plan));
}

#[test]
fn the_overhead_is_measured_of_the_steps_that_a_strategy_has() {
    let mut asked = Vec::new();
    let measured = Overhead::measured(MapReduce, |step| {
        asked.push(format!("{step:?}"));
        Ok::<_, ()>(match step {
            Step::Whole => 100,
            Step::Part { .. } => 110,
            Step::Merge { notes } => 120 + 17 * notes.len(),
            Step::Next { .. } => 130,
        })
    });
    let expected = Overhead {
        whole: 100,
        part: 110,
        merge: 120,
        per_note: 17,
        next: 0,
    };
    assert_eq!(measured, Ok(expected));
    assert_eq!(asked.len(), 4);
    assert_eq!(Overhead::measured(Refine, |_| Err("none")), Err("none"));
}

#[test]
fn lengths_leave_most_of_a_small_context_to_what_is_read() {
    let lengths = Lengths::within(MapReduce, 2048, 2500);
    assert_eq!((lengths.note, lengths.answer), (170, 512));
    let lengths = Lengths::within(Refine, 32_768, 700);
    assert_eq!((lengths.note, lengths.answer), (700, 700));
    let room = Room {
        context: 2048,
        overhead: room(2048).overhead,
        lengths: Lengths::within(Join, 2048, 3000),
    };
    assert!(room.part_budget(Join).expect("a budget").max_tokens() > 600);
}
