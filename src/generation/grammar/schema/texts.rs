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

/// A pattern of all texts but these.
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
    // It is a pattern.
    kept_to(&pattern).unwrap_or(pattern)
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
        let mut others = Vec::new();
        for (character, branch) in &self.next {
            let mut other = escaped(*character);
            other.push_str("(?:");
            branch.write_others(&mut other);
            other.push(')');
            others.push(other);
        }
        let known: String = self.next.keys().map(|known| escaped(*known)).collect();
        others.push(if known.is_empty() {
            "(?s:.)(?s:.*)".to_owned()
        } else {
            format!("[^{known}](?s:.*)")
        });
        if !self.ends {
            others.push(String::new());
        }
        pattern.push_str(&others.join("|"));
    }
}

/// By its number: so it means itself everywhere in a pattern.
fn escaped(character: char) -> String {
    let mut escaped = String::new();
    // Writing to a string cannot fail.
    let _ = write!(escaped, "\\x{{{:x}}}", u32::from(character));
    escaped
}
