//! How much two short texts and two values differ.

use super::value::Value;

/// Longer texts are not compared letter by letter.
const MAX_LENGTH: usize = 64;

/// Letters put in, left out, altered or exchanged with their neighbour. None for long texts.
pub fn distance(one: &str, other: &str) -> Option<usize> {
    let (one, other): (Vec<char>, Vec<char>) = (
        one.chars().take(MAX_LENGTH + 1).collect(),
        other.chars().take(MAX_LENGTH + 1).collect(),
    );
    if one.len() > MAX_LENGTH || other.len() > MAX_LENGTH {
        return None;
    }
    let width = other.len() + 1;
    let mut rows: Vec<Vec<usize>> = vec![(0..width).collect()];
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1; width];
        for (j, b) in other.iter().enumerate() {
            let altered = rows[i][j] + usize::from(a != b);
            row[j + 1] = altered.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                row[j + 1] = row[j + 1].min(rows[i - 1][j - 1] + 1);
            }
        }
        rows.push(row);
    }
    rows.last().and_then(|row| row.last()).copied()
}

/// From 0 to 1: how likely it is that one value was made of the other by a slip.
pub fn resemblance(one: &Value, other: &Value) -> f32 {
    match (one, other) {
        (Value::Number { reading: a, .. }, Value::Number { reading: b, .. })
        | (Value::Amount { reading: a, .. }, Value::Amount { reading: b, .. })
        | (Value::Duration { reading: a, .. }, Value::Duration { reading: b, .. }) => {
            if a.agrees(b) {
                1.0
            } else {
                written(&a.likely.to_string(), &b.likely.to_string()) * 0.6
            }
        }
        (
            Value::Date {
                year: y,
                month: m,
                day: d,
            },
            Value::Date { year, month, day },
        ) => {
            let same = [y == year, m == month, d == day]
                .into_iter()
                .filter(|same| *same)
                .count();
            let exchanged = *d == Some(*month) && *day == Some(*m);
            if exchanged {
                0.9
            } else {
                [0.0, 0.1, 0.8, 1.0][same]
            }
        }
        (Value::Email(a), Value::Email(b))
        | (Value::Phone(a), Value::Phone(b))
        | (Value::Iban(a), Value::Iban(b))
        | (Value::FileNumber(a), Value::FileNumber(b))
        | (Value::Listed(a), Value::Listed(b)) => written(a, b),
        (
            Value::Reference {
                law: a, number: n, ..
            },
            Value::Reference {
                law: b, number: m, ..
            },
        ) => {
            if n == m {
                1.0
            } else {
                written(n, m) * 0.6 + if a == b { 0.3 } else { 0.0 }
            }
        }
        (Value::Person { words: a, .. }, Value::Person { words: b, .. }) => {
            if a.iter().any(|word| b.contains(word)) {
                1.0
            } else {
                written(&a.join(" "), &b.join(" "))
            }
        }
        (Value::Street { house: h, name: a }, Value::Street { house, name: b }) => {
            if a == b {
                1.0
            } else {
                written(a, b).max(if h == house { 0.4 } else { 0.0 })
            }
        }
        (
            Value::Place {
                postcode: p,
                city: a,
            },
            Value::Place { postcode, city: b },
        ) => {
            if p == postcode || a == b {
                1.0
            } else {
                written(a, b) * 0.8
            }
        }
        _ => 0.0,
    }
}

/// One slip in a short text, two in a long one.
fn written(one: &str, other: &str) -> f32 {
    match distance(one, other) {
        Some(0 | 1) => 1.0,
        Some(2) if one.len() > 5 => 0.8,
        Some(slips) if slips * 4 <= one.len() => 0.5,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_exchanged_are_one_slip() {
        assert_eq!(distance("1234", "1324"), Some(1));
        assert_eq!(distance("Müller", "Möller"), Some(1));
        assert_eq!(distance("", "abc"), Some(3));
    }
}
