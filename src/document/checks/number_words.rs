//! Numbers in words: `zweitausenddreihundert`, `quatre-vingt-dix`, `one hundred and four`.

use super::language::Language;
use super::prepared::{Prepared, folded};

/// A number in words: where it stands, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spelled {
    pub start: usize,
    pub end: usize,
    pub value: u64,
}

/// What a word does to the number before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Unit(u64),
    Tens(u64),
    Hundred,
    Scale(u64),
    /// The French 80 is four times this, 20 alone.
    Score,
    /// A whole German word.
    Whole(u64),
}

/// The longest number in words, in words.
const MAX_WORDS: usize = 16;

/// All numbers in words of a text.
pub fn spelled(text: &Prepared) -> Vec<Spelled> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.words.len() {
        let longest = text
            .languages
            .iter()
            .filter_map(|language| at_word(text, at, *language));
        match longest.max_by_key(|(count, _)| *count) {
            Some((count, value)) => {
                found.push(Spelled {
                    start: text.words[at].start,
                    end: text.words[at + count - 1].end,
                    value,
                });
                at += count;
            }
            None => at += 1,
        }
    }
    found
}

/// How many words from here are one number, and which.
fn at_word(text: &Prepared, at: usize, language: Language) -> Option<(usize, u64)> {
    let mut state = State::default();
    let mut taken = 0;
    for (index, word) in text.words[at..].iter().take(MAX_WORDS).enumerate() {
        if index > 0 && !is_joined(text, at + index) {
            break;
        }
        if index > 0 && joins(language, &word.lower) {
            continue;
        }
        let Some(part) = part(language, &word.lower) else {
            break;
        };
        if !state.take(part, index > taken) {
            break;
        }
        taken = index + 1;
    }
    (taken > 0).then(|| (taken, state.value()))
}

fn is_joined(text: &Prepared, index: usize) -> bool {
    let between = text
        .text
        .get(text.words[index - 1].end..text.words[index].start);
    between.is_some_and(|between| {
        !between.is_empty()
            && between
                .chars()
                .all(|c| c == '-' || c == ' ' || c == '\u{a0}' || c == '\u{2011}')
    })
}

fn joins(language: Language, word: &str) -> bool {
    matches!(
        (language, word),
        (Language::French, "et") | (Language::English, "and")
    )
}

#[derive(Default)]
struct State {
    total: u64,
    current: u64,
    last: Option<Part>,
}

impl State {
    /// Takes a word in. False where it begins a number of its own. `joined`: behind `et`, `and`.
    fn take(&mut self, part: Part, joined: bool) -> bool {
        let small = self.current % 100;
        let fits = match part {
            Part::Whole(_) => self.last.is_none() || matches!(self.last, Some(Part::Scale(_))),
            Part::Unit(unit) => match self.last {
                None | Some(Part::Hundred | Part::Scale(_)) => true,
                Some(Part::Tens(tens)) => {
                    unit < 10 || matches!(tens, 60) && (10..20).contains(&unit)
                }
                Some(Part::Score) => true,
                // `dix-sept`.
                Some(Part::Unit(ten)) => {
                    ten == 10 && (7..10).contains(&unit) && small != 0
                        || small % 20 == 10 && (7..10).contains(&unit)
                }
                Some(Part::Whole(_)) => false,
            },
            Part::Tens(_) => matches!(self.last, None | Some(Part::Hundred | Part::Scale(_))),
            Part::Score => {
                matches!(self.last, None | Some(Part::Hundred | Part::Scale(_)))
                    || self.last == Some(Part::Unit(4))
            }
            Part::Hundred => {
                self.current < 20 && !matches!(self.last, Some(Part::Hundred)) && !joined
            }
            Part::Scale(_) => !joined,
        };
        // `deux et trois` are two numbers; only hundreds, thousands and French tens join.
        let may_join = matches!(
            self.last,
            Some(Part::Hundred | Part::Scale(_) | Part::Tens(_) | Part::Score)
        );
        if !fits || joined && !may_join {
            return false;
        }
        match part {
            Part::Unit(value) | Part::Tens(value) | Part::Whole(value) => self.current += value,
            Part::Score if self.last == Some(Part::Unit(4)) => self.current += 76,
            Part::Score => self.current += 20,
            Part::Hundred => self.current = self.current.max(1) * 100,
            Part::Scale(scale) => {
                self.total = self
                    .total
                    .saturating_add(self.current.max(1).saturating_mul(scale));
                self.current = 0;
            }
        }
        self.last = Some(part);
        true
    }

    fn value(&self) -> u64 {
        self.total.saturating_add(self.current)
    }
}

fn part(language: Language, word: &str) -> Option<Part> {
    match language {
        Language::French => french(word),
        Language::English => english(word),
        Language::German => german(word),
    }
}

fn french(word: &str) -> Option<Part> {
    Some(match word {
        "un" | "une" => Part::Unit(1),
        "vingt" | "vingts" => Part::Score,
        "trente" => Part::Tens(30),
        "quarante" => Part::Tens(40),
        "cinquante" => Part::Tens(50),
        "soixante" => Part::Tens(60),
        "septante" => Part::Tens(70),
        "huitante" | "octante" => Part::Tens(80),
        "nonante" => Part::Tens(90),
        "cent" | "cents" => Part::Hundred,
        "mille" => Part::Scale(1000),
        "million" | "millions" => Part::Scale(1_000_000),
        "milliard" | "milliards" => Part::Scale(1_000_000_000),
        _ => {
            const UNITS: [&str; 15] = [
                "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze",
                "douze", "treize", "quatorze", "quinze", "seize",
            ];
            Part::Unit(UNITS.iter().position(|unit| *unit == word)? as u64 + 2)
        }
    })
}

fn english(word: &str) -> Option<Part> {
    Some(match word {
        "hundred" => Part::Hundred,
        "thousand" => Part::Scale(1000),
        "million" => Part::Scale(1_000_000),
        "billion" => Part::Scale(1_000_000_000),
        _ => {
            const UNITS: [&str; 19] = [
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
                "eleven",
                "twelve",
                "thirteen",
                "fourteen",
                "fifteen",
                "sixteen",
                "seventeen",
                "eighteen",
                "nineteen",
            ];
            const TENS: [&str; 8] = [
                "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
            ];
            match UNITS.iter().position(|unit| *unit == word) {
                Some(place) => Part::Unit(place as u64 + 1),
                None => Part::Tens((TENS.iter().position(|tens| *tens == word)? as u64 + 2) * 10),
            }
        }
    })
}

fn german(word: &str) -> Option<Part> {
    match word {
        "million" | "millionen" => Some(Part::Scale(1_000_000)),
        "milliarde" | "milliarden" => Some(Part::Scale(1_000_000_000)),
        // No German number below a million is longer.
        _ if word.len() > 80 => None,
        _ => german_below_million(&folded(word)).map(Part::Whole),
    }
}

fn german_below_million(word: &str) -> Option<u64> {
    let Some((thousands, rest)) = word.split_once("tausend") else {
        return german_below_thousand(word);
    };
    let thousands = if thousands.is_empty() {
        1
    } else {
        german_below_thousand(thousands)?
    };
    let rest = if rest.is_empty() {
        0
    } else {
        german_below_thousand(rest.strip_prefix("und").unwrap_or(rest))?
    };
    Some(thousands * 1000 + rest)
}

fn german_below_thousand(word: &str) -> Option<u64> {
    let Some((hundreds, rest)) = word.split_once("hundert") else {
        return german_below_hundred(word);
    };
    let hundreds = if hundreds.is_empty() {
        1
    } else {
        german_below_hundred(hundreds).filter(|h| *h < 20)?
    };
    let rest = if rest.is_empty() {
        0
    } else {
        german_below_hundred(rest.strip_prefix("und").unwrap_or(rest))?
    };
    Some(hundreds * 100 + rest)
}

fn german_below_hundred(word: &str) -> Option<u64> {
    const UNITS: [&str; 18] = [
        "zwei", "drei", "vier", "funf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwolf",
        "dreizehn", "vierzehn", "funfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn",
    ];
    const TENS: [&str; 8] = [
        "zwanzig", "dreissig", "vierzig", "funfzig", "sechzig", "siebzig", "achtzig", "neunzig",
    ];
    if matches!(
        word,
        "ein" | "eins" | "eine" | "einen" | "einem" | "einer" | "eines"
    ) {
        return Some(1);
    }
    if let Some(place) = UNITS.iter().position(|unit| *unit == word) {
        return Some(place as u64 + 2);
    }
    let place = TENS.iter().position(|tens| word.ends_with(tens))?;
    let tens = (place as u64 + 2) * 10;
    match word.strip_suffix(TENS[place])? {
        "" => Some(tens),
        unit => german_below_hundred(unit.strip_suffix("und")?)
            .filter(|unit| *unit < 10)
            .map(|unit| tens + unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str, language: Language) -> Vec<u64> {
        spelled(&Prepared::new(text, &[language]))
            .iter()
            .map(|number| number.value)
            .collect()
    }

    #[test]
    fn numbers_in_words_are_read_in_three_languages() {
        for (text, value) in [
            ("quatre-vingt-dix-sept", 97),
            ("soixante et onze", 71),
            ("soixante-dix-huit", 78),
            ("quatre-vingts", 80),
            ("mille deux cents", 1200),
            ("deux cent mille trois", 200_003),
            ("trois millions quatre cent mille", 3_400_000),
            ("dix-neuf", 19),
            ("cent vingt et un", 121),
            ("vingt et un", 21),
        ] {
            assert_eq!(values(text, Language::French), [value], "{text}");
        }
        for (text, value) in [
            ("zweitausenddreihundertvierundfünfzig", 2354),
            ("einundzwanzig", 21),
            ("hunderteins", 101),
            ("dreißig", 30),
            ("zwölf", 12),
            ("zwei Millionen dreihunderttausend", 2_300_000),
        ] {
            assert_eq!(values(text, Language::German), [value], "{text}");
        }
        for (text, value) in [
            ("one thousand two hundred and thirty-four", 1234),
            ("ninety-nine", 99),
            ("two hundred thousand", 200_000),
        ] {
            assert_eq!(values(text, Language::English), [value], "{text}");
        }
    }

    #[test]
    fn two_numbers_side_by_side_are_not_added() {
        assert_eq!(values("deux et trois", Language::French), [2, 3]);
        assert_eq!(values("two, three or four", Language::English), [2, 3, 4]);
        assert_eq!(values("two and three", Language::English), [2, 3]);
        assert_eq!(values("zwei und drei", Language::German), [2, 3]);
    }
}
