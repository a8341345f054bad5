//! IBANs: the length that their country has, and two check digits over all of it.

use super::super::kind::Kind;
use super::Search;
use super::check_digits::{digit, remainder_97};
use super::run::{Run, Trust};

/// Lengths of the SWIFT registry, by country.
const LENGTHS: [(&[u8; 2], usize); 89] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

pub fn recognise(run: &Run, search: &mut Search) {
    let Some(country) = run.characters().first_chunk::<2>() else {
        return;
    };
    let Ok(place) = LENGTHS.binary_search_by_key(&country, |(country, _)| country) else {
        return;
    };
    let length = LENGTHS[place].1;
    if run.spread_chars(length).is_some_and(is_valid) {
        run.offer(length, Kind::Iban, Trust::Form, search);
    }
}

/// Whether the check digits of an IBAN are right. They are computed from 98 down, so that 00, 01
/// and 99 are never right.
fn is_valid(iban: &[u8]) -> bool {
    let Some((head, tail)) = iban.split_at_checked(4) else {
        return false;
    };
    let check = match head {
        [_, _, tens, ones] => digit(*tens).zip(digit(*ones)),
        _ => None,
    };
    check.is_some_and(|(tens, ones)| (2..=98).contains(&(tens * 10 + ones)))
        && remainder_97(tail.iter().chain(head).copied()) == Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        assert!(LENGTHS.is_sorted_by_key(|(country, _)| country));
    }

    #[test]
    fn examples_of_the_registry_are_right_and_their_neighbours_wrong() {
        for iban in [
            "DE89370400440532013000",
            "FR1420041010050500013M02606",
            "GB29NWBK60161331926819",
            "BE68539007547034",
            "MT84MALT011000012345MTLCAST001S",
            "NO9386011117947",
            "LU280019400644750000",
        ] {
            assert!(is_valid(iban.as_bytes()), "{iban}");
            let country = iban.as_bytes().first_chunk::<2>().unwrap();
            let place = LENGTHS.binary_search_by_key(&country, |(name, _)| name);
            assert_eq!(LENGTHS[place.unwrap()].1, iban.len());
            let mut wrong = iban.as_bytes().to_vec();
            wrong[3] = if wrong[3] == b'9' { b'0' } else { wrong[3] + 1 };
            assert!(!is_valid(&wrong), "{iban}");
        }
    }
}
