//! Check digits: arithmetic over letters and digits, without separators and in capitals.
//!
//! Anything else in them makes a number wrong.

/// The value of a digit.
pub fn digit(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(10)
}

/// The digits of a number, or `None` if it has anything else.
fn digits(number: &[u8]) -> Option<Vec<u32>> {
    number.iter().map(|byte| digit(*byte)).collect()
}

/// A number of up to 18 digits.
pub fn number(written: &[u8]) -> Option<u64> {
    if written.len() > 18 {
        return None;
    }
    written.iter().try_fold(0, |number, byte| {
        Some(number * 10 + u64::from(digit(*byte)?))
    })
}

/// The sum of the digits of a number below 100.
pub fn cross_sum(number: u32) -> u32 {
    number / 10 + number % 10
}

/// Luhn's sum of a number with its check digit at the end: a multiple of ten if it is right.
pub fn luhn_sum(number: &[u8]) -> Option<u32> {
    let digits = digits(number)?;
    let doubled = |(place, digit): (usize, &u32)| {
        if place % 2 == 1 {
            cross_sum(digit * 2)
        } else {
            *digit
        }
    };
    Some(digits.iter().rev().enumerate().map(doubled).sum())
}

pub fn has_luhn(number: &[u8]) -> bool {
    luhn_sum(number).is_some_and(|sum| sum % 10 == 0)
}

/// The remainder by 97 of a number in which letters count from 10: ISO 7064 MOD 97-10.
pub fn remainder_97(characters: impl Iterator<Item = u8>) -> Option<u32> {
    characters.into_iter().try_fold(0, |rest, character| {
        let value = char::from(character).to_digit(36)?;
        Some((rest * if value > 9 { 100 } else { 10 } + value) % 97)
    })
}

/// ISO 7064 MOD 11,10, with the check digit at the end.
pub fn has_mod_11_10(number: &[u8]) -> bool {
    let Some((check, digits)) = digits(number).and_then(|mut digits| Some((digits.pop()?, digits)))
    else {
        return false;
    };
    let product = digits.iter().fold(10, |product, digit| {
        let sum = match (product + digit) % 10 {
            0 => 10,
            sum => sum,
        };
        sum * 2 % 11
    });
    (11 - product) % 10 == check
}

/// The check digit that the International Civil Aviation Organization has for travel documents:
/// weights 7, 3, 1, with letters from 10.
pub fn has_travel_document_check(number: &[u8], check: u8) -> bool {
    let weighted = |(byte, weight): (&u8, u32)| Some(char::from(*byte).to_digit(36)? * weight);
    let sum: Option<u32> = number
        .iter()
        .zip([7, 3, 1].into_iter().cycle())
        .map(weighted)
        .sum();
    sum.is_some_and(|sum| digit(check) == Some(sum % 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_examples_are_right_and_their_neighbours_wrong() {
        // The Luhn example of ISO/IEC 7812, and the test number of Visa.
        assert!(has_luhn(b"79927398713"));
        assert!(has_luhn(b"4111111111111111"));
        assert!(!has_luhn(b"79927398712"));
        // The IBAN of the SWIFT registry for Germany, with its head at the end.
        assert_eq!(
            remainder_97(b"370400440532013000DE89".iter().copied()),
            Some(1)
        );
        assert_ne!(
            remainder_97(b"370400440532013000DE88".iter().copied()),
            Some(1)
        );
        // The tax number that the federal tax office prints as an example.
        assert!(has_mod_11_10(b"86095742719"));
        assert!(!has_mod_11_10(b"86095742718"));
        // The specimen of the German identity card, and the one of ICAO 9303.
        assert!(has_travel_document_check(b"L01X00T47", b'1'));
        assert!(has_travel_document_check(b"L898902C3", b'6'));
        assert!(!has_travel_document_check(b"L01X00T47", b'2'));
    }

    #[test]
    fn what_has_no_digits_has_no_check_digit() {
        assert!(!has_luhn(b"12A4"));
        assert!(!has_mod_11_10(b""));
        assert!(!has_mod_11_10(b"A1"));
        assert_eq!(remainder_97(b"12-3".iter().copied()), None);
        assert!(!has_travel_document_check(b"L01X00T47", b'A'));
        assert_eq!(number(b"1234567890123456789"), None);
    }
}
