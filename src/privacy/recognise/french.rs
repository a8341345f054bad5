//! French numbers of people, taxpayers and companies.

use super::super::kind::Kind;
use super::Search;
use super::check_digits::{digit, has_luhn, luhn_sum, number};
use super::run::{Run, Trust};

/// The SIREN of La Poste, whose many establishments have another check.
const LA_POSTE: &[u8] = b"356000000";

/// Where its parts end, which is where it may have separators.
const NIR_PARTS: [usize; 6] = [1, 3, 5, 7, 10, 13];

pub fn recognise(run: &Run, search: &mut Search) {
    if !run.characters().first().is_some_and(u8::is_ascii_digit) {
        return;
    }
    recognise_nir(run, search);
    if run.chars(13).is_some_and(is_tax_number) {
        run.offer(13, Kind::FrenchTaxNumber, Trust::Alone, search);
    }
    if (run.has_shape(&[3, 3, 3, 5]) || run.has_shape(&[9, 5]))
        && run.chars(14).is_some_and(is_siret)
    {
        let is_time = run.has_shape(&[14]) && run.chars(14).is_some_and(is_timestamp);
        let trust = if is_time {
            Trust::Labelled
        } else {
            Trust::Alone
        };
        run.offer(14, Kind::Siret, trust, search);
    }
    if run.has_shape(&[3, 3, 3]) && run.chars(9).is_some_and(is_siren) {
        run.offer(9, Kind::Siren, Trust::Labelled, search);
    }
}

fn recognise_nir(run: &Run, search: &mut Search) {
    if !run.has_borders_in(13, &NIR_PARTS) {
        return;
    }
    if run.has_borders_in(15, &NIR_PARTS) && run.spread_chars(15).is_some_and(is_nir) {
        // 3, 4, 7 and 8 are given for a while, and payment cards begin with them, too.
        let trust = match run.characters().first() {
            Some(b'1' | b'2') => Trust::Form,
            _ => Trust::Labelled,
        };
        run.offer(15, Kind::Nir, trust, search);
    } else if run.chars(13).is_some_and(begins_nir) && !run.goes_on_with_digit(13) {
        // Without its key it has no check digits, and only a label tells it.
        run.offer(13, Kind::Nir, Trust::Labelled, search);
    }
}

/// Sex, year, month, département or country, commune, order, and a key by 97.
fn is_nir(nir: &[u8]) -> bool {
    let Some((identity, key)) = nir.split_at_checked(13) else {
        return false;
    };
    begins_nir(identity)
        && nir_number(identity)
            .zip(number(key))
            .is_some_and(|(identity, key)| 97 - identity % 97 == key)
}

/// The thirteen characters before the key. Corsica counts as 19 and 18 there.
fn nir_number(identity: &[u8]) -> Option<u64> {
    let mut digits = identity.to_vec();
    if let Some(corsica) = digits.get_mut(5..7) {
        match &*corsica {
            b"2A" => corsica.copy_from_slice(b"19"),
            b"2B" => corsica.copy_from_slice(b"18"),
            _ => {}
        }
    }
    number(&digits)
}

fn begins_nir(identity: &[u8]) -> bool {
    let [sex, _, _, m0, m1, d0, d1, ..] = identity else {
        return false;
    };
    let month = digit(*m0)
        .zip(digit(*m1))
        .map(|(tens, ones)| tens * 10 + ones);
    // Beyond 12 stand those whose month of birth is not known.
    let has_month = month.is_some_and(|month| matches!(month, 1..=12 | 20..=42 | 50..=99));
    let is_corsican = *d0 == b'2' && matches!(d1, b'A' | b'B');
    let has_place = is_corsican || [d0, d1].map(|d| *d) != *b"00";
    matches!(sex, b'1' | b'2' | b'3' | b'4' | b'7' | b'8')
        && has_month
        && has_place
        && nir_number(identity).is_some()
}

/// Ten digits and their remainder by 511.
pub fn is_tax_number(written: &[u8]) -> bool {
    let Some((number_part, key)) = written.split_at_checked(10) else {
        return false;
    };
    matches!(written.first(), Some(b'0'..=b'3'))
        && number(number_part)
            .zip(number(key))
            .is_some_and(|(number, key)| number > 0 && number % 511 == key)
}

pub fn is_siren(siren: &[u8]) -> bool {
    siren.len() == 9 && has_luhn(siren) && siren != b"000000000"
}

/// A SIREN and the five digits of an establishment, under a check digit of their own.
fn is_siret(siret: &[u8]) -> bool {
    let Some((siren, _)) = siret.split_at_checked(9) else {
        return false;
    };
    let has_check = || {
        let sum_of_digits: Option<u32> = siret.iter().map(|byte| digit(*byte)).sum();
        has_luhn(siret)
            || siren == LA_POSTE && sum_of_digits.is_some_and(|sum| sum.is_multiple_of(5))
    };
    is_siren(siren) && luhn_sum(siret).is_some() && has_check()
}

/// `20260331142500`, which one in a hundred times has the check digits of an establishment.
fn is_timestamp(digits: &[u8]) -> bool {
    let within = |at: usize, most: u64| {
        let part = digits.get(at..at + 2).and_then(number);
        part.is_some_and(|part| part <= most)
    };
    matches!(digits, [b'1', b'9', ..] | [b'2', b'0', ..])
        && within(4, 12)
        && within(6, 31)
        && within(8, 23)
        && within(10, 59)
        && within(12, 59)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_social_security_have_a_key_by_97() {
        // The arithmetic by hand: 97 - 2550864168025 % 97 = 38 for the first.
        for nir in ["255081416802538", "185057800608436", "269054958815780"] {
            let identity: u64 = nir[..13].parse().unwrap();
            let key = format!("{:02}", 97 - identity % 97);
            let right = format!("{}{key}", &nir[..13]);
            assert!(is_nir(right.as_bytes()), "{right}");
        }
        assert!(is_nir(b"255081416802538"));
        assert!(!is_nir(b"255081416802539"));
    }

    #[test]
    fn corsica_is_counted_as_19_and_18() {
        for (written, counted) in [
            ("185052A004084", 1_850_519_004_084_u64),
            ("185052B004084", 1_850_518_004_084),
        ] {
            let key = 97 - counted % 97;
            assert!(is_nir(format!("{written}{key:02}").as_bytes()));
            assert!(!is_nir(format!("{written}{:02}", key % 97 + 1).as_bytes()));
        }
        // Letters stand nowhere else, and there is no month 13.
        assert!(!begins_nir(b"185052C004084"));
        assert!(!begins_nir(b"1850578A06084"));
        assert!(!begins_nir(b"1851378006084"));
    }

    #[test]
    fn a_tax_number_ends_with_a_remainder_by_511() {
        assert_eq!(3_023_217_600_u64 % 511, 53);
        assert!(is_tax_number(b"3023217600053"));
        assert!(!is_tax_number(b"3023217600054"));
        assert!(!is_tax_number(b"9023217600053"));
    }

    #[test]
    fn companies_and_establishments_have_luhn_check_digits() {
        assert!(is_siren(b"732829320"));
        assert!(!is_siren(b"732829321"));
        assert!(is_siret(b"73282932000074"));
        assert!(!is_siret(b"73282932000075"));
        // La Poste: its head office, and an establishment whose digits sum up to a multiple of 5.
        assert!(is_siret(b"35600000000048"));
        assert!(is_siret(b"35600000049837"));
        assert!(!is_siret(b"35600000049838"));
    }
}
