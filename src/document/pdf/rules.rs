//! Tables that are drawn with lines: what the lines enclose is a cell.

use super::geometry::{Area, Fragment};

/// Lines that miss each other by less than this meet.
const TOLERANCE: f64 = 3.0;
const MAX_LINES: usize = 400;

pub struct RuledTable {
    pub area: Area,
    pub rows: Vec<Vec<String>>,
}

/// Finds the ruled tables of a page, and takes what they hold out of `fragments`.
pub fn take_tables(rules: &[Area], fragments: &mut Vec<Fragment>) -> Vec<RuledTable> {
    let across: Vec<Area> = rules
        .iter()
        .copied()
        .filter(|rule| rule.height() <= TOLERANCE && rule.width() > 8.0)
        .take(MAX_LINES)
        .collect();
    let down = borders(rules);
    let mut tables = Vec::new();
    for grid in grids(&across, &down) {
        if let Some(table) = grid.table(fragments) {
            tables.push(table);
        }
    }
    tables
}

/// Lines from top to bottom.
pub fn borders(rules: &[Area]) -> Vec<Area> {
    let down = rules
        .iter()
        .filter(|rule| rule.width() <= TOLERANCE && rule.height() > 4.0);
    down.copied().take(MAX_LINES).collect()
}

struct Grid {
    xs: Vec<f64>,
    ys: Vec<f64>,
}

/// Lines that cross or touch belong to one grid.
fn grids(across: &[Area], down: &[Area]) -> Vec<Grid> {
    let num_across = across.len();
    let all: Vec<&Area> = across.iter().chain(down).collect();
    let mut group: Vec<usize> = (0..all.len()).collect();
    for (index, horizontal) in across.iter().enumerate() {
        for (other, vertical) in down.iter().enumerate() {
            let meets = vertical.x0 > horizontal.x0 - TOLERANCE
                && vertical.x1 < horizontal.x1 + TOLERANCE
                && horizontal.y0 > vertical.y0 - TOLERANCE
                && horizontal.y1 < vertical.y1 + TOLERANCE;
            if meets {
                let (a, b) = (
                    root(&mut group, index),
                    root(&mut group, num_across + other),
                );
                if let Some(own) = group.get_mut(a) {
                    *own = b;
                }
            }
        }
    }
    let mut grids: Vec<(usize, Grid)> = Vec::new();
    for index in 0..all.len() {
        let root = root(&mut group, index);
        let position = grids
            .iter()
            .position(|(id, _)| *id == root)
            .unwrap_or_else(|| {
                grids.push((
                    root,
                    Grid {
                        xs: Vec::new(),
                        ys: Vec::new(),
                    },
                ));
                grids.len() - 1
            });
        if let (Some((_, grid)), Some(line)) = (grids.get_mut(position), all.get(index)) {
            match index < num_across {
                true => grid.ys.push((line.y0 + line.y1) / 2.0),
                false => grid.xs.push((line.x0 + line.x1) / 2.0),
            }
        }
    }
    grids.into_iter().map(|(_, grid)| grid).collect()
}

fn root(group: &mut [usize], mut index: usize) -> usize {
    while let Some(&parent) = group.get(index) {
        if parent == index {
            break;
        }
        // Halves the way for whoever comes next.
        if let Some(&grand) = group.get(parent) {
            group[index] = grand;
        }
        index = parent;
    }
    index
}

impl Grid {
    /// The table, if it has at least two columns and rows, and most of its cells hold something.
    fn table(mut self, fragments: &mut Vec<Fragment>) -> Option<RuledTable> {
        unique(&mut self.xs);
        unique(&mut self.ys);
        if self.xs.len() < 3 || self.ys.len() < 3 {
            return None;
        }
        let area = Area {
            x0: *self.xs.first()?,
            y0: *self.ys.first()?,
            x1: *self.xs.last()?,
            y1: *self.ys.last()?,
        };
        let (num_columns, num_rows) = (self.xs.len() - 1, self.ys.len() - 1);
        let place = |fragment: &Fragment| {
            let (x, y) = (
                (fragment.x0 + fragment.x1) / 2.0,
                fragment.baseline - 0.3 * fragment.size,
            );
            // What begins in a cell belongs to it, even if it runs over its border.
            let x = x.min(fragment.x0 + 2.0 * fragment.size);
            area.contains(x, y).then(|| {
                let column = self
                    .xs
                    .iter()
                    .filter(|border| **border <= x)
                    .count()
                    .clamp(1, num_columns)
                    - 1;
                let row = self
                    .ys
                    .iter()
                    .filter(|border| **border <= y)
                    .count()
                    .clamp(1, num_rows)
                    - 1;
                (row, column)
            })
        };
        let mut cells: Vec<Vec<Vec<&Fragment>>> = vec![vec![Vec::new(); num_columns]; num_rows];
        for fragment in fragments.iter() {
            if let Some((row, column)) = place(fragment) {
                cells[row][column].push(fragment);
            }
        }
        let num_full = cells
            .iter()
            .flatten()
            .filter(|cell| !cell.is_empty())
            .count();
        let num_rows_full = cells
            .iter()
            .filter(|row| row.iter().filter(|cell| !cell.is_empty()).count() > 1)
            .count();
        if num_full * 3 < num_columns * num_rows || num_rows_full < 2 {
            return None;
        }
        let rows = cells
            .iter()
            .map(|row| row.iter().map(|cell| text(cell)).collect::<Vec<String>>())
            .filter(|row| row.iter().any(|cell| !cell.is_empty()))
            .collect();
        fragments.retain(|fragment| place(fragment).is_none());
        Some(RuledTable { area, rows })
    }
}

fn text(cell: &[&Fragment]) -> String {
    let mut sorted = cell.to_vec();
    sorted.sort_by(|a, b| {
        a.baseline
            .total_cmp(&b.baseline)
            .then(a.x0.total_cmp(&b.x0))
    });
    let mut text = String::new();
    for fragment in sorted {
        super::paragraph::join(&mut text, &fragment.text, None);
    }
    text
}

fn unique(values: &mut Vec<f64>) {
    values.sort_by(f64::total_cmp);
    values.dedup_by(|next, kept| *next - *kept < TOLERANCE);
}
