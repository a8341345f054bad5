use super::kind::{Kind, Mode};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// What was found in a request: kinds and counts, never values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub mode: Mode,
    /// Kinds of which nothing was found are left out.
    pub found: BTreeMap<Kind, Count>,
}

/// How often values of a kind stand in the texts of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    pub occurrences: usize,
    /// The same value in two spellings counts once.
    pub distinct_values: usize,
}

impl Report {
    pub(super) fn new(mode: Mode) -> Self {
        Self {
            mode,
            found: BTreeMap::new(),
        }
    }

    pub(super) fn count(&mut self, kind: Kind, is_new: bool) {
        let count = self.found.entry(kind).or_default();
        count.occurrences += 1;
        count.distinct_values += usize::from(is_new);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (kind, count)) in self.found.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{} ({})", kind.name(), count.occurrences)?;
        }
        Ok(())
    }
}
