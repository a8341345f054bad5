use crate::document::markdown_table;

/// No cell spans more columns than this.
const MAX_SPAN: usize = 64;

/// A table under way: what its cells hold.
#[derive(Default)]
pub struct TableBuilder {
    rows: Vec<Vec<String>>,
    /// The column of the cell under way.
    column: usize,
    /// It holds a table, so it is there for the layout.
    pub is_layout: bool,
}

impl TableBuilder {
    pub fn row(&mut self) {
        self.rows.push(Vec::new());
    }

    pub fn cell(&mut self, span: usize) {
        if self.rows.is_empty() {
            self.row();
        }
        if let Some(row) = self.rows.last_mut() {
            self.column = row.len();
            row.push(String::new());
            row.extend((1..span.clamp(1, MAX_SPAN)).map(|_| String::new()));
        }
    }

    /// Adds to the cell under way; a caption stands before all cells.
    pub fn add(&mut self, text: &str) {
        if self.rows.last().is_none_or(Vec::is_empty) {
            self.cell(1);
        }
        // What spans columns fills the first of them.
        let cell = self
            .rows
            .last_mut()
            .and_then(|row| row.get_mut(self.column));
        if let Some(cell) = cell {
            if !cell.is_empty() {
                cell.push(' ');
            }
            cell.push_str(text);
        }
    }

    /// The table, unless it has one column or none, or is there for the layout.
    pub fn markdown(&self) -> Option<String> {
        let rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .filter(|row| row.iter().any(|cell| !cell.is_empty()))
            .cloned()
            .collect();
        let has_columns = rows
            .iter()
            .any(|row| row.iter().filter(|cell| !cell.is_empty()).count() > 1);
        (has_columns && !self.is_layout).then(|| markdown_table(&rows))
    }

    /// What the cells hold, in order; they are empty afterwards.
    pub fn take_texts(&mut self) -> Vec<String> {
        let cells = self.rows.iter_mut().flatten();
        cells
            .map(std::mem::take)
            .filter(|text| !text.is_empty())
            .collect()
    }
}
