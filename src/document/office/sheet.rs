//! A sheet's cells, which become one table with the rows and columns that hold something.

use super::archive::too_many_nodes;
use crate::document::error::DocumentError;
use crate::document::markdown_table;
use crate::document::model::BlockKind;
use crate::document::writer::Writer;
use std::collections::BTreeMap;

#[derive(Default)]
pub struct Sheet {
    /// By row, then by column, both from 0.
    rows: BTreeMap<u64, BTreeMap<u64, String>>,
    num_cells: u64,
}

impl Sheet {
    /// Sets a cell; an empty one is none.
    pub fn set(
        &mut self,
        row: u64,
        column: u64,
        text: String,
        max: &Writer<'_>,
    ) -> Result<(), DocumentError> {
        if text.trim().is_empty() {
            return Ok(());
        }
        self.num_cells += 1;
        if self.num_cells > max.limits.max_nodes {
            return Err(too_many_nodes(max.limits));
        }
        self.rows.entry(row).or_default().insert(column, text);
        Ok(())
    }

    pub fn write(&self, writer: &mut Writer<'_>) -> Result<(), DocumentError> {
        let mut columns = BTreeMap::new();
        for column in self.rows.values().flat_map(BTreeMap::keys) {
            columns.insert(*column, 0_usize);
        }
        for (index, place) in columns.values_mut().enumerate() {
            *place = index;
        }
        // Cells far apart would make a table of mostly nothing.
        if self.rows.len() as u64 * columns.len() as u64 > writer.limits.max_nodes {
            return Err(too_many_nodes(writer.limits));
        }
        let rows: Vec<Vec<String>> = self
            .rows
            .values()
            .map(|cells| {
                let mut row = vec![String::new(); columns.len()];
                for (column, text) in cells {
                    if let Some(cell) = columns.get(column).and_then(|place| row.get_mut(*place)) {
                        cell.clone_from(text);
                    }
                }
                row
            })
            .collect();
        if !rows.is_empty() {
            writer.block(BlockKind::Table, &markdown_table(&rows))?;
        }
        Ok(())
    }
}
