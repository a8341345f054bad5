//! Numerals of titles and articles: `12`, `L. 311-3-1`, `IV bis`, `1er`, `premier`, `n° 3`.

const PREFIXES: &[&str] = &["n° ", "n°", "nº ", "N° ", "Nr. ", "No. ", "no. ", "No "];
const SUFFIXES: &[&str] = &["bis", "ter", "quater", "quinquies", "sexies", "septies"];
const WORDS: &[&str] = &[
    "premier",
    "première",
    "unique",
    "préliminaire",
    "liminaire",
    "final",
    "deux",
    "trois",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
];

/// Digits in one number: a year has four, and what has more numbers nothing.
const MAX_DIGITS: usize = 4;
/// Letters after a number, as in `1ère` and `12bis`.
const MAX_LETTERS: usize = 4;
const MAX_ROMAN: usize = 8;
/// Numbers in `1.2.3`; what follows is looked at no more.
const MAX_DEPTH: u8 = 9;

/// The length in bytes of the numeral that a text begins with.
pub fn numeral(text: &str) -> Option<usize> {
    let prefix = PREFIXES.iter().find(|prefix| text.starts_with(**prefix));
    let prefix = prefix.map_or(0, |prefix| prefix.len());
    let rest = &text[prefix..];
    let core = code(rest)
        .or_else(|| number(rest))
        .or_else(|| roman(rest))
        .or_else(|| word(rest))
        .or_else(|| letter(rest))?;
    let end = prefix + core;
    Some(end + suffix(&text[end..]))
}

/// The depth of `1.2.3`, and its length in bytes, which a full stop behind it is part of.
pub fn decimal(text: &str) -> Option<(u8, usize)> {
    let mut depth = 0;
    let mut end = 0;
    loop {
        let digits = digits(&text[end..]);
        let is_numbering = (1..=2).contains(&digits) && !text[end..].starts_with('0');
        if depth == MAX_DEPTH || !is_numbering {
            return (depth > 0).then_some((depth, end));
        }
        end += digits;
        depth += 1;
        match text[end..].strip_prefix('.') {
            Some(_) => end += 1,
            None => return (depth > 1).then_some((depth, end)),
        }
    }
}

/// The length in bytes of `IV`, with letters behind it as in `Ier`.
pub fn roman(text: &str) -> Option<usize> {
    let length = text
        .bytes()
        .take_while(|byte| b"IVXLCDM".contains(byte))
        .count();
    let end = length
        + ["er", "re"]
            .iter()
            .find(|end| text[length..].starts_with(**end))
            .map_or(0, |end| end.len());
    ((1..=MAX_ROMAN).contains(&length) && is_over(&text[end..])).then_some(end)
}

/// `L. 311-3`, as French codes number their articles.
fn code(text: &str) -> Option<usize> {
    let rest = text.strip_prefix(['L', 'R', 'D', 'A'])?;
    let rest = rest.strip_prefix('*').unwrap_or(rest);
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    Some(text.len() - rest.len() + number(rest)?)
}

/// `12`, `12-1`, `12a`, `1er`.
fn number(text: &str) -> Option<usize> {
    let mut end = digits(text);
    if !(1..=MAX_DIGITS).contains(&end) {
        return None;
    }
    while let Some(rest) = text[end..].strip_prefix(['-', '.']) {
        match digits(rest) {
            0 => break,
            more => end += 1 + more,
        }
    }
    let letters = text[end..]
        .chars()
        .take_while(|letter| letter.is_lowercase());
    let letters: String = letters.take(MAX_LETTERS).collect();
    end += letters.len();
    is_over(&text[end..]).then_some(end)
}

fn word(text: &str) -> Option<usize> {
    let word = text.split(|letter: char| !letter.is_alphabetic()).next()?;
    WORDS
        .contains(&word.to_lowercase().as_str())
        .then_some(word.len())
}

/// `B`, of an annex.
fn letter(text: &str) -> Option<usize> {
    let first = text.chars().next().filter(char::is_ascii_uppercase)?;
    is_over(&text[first.len_utf8()..]).then_some(first.len_utf8())
}

/// The length of ` bis` and the like, or 0.
fn suffix(text: &str) -> usize {
    let Some(rest) = text.strip_prefix([' ', '-']) else {
        return 0;
    };
    let suffix = SUFFIXES
        .iter()
        .find(|suffix| rest.starts_with(**suffix) && is_over(&rest[suffix.len()..]));
    suffix.map_or(0, |suffix| 1 + suffix.len())
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn is_over(rest: &str) -> bool {
    !rest.starts_with(char::is_alphanumeric)
}
