//! What a choice means, by its definition: the row is copied, edited, sorted and added up in f64.

use super::{Choice, Draw, TokenChoice};

/// By how much an answer misses what a choice asked of a row that is a distribution, as a share of
/// the tokens that a draw may take: 0 where the draw lies in the part of the token, infinite for a
/// token that is not among them. `None` stands for an answer that no token is left.
pub fn miss(logits: &[f32], choice: &Choice, answer: Option<u32>) -> f64 {
    let is = |expected: Option<u32>| {
        if answer == expected {
            0.0
        } else {
            f64::INFINITY
        }
    };
    if let TokenChoice::Known(id) = choice.token {
        return is(Some(id));
    }
    let mut row = edited(logits, choice, true);
    if !is_possible(&row) {
        row = edited(logits, choice, false);
    }
    if !is_possible(&row) {
        if choice.mask.is_some() {
            return is(None);
        }
        row = logits.to_vec();
    }
    match choice.token {
        TokenChoice::Drawn(draw) => answer.map_or(f64::INFINITY, |id| {
            miss_of_draw(&kept(&row, &draw), draw.u, id)
        }),
        _ => is(ranked(&row).first().copied()),
    }
}

/// The most probable ids and their logits, best first, equals in the order of their ids.
pub fn top(logits: &[f32], num_top: usize) -> Vec<(u32, f32)> {
    let best = ranked(logits).into_iter().take(num_top);
    best.map(|id| (id, logits[id as usize])).collect()
}

fn is_possible(row: &[f32]) -> bool {
    row.iter().any(|logit| *logit > f32::NEG_INFINITY)
}

fn edited(logits: &[f32], choice: &Choice, with_bans: bool) -> Vec<f32> {
    let mut row = logits.to_vec();
    if let Some(mask) = &choice.mask {
        for (id, logit) in row.iter_mut().enumerate() {
            if mask[id / 64] >> (id % 64) & 1 == 0 {
                *logit = f32::NEG_INFINITY;
            }
        }
    }
    for edit in &choice.edits {
        let logit = &mut row[edit.id as usize];
        let mut change = |to: fn(f32, f32) -> f32, by: f32| {
            let after = to(*logit, by);
            if *logit > f32::NEG_INFINITY && !after.is_nan() {
                *logit = after.clamp(f32::MIN, f32::MAX);
            }
        };
        change(|logit, bias| logit + bias, edit.bias);
        if edit.is_repeated {
            let penalize = |x: f32, by: f32| if x > 0.0 { x / by } else { x * by };
            change(penalize, choice.repetition_penalty);
        }
        if edit.count > 0 {
            let each = edit.count as f32 * choice.frequency_penalty;
            change(|logit, by| logit - by, each + choice.presence_penalty);
        }
        if edit.is_banned && with_bans {
            *logit = f32::NEG_INFINITY;
        }
    }
    row
}

fn ranked(row: &[f32]) -> Vec<u32> {
    let mut ids: Vec<u32> = (0..row.len() as u32).collect();
    let logit = |id: &u32| row[*id as usize] + 0.0;
    ids.sort_by(|a, b| logit(b).total_cmp(&logit(a)).then(a.cmp(b)));
    ids
}

/// The tokens that a draw may take, in its order, with their weights, of which the largest is 1.
fn kept(row: &[f32], draw: &Draw) -> Vec<(u32, f64)> {
    let ids = ranked(row);
    let max = f64::from(row[ids[0] as usize]);
    let weight = |id: u32| {
        let below = f64::from(row[id as usize]) - max;
        let weight = (below / f64::from(draw.temperature)).exp();
        // What f32 does not hold has none.
        if weight < (-87.0f64).exp() {
            0.0
        } else {
            weight
        }
    };
    let weighed = |ids: Vec<u32>| ids.into_iter().map(|id| (id, weight(id)));
    let is_cut = draw.top_k.is_some() || draw.top_p < 1.0;
    let min_p = f64::from(draw.min_p);
    if !is_cut {
        let all = weighed((0..row.len() as u32).collect());
        return all
            .filter(|(_, weight)| *weight > 0.0 && *weight >= min_p)
            .collect();
    }
    let mut all: Vec<_> = weighed(ids).collect();
    all.truncate(draw.top_k.unwrap_or(usize::MAX));
    let total: f64 = all.iter().map(|(_, weight)| weight).sum();
    let mut sum = 0.0;
    let mut kept = Vec::new();
    for (id, weight) in all {
        let is_enough = draw.top_p < 1.0 && sum >= total * f64::from(draw.top_p);
        if is_enough || weight < min_p || weight == 0.0 {
            break;
        }
        sum += weight;
        kept.push((id, weight));
    }
    kept
}

fn miss_of_draw(kept: &[(u32, f64)], u: f64, id: u32) -> f64 {
    let total: f64 = kept.iter().map(|(_, weight)| weight).sum();
    let mut begin = 0.0;
    for (kept, weight) in kept {
        if *kept == id {
            let outside = (begin - u * total).max(u * total - (begin + weight));
            return outside.max(0.0) / total;
        }
        begin += weight;
    }
    f64::INFINITY
}
