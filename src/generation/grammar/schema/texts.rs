//! Patterns of texts.

use llguidance::regex_to_lark;
use regex_syntax::hir::{
    Capture, Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Repetition,
};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A pattern as the compiler keeps to it, or what is wrong with it.
///
/// A class that holds all control characters, as `[^"]` does, it would take to hold `"` and `\`
/// too. So the ones that no text may hold are taken out of all classes.
pub fn kept_to(pattern: &str) -> Result<String, String> {
    // As the compiler reads it, `\d` and `\w` being those of ASCII.
    let hir = regex_syntax::parse(&regex_to_lark(pattern, "dw")).map_err(|error| match &error {
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        _ => "it is not understood".to_owned(),
    })?;
    Ok(if is_taken_for_more(&hir) {
        writable(hir).to_string()
    } else {
        pattern.to_owned()
    })
}

/// Whether a character has a short escape, or needs none.
pub fn is_writable(character: char) -> bool {
    character >= ' ' || "\n\r\t\u{8}\u{c}".contains(character)
}

fn unwritable() -> ClassUnicode {
    let unwritable = (0..b' ').map(char::from).filter(|c| !is_writable(*c));
    ClassUnicode::new(unwritable.map(|c| ClassUnicodeRange::new(c, c)))
}

/// The same within a class.
const UNWRITABLE: &str = r"\x00-\x07\x0b\x0e-\x1f";

/// Whether a class holds control characters, and not all that has an escape beside them.
fn is_taken_for_more(hir: &Hir) -> bool {
    let class = match hir.kind() {
        HirKind::Class(class) => characters(class),
        kind => return kind.subs().iter().any(is_taken_for_more),
    };
    let holds = |character: char| {
        let mut ranges = class.ranges().iter();
        ranges.any(|range| (range.start()..=range.end()).contains(&character))
    };
    let first = class.ranges().first().map(|range| range.start());
    first.is_some_and(|first| first < ' ') && !(holds('"') && holds('\\'))
}

fn characters(class: &Class) -> ClassUnicode {
    match class {
        Class::Unicode(class) => class.clone(),
        Class::Bytes(class) => ClassUnicode::new(
            class
                .ranges()
                .iter()
                .map(|range| ClassUnicodeRange::new(range.start().into(), range.end().into())),
        ),
    }
}

fn writable(hir: Hir) -> Hir {
    match hir.into_kind() {
        HirKind::Class(class) => {
            let mut characters = characters(&class);
            characters.difference(&unwritable());
            Hir::class(Class::Unicode(characters))
        }
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            sub: Box::new(writable(*repetition.sub)),
            ..repetition
        }),
        HirKind::Capture(capture) => Hir::capture(Capture {
            sub: Box::new(writable(*capture.sub)),
            ..capture
        }),
        HirKind::Concat(parts) => Hir::concat(parts.into_iter().map(writable).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.into_iter().map(writable).collect()),
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) => Hir::literal(literal.0),
        HirKind::Look(look) => Hir::look(look),
    }
}

/// Characters that are written side by side before what comes after them nests.
const CHARACTERS_SIDE_BY_SIDE: usize = 4;

/// A pattern of all texts but these, as the compiler keeps to it.
pub fn all_texts_but(texts: &[&str]) -> String {
    let mut root = Branch::default();
    for text in texts {
        let mut branch = &mut root;
        for character in text.chars() {
            branch = branch.next.entry(character).or_default();
        }
        branch.ends = true;
    }
    let mut pattern = "^(?:".to_owned();
    root.write_others(&mut pattern);
    pattern.push_str(")$");
    pattern
}

/// What may come after a common beginning of texts.
#[derive(Default)]
struct Branch {
    /// Whether a text ends here.
    ends: bool,
    next: BTreeMap<char, Branch>,
}

impl Branch {
    /// What comes after that beginning in all other texts.
    fn write_others(&self, pattern: &mut String) {
        self.write_after("", CHARACTERS_SIDE_BY_SIDE, pattern);
    }

    fn write_after(&self, before: &str, num_left: usize, pattern: &mut String) {
        for (character, branch) in &self.next {
            let mut before = before.to_owned();
            push_escaped(*character, &mut before);
            if num_left > 1 {
                branch.write_after(&before, num_left - 1, pattern);
            } else {
                pattern.push_str(&before);
                pattern.push_str("(?:");
                branch.write_others(pattern);
                pattern.push(')');
            }
            pattern.push('|');
        }
        pattern.push_str(before);
        if self.next.is_empty() {
            pattern.push_str("(?s:.)(?s:.*)");
        } else {
            pattern.push_str("[^");
            for known in self.next.keys() {
                push_escaped(*known, pattern);
            }
            if self.next.contains_key(&'"') || self.next.contains_key(&'\\') {
                pattern.push_str(UNWRITABLE);
            }
            pattern.push_str("](?s:.*)");
        }
        if !self.ends {
            pattern.push('|');
            pattern.push_str(before);
        }
    }
}

/// So that it means itself everywhere in a pattern.
fn push_escaped(character: char, pattern: &mut String) {
    if character.is_ascii_alphanumeric() {
        pattern.push(character);
    } else {
        // Writing to a string cannot fail.
        let _ = write!(pattern, "\\x{{{:x}}}", u32::from(character));
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::MAX_REFUSED_CHARS;
    use super::*;

    /// Those that are taken for more hold nothing that cannot be written.
    #[track_caller]
    fn check_classes(hir: &Hir) {
        if matches!(hir.kind(), HirKind::Class(_)) && is_taken_for_more(hir) {
            assert_eq!(&writable(hir.clone()), hir);
        }
        hir.kind().subs().iter().for_each(check_classes);
    }

    #[test]
    fn all_texts_but_some_are_a_pattern_that_the_compiler_keeps_to() {
        for texts in [
            &[""][..],
            &["a", "ab", "abcdefghij", "b"],
            &["\"", "a\\b", "a\"b\n"],
            &["^$.*[]()é\u{1f600}"],
        ] {
            check_classes(&regex_syntax::parse(&all_texts_but(texts)).unwrap());
        }
        let long = "x-".repeat(MAX_REFUSED_CHARS / 2);
        assert!(kept_to(&all_texts_but(&[&long])).is_ok());
    }

    #[test]
    fn what_cannot_be_written_is_in_no_class() {
        let written = regex_syntax::parse(&format!("[{UNWRITABLE}]")).unwrap();
        let expected = Hir::class(Class::Unicode(unwritable()));
        assert_eq!(written, expected);
    }
}
