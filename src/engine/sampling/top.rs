//! The most probable tokens of a row.

use crate::engine::runner::TopToken;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// The `count` most probable ids, best first, equals in the order of their ids. One pass that
/// keeps the best so far; no vocabulary is sorted. `logits` hold no NaN.
pub fn most_probable(logits: &[f32], log_sum_exp: f32, count: usize) -> Vec<TopToken> {
    let (head, rest) = logits.split_at(count.min(logits.len()));
    let ranked = |(id, logit): (usize, &f32)| Ranked {
        // Turns -0 into 0, which equals it but for its bits.
        logit: *logit + 0.0,
        id: id as u32,
    };
    // The worst of those kept is on top.
    let mut kept: BinaryHeap<Ranked> = head.iter().enumerate().map(ranked).collect();
    for (index, chunk) in rest.chunks(CHUNK).enumerate() {
        let Some(mut worst) = kept.peek().map(|worst| worst.logit) else {
            break;
        };
        // Nearly every chunk ends here, and the compiler compares its elements side by side.
        if !chunk
            .iter()
            .fold(false, |any, logit| any | (*logit > worst))
        {
            continue;
        }
        let first = head.len() + index * CHUNK;
        for (id, logit) in (first..).zip(chunk) {
            // An equal one has the higher id and does not get in.
            if *logit > worst {
                kept.pop();
                kept.push(ranked((id, logit)));
                worst = kept.peek().map_or(worst, |worst| worst.logit);
            }
        }
    }
    kept.into_sorted_vec()
        .into_iter()
        .map(|Ranked { logit, id }| TopToken {
            id,
            logprob: logit - log_sum_exp,
        })
        .collect()
}

const CHUNK: usize = 64;

/// Ordered from the best to the worst.
#[derive(PartialEq)]
struct Ranked {
    logit: f32,
    id: u32,
}

impl Eq for Ranked {}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        other
            .logit
            .total_cmp(&self.logit)
            .then(self.id.cmp(&other.id))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(logits: &[f32], count: usize) -> Vec<u32> {
        let top = most_probable(logits, 0.0, count);
        top.iter().map(|top| top.id).collect()
    }

    #[test]
    fn the_most_probable_are_those_of_a_full_sort() {
        for len in [1, 2, 63, 64, 65, 1000] {
            // Few different values, so that most have equals.
            let logits: Vec<f32> = (0..len).map(|i| (i * 7919 % 31) as f32 - 9.0).collect();
            let mut sorted: Vec<u32> = (0..len as u32).collect();
            sorted.sort_by(|a, b| {
                let logit = |id: &u32| logits[*id as usize];
                logit(b).total_cmp(&logit(a)).then(a.cmp(b))
            });
            for count in [0, 1, 2, 5, 20, 64, len, len + 1] {
                assert_eq!(
                    ids(&logits, count),
                    sorted[..count.min(len)],
                    "{count} of {len}"
                );
            }
        }
    }

    #[test]
    fn equals_stand_in_the_order_of_their_ids() {
        assert_eq!(ids(&[1.0; 200], 3), [0, 1, 2]);
        assert_eq!(ids(&[-0.0, 0.0, -0.0, 0.0, -1.0], 4), [0, 1, 2, 3]);
        let mut late = vec![0.0; 300];
        (late[299], late[70], late[150]) = (2.0, 2.0, 3.0);
        assert_eq!(ids(&late, 4), [150, 70, 299, 0]);
    }

    #[test]
    fn impossible_tokens_come_last_with_no_probability() {
        let top = most_probable(&[f32::NEG_INFINITY, 0.5, f32::NEG_INFINITY], 0.5, 3);
        let expected = [(1, 0.0), (0, f32::NEG_INFINITY), (2, f32::NEG_INFINITY)];
        assert_eq!(top.len(), 3);
        for (top, (id, logprob)) in top.iter().zip(expected) {
            assert_eq!((top.id, top.logprob), (id, logprob));
        }
    }
}
