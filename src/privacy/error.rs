use super::recognise::WordList;
use super::report::Report;

/// Why a request cannot go on. None of these names a value.
#[derive(Debug, thiserror::Error)]
pub enum PrivacyError {
    #[error("the request holds what it asks to be blocked for: {0}")]
    Blocked(Report),
    #[error("the request holds every form of surrogates that was tried")]
    NoSurrogate,
}

/// Why an agency's word list cannot be used. A word is named by its place, counted from 1, and
/// never printed: it is what the list is to hide.
#[derive(Debug, thiserror::Error)]
pub enum WordListError {
    #[error(
        "the word list has {count} words, and no more than {} are searched for",
        WordList::MAX_WORDS
    )]
    TooMany { count: usize },
    #[error("word {place} of the list is empty")]
    Empty { place: usize },
    #[error(
        "word {place} of the list is too short: it needs {} letters or digits, or it would be found everywhere",
        WordList::MIN_WORD_CHARS
    )]
    TooShort { place: usize },
    #[error(
        "word {place} of the list has {bytes} bytes, and no more than {} are searched for",
        WordList::MAX_WORD_BYTES
    )]
    TooLong { place: usize, bytes: usize },
    #[error(
        "word {place} of the list has a quotation mark (\"), a backslash or a control character, which cannot be put back into JSON as it stands"
    )]
    Forbidden { place: usize },
    #[error("the word list cannot be searched for: {0}")]
    Search(#[from] aho_corasick::BuildError),
}
