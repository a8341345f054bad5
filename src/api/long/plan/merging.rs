//! Which notes are merged with which, so that at last all fit one prompt.

use super::error::PlanError;
use super::room::Room;
use crate::prompt::StepName;
use std::ops::Range;

/// The groups of each round; those of a round are ranges of what the last one left. The last
/// round has one group, of which the answer is made.
///
/// # Errors
///
/// `RoomTooSmall` where too few notes fit for their number ever to shrink to what does.
pub fn rounds(num_notes: usize, room: &Room) -> Result<Vec<Vec<Range<usize>>>, PlanError> {
    let for_answer = room.notes_held(room.lengths.answer);
    let for_note = room.notes_held(room.lengths.note);
    let mut rounds = Vec::new();
    let mut left = num_notes;
    while left > for_answer {
        let too_small = |num_notes: usize, output: usize| PlanError::RoomTooSmall {
            step: StepName::Merge,
            context: room.context,
            needed: room.merge_prompt_tokens(num_notes) + output,
        };
        if for_answer == 0 {
            return Err(too_small(1, room.lengths.answer));
        }
        if for_note < 2 {
            return Err(too_small(2, room.lengths.note));
        }
        // An answer from one note alone would only repeat it.
        let num_groups = left.div_ceil(for_note).max(for_answer.min(2));
        rounds.push(even(left, num_groups));
        left = num_groups;
    }
    rounds.push(even(left, 1));
    Ok(rounds)
}

/// Ranges whose lengths differ by one at most.
fn even(length: usize, num_groups: usize) -> Vec<Range<usize>> {
    let (size, longer) = (length / num_groups, length % num_groups);
    let start = |group: usize| group * size + group.min(longer);
    (0..num_groups)
        .map(|group| start(group)..start(group + 1))
        .collect()
}
