//! Choices and what comes of them as the kernel `choose` reads and writes them: `choice.cuh`.

use crate::kernels::logits::scale_of;
use crate::kernels::{Choice, ChoiceLimits, Chosen, LogitEdit, TokenChoice};

/// What the kernel and the memory that is reserved for it are made for.
pub const CHOICE_LIMITS: ChoiceLimits = ChoiceLimits {
    max_vocab: 1 << 20,
    max_edits: 4096,
    max_top: 20,
};

/// Bytes of what was chosen from a row, and of the most probable tokens beside it.
pub const CHOSEN: usize = 16;
pub const TOP: usize = 8 * CHOICE_LIMITS.max_top;

/// Words of a choice, and of an edit.
const CHOICE_WORDS: usize = 20;
const EDIT_WORDS: usize = 4;

const BANNED: u32 = 1 << 31;
const REPEATED: u32 = 1 << 30;

/// Most words that [`pack`] makes of so many choices from rows of so many logits.
pub fn max_words(num_choices: usize, vocab: usize) -> usize {
    let mask = 2 * vocab.div_ceil(64);
    // An edit begins at a multiple of its length.
    let edits = EDIT_WORDS * (CHOICE_LIMITS.max_edits + 1);
    num_choices * (CHOICE_WORDS + mask + edits)
}

/// Writes choices into `words`, each with the row that it is about; then their masks and edits.
pub fn pack(choices: &[(usize, &Choice)], words: &mut Vec<u32>) {
    words.clear();
    words.resize(choices.len() * CHOICE_WORDS, 0);
    for (index, (row, choice)) in choices.iter().enumerate() {
        let mask_start = words.len();
        let mask = choice.mask.iter().flatten();
        words.extend(mask.flat_map(|word| [*word as u32, (*word >> 32) as u32]));
        words.resize(words.len().next_multiple_of(EDIT_WORDS), 0);
        let edits_start = words.len();
        words.extend(choice.edits.iter().flat_map(packed_edit));
        let first = index * CHOICE_WORDS;
        words[first..first + CHOICE_WORDS].copy_from_slice(&header(
            *row,
            choice,
            mask_start as u32,
            edits_start as u32,
        ));
    }
}

fn header(row: usize, choice: &Choice, mask_start: u32, edits_start: u32) -> [u32; CHOICE_WORDS] {
    let (kind, known, draw) = match choice.token {
        TokenChoice::Largest => (0, 0, None),
        TokenChoice::Drawn(draw) => (1, 0, Some(draw)),
        TokenChoice::Known(id) => (2, id, None),
    };
    let of_draw = draw.map_or([0; 6], |draw| {
        let u = draw.u.to_bits();
        [
            scale_of(draw.temperature).to_bits(),
            // A row has fewer than 2^20.
            draw.top_k.map_or(0, |k| k.clamp(1, 1 << 30) as u32),
            draw.top_p.to_bits(),
            // The largest weight is 1 and always stays.
            draw.min_p.min(1.0).to_bits(),
            u as u32,
            (u >> 32) as u32,
        ]
    });
    let [scale, top_k, top_p, min_weight, u_low, u_high] = of_draw;
    [
        row as u32,
        kind,
        known,
        choice.num_top.min(CHOICE_LIMITS.max_top) as u32,
        u32::from(choice.mask.is_some()),
        mask_start,
        choice.edits.len() as u32,
        edits_start,
        scale,
        top_k,
        top_p,
        min_weight,
        choice.repetition_penalty.to_bits(),
        choice.frequency_penalty.to_bits(),
        choice.presence_penalty.to_bits(),
        u32::from(choice.edits.iter().any(|edit| edit.is_banned)),
        u_low,
        u_high,
        0,
        0,
    ]
}

fn packed_edit(edit: &LogitEdit) -> [u32; EDIT_WORDS] {
    let banned = if edit.is_banned { BANNED } else { 0 };
    let repeated = if edit.is_repeated { REPEATED } else { 0 };
    // The last is room for the logit as the model gave it.
    [
        edit.id | banned | repeated,
        edit.bias.to_bits(),
        edit.count,
        0,
    ]
}

/// What the kernel wrote of one choice; `top` has as many tokens as were asked for.
pub fn unpack(record: &[u8; CHOSEN], top: &[u8]) -> Chosen {
    let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| record[4 * at + byte]));
    let (tokens, _) = top.as_chunks::<8>();
    Chosen {
        id: word(0),
        logit: f32::from_bits(word(1)),
        is_stuck: word(2) != 0,
        top: tokens
            .iter()
            .map(|[a, b, c, d, logit @ ..]| {
                (
                    u32::from_le_bytes([*a, *b, *c, *d]),
                    f32::from_le_bytes(*logit),
                )
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Draw;

    fn choice(token: TokenChoice) -> Choice {
        Choice {
            token,
            num_top: 0,
            mask: None,
            edits: Vec::new(),
            repetition_penalty: 1.5,
            frequency_penalty: 0.25,
            presence_penalty: -0.5,
        }
    }

    const DRAW: Draw = Draw {
        temperature: 0.5,
        top_k: Some(7),
        top_p: 0.75,
        min_p: 2.0,
        u: 0.625,
    };

    #[test]
    fn a_choice_lies_as_the_kernel_reads_it() {
        let largest = choice(TokenChoice::Largest);
        let drawn = Choice {
            num_top: 3,
            mask: Some(vec![1 << 40 | 5]),
            edits: vec![
                LogitEdit {
                    id: 9,
                    is_banned: true,
                    is_repeated: true,
                    bias: 2.0,
                    count: 4,
                },
                LogitEdit::default(),
            ],
            ..choice(TokenChoice::Drawn(DRAW))
        };
        let mut words = vec![1; 500];
        pack(&[(6, &largest), (2, &drawn)], &mut words);
        let of_drawn = &words[CHOICE_WORDS..2 * CHOICE_WORDS];
        let (mask_start, edits_start) = (of_drawn[5] as usize, of_drawn[7] as usize);
        assert_eq!(of_drawn[..5], [2, 1, 0, 3, 1]);
        assert_eq!(of_drawn[6], 2);
        let floats = of_drawn[8..15].iter().map(|bits| f32::from_bits(*bits));
        let floats: Vec<f32> = floats.collect();
        assert_eq!(floats[0], 2.0, "the reciprocal of the temperature");
        assert_eq!(of_drawn[9], 7);
        assert_eq!(floats[2..], [0.75, 1.0, 1.5, 0.25, -0.5]);
        assert_eq!(of_drawn[15], 1, "an edit bans");
        let u = u64::from(of_drawn[17]) << 32 | u64::from(of_drawn[16]);
        assert_eq!(f64::from_bits(u), 0.625);
        assert_eq!(words[mask_start..mask_start + 2], [5, 1 << 8]);
        assert_eq!(edits_start % 4, 0, "an edit is read as one vector");
        let bias = 2.0f32.to_bits();
        assert_eq!(
            words[edits_start..],
            [9 | BANNED | REPEATED, bias, 4, 0, 0, 0, 0, 0]
        );
        assert_eq!(words[..2], [6, 0]);
        assert_eq!((words[4], words[6], words[15]), (0, 0, 0));
    }

    #[test]
    fn reserved_memory_holds_the_largest_choices() {
        let vocab = 1000;
        let largest = Choice {
            mask: Some(vec![0; 16]),
            edits: vec![LogitEdit::default(); CHOICE_LIMITS.max_edits],
            ..choice(TokenChoice::Known(3))
        };
        let mut words = Vec::new();
        pack(&[(0, &largest), (1, &largest), (2, &largest)], &mut words);
        assert!(words.len() <= max_words(3, vocab), "{}", words.len());
    }

    #[test]
    fn what_was_chosen_is_read_as_the_kernel_writes_it() {
        let mut record = [0; CHOSEN];
        record[0] = 7;
        record[4..8].copy_from_slice(&1.5f32.to_le_bytes());
        record[8] = 1;
        let top = [&[3, 1, 0, 0][..], &2.5f32.to_le_bytes()].concat();
        let expected = Chosen {
            id: 7,
            logit: 1.5,
            is_stuck: true,
            top: vec![(259, 2.5)],
        };
        assert_eq!(unpack(&record, &top), expected);
    }
}
