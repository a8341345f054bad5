//! The normal form of text: what all offsets refer to.

use std::iter::once;
use unicode_normalization::UnicodeNormalization as _;

/// A text in normal form, and how many characters went that nobody can see.
pub(super) struct Normalised {
    pub text: String,
    pub num_invisible: u64,
}

/// Normalises a block: NFC, ligatures as letters, plain spaces, one space where several stand, no
/// space at either end of a line, no empty lines at either end.
pub(super) fn normalise(text: &str) -> Normalised {
    let mut num_invisible = 0;
    let mut lines: Vec<String> = Vec::new();
    let unified = text.replace("\r\n", "\n");
    for line in unified.split([
        '\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}',
    ]) {
        let mut normal = String::with_capacity(line.len());
        for c in clean(line, &mut num_invisible) {
            match c {
                ' ' if normal.is_empty() || normal.ends_with(' ') => {}
                c => normal.push(c),
            }
        }
        normal.truncate(normal.trim_end().len());
        lines.push(normal);
    }
    let first = lines.iter().position(|line| !line.is_empty());
    let last = lines.iter().rposition(|line| !line.is_empty());
    let text = match (first, last) {
        (Some(first), Some(last)) => lines[first..=last].join("\n"),
        _ => String::new(),
    };
    Normalised {
        text,
        num_invisible,
    }
}

fn clean<'a>(line: &'a str, num_invisible: &'a mut u64) -> impl Iterator<Item = char> + 'a {
    line.chars()
        .flat_map(move |c| {
            if is_invisible(c) {
                *num_invisible += 1;
            }
            Plain::of(c)
        })
        .nfc()
}

/// What stands for one character: letters of a ligature, a space, nothing.
enum Plain {
    Char(std::iter::Once<char>),
    Letters(std::str::Chars<'static>),
}

impl Plain {
    fn of(c: char) -> Self {
        let letters = match c {
            '\u{fb00}' => "ff",
            '\u{fb01}' => "fi",
            '\u{fb02}' => "fl",
            '\u{fb03}' => "ffi",
            '\u{fb04}' => "ffl",
            '\u{fb05}' | '\u{fb06}' => "st",
            // A soft hyphen shows only where a line breaks there.
            '\u{ad}' => "",
            c if is_invisible(c) || (c.is_control() && c != '\t') => "",
            '\t'
            | '\u{a0}'
            | '\u{1680}'
            | '\u{2000}'..='\u{200a}'
            | '\u{202f}'
            | '\u{205f}'
            | '\u{3000}' => " ",
            c => return Self::Char(once(c)),
        };
        Self::Letters(letters.chars())
    }
}

impl Iterator for Plain {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        match self {
            Self::Char(c) => c.next(),
            Self::Letters(letters) => letters.next(),
        }
    }
}

/// Characters that change nothing that is seen, and in which instructions have been hidden. The
/// two joiners are not among them: some scripts need them.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}' | '\u{fe00}'..='\u{fe0f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> String {
        normalise(text).text
    }

    #[test]
    fn letters_are_composed_and_ligatures_taken_apart() {
        assert_eq!(text("e\u{301}te\u{301} \u{fb01}n \u{fb03}"), "été fin ffi");
    }

    #[test]
    fn spaces_become_plain_and_single_but_lines_stay() {
        assert_eq!(
            text("\r\n 1\u{202f}234,56\u{a0}€ \t x \r\n\r\ny\r\n"),
            "1 234,56 € x\n\ny"
        );
    }

    #[test]
    fn superscripts_and_fractions_stay_what_they_are() {
        assert_eq!(text("12 m², ½, n°"), "12 m², ½, n°");
    }

    #[test]
    fn what_nobody_can_see_goes_and_is_counted() {
        let hidden = normalise("a\u{200b}b\u{e0049}\u{e0067}c\u{ad}d");
        assert_eq!((hidden.text.as_str(), hidden.num_invisible), ("abcd", 3));
    }
}
