//! VAT ids of eight countries, each with the check digits that its administration publishes.

use super::super::kind::Kind;
use super::Search;
use super::check_digits::{cross_sum, digit, has_luhn, has_mod_11_10, number, remainder_97};
use super::french::is_siren;
use super::run::{Run, Trust};

/// A country, the characters that follow its letters, and their check.
type Country = (&'static [u8; 2], usize, fn(&[u8]) -> bool);

const COUNTRIES: [Country; 8] = [
    (b"AT", 9, is_austrian),
    (b"BE", 10, is_belgian),
    (b"DE", 9, is_german),
    (b"ES", 9, is_spanish),
    (b"FR", 11, is_french),
    (b"IT", 11, has_luhn),
    (b"LU", 8, is_luxembourgish),
    (b"NL", 12, is_dutch),
];

/// In capitals only: `de` and `es` are words.
pub fn recognise(run: &Run, search: &mut Search) {
    let Some(letters) = run.characters().first_chunk::<2>() else {
        return;
    };
    let country = COUNTRIES.iter().find(|(name, ..)| *name == letters);
    let Some((_, length, is_right)) = country else {
        return;
    };
    let whole = length + 2;
    if run.is_in_capitals(search.text, whole)
        && run
            .chars(whole)
            .and_then(|id| id.get(2..))
            .is_some_and(is_right)
    {
        run.offer(whole, Kind::VatId, Trust::Form, search);
    }
}

/// A key of two characters and a SIREN. Monaco has numbers of its own, which begin with 000.
fn is_french(id: &[u8]) -> bool {
    const KEYS: &[u8] = b"0123456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let Some((&[first, second], siren)) = id.split_first_chunk::<2>() else {
        return false;
    };
    let Some(value) = number(siren) else {
        return false;
    };
    if !is_siren(siren) && !siren.starts_with(b"000") {
        return false;
    }
    if let Some(key) = digit(first).zip(digit(second)) {
        return (12 + 3 * (value % 97)) % 97 == u64::from(key.0 * 10 + key.1);
    }
    let place = |byte| KEYS.iter().position(|key| *key == byte);
    let Some((one, two)) = place(first).zip(place(second)) else {
        return false;
    };
    let key = if first.is_ascii_digit() {
        (one * 24 + two).checked_sub(10)
    } else {
        (one * 34 + two).checked_sub(100)
    };
    key.map(|key| key as u64)
        .is_some_and(|key| (value + 1 + key / 11) % 11 == key % 11)
}

fn is_german(id: &[u8]) -> bool {
    id.first() != Some(&b'0') && has_mod_11_10(id)
}

/// U and eight digits.
fn is_austrian(id: &[u8]) -> bool {
    let Some((b'U', digits)) = id.split_first() else {
        return false;
    };
    let Some(digits) = all_digits(digits) else {
        return false;
    };
    let weighted = digits.iter().zip([1, 2, 1, 2, 1, 2, 1]);
    let sum: u32 = weighted
        .map(|(digit, weight)| cross_sum(digit * weight))
        .sum();
    digits.last() == Some(&((10 - (sum + 4) % 10) % 10))
}

fn is_belgian(id: &[u8]) -> bool {
    let Some((body, check)) = id.split_at_checked(8) else {
        return false;
    };
    matches!(id.first(), Some(b'0' | b'1'))
        && number(body)
            .zip(number(check))
            .is_some_and(|(body, check)| body > 0 && 97 - body % 97 == check)
}

fn is_luxembourgish(id: &[u8]) -> bool {
    let Some((body, check)) = id.split_at_checked(6) else {
        return false;
    };
    number(body)
        .zip(number(check))
        .is_some_and(|(body, check)| body > 0 && body % 89 == check)
}

/// Nine digits, B and two digits: by 11 in old ones, by 97 over all of it in those since 2020.
fn is_dutch(id: &[u8]) -> bool {
    let (Some(body), Some(b'B'), Some(suffix)) = (id.get(..9), id.get(9), id.get(10..)) else {
        return false;
    };
    let (Some(digits), Some(_)) = (all_digits(body), number(suffix)) else {
        return false;
    };
    let weighted = digits.iter().zip((2..=9).rev());
    let sum: u32 = weighted.map(|(digit, weight)| digit * weight).sum();
    digits.last() == Some(&(sum % 11)) || remainder_97(b"NL".iter().chain(id).copied()) == Some(1)
}

/// People: digits and a letter by 23. Companies: a letter, seven digits, and Luhn's check as a
/// digit or as a letter.
fn is_spanish(id: &[u8]) -> bool {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let (Some(&first), Some(&last), Some(middle)) = (id.first(), id.last(), id.get(1..8)) else {
        return false;
    };
    let Some(digits) = number(middle) else {
        return false;
    };
    let has_letter = |number: u64| LETTERS.get((number % 23) as usize) == Some(&last);
    match first {
        b'0'..=b'9' => has_letter(u64::from(first - b'0') * 10_000_000 + digits),
        b'X'..=b'Z' => has_letter(u64::from(first - b'X') * 10_000_000 + digits),
        b'K' | b'L' | b'M' => has_letter(digits),
        b'A'..=b'H' | b'J' | b'N' | b'P'..=b'S' | b'U'..=b'W' => {
            let with_check = |check: u8| has_luhn(&[middle, &[b'0' + check]].concat());
            let check = (0..10).find(|check| with_check(*check));
            check.is_some_and(|check| {
                last == b'0' + check || Some(&last) == b"JABCDEFGHI".get(usize::from(check))
            })
        }
        _ => false,
    }
}

fn all_digits(written: &[u8]) -> Option<Vec<u32>> {
    written.iter().map(|byte| digit(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_ids_are_right_and_their_neighbours_wrong() {
        for (country, id) in [
            ("AT", "U13585627"),
            ("BE", "0428759497"),
            ("BE", "0403019261"),
            ("DE", "136695976"),
            ("ES", "B58378431"),
            ("ES", "54362315K"),
            ("ES", "X2482300W"),
            ("FR", "40303265045"),
            ("FR", "K7399859412"),
            ("FR", "83404833048"),
            ("IT", "00743110157"),
            ("LU", "15027442"),
            ("NL", "004495445B01"),
            ("NL", "123456789B13"),
        ] {
            let (_, length, is_right) = COUNTRIES
                .iter()
                .find(|(name, ..)| *name == country.as_bytes())
                .unwrap();
            assert_eq!(*length, id.len(), "{country}{id}");
            assert!(is_right(id.as_bytes()), "{country}{id}");
            let mut wrong = id.as_bytes().to_vec();
            wrong[4] = if wrong[4] == b'9' { b'0' } else { wrong[4] + 1 };
            assert!(!is_right(&wrong), "{country}{id}");
        }
    }
}
