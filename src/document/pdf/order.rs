//! The order in which one reads a page: columns one after another, tables row by row, and blocks
//! that stand side by side each by itself.

use super::geometry::{Area, Fragment, median};
use super::rules::RuledTable;

/// What a page is made of, in reading order.
pub enum Item {
    Line(Line),
    /// Rows of cells.
    Table(Area, Vec<Vec<String>>),
    /// Nothing goes on across it: a column ends.
    Break,
}

#[derive(Debug, Clone)]
pub struct Line {
    pub text: String,
    pub area: Area,
    pub baseline: f64,
    pub size: f64,
    /// The column that the line stands in.
    pub column: (f64, f64),
}

/// Recursion ends here, whatever a page looks like.
const MAX_DEPTH: usize = 6;
/// The least width of a gutter, in heights of the font.
const GUTTER: f64 = 0.9;

/// Orders fragments of one turn, and the ruled tables among them.
pub fn order(fragments: Vec<Fragment>, tables: Vec<RuledTable>) -> Vec<Item> {
    let mut items = Vec::new();
    let mut rest = fragments;
    let mut tables = tables;
    tables.sort_by(|a, b| a.area.y0.total_cmp(&b.area.y0));
    // A table parts the page, unless it stands beside text: then it comes after what is above it.
    for table in tables {
        let (above, below): (Vec<Fragment>, Vec<Fragment>) = rest
            .into_iter()
            .partition(|fragment| fragment.baseline < table.area.y0 + 1.0);
        flow(above, 0, &mut items);
        items.push(Item::Table(table.area, table.rows));
        rest = below;
    }
    flow(rest, 0, &mut items);
    items
}

/// Fragments whose heights overlap.
struct Row {
    fragments: Vec<Fragment>,
    area: Area,
}

fn rows(mut fragments: Vec<Fragment>) -> Vec<Row> {
    fragments.sort_by(|a, b| {
        a.baseline
            .total_cmp(&b.baseline)
            .then(a.x0.total_cmp(&b.x0))
    });
    let mut rows: Vec<Row> = Vec::new();
    for fragment in fragments {
        let area = fragment.area();
        match rows.last_mut() {
            Some(row)
                if row.area.shared_height(&area) > 0.5 * area.height().min(row.area.height()) =>
            {
                row.area = row.area.union(&area);
                row.fragments.push(fragment);
            }
            _ => rows.push(Row {
                area,
                fragments: vec![fragment],
            }),
        }
    }
    for row in &mut rows {
        row.fragments.sort_by(|a, b| a.x0.total_cmp(&b.x0));
    }
    rows
}

fn flow(fragments: Vec<Fragment>, depth: usize, items: &mut Vec<Item>) {
    if fragments.is_empty() {
        return;
    }
    let em = median(fragments.iter().map(|fragment| fragment.size).collect());
    let rows = rows(fragments);
    let bounds = |rows: &[Row]| rows.iter().map(|row| row.area).reduce(|a, b| a.union(&b));
    let Some(whole) = bounds(&rows) else { return };
    let mut plain: Vec<Row> = Vec::new();
    let mut rest = rows.into_iter().peekable();
    while let Some(row) = rest.next() {
        if depth >= MAX_DEPTH || row.fragments.len() < 2 && !next_has_gutter(&row, rest.peek(), em)
        {
            plain.push(row);
            continue;
        }
        let mut region = Region::new(row, em);
        while let Some(next) = rest.peek() {
            if !region.accepts(next) {
                break;
            }
            if let Some(next) = rest.next() {
                region.add(next);
            }
        }
        match region.kind() {
            Kind::Columns(gutter) => {
                lines(std::mem::take(&mut plain), whole, items);
                let (left, right) = region.split(gutter);
                items.push(Item::Break);
                flow(left, depth + 1, items);
                items.push(Item::Break);
                flow(right, depth + 1, items);
                items.push(Item::Break);
            }
            Kind::Table => {
                lines(std::mem::take(&mut plain), whole, items);
                items.push(Item::Table(region.area(), region.cells()));
            }
            Kind::Rows => plain.extend(region.rows),
        }
    }
    lines(plain, whole, items);
}

/// Columns may begin beside one another at different heights.
fn next_has_gutter(row: &Row, next: Option<&Row>, em: f64) -> bool {
    let Some(next) = next else { return false };
    next.fragments.len() > 1
        && next.area.y0 - row.area.y1 < 2.0 * em
        && gaps(next, em)
            .iter()
            .any(|gap| row.area.x1 <= gap.0 || row.area.x0 >= gap.1)
}

/// The free spaces between a row's fragments that are wide enough to be gutters.
fn gaps(row: &Row, em: f64) -> Vec<(f64, f64)> {
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

enum Kind {
    Columns((f64, f64)),
    Table,
    Rows,
}

/// Rows one after another that share at least one gutter.
struct Region {
    rows: Vec<Row>,
    gutters: Vec<(f64, f64)>,
    em: f64,
}

impl Region {
    fn new(row: Row, em: f64) -> Self {
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

    fn accepts(&self, row: &Row) -> bool {
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

    fn add(&mut self, row: Row) {
        self.gutters = self.narrowed(&row);
        self.rows.push(row);
    }

    fn area(&self) -> Area {
        let areas = self.rows.iter().map(|row| row.area);
        areas.reduce(|a, b| a.union(&b)).unwrap_or(Area {
            x0: 0.0,
            y0: 0.0,
            x1: 0.0,
            y1: 0.0,
        })
    }

    fn kind(&self) -> Kind {
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

    fn split(self, gutter: (f64, f64)) -> (Vec<Fragment>, Vec<Fragment>) {
        let all = self.rows.into_iter().flat_map(|row| row.fragments);
        all.partition(|fragment| fragment.x1 <= gutter.0 + 0.1)
    }

    /// The rows as cells between the gutters.
    fn cells(&self) -> Vec<Vec<String>> {
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

/// Writes rows as lines.
fn lines(rows: Vec<Row>, whole: Area, items: &mut Vec<Item>) {
    for row in rows {
        let size = row
            .fragments
            .iter()
            .map(|fragment| (fragment.num_chars(), fragment.size))
            .max_by_key(|(num_chars, _)| *num_chars);
        let baseline = row
            .fragments
            .iter()
            .map(|fragment| fragment.baseline)
            .fold(f64::NEG_INFINITY, f64::max);
        let texts: Vec<&str> = row
            .fragments
            .iter()
            .map(|fragment| fragment.text.as_str())
            .collect();
        items.push(Item::Line(Line {
            text: texts.join(" "),
            area: row.area,
            baseline,
            size: size.map_or(0.0, |(_, size)| size),
            column: (whole.x0, whole.x1),
        }));
    }
}
