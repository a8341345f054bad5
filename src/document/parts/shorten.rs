use super::gap::{Gap, gaps, last_break};
use super::sentence::sentences;

/// Attempts to meet the budget by what the last one took over it, before it is halved.
const PATIENCE: usize = 4;

/// A text, or as much of its beginning as takes `max_tokens`: to the end of a sentence where one
/// ends in the latter half, else of a word, else of a character.
pub fn fit<'a>(text: &'a str, max_tokens: usize, count: &mut dyn FnMut(&str) -> usize) -> &'a str {
    let mut kept = text.trim_end();
    let mut attempts = 0;
    loop {
        let tokens = count(kept);
        if tokens <= max_tokens || kept.is_empty() {
            return kept;
        }
        attempts += 1;
        let limit = match attempts > PATIENCE {
            true => kept.len() / 2,
            // As exact as a product that cannot overflow.
            false => (kept.len() as u128 * max_tokens as u128 / tokens as u128 * 49 / 50)
                .try_into()
                .unwrap_or(0),
        };
        kept = shorter(kept, kept.floor_char_boundary(limit)).trim_end();
    }
}

/// At most `limit` bytes of a text, which is longer.
fn shorter(text: &str, limit: usize) -> &str {
    let half = text.ceil_char_boundary(limit / 2).min(limit);
    let window = half..limit;
    let cut = sentences(text, window.clone())
        .last()
        .or_else(|| {
            let words = gaps(text, window.clone()).filter(|(_, gap)| *gap != Gap::InNumber);
            words.last().map(|(at, _)| at)
        })
        .or_else(|| last_break(text, window))
        .unwrap_or(half);
    text.get(..cut).unwrap_or_default()
}
