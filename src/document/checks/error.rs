use super::names::NameList;

/// Why an agency's settings for the checks cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ChecksError {
    #[error(
        "the list of names has {count} names, and no more than {} are searched for",
        NameList::MAX_NAMES
    )]
    TooManyNames { count: usize },
    #[error(
        "name {place} of the list is empty or longer than {} bytes",
        NameList::MAX_NAME_BYTES
    )]
    Name { place: usize },
    #[error("the list of names cannot be searched for: {0}")]
    Search(#[from] aho_corasick::BuildError),
}
