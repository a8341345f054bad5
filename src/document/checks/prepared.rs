//! A text cut into words, with where its sentences end and how its bytes count as code points.

use super::language::{Language, languages};
use super::report::{Quoted, Span};

/// A word: letters and digits, with apostrophes and hyphens left out, so that `l'école` is two.
#[derive(Debug, Clone)]
pub struct Word {
    pub start: usize,
    pub end: usize,
    /// In lower case.
    pub lower: String,
    /// A sentence or a line ends between the word before and this one.
    pub opens: bool,
}

/// A text, ready to be searched.
pub struct Prepared<'a> {
    pub text: &'a str,
    pub words: Vec<Word>,
    pub languages: Vec<Language>,
    /// Code points before each block of `BLOCK` bytes.
    blocks: Vec<usize>,
}

const BLOCK: usize = 512;

impl<'a> Prepared<'a> {
    /// `wanted`: the languages, if they are known. Otherwise they are told from the text.
    pub fn new(text: &'a str, wanted: &[Language]) -> Self {
        let words = words(text);
        let languages = match wanted {
            [] => languages(words.iter().map(|word| word.lower.as_str())),
            known => known.to_vec(),
        };
        let mut blocks = Vec::with_capacity(text.len() / BLOCK + 1);
        let mut count = 0;
        for block in text.as_bytes().chunks(BLOCK) {
            blocks.push(count);
            count += code_points(block);
        }
        Self {
            text,
            words,
            languages,
            blocks,
        }
    }

    /// That most of it is in.
    pub fn language(&self) -> Language {
        self.languages.first().copied().unwrap_or(Language::French)
    }

    pub fn span(&self, start: usize, end: usize) -> Span {
        Span {
            start_byte: start,
            end_byte: end,
            start_code_point: self.code_point(start),
            end_code_point: self.code_point(end),
        }
    }

    pub fn quoted(&self, start: usize, end: usize) -> Quoted {
        Quoted {
            text: self.text.get(start..end).unwrap_or_default().to_owned(),
            span: self.span(start, end),
        }
    }

    fn code_point(&self, byte: usize) -> usize {
        let block = (byte / BLOCK).min(self.blocks.len().saturating_sub(1));
        let before = self.blocks.get(block).copied().unwrap_or_default();
        before
            + code_points(
                self.text
                    .as_bytes()
                    .get(block * BLOCK..byte)
                    .unwrap_or_default(),
            )
    }

    /// The first word that begins at `byte` or later.
    pub fn word_from(&self, byte: usize) -> usize {
        self.words.partition_point(|word| word.start < byte)
    }

    /// What follows `byte` on its line, and no more than `most` bytes of it.
    pub fn after(&self, byte: usize, most: usize) -> &'a str {
        let rest = self.text.get(byte..).unwrap_or_default();
        let rest = &rest[..rest.floor_char_boundary(most)];
        rest.split('\n').next().unwrap_or_default()
    }

    /// What precedes `byte` on its line, and no more than `most` bytes of it.
    pub fn before(&self, byte: usize, most: usize) -> &'a str {
        let head = self.text.get(..byte).unwrap_or_default();
        let head = &head[head.ceil_char_boundary(head.len().saturating_sub(most))..];
        head.rsplit('\n').next().unwrap_or_default()
    }
}

fn code_points(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| (**byte as i8) >= -0x40).count()
}

fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut from: Option<usize> = None;
    let mut opens = true;
    let mut stopped = false;
    for (at, character) in text.char_indices().chain([(text.len(), '\n')]) {
        if character.is_alphanumeric() {
            if stopped && character.is_uppercase() {
                opens = true;
            }
            stopped = false;
            from.get_or_insert(at);
            continue;
        }
        if let Some(start) = from.take() {
            words.push(Word {
                start,
                end: at,
                lower: text[start..at].to_lowercase(),
                opens,
            });
            opens = false;
        }
        match character {
            '\n' | '!' | '?' | ';' | '•' => opens = true,
            // A point ends a sentence only where a capital follows, and no title or German
            // ordinal stands right before it.
            '.' => {
                stopped = words.last().is_some_and(|word| {
                    let of_a_date = text[..word.start].ends_with(['-', '/', '.', ':']);
                    word.end < at || word.end - word.start > 2 || of_a_date
                });
            }
            character if character.is_whitespace() || character == '"' => {}
            _ => stopped = false,
        }
    }
    words
}

/// In lower case and without the marks of French and German letters: `Déjà` is `deja`.
pub fn folded(word: &str) -> String {
    let mut plain = String::with_capacity(word.len());
    for character in word.chars().flat_map(char::to_lowercase) {
        match character {
            'à' | 'â' | 'ä' | 'á' => plain.push('a'),
            'é' | 'è' | 'ê' | 'ë' => plain.push('e'),
            'î' | 'ï' | 'í' => plain.push('i'),
            'ô' | 'ö' | 'ó' => plain.push('o'),
            'ù' | 'û' | 'ü' | 'ú' => plain.push('u'),
            'ç' => plain.push('c'),
            'œ' => plain.push_str("oe"),
            'ß' => plain.push_str("ss"),
            // Combining marks, so that letters composed and decomposed are the same.
            '\u{300}'..='\u{36f}' => {}
            '’' => plain.push('\''),
            other => plain.push(other),
        }
    }
    plain
}
