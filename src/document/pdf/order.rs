//! The order in which one reads a page: columns one after another, tables row by row, and blocks
//! that stand side by side each by itself.

use super::geometry::{Area, Fragment, median};
use super::gutter::{gaps, tall_gutter};
use super::region::{Kind, Region};
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
pub(super) struct Row {
    pub fragments: Vec<Fragment>,
    pub area: Area,
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
    if depth < MAX_DEPTH
        && let Some((top, gutter, bottom)) = tall_gutter(&rows, em)
    {
        let mut rows = rows;
        let below = rows.split_off(rows.len() - bottom);
        let between = rows.split_off(top);
        lines(rows, whole, items);
        let all = between.into_iter().flat_map(|row| row.fragments);
        let (left, right): (Vec<Fragment>, Vec<Fragment>) =
            all.partition(|fragment| fragment.x1 <= gutter.0 + 0.1);
        items.push(Item::Break);
        flow(left, depth + 1, items);
        items.push(Item::Break);
        flow(right, depth + 1, items);
        items.push(Item::Break);
        lines(below, whole, items);
        return;
    }
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
                let after = region.take_tail(gutter);
                lines(std::mem::take(&mut plain), whole, items);
                let (left, right) = region.split(gutter);
                items.push(Item::Break);
                flow(left, depth + 1, items);
                items.push(Item::Break);
                flow(right, depth + 1, items);
                items.push(Item::Break);
                plain.extend(after);
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

/// Writes rows as lines. Notes in the margin come after the text that they stand beside.
fn lines(mut rows: Vec<Row>, whole: Area, items: &mut Vec<Item>) {
    let notes = take_margins(&mut rows);
    for row in rows.into_iter().filter(|row| !row.fragments.is_empty()) {
        items.push(Item::Line(line(&row.fragments, whole)));
    }
    for note in notes {
        items.push(Item::Break);
        items.push(Item::Line(line(&[note], whole)));
    }
}

fn line(fragments: &[Fragment], whole: Area) -> Line {
    let size = fragments
        .iter()
        .map(|fragment| (fragment.num_chars(), fragment.size))
        .max_by_key(|(num_chars, _)| *num_chars);
    let baseline = fragments
        .iter()
        .map(|fragment| fragment.baseline)
        .fold(f64::NEG_INFINITY, f64::max);
    let texts: Vec<&str> = fragments
        .iter()
        .map(|fragment| fragment.text.as_str())
        .collect();
    let area = fragments
        .iter()
        .map(Fragment::area)
        .reduce(|a, b| a.union(&b))
        .unwrap_or(whole);
    Line {
        text: texts.join(" "),
        area,
        baseline,
        size: size.map_or(0.0, |(_, size)| size),
        column: (whole.x0, whole.x1),
    }
}

/// Takes out what stands beside the body of the text: where most lines are as wide as one another
/// there is a body, and what is wholly outside of it is in the margin.
fn take_margins(rows: &mut [Row]) -> Vec<Fragment> {
    let widest = rows
        .iter()
        .flat_map(|row| &row.fragments)
        .map(|fragment| fragment.x1 - fragment.x0)
        .fold(0.0, f64::max);
    let full: Vec<&Fragment> = rows
        .iter()
        .flat_map(|row| &row.fragments)
        .filter(|fragment| fragment.x1 - fragment.x0 > 0.9 * widest)
        .collect();
    if full.len() < 4 || full.len() * 3 < rows.len() {
        return Vec::new();
    }
    let x0 = median(full.iter().map(|fragment| fragment.x0).collect());
    let x1 = median(full.iter().map(|fragment| fragment.x1).collect());
    let mut notes = Vec::new();
    for row in rows.iter_mut().filter(|row| row.fragments.len() > 1) {
        let is_note = |fragment: &Fragment| {
            let is_word = fragment.text.chars().filter(|c| c.is_alphabetic()).count() > 2;
            let is_outside =
                fragment.x1 < x0 - 0.3 * fragment.size || fragment.x0 > x1 + 0.3 * fragment.size;
            is_word && is_outside
        };
        notes.extend(
            row.fragments
                .iter()
                .filter(|fragment| is_note(fragment))
                .cloned(),
        );
        row.fragments.retain(|fragment| !is_note(fragment));
    }
    notes
}
