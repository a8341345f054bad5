//! Values without their form: what two texts must agree on.

use super::report::Kind;

/// Millionths, so that all decimals that letters use are exact.
pub type Micro = u128;
pub const ONE: Micro = 1_000_000;

/// A written number, which may be read in two ways: `1.234`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    pub likely: Micro,
    pub other: Option<Micro>,
}

impl Reading {
    pub fn sure(likely: Micro) -> Self {
        Self {
            likely,
            other: None,
        }
    }

    pub fn agrees(&self, other: &Reading) -> bool {
        self.each().any(|one| other.each().any(|two| one == two))
    }

    pub fn each(&self) -> impl Iterator<Item = Micro> + '_ {
        [Some(self.likely), self.other].into_iter().flatten()
    }

    pub fn times(&self, factor: Micro) -> Self {
        Self {
            likely: self.likely.saturating_mul(factor),
            other: self.other.map(|o| o.saturating_mul(factor)),
        }
    }
}

/// Weeks are days, and years are months; a month is no number of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    Minutes,
    Days,
    Months,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gender {
    Female,
    Male,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Number {
        reading: Reading,
        unit: Option<&'static str>,
    },
    Amount {
        reading: Reading,
        currency: &'static str,
    },
    Date {
        year: Option<u16>,
        month: u8,
        day: Option<u8>,
    },
    /// A date told from today, by what it says in English.
    RelativeDate(&'static str),
    Duration {
        reading: Reading,
        period: Period,
    },
    /// Minutes after midnight.
    Time(u16),
    Email(String),
    /// Digits after the country's code or the leading 0.
    Phone(String),
    Iban(String),
    FileNumber(String),
    Reference {
        law: Option<String>,
        number: String,
        parts: Vec<String>,
    },
    /// The words after the title, folded.
    Person {
        words: Vec<String>,
        gender: Option<Gender>,
    },
    Street {
        house: String,
        name: String,
    },
    Place {
        postcode: String,
        city: String,
    },
    /// A name of the agency's word list.
    Listed(String),
}

impl Value {
    pub fn kind(&self) -> Kind {
        match self {
            Value::Number { .. } => Kind::Number,
            Value::Amount { .. } => Kind::Amount,
            Value::Date { .. } | Value::RelativeDate(_) => Kind::Date,
            Value::Duration { .. } => Kind::Duration,
            Value::Time(_) => Kind::Time,
            Value::Email(_) => Kind::Email,
            Value::Phone(_) => Kind::Phone,
            Value::Iban(_) => Kind::Iban,
            Value::FileNumber(_) => Kind::FileNumber,
            Value::Reference { .. } => Kind::LegalReference,
            Value::Person { .. }
            | Value::Street { .. }
            | Value::Place { .. }
            | Value::Listed(_) => Kind::Name,
        }
    }

    /// What an index finds candidates by. Two values that agree share at least one.
    pub fn keys(&self) -> Vec<String> {
        match self {
            Value::Number { reading, .. } => {
                reading.each().map(|micro| format!("n{micro}")).collect()
            }
            Value::Amount { reading, .. } => {
                reading.each().map(|micro| format!("a{micro}")).collect()
            }
            Value::Date {
                month,
                day: Some(day),
                ..
            } => vec![format!("d{month}-{day}"), format!("d{month}")],
            Value::Date {
                month, day: None, ..
            } => vec![format!("d{month}")],
            Value::RelativeDate(name) => vec![format!("r{name}")],
            Value::Duration { reading, period } => reading
                .each()
                .map(|micro| format!("p{micro}{period:?}"))
                .collect(),
            Value::Time(minutes) => vec![format!("t{minutes}")],
            Value::Email(text)
            | Value::Phone(text)
            | Value::Iban(text)
            | Value::FileNumber(text) => {
                vec![format!("{:?}{text}", self.kind())]
            }
            Value::Reference { number, .. } => vec![format!("§{number}")],
            Value::Person { words, .. } => words.iter().map(|word| format!("w{word}")).collect(),
            Value::Street { name, .. } => vec![format!("s{name}")],
            Value::Place { postcode, .. } => vec![format!("c{postcode}")],
            Value::Listed(name) => vec![format!("l{name}")],
        }
    }

    /// Whether what an answer says is borne out by what a source says. An answer may be less
    /// precise than its source, and never more.
    pub fn is_borne_out_by(&self, source: &Value) -> bool {
        match (self, source) {
            (
                Value::Number { reading, unit },
                Value::Number {
                    reading: other,
                    unit: source_unit,
                },
            ) => {
                reading.agrees(other)
                    && (unit.is_none() || source_unit.is_none() || unit == source_unit)
            }
            (
                Value::Amount { reading, currency },
                Value::Amount {
                    reading: other,
                    currency: source_currency,
                },
            ) => reading.agrees(other) && currency == source_currency,
            (
                Value::Date { year, month, day },
                Value::Date {
                    year: source_year,
                    month: source_month,
                    day: source_day,
                },
            ) => {
                month == source_month
                    && (day.is_none() || day == source_day)
                    && (year.is_none() || source_year.is_none() || year == source_year)
            }
            (
                Value::Duration { reading, period },
                Value::Duration {
                    reading: other,
                    period: source_period,
                },
            ) => reading.agrees(other) && period == source_period,
            (
                Value::Reference { law, number, parts },
                Value::Reference {
                    law: source_law,
                    number: other,
                    parts: source_parts,
                },
            ) => {
                number == other
                    && (law.is_none() || source_law.is_none() || law == source_law)
                    && source_parts.starts_with(parts)
            }
            (
                Value::Person { words, .. },
                Value::Person {
                    words: source_words,
                    ..
                },
            ) => is_same_person(words, source_words),
            (one, other) => one == other,
        }
    }
}

/// Whether the words after two titles may be of one person.
///
/// A name may be followed by a noun, which German writes like a name. So a surname alone, which
/// the other text has as its second word, is enough, whatever follows it.
fn is_same_person(answer: &[String], source: &[String]) -> bool {
    let (Some(first), Some(source_first)) = (answer.first(), source.first()) else {
        return false;
    };
    if source.iter().skip(1).any(|word| word == first) {
        return true;
    }
    match (answer.get(1), source.get(1)) {
        (Some(second), Some(source_second)) if first == source_first => second == source_second,
        (Some(second), None) => first == source_first || second == source_first,
        (None, _) => first == source_first,
        _ => false,
    }
}
