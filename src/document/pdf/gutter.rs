//! The white space between columns.

use super::geometry::Fragment;
use super::order::Row;

/// The least width of a gutter, in heights of the font.
pub const GUTTER: f64 = 0.9;

/// The free spaces between a row's fragments that are wide enough to be gutters.
pub fn gaps(row: &Row, em: f64) -> Vec<(f64, f64)> {
    let mut end = f64::NEG_INFINITY;
    let mut gaps = Vec::new();
    for fragment in &row.fragments {
        if end.is_finite() && fragment.x0 - end >= GUTTER * em {
            gaps.push((end, fragment.x0));
        }
        end = end.max(fragment.x1);
    }
    gaps
}

/// Rows at the head and at the foot of a page that may run across its columns.
const MAX_ACROSS: usize = 3;

/// A gutter that runs from the head of the page to its foot, whatever the columns hold: how many
/// rows are above it, where it is, and how many rows are below it.
pub fn tall_gutter(rows: &[Row], em: f64) -> Option<(usize, (f64, f64), usize)> {
    for across in 0..=MAX_ACROSS * 2 {
        let (top, bottom) = (across.div_ceil(2), across / 2);
        let between = rows.get(top..rows.len().checked_sub(bottom)?)?;
        let mut spans: Vec<(f64, f64)> = between
            .iter()
            .flat_map(|row| &row.fragments)
            .map(|fragment| (fragment.x0, fragment.x1))
            .collect();
        spans.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut end = f64::INFINITY;
        let mut found: Vec<(f64, f64)> = Vec::new();
        for (x0, x1) in spans {
            if x0 - end >= 1.2 * em {
                found.push((end, x0));
            }
            end = if end.is_finite() { end.max(x1) } else { x1 };
        }
        found.sort_by(|a, b| (b.1 - b.0).total_cmp(&(a.1 - a.0)));
        if let Some(gutter) = found
            .into_iter()
            .find(|gutter| parts_columns(between, *gutter, em))
        {
            return Some((top, gutter, bottom));
        }
    }
    None
}

/// Whether both sides are columns of their own: wide, tall, and with lines at heights of their own.
fn parts_columns(rows: &[Row], gutter: (f64, f64), em: f64) -> bool {
    let all = rows.iter().flat_map(|row| &row.fragments);
    let (left, right): (Vec<&Fragment>, Vec<&Fragment>) =
        all.partition(|fragment| fragment.x1 <= gutter.0 + 0.1);
    let sides = [left, right].map(|side| {
        let x0 = side
            .iter()
            .map(|fragment| fragment.x0)
            .fold(f64::INFINITY, f64::min);
        let x1 = side
            .iter()
            .map(|fragment| fragment.x1)
            .fold(f64::NEG_INFINITY, f64::max);
        let mut baselines: Vec<f64> = side.iter().map(|fragment| fragment.baseline).collect();
        baselines.sort_by(f64::total_cmp);
        baselines.dedup();
        (x1 - x0, baselines)
    });
    let [(left_width, left), (right_width, right)] = &sides;
    let few = if left.len() < right.len() {
        left
    } else {
        right
    };
    let many = if left.len() < right.len() {
        right
    } else {
        left
    };
    let is_level = |baseline: &&f64| {
        let at = many.partition_point(|other| *other < **baseline - 0.12 * em);
        many.get(at)
            .is_some_and(|other| (other - **baseline).abs() < 0.12 * em)
    };
    let num_level = few.iter().filter(is_level).count();
    left_width.min(*right_width) > 9.0 * em && few.len() >= 8 && num_level * 10 < few.len() * 7
}
