//! Rows that share a gutter, and what they are: columns, a table, or lines with wide spaces.

use super::geometry::{Area, Fragment};
use super::gutter::{GUTTER, gaps};
use super::order::Row;

/// What a region is.
pub enum Kind {
    Columns((f64, f64)),
    Table,
    Rows,
}

/// Rows one after another that share at least one gutter.
pub struct Region {
    pub rows: Vec<Row>,
    gutters: Vec<(f64, f64)>,
    em: f64,
}

impl Region {
    pub fn new(row: Row, em: f64) -> Self {
        let gutters = match row.fragments.len() {
            1 => vec![
                (f64::NEG_INFINITY, row.area.x0),
                (row.area.x1, f64::INFINITY),
            ],
            _ => gaps(&row, em),
        };
        Self {
            rows: vec![row],
            gutters,
            em,
        }
    }

    /// What is left of the gutters if a row comes to them.
    fn narrowed(&self, row: &Row) -> Vec<(f64, f64)> {
        let mut free = vec![];
        let mut end = f64::NEG_INFINITY;
        for fragment in &row.fragments {
            free.push((end, fragment.x0));
            end = end.max(fragment.x1);
        }
        free.push((end, f64::INFINITY));
        let mut left = Vec::new();
        for gutter in &self.gutters {
            for gap in &free {
                let both = (gutter.0.max(gap.0), gutter.1.min(gap.1));
                if both.1 - both.0 >= GUTTER * self.em {
                    left.push(both);
                }
            }
        }
        left
    }

    pub fn accepts(&self, row: &Row) -> bool {
        let bottom = self.rows.last().map_or(row.area.y0, |last| last.area.y1);
        let is_near = row.area.y0 - bottom < 3.5 * self.em;
        is_near
            && self
                .narrowed(row)
                .iter()
                .any(|gutter| self.is_inner(*gutter, row))
    }

    /// Whether a gutter has text on both of its sides.
    fn is_inner(&self, gutter: (f64, f64), row: &Row) -> bool {
        let all = || self.rows.iter().chain([row]).flat_map(|row| &row.fragments);
        all().any(|fragment| fragment.x1 <= gutter.0 + 0.1)
            && all().any(|fragment| fragment.x0 >= gutter.1 - 0.1)
    }

    pub fn add(&mut self, row: Row) {
        self.gutters = self.narrowed(&row);
        self.rows.push(row);
    }

    pub fn area(&self) -> Area {
        let areas = self.rows.iter().map(|row| row.area);
        areas.reduce(|a, b| a.union(&b)).unwrap_or(Area {
            x0: 0.0,
            y0: 0.0,
            x1: 0.0,
            y1: 0.0,
        })
    }

    pub fn kind(&self) -> Kind {
        let gutters: Vec<(f64, f64)> = self
            .gutters
            .iter()
            .copied()
            .filter(|gutter| {
                self.rows
                    .first()
                    .is_some_and(|row| self.is_inner(*gutter, row))
            })
            .collect();
        let num_split = self
            .rows
            .iter()
            .filter(|row| row.fragments.len() > 1)
            .count();
        let Some(widest) = gutters
            .iter()
            .copied()
            .max_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0)))
        else {
            return Kind::Rows;
        };
        let candidates = gutters
            .iter()
            .copied()
            .filter(|gutter| self.are_columns(*gutter));
        if let Some(columns) = candidates.max_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0))) {
            return Kind::Columns(columns);
        }
        if self.rows.len() >= 3 && num_split >= 3 && self.is_tabular(&gutters) {
            return Kind::Table;
        }
        if gutters.len() == 1 && self.are_blocks(widest) {
            return Kind::Columns(widest);
        }
        Kind::Rows
    }

    /// Takes off the last rows that stand on the left alone, a gap below the end of both columns:
    /// what follows columns may be as narrow as they are.
    pub fn take_tail(&mut self, gutter: (f64, f64)) -> Vec<Row> {
        const MAX_TAIL: usize = 3;
        let reaches_right = |row: &Row| {
            row.fragments
                .iter()
                .any(|fragment| fragment.x1 > gutter.0 + 0.1)
        };
        let Some(last) = self.rows.iter().rposition(reaches_right) else {
            return Vec::new();
        };
        let is_apart = |index: &usize| match (self.rows.get(index - 1), self.rows.get(*index)) {
            (Some(above), Some(below)) => below.area.y0 - above.area.y1 > 0.5 * self.em,
            _ => false,
        };
        match (last + 1..self.rows.len()).find(is_apart) {
            Some(first) if self.rows.len() - first <= MAX_TAIL => self.rows.split_off(first),
            _ => Vec::new(),
        }
    }

    fn sides(&self, gutter: (f64, f64)) -> (Vec<&Fragment>, Vec<&Fragment>) {
        let all = self.rows.iter().flat_map(|row| &row.fragments);
        all.partition(|fragment| fragment.x1 <= gutter.0 + 0.1)
    }

    /// Columns of running text: lines on both sides that mostly fill the width.
    fn are_columns(&self, gutter: (f64, f64)) -> bool {
        let (left, right) = self.sides(gutter);
        [left, right].iter().all(|side| {
            let x0 = side
                .iter()
                .map(|fragment| fragment.x0)
                .fold(f64::INFINITY, f64::min);
            let x1 = side
                .iter()
                .map(|fragment| fragment.x1)
                .fold(f64::NEG_INFINITY, f64::max);
            let width = x1 - x0;
            let mut baselines: Vec<f64> = side.iter().map(|fragment| fragment.baseline).collect();
            baselines.dedup();
            // Long lines alone do not make a column: there must be several, and most of them full.
            let full = side
                .iter()
                .filter(|fragment| fragment.x1 - fragment.x0 > 0.6 * width)
                .count();
            baselines.len() >= 4 && width > 9.0 * self.em && full * 2 >= side.len()
        })
    }

    /// Two blocks of lines side by side, such as the sender and the recipient of a letter.
    fn are_blocks(&self, gutter: (f64, f64)) -> bool {
        let (left, right) = self.sides(gutter);
        let is_wide = gutter.1 - gutter.0 > 2.5 * self.em;
        let is_figure = |side: &[&Fragment]| {
            let digits: usize = side
                .iter()
                .map(|fragment| fragment.text.chars().filter(|c| c.is_ascii_digit()).count())
                .sum();
            digits * 2
                > side
                    .iter()
                    .map(|fragment| fragment.num_chars())
                    .sum::<usize>()
        };
        let is_label =
            |fragment: &&Fragment| fragment.text.ends_with(':') || fragment.num_chars() <= 3;
        let num_labels = left.iter().filter(|fragment| is_label(fragment)).count();
        is_wide
            && left.len() >= 2
            && right.len() >= 2
            && !is_figure(&right)
            && !is_figure(&left)
            && num_labels * 2 < left.len()
            && self.rows.len() >= 3
    }

    /// Short cells in most rows, with at least three columns.
    fn is_tabular(&self, gutters: &[(f64, f64)]) -> bool {
        let num_fragments: usize = self.rows.iter().map(|row| row.fragments.len()).sum();
        let num_chars: usize = self
            .rows
            .iter()
            .flat_map(|row| &row.fragments)
            .map(Fragment::num_chars)
            .sum();
        let num_split = self
            .rows
            .iter()
            .filter(|row| row.fragments.len() > 1)
            .count();
        let first_width = self
            .sides(gutters[0])
            .0
            .iter()
            .map(|fragment| fragment.x1 - fragment.x0)
            .fold(0.0, f64::max);
        gutters.len() >= 2
            && num_split * 10 >= self.rows.len() * 6
            && num_chars < 40 * num_fragments
            // Bullets and numbers of items are no column.
            && (gutters.len() >= 3 || first_width > 1.5 * self.em)
    }

    pub fn split(self, gutter: (f64, f64)) -> (Vec<Fragment>, Vec<Fragment>) {
        let all = self.rows.into_iter().flat_map(|row| row.fragments);
        all.partition(|fragment| fragment.x1 <= gutter.0 + 0.1)
    }

    /// The rows as cells between the gutters.
    pub fn cells(&self) -> Vec<Vec<String>> {
        let mut borders: Vec<f64> = self
            .gutters
            .iter()
            .map(|gutter| (gutter.0 + gutter.1) / 2.0)
            .filter(|border| border.is_finite())
            .collect();
        borders.sort_by(f64::total_cmp);
        let row = |row: &Row| {
            let mut cells = vec![String::new(); borders.len() + 1];
            for fragment in &row.fragments {
                let column = borders
                    .iter()
                    .filter(|border| **border < fragment.x0)
                    .count();
                if let Some(cell) = cells.get_mut(column) {
                    if !cell.is_empty() {
                        cell.push(' ');
                    }
                    cell.push_str(&fragment.text);
                }
            }
            cells
        };
        self.rows.iter().map(row).collect()
    }
}
