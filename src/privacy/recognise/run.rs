//! Numbers as they are written: letters and digits in groups, with separators between them.
//!
//! From each place where a group begins, the run that may be a number is read once, and each
//! recogniser asks it for as many characters as its numbers have.

use super::super::kind::Kind;
use super::folded::belongs_to_word;
use super::labels::{Hit, Label};
use super::surroundings::{is_amount, is_joined_after, is_joined_before};
use super::{Candidate, Search, french, german, iban, payment_cards, vat};

/// The longest number: an IBAN.
const MAX_CHARS: usize = 34;
/// A number that begins with letters has a digit before it is this long.
const MAX_BYTES_TO_DIGIT: usize = 10;
/// How far before a number its label stands, in bytes.
const LABEL_BEFORE: usize = 60;

/// How much a number proves by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Hardly any other number has this form and these check digits.
    Form,
    /// One in some hundred has: not where it is part of more, an amount, or labelled otherwise.
    Alone,
    /// One in ten has: only where a label says so.
    Labelled,
}

/// Characters from one place on, in capitals, without what separates them.
pub struct Run {
    start: usize,
    chars: Vec<u8>,
    /// Where each of them ends in the text.
    ends: Vec<usize>,
    /// Bit n: a group ends after n characters.
    borders: u64,
    /// Characters before the first separator that is more than one character.
    narrow: usize,
}

pub fn find(search: &mut Search) {
    let text = search.text;
    let mut inside = false;
    for (at, character) in text.char_indices() {
        if character.is_ascii_alphanumeric() && !inside && may_begin(text, at) {
            let run = Run::at(text, at);
            iban::recognise(&run, search);
            vat::recognise(&run, search);
            french::recognise(&run, search);
            german::recognise(&run, search);
            payment_cards::recognise(&run, search);
        }
        inside = belongs_to_word(character);
    }
}

fn may_begin(text: &str, at: usize) -> bool {
    let bytes = text.as_bytes();
    let head = bytes.get(at..bytes.len().min(at + MAX_BYTES_TO_DIGIT));
    head.is_some_and(|head| head.iter().any(u8::is_ascii_digit))
}

impl Run {
    fn at(text: &str, start: usize) -> Self {
        let bytes = text.as_bytes();
        let mut run = Self {
            start,
            chars: Vec::with_capacity(MAX_CHARS),
            ends: Vec::with_capacity(MAX_CHARS),
            borders: 0,
            narrow: usize::MAX,
        };
        let mut at = start;
        while run.chars.len() <= MAX_CHARS {
            if let Some(byte) = bytes.get(at).filter(|byte| byte.is_ascii_alphanumeric()) {
                run.chars.push(byte.to_ascii_uppercase());
                at += 1;
                run.ends.push(at);
                continue;
            }
            let after = text.get(at..).unwrap_or_default();
            if after.starts_with(belongs_to_word) {
                break;
            }
            run.borders |= 1 << run.chars.len();
            let Some(separator) = Separator::of(after) else {
                break;
            };
            if separator.is_wide {
                run.narrow = run.narrow.min(run.chars.len());
            }
            at += separator.bytes;
        }
        run
    }

    /// All that has been read, however it is grouped.
    pub fn characters(&self) -> &[u8] {
        &self.chars
    }

    /// The first `len` characters, if they are whole groups.
    pub fn chars(&self, len: usize) -> Option<&[u8]> {
        let whole = self.borders >> len & 1 == 1 && len <= self.narrow;
        self.chars.get(..len).filter(|_| whole)
    }

    /// As [`Self::chars`], where separators may be of several characters: ` - `, a line's end.
    pub fn spread_chars(&self, len: usize) -> Option<&[u8]> {
        let whole = self.borders >> len & 1 == 1;
        self.chars.get(..len).filter(|_| whole)
    }

    /// Whether the first characters are one group, or groups of these lengths.
    pub fn has_shape(&self, groups: &[usize]) -> bool {
        let len: usize = groups.iter().sum();
        let mut shape = 0;
        let mut end = 0;
        for group in groups {
            end += group;
            shape |= 1_u64 << end;
        }
        let found = self.borders & ((2 << len) - 1);
        found == shape || found == 1 << len
    }

    /// Whether the first `len` characters are in groups that end at these places only.
    pub fn has_borders_in(&self, len: usize, places: &[usize]) -> bool {
        let allowed = places.iter().fold(0_u64, |mask, place| mask | 1 << place);
        self.borders & ((1 << len) - 1) & !allowed == 0
    }

    /// Whether a digit follows the first `len` characters, as far as the run was read.
    pub fn goes_on_with_digit(&self, len: usize) -> bool {
        self.chars.get(len).is_some_and(u8::is_ascii_digit)
    }

    /// Whether the first `len` characters are in more than one group.
    fn has_groups(&self, len: usize) -> bool {
        self.borders & ((1 << len) - 1) != 0
    }

    pub fn end(&self, len: usize) -> usize {
        let last = len.checked_sub(1).and_then(|last| self.ends.get(last));
        last.copied().unwrap_or(self.start)
    }

    pub fn is_in_capitals(&self, text: &str, len: usize) -> bool {
        let written = text.get(self.start..self.end(len)).unwrap_or_default();
        !written.contains(|c: char| c.is_ascii_lowercase())
    }

    /// Offers the first `len` characters as a value.
    pub fn offer(&self, len: usize, kind: Kind, trust: Trust, search: &mut Search) {
        let (start, end) = (self.start, self.end(len));
        let text = search.text;
        let is_sure = trust == Trust::Form || {
            let has_spaces = self.has_groups(len);
            let before = search.labels.before(text, start, LABEL_BEFORE);
            let behind = search.labels.behind(text, end);
            let is_own = |hit: Hit| hit.label == Label::Of(kind);
            let is_labelled = before.is_some_and(is_own) || behind.is_some_and(is_own);
            let is_other = before.is_some_and(|hit| !is_own(hit) && hit.names(text, start));
            let is_part =
                is_joined_before(text, start, has_spaces) || is_joined_after(text, end, has_spaces);
            let is_amount = is_amount(text, start, end);
            let is_alone = !is_part && !is_other;
            !is_amount && (is_labelled || trust == Trust::Alone && is_alone)
        };
        let key = self.chars.iter().take(len).copied().map(char::from);
        search.candidates.push(Candidate {
            kind,
            range: start..end,
            key: key.collect(),
            is_sure,
        });
    }
}

/// What stands between two groups of one number.
struct Separator {
    bytes: usize,
    is_wide: bool,
}

impl Separator {
    /// One space, point or hyphen; or up to three characters with at most one mark or line's end.
    fn of(after: &str) -> Option<Self> {
        let (mut bytes, mut count, mut marks, mut ends) = (0, 0, 0, 0);
        let mut is_slash = false;
        for character in after.chars() {
            match character {
                _ if character.is_ascii_alphanumeric() => {
                    return (count > 0 && marks + ends <= 1).then_some(Self {
                        bytes,
                        is_wide: count > 1 || is_slash || ends > 0,
                    });
                }
                _ if is_space(character) => {}
                '.' | '-' | '\u{2010}' | '\u{2011}' | '\u{2013}' => marks += 1,
                '/' => {
                    marks += 1;
                    is_slash = true;
                }
                '\n' => ends += 1,
                '\r' => {}
                _ => return None,
            }
            count += 1;
            bytes += character.len_utf8();
            if count > 3 {
                return None;
            }
        }
        None
    }
}

/// Spaces that stand inside numbers: plain, non-breaking, narrow, thin, and of a figure's width.
pub fn is_space(character: char) -> bool {
    matches!(
        character,
        ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}' | '\u{2007}'
    )
}
