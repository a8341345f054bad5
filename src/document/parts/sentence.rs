//! Where sentences begin, in French, German and English.

use super::gap::word_before;
use std::ops::Range;

/// What a full stop does not end a sentence after. Single letters, as in `z. B.` and `M. Dupont`,
/// are not listed: they never do.
const ABBREVIATIONS: &[&str] = &[
    "abs", "adr", "al", "alin", "allg", "anl", "anm", "apr", "art", "aug", "ausg", "av", "az",
    "bd", "bes", "betr", "bgbl", "bl", "buchst", "bzgl", "bzw", "ca", "cf", "ch", "chap", "co",
    "dec", "déc", "dept", "dez", "dgl", "dipl", "dr", "ed", "éd", "einschl", "env", "etc", "ev",
    "evtl", "ex", "feb", "ff", "fig", "fr", "gem", "gez", "ggf", "hr", "hrsg", "hs", "inc", "ing",
    "inkl", "jan", "janv", "juil", "jr", "kap", "lit", "ltd", "max", "me", "mio", "mlle", "mm",
    "mme", "mr", "mrd", "mrs", "ms", "n°", "no", "nov", "nr", "obs", "oct", "okt", "par", "para",
    "pp", "prof", "rdnr", "réf", "rn", "sec", "sect", "sept", "sog", "st", "ste", "str", "tab",
    "tel", "tél", "vgl", "vol", "vs", "ziff", "zzgl",
];

/// Digits before a full stop that make it an ordinal, as in `12. Januar`.
const MAX_ORDINAL_DIGITS: usize = 2;

/// Bytes between the end of a sentence and the next one that are looked at.
const MAX_CLOSING_BYTES: usize = 64;

/// Where sentences begin, from one end of `places` to the other.
pub fn sentences(text: &str, places: Range<usize>) -> impl Iterator<Item = usize> {
    let through = text.get(places.clone()).unwrap_or_default().char_indices();
    through
        .filter(|(_, character)| matches!(character, '.' | '!' | '?' | '…' | ';'))
        .filter_map(move |(offset, mark)| next_sentence(text, places.start + offset, mark))
        .filter(move |at| *at <= places.end)
}

/// Where the sentence begins that follows a mark, if the mark ends one.
fn next_sentence(text: &str, mark_at: usize, mark: char) -> Option<usize> {
    let after = text.get(mark_at + mark.len_utf8()..)?;
    // A line of a million full stops is looked through once, not a million times.
    let after = after.get(..after.floor_char_boundary(MAX_CLOSING_BYTES))?;
    let closed = after.trim_start_matches(['"', '»', '”', '’', '“', ')', ']', '.', '!', '?']);
    // French sets its closing quotation mark apart.
    let closed = closed.strip_prefix(" »").unwrap_or(closed);
    let rest = closed.trim_start();
    let space = closed.get(..closed.len() - rest.len())?;
    let first = rest.chars().next()?;
    if space.is_empty() {
        return None;
    }
    let ends = match mark {
        '.' => !first.is_lowercase() && ends_sentence(word_before(text, mark_at)),
        // A list of clauses has each in a line of its own.
        ';' => space.contains('\n'),
        _ => !first.is_lowercase(),
    };
    let at = mark_at + mark.len_utf8() + (after.len() - rest.len());
    ends.then_some(at)
}

/// Whether a full stop after this word ends a sentence.
fn ends_sentence(word: &str) -> bool {
    // `l'art.` is `art.`.
    let word = word.rsplit(['\'', '’']).next().unwrap_or_default();
    let word = word.trim_start_matches(|character: char| !character.is_alphanumeric());
    let word = word.to_lowercase();
    let is_listed = ABBREVIATIONS.contains(&word.as_str());
    let is_short = word.chars().nth(1).is_none();
    // `z.B`, `i.V.m` and `a.a.O` written together.
    let is_dotted = word.contains('.') && word.split('.').all(|piece| piece.chars().count() <= 1);
    let is_ordinal =
        word.len() <= MAX_ORDINAL_DIGITS && word.bytes().all(|byte| byte.is_ascii_digit());
    !(is_listed || is_short || is_dotted || is_ordinal)
}
