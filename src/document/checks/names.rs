//! The agency's word list: names that are compared as they are written.

use super::error::ChecksError;
use aho_corasick::{AhoCorasick, MatchKind};

/// Names of offices, places and people that an agency gives, ready to be searched for.
#[derive(Debug, Clone, Default)]
pub struct NameList {
    pub(super) names: Vec<String>,
    pub(super) search: Option<AhoCorasick>,
}

impl NameList {
    /// The most names of a list.
    pub const MAX_NAMES: usize = 20_000;
    /// The most bytes of a name.
    pub const MAX_NAME_BYTES: usize = 200;

    /// # Errors
    /// If there are too many names, or one is empty or too long.
    pub fn new(names: Vec<String>) -> Result<Self, ChecksError> {
        if names.len() > Self::MAX_NAMES {
            return Err(ChecksError::TooManyNames { count: names.len() });
        }
        if let Some(place) = names
            .iter()
            .position(|name| name.trim().is_empty() || name.len() > Self::MAX_NAME_BYTES)
        {
            return Err(ChecksError::Name { place: place + 1 });
        }
        if names.is_empty() {
            return Ok(Self::default());
        }
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&names)?;
        Ok(Self {
            names,
            search: Some(search),
        })
    }
}
