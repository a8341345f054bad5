//! German numbers of taxpayers, insured people and identity cards.

use super::super::kind::Kind;
use super::Search;
use super::check_digits::{cross_sum, digit, has_mod_11_10, has_travel_document_check};
use super::run::{Run, Trust};

pub fn recognise(run: &Run, search: &mut Search) {
    match run.characters().first() {
        Some(b'0'..=b'9') => {
            if run.chars(11).is_some_and(is_tax_id) {
                run.offer(11, Kind::GermanTaxId, Trust::Alone, search);
            }
            if run.chars(12).is_some_and(is_insurance_number) {
                run.offer(12, Kind::GermanInsuranceNumber, Trust::Form, search);
            }
        }
        _ => recognise_identity_card(run, search),
    }
}

/// With its check digit, or as it stands on the front of the card, where a label tells it.
fn recognise_identity_card(run: &Run, search: &mut Search) {
    let is_joined = |len| run.has_shape(&[len]) && run.is_in_capitals(search.text, len);
    if is_joined(10) && run.chars(10).is_some_and(is_identity_card_with_check) {
        run.offer(10, Kind::GermanIdentityCard, Trust::Alone, search);
    } else if is_joined(9)
        && run.chars(9).is_some_and(is_identity_card)
        && !run.goes_on_with_digit(9)
    {
        run.offer(9, Kind::GermanIdentityCard, Trust::Labelled, search);
    }
}

/// Eleven digits, of which the first ten hold one digit twice, or three times but not in a row,
/// and no other more than once.
fn is_tax_id(number: &[u8]) -> bool {
    let Some((_, digits)) = number.split_last() else {
        return false;
    };
    let mut counts = [0; 10];
    for byte in digits {
        let Some(count) = digit(*byte).and_then(|digit| counts.get_mut(digit as usize)) else {
            return false;
        };
        *count += 1;
    }
    let repeated: Vec<i32> = counts.into_iter().filter(|count| *count > 1).collect();
    let in_a_row = digits
        .windows(3)
        .any(|three| three[0] == three[1] && three[1] == three[2]);
    digits.first() != Some(&b'0')
        && matches!(*repeated, [2 | 3])
        && !in_a_row
        && has_mod_11_10(number)
}

/// Area, date of birth, the first letter of the name at birth, a serial number, a check digit.
fn is_insurance_number(number: &[u8]) -> bool {
    const WEIGHTS: [u32; 12] = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1];
    let (Some((check, body)), Some(letter)) = (number.split_last(), number.get(8)) else {
        return false;
    };
    if !letter.is_ascii_uppercase() || body.len() != 11 {
        return false;
    }
    // The letter counts as its place in the alphabet, in two digits.
    let place = u32::from(letter - b'A') + 1;
    let mut digits = Vec::with_capacity(12);
    for (at, byte) in body.iter().enumerate() {
        match digit(*byte) {
            _ if at == 8 => digits.extend([place / 10, place % 10]),
            Some(digit) => digits.push(digit),
            None => return false,
        }
    }
    let two = |at: usize| digits.get(at..at + 2).map_or(0, |two| two[0] * 10 + two[1]);
    let (area, day, month) = (two(0), two(2), two(4));
    let sum: u32 = digits
        .iter()
        .zip(WEIGHTS)
        .map(|(digit, weight)| cross_sum(digit * weight))
        .sum();
    // A day or month that is not known is 0.
    (2..=89).contains(&area) && day <= 31 && month <= 12 && digit(*check) == Some(sum % 10)
}

/// Nine characters of an alphabet without vowels and what looks like digits.
fn is_identity_card(number: &[u8]) -> bool {
    let is_of_alphabet = |byte: &u8| byte.is_ascii_digit() || b"CFGHJKLMNPRTVWXYZ".contains(byte);
    number.len() == 9
        && number
            .first()
            .is_some_and(|first| b"LMNPRTVWXY".contains(first))
        && number.iter().all(is_of_alphabet)
        && number.iter().any(u8::is_ascii_digit)
}

fn is_identity_card_with_check(number: &[u8]) -> bool {
    number.split_last().is_some_and(|(check, number)| {
        is_identity_card(number) && has_travel_document_check(number, *check)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tax_id_repeats_one_digit() {
        // Examples that the tax administration publishes.
        for number in ["86095742719", "47036892816", "65929970489", "57549285017"] {
            assert!(is_tax_id(number.as_bytes()), "{number}");
        }
        for (number, why) in [
            ("86095742718", "another check digit"),
            ("06095742714", "begins with 0"),
            ("12345678903", "all digits differ"),
            ("11234567891", "two in a row and a wrong check digit"),
        ] {
            assert!(!is_tax_id(number.as_bytes()), "{number}: {why}");
        }
    }

    #[test]
    fn an_insurance_number_counts_its_letter_by_the_alphabet() {
        // The example of the pension insurance.
        assert!(is_insurance_number(b"15070649C103"));
        assert!(is_insurance_number(b"65180539W001"));
        assert!(!is_insurance_number(b"15070649C104"));
        assert!(!is_insurance_number(b"15320649C103"));
        assert!(!is_insurance_number(b"150706491103"));
    }

    #[test]
    fn an_identity_card_has_the_check_digit_of_travel_documents() {
        assert!(is_identity_card_with_check(b"L01X00T471"));
        assert!(is_identity_card_with_check(b"LZ6311T475"));
        assert!(!is_identity_card_with_check(b"L01X00T472"));
        assert!(!is_identity_card_with_check(b"A01X00T471"));
        assert!(is_identity_card(b"L01X00T47"));
        assert!(!is_identity_card(b"LOIX00T47"));
    }
}
