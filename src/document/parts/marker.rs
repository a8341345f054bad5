//! What a line begins with that tells its place in a text: `Titre II`, `§ 3`, `1.2.3`, `a)`.
//!
//! A paragraph of plain text, or of a PDF without an outline, says by nothing else that it is a
//! title. A line may also begin with a mere reference, as in `Article 12 du code`: what follows
//! the number tells them apart.

use super::numeral::{decimal, numeral, roman};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// `end`: bytes of the line until its number ends, whose title may follow.
    Title { depth: u8, end: usize },
    /// `IV.` with depth 0, `1.` with depth 1, `1.2` with depth 2: a title or a paragraph.
    Number { depth: u8, end: usize },
    /// `(2)` or `A.` before a paragraph.
    Paragraph,
    /// `a)`, `1°`, `–` and the like.
    Item,
}

/// Under which a division is a title, by its rank in the table below.
const DIVISION_DEPTH: u8 = 10;
const ARTICLE_DEPTH: u8 = 19;
/// Titles that are numbered without a word are below those.
pub const NUMBER_DEPTH: u8 = 20;
const MAX_DECIMAL_DEPTH: u8 = 6;

/// Divisions of laws, reports and minutes. Each language nests its own in this order.
const DIVISIONS: &[(&str, u8)] = &[
    ("annexe", 1),
    ("anlage", 1),
    ("anhang", 1),
    ("annex", 1),
    ("appendix", 1),
    ("schedule", 1),
    ("partie", 1),
    ("livre", 2),
    ("titre", 3),
    ("sous-titre", 4),
    ("chapitre", 5),
    ("section", 6),
    ("sous-section", 7),
    ("paragraphe", 8),
    ("buch", 1),
    ("teil", 2),
    ("hauptteil", 2),
    ("kapitel", 4),
    ("abschnitt", 5),
    ("unterabschnitt", 6),
    ("titel", 6),
    ("untertitel", 7),
    ("book", 1),
    ("part", 2),
    ("title", 3),
    ("chapter", 5),
    ("subsection", 7),
    ("division", 6),
    ("subpart", 4),
    ("volume", 1),
    ("tome", 1),
    ("band", 1),
    ("point", 7),
    ("question", 7),
    ("délibération", 7),
    ("top", 7),
    ("tagesordnungspunkt", 7),
    ("item", 7),
    ("rubrique", 7),
    ("lot", 7),
    ("beschluss", 7),
    ("resolution", 7),
    ("anlagen", 1),
];

const ARTICLES: &[&str] = &["article", "art.", "art", "artikel", "§"];

const ORDINALS: &[&str] = &[
    "première",
    "premier",
    "deuxième",
    "second",
    "seconde",
    "troisième",
    "quatrième",
    "cinquième",
    "sixième",
    "septième",
    "huitième",
    "erster",
    "erstes",
    "erste",
    "zweiter",
    "zweites",
    "zweite",
    "dritter",
    "drittes",
    "dritte",
    "vierter",
    "viertes",
    "vierte",
    "fünfter",
    "fünftes",
    "fünfte",
    "sechster",
    "sechstes",
    "sechste",
    "siebter",
    "siebtes",
    "siebte",
    "achter",
    "achtes",
    "achte",
    "neunter",
    "neuntes",
    "neunte",
    "first",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
];

/// What follows the number of an article that is only referred to.
const REFERENCES: &[&str] = &[
    "abs",
    "absatz",
    "absätze",
    "satz",
    "nr",
    "nummer",
    "buchst",
    "buchstabe",
    "ziff",
    "ziffer",
    "unterabs",
    "alinéa",
    "al",
    "lit",
    "hs",
    "halbsatz",
];

impl Marker {
    /// Of a line without white space at its ends.
    pub fn of(line: &str) -> Option<Self> {
        if is_contents_entry(line) {
            return None;
        }
        let bare = line.trim_start_matches(['#', '*', '_', ' ']);
        let skipped = line.len() - bare.len();
        // An asterisk that a space follows is no emphasis.
        if line.starts_with(['-', '–', '—', '•', '*', '+', '◦', '▪', '‣']) && is_bullet(line)
        {
            return Some(Self::Item);
        }
        titled(bare, skipped)
            .or_else(|| numbered(bare, skipped))
            .or_else(|| lettered(bare))
    }

    pub fn depth(self) -> Option<u8> {
        match self {
            Self::Title { depth, .. } => Some(depth),
            Self::Number { depth, .. } => Some(NUMBER_DEPTH + depth.min(MAX_DECIMAL_DEPTH)),
            Self::Paragraph | Self::Item => None,
        }
    }
}

fn is_bullet(line: &str) -> bool {
    line.chars().nth(1).is_some_and(char::is_whitespace)
}

/// `Chapitre 3 …… 17` in a table of contents is where no chapter begins.
fn is_contents_entry(line: &str) -> bool {
    let text =
        line.trim_end_matches(|character: char| character.is_ascii_digit() || character == ' ');
    text.len() < line.len()
        && (text.ends_with("..") || text.ends_with('…') || text.ends_with(". ."))
}

/// A division or an article, with its number before or behind the word.
fn titled(text: &str, skipped: usize) -> Option<Marker> {
    let (first, rest) = first_word(text);
    let lower = first.to_lowercase();
    if first.starts_with(char::is_lowercase) {
        return None;
    }
    if let Some(depth) = depth_of(&lower) {
        let gap = rest.len() - rest.trim_start().len();
        let Some(length) = numeral(rest.trim_start()) else {
            // `ANNEXE` stands alone where there is one.
            let is_alone = rest.is_empty() && depth == DIVISION_DEPTH + 1;
            let end = skipped + first.len();
            return is_alone.then_some(Marker::Title { depth, end });
        };
        let end = first.len() + gap + length;
        return begins_title(&text[end..]).then_some(Marker::Title {
            depth,
            end: skipped + end,
        });
    }
    let is_number = first.len() <= 4 && first.ends_with('.') && decimal(first).is_some();
    if ORDINALS.contains(&lower.as_str()) || is_number {
        let (word, rest) = first_word(rest.trim_start());
        let depth = depth_of(&word.to_lowercase()).filter(|depth| *depth < ARTICLE_DEPTH)?;
        let end = text.len() - rest.len();
        return begins_title(rest).then_some(Marker::Title {
            depth,
            end: skipped + end,
        });
    }
    None
}

fn depth_of(word: &str) -> Option<u8> {
    if ARTICLES.contains(&word) {
        return Some(ARTICLE_DEPTH);
    }
    let division = DIVISIONS.iter().find(|(name, _)| *name == word);
    division.map(|(_, rank)| DIVISION_DEPTH + rank)
}

/// The sign `§` needs no space behind it.
fn first_word(text: &str) -> (&str, &str) {
    let sign = text.trim_start_matches('§');
    if sign.len() < text.len() {
        // `§§ 3, 4` are referred to, and sometimes repealed.
        return ("§", if text.starts_with("§§") { "" } else { sign });
    }
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

/// Whether what follows the number is a title, or the text itself, rather than the rest of a
/// sentence that refers to it.
fn begins_title(rest: &str) -> bool {
    let rest = rest.trim_start().trim_start_matches(['*', '_']);
    let Some(first) = rest.chars().next() else {
        return true;
    };
    if matches!(
        first,
        '.' | ':' | '–' | '—' | '-' | '(' | '[' | '|' | '«' | '„' | '“' | '"'
    ) {
        return true;
    }
    let word = rest
        .split(|letter: char| !letter.is_alphanumeric())
        .next()
        .unwrap_or_default();
    let is_reference = REFERENCES.contains(&word.to_lowercase().as_str());
    // `VwVfG` and `DSGVO` are laws, unless all of the line is in capitals.
    let capitals = word.chars().filter(|letter| letter.is_uppercase()).count();
    let is_law = capitals > 1 && rest.chars().any(char::is_lowercase);
    first.is_uppercase() && !is_reference && !is_law
}

/// `1.2.3 Title`, `II. – Text`, `4. Text`.
fn numbered(text: &str, skipped: usize) -> Option<Marker> {
    let follows = |end: usize| {
        let rest = &text[end..];
        rest.is_empty() || rest.starts_with(char::is_whitespace)
    };
    if let Some((depth, end)) = decimal(text) {
        let depth = depth.min(MAX_DECIMAL_DEPTH);
        return follows(end).then_some(Marker::Number {
            depth,
            end: skipped + end,
        });
    }
    let length = roman(text)?;
    // Other single letters are initials as often as numbers.
    let is_number = length > 1 || text.starts_with(['I', 'V', 'X']);
    let rest = &text[length..];
    let mark = ['.', ')', '°'].iter().find(|mark| rest.starts_with(**mark));
    let end = length + mark.map_or(0, |mark| mark.len_utf8());
    let dash = rest.trim_start().starts_with(['–', '—', '-']);
    (is_number && (mark.is_some() || dash) && follows(end)).then_some(Marker::Number {
        depth: 0,
        end: skipped + end,
    })
}

/// `(2)`, `2)`, `a)`, `1°`, `A.`.
fn lettered(text: &str) -> Option<Marker> {
    let (label, _) = text.split_once(char::is_whitespace)?;
    let opened = label.strip_prefix('(');
    let core = opened.unwrap_or(label);
    let core_end = core.trim_end_matches([')', '.', '°']);
    let mark = core.get(core_end.len()..)?;
    let is_number =
        (1..=3).contains(&core_end.len()) && core_end.bytes().all(|byte| byte.is_ascii_digit());
    let is_letter =
        (1..=2).contains(&core_end.len()) && core_end.bytes().all(|byte| byte.is_ascii_lowercase());
    match mark {
        ")" if opened.is_some() && is_number => Some(Marker::Paragraph),
        ")" | "°" if is_number || is_letter => Some(Marker::Item),
        "." | ")" if matches!(core_end.as_bytes(), [b'A'..=b'H']) => Some(Marker::Paragraph),
        _ => None,
    }
}
