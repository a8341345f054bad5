//! Sentences in three languages with values and decoys, and where the values stand.

use super::super::Kind;
use super::{NAMES, Random, decoys, numbers, phrases};
use std::ops::Range;

pub struct Sentence {
    pub text: String,
    pub values: Vec<(Kind, Range<usize>)>,
    /// Numbers of these kinds with one wrong digit stand in it.
    pub wrong: Vec<Kind>,
    pub num_decoys: usize,
}

/// Separators in numbers: none, spaces of several widths, points, hyphens.
const SEPARATORS: [&str; 7] = ["", " ", " ", "\u{a0}", "\u{202f}", ".", "-"];

/// One to four clauses: values, the same kinds with one wrong digit, and decoys.
pub fn sentence(random: &mut Random) -> Sentence {
    let mut made = Sentence {
        text: String::new(),
        values: Vec::new(),
        wrong: Vec::new(),
        num_decoys: 0,
    };
    for clause in 0..random.between(1, 4) {
        if clause > 0 {
            made.text.push_str(random.of(&phrases::ENDS));
        }
        match random.below(10) {
            0..=4 => push_value(random, &mut made),
            5..=6 => push_wrong(random, &mut made),
            _ => {
                let class = decoys::CLASSES[random.below(decoys::CLASSES.len())];
                made.text.push_str(&decoys::decoy(class, random));
                made.num_decoys += 1;
            }
        }
    }
    made.text.push('.');
    made
}

fn push_value(random: &mut Random, made: &mut Sentence) {
    let kind = Kind::ALL[random.below(Kind::ALL.len())];
    let written = match kind {
        Kind::Email => email(random),
        Kind::DateOfBirth => date_of_birth(random),
        Kind::Listed => {
            let name = random.of(&NAMES);
            if random.below(3) == 0 {
                name.to_uppercase()
            } else {
                name.to_owned()
            }
        }
        _ => written(kind, &numbers::number(kind, random).unwrap(), random),
    };
    let (before, after) = phrase(kind, random);
    made.text.push_str(before);
    let start = made.text.len();
    made.text.push_str(&written);
    made.values.push((kind, start..made.text.len()));
    made.text.push_str(after);
}

fn push_wrong(random: &mut Random, made: &mut Sentence) {
    let kind = super::recall::CHECKSUMMED[random.below(super::recall::CHECKSUMMED.len())];
    let number = numbers::wrong_number(kind, random).unwrap();
    let (before, after) = phrase(kind, random);
    let written = written(kind, &number, random);
    made.text.push_str(&format!("{before}{written}{after}"));
    made.wrong.push(kind);
}

fn phrase(kind: Kind, random: &mut Random) -> (&'static str, &'static str) {
    let phrase = random.of(phrases::of(kind));
    phrase.split_once("{}").unwrap()
}

fn written(kind: Kind, number: &numbers::Number, random: &mut Random) -> String {
    let separators: &[&str] = match kind {
        Kind::Phone => &["", " ", " ", "\u{a0}"],
        Kind::NumberPlate => &["-", "-", " "],
        _ => &SEPARATORS,
    };
    let separator = random.of(separators);
    // Without a space a German number of mobile telephones is digits only.
    number.written(separator)
}

fn email(random: &mut Random) -> String {
    let local = random.of(&[
        "jean.martin",
        "s.weber",
        "accueil",
        "mary_smith+tax",
        "b.öz",
    ]);
    let host = random.of(&[
        "mairie-lyon.fr",
        "stadt-bonn.de",
        "council.gov.uk",
        "köln.de",
    ]);
    format!("{local}{}@{host}", random.below(100))
}

fn date_of_birth(random: &mut Random) -> String {
    let (day, month, year) = (
        random.between(1, 28),
        random.between(1, 12),
        random.between(1930, 2010),
    );
    match random.below(4) {
        0 => format!("{day:02}/{month:02}/{year}"),
        1 => format!("{day:02}.{month:02}.{year}"),
        2 => format!("{day} avril {year}"),
        _ => format!("{day}. März {year}"),
    }
}
