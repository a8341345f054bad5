//! Right numbers of each kind, made by arithmetic of its own: it shares no line with the
//! recognisers.

use super::super::Kind;
use super::Random;

const LETTERS: &str = "ABCDEFGHJKLMNPQRSTUVWXYZ";
const CARD_LETTERS: &str = "CFGHJKLMNPRTVWXYZ0123456789";
const PLATE_LETTERS: &str = "ABCDEFGHJKLMNPQRSTVWXYZ";

/// A number without separators, and the lengths of the groups in which it is written.
pub struct Number {
    pub plain: String,
    pub groups: Vec<usize>,
}

impl Number {
    fn new(plain: String, groups: &[usize]) -> Self {
        assert_eq!(groups.iter().sum::<usize>(), plain.len(), "{plain}");
        Self {
            plain,
            groups: groups.to_vec(),
        }
    }

    pub fn written(&self, separator: &str) -> String {
        let mut out = String::new();
        let mut at = 0;
        for group in &self.groups {
            if at > 0 {
                out.push_str(separator);
            }
            out.push_str(&self.plain[at..at + group]);
            at += group;
        }
        out
    }
}

/// The remainder of a number of any length.
fn remainder(digits: &str, by: u64) -> u64 {
    digits
        .bytes()
        .fold(0, |rest, byte| (rest * 10 + u64::from(byte - b'0')) % by)
}

fn in_digits(text: &str) -> String {
    text.chars()
        .map(|c| c.to_digit(36).unwrap().to_string())
        .collect()
}

fn luhn_digit(body: &str) -> u32 {
    const DOUBLED: [u32; 10] = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];
    let sum: u32 = body
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0');
            if place % 2 == 0 {
                DOUBLED[digit as usize]
            } else {
                digit
            }
        })
        .sum();
    (10 - sum % 10) % 10
}

fn with_luhn(body: String) -> String {
    let check = luhn_digit(&body);
    format!("{body}{check}")
}

fn mod_11_10_digit(body: &str) -> u32 {
    let mut product = 10;
    for byte in body.bytes() {
        let sum = (u32::from(byte - b'0') + product) % 10;
        product = 2 * if sum == 0 { 10 } else { sum } % 11;
    }
    let check = 11 - product;
    if check == 10 { 0 } else { check }
}

pub fn iban(random: &mut Random) -> Number {
    let (country, bban) = match random.below(10) {
        0 | 1 => (
            "FR",
            random.digits(10) + &random.digits(11) + &random.digits(2),
        ),
        2 => {
            let account = random.drawn_from("ABCDEFGHIJ0123456789", 11);
            ("FR", random.digits(10) + &account + &random.digits(2))
        }
        3 | 4 => ("DE", random.digits(18)),
        5 => ("AT", random.digits(16)),
        6 => ("BE", random.digits(12)),
        7 => ("LU", random.digits(16)),
        8 => ("NL", random.drawn_from(LETTERS, 4) + &random.digits(10)),
        _ => ("GB", random.drawn_from(LETTERS, 4) + &random.digits(14)),
    };
    let check = 98 - remainder(&in_digits(&format!("{bban}{country}00")), 97);
    let plain = format!("{country}{check:02}{bban}");
    let mut groups = vec![4; plain.len() / 4];
    if plain.len() % 4 > 0 {
        groups.push(plain.len() % 4);
    }
    Number::new(plain, &groups)
}

pub fn nir(random: &mut Random) -> Number {
    let place = match random.below(6) {
        0 => "2A".to_owned(),
        1 => "2B".to_owned(),
        _ => format!("{:02}", random.between(1, 95)),
    };
    let head = format!(
        "{}{:02}{:02}",
        random.between(1, 2),
        random.below(100),
        random.between(1, 12)
    );
    let tail = random.digits(6);
    let counted = match &*place {
        "2A" => "19".to_owned(),
        "2B" => "18".to_owned(),
        other => other.to_owned(),
    };
    let key = 97 - remainder(&format!("{head}{counted}{tail}"), 97);
    Number::new(
        format!("{head}{place}{tail}{key:02}"),
        &[1, 2, 2, 2, 3, 3, 2],
    )
}

pub fn siren(random: &mut Random) -> Number {
    Number::new(with_luhn(random.digits(8)), &[3, 3, 3])
}

pub fn siret(random: &mut Random) -> Number {
    if random.below(12) == 0 {
        // La Poste: the digits sum up to a multiple of five.
        let mut plain = format!("356000000{}", random.digits(4));
        let sum: u32 = plain.bytes().map(|byte| u32::from(byte - b'0')).sum();
        plain.push_str(&((5 - sum % 5) % 5).to_string());
        return Number::new(plain, &[3, 3, 3, 5]);
    }
    let siren = siren(random).plain;
    let nic = format!("{siren}{:04}", random.between(1, 99));
    Number::new(with_luhn(nic), &[3, 3, 3, 5])
}

pub fn french_tax_number(random: &mut Random) -> Number {
    let body = format!("{}{}", random.below(4), random.digits(9));
    let key = remainder(&body, 511);
    Number::new(format!("{body}{key:03}"), &[2, 2, 3, 3, 3])
}

pub fn german_tax_id(random: &mut Random) -> Number {
    loop {
        let mut digits: Vec<u8> = (b'0'..=b'9').collect();
        for last in (1..digits.len()).rev() {
            digits.swap(last, random.below(last + 1));
        }
        // One digit takes the place of one or two others.
        let repeated = digits[0];
        for place in 0..=random.below(2) {
            digits[random.between(1, 4) + place * 4] = repeated;
        }
        let in_a_row = digits.windows(3).any(|w| w[0] == w[1] && w[1] == w[2]);
        if digits[0] == b'0' || in_a_row {
            continue;
        }
        let body = String::from_utf8(digits).unwrap();
        let check = mod_11_10_digit(&body);
        return Number::new(format!("{body}{check}"), &[2, 3, 3, 3]);
    }
}

pub fn german_insurance_number(random: &mut Random) -> Number {
    let letter = char::from(b'A' + random.below(26) as u8);
    let head = format!(
        "{:02}{:02}{:02}{:02}",
        random.between(40, 89),
        random.between(1, 31),
        random.between(1, 12),
        random.below(100)
    );
    let serial = random.digits(2);
    let spelled = format!("{head}{:02}{serial}", letter as u32 - 'A' as u32 + 1);
    let weights = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1];
    let sum: u32 = spelled
        .chars()
        .zip(weights)
        .map(|(c, weight)| {
            let product = c.to_digit(10).unwrap() * weight;
            product % 10 + product / 10
        })
        .sum();
    Number::new(format!("{head}{letter}{serial}{}", sum % 10), &[2, 6, 1, 3])
}

pub fn german_identity_card(random: &mut Random) -> Number {
    loop {
        let first = random.drawn_from("LMNPRTVWXY", 1);
        let body = first + &random.drawn_from(CARD_LETTERS, 8);
        if body.bytes().filter(u8::is_ascii_digit).count() < 3 {
            continue;
        }
        let sum: u32 = body
            .chars()
            .enumerate()
            .map(|(place, c)| c.to_digit(36).unwrap() * [7, 3, 1][place % 3])
            .sum();
        return Number::new(format!("{body}{}", sum % 10), &[10]);
    }
}

pub fn vat_id(random: &mut Random) -> Number {
    match random.below(8) {
        0 | 1 => {
            let siren = siren(random).plain;
            let key = remainder(&format!("{siren}12"), 97);
            Number::new(format!("FR{key:02}{siren}"), &[2, 2, 3, 3, 3])
        }
        2 | 3 => {
            let body = format!("{}{}", random.between(1, 9), random.digits(7));
            let check = mod_11_10_digit(&body);
            Number::new(format!("DE{body}{check}"), &[2, 3, 3, 3])
        }
        4 => {
            let body = format!("0{}", random.between(2_000_000, 9_999_999));
            let check = 97 - remainder(&body, 97);
            Number::new(format!("BE{body}{check:02}"), &[2, 4, 3, 3])
        }
        5 => {
            let body = format!("{}", random.between(100_000, 999_999));
            let check = remainder(&body, 89);
            Number::new(format!("LU{body}{check:02}"), &[2, 8])
        }
        6 => {
            let body = random.digits(10);
            Number::new(format!("IT{}", with_luhn(body)), &[2, 11])
        }
        _ => {
            let body = random.digits(7);
            let even = body.bytes().step_by(2).map(|b| u32::from(b - b'0'));
            let odd = body.bytes().skip(1).step_by(2).map(|b| {
                let doubled = 2 * u32::from(b - b'0');
                doubled / 10 + doubled % 10
            });
            let check = (96 - even.sum::<u32>() - odd.sum::<u32>()) % 10;
            Number::new(format!("ATU{body}{check}"), &[3, 8])
        }
    }
}

pub fn payment_card(random: &mut Random) -> Number {
    match random.below(5) {
        0 => {
            let head = random.of(&["34", "37"]);
            let body = format!("{head}{}", random.digits(12));
            Number::new(with_luhn(body), &[4, 6, 5])
        }
        1 | 2 => {
            let body = format!("4{}", random.digits(14));
            Number::new(with_luhn(body), &[4, 4, 4, 4])
        }
        _ => {
            let body = format!("5{}{}", random.between(1, 5), random.digits(13));
            Number::new(with_luhn(body), &[4, 4, 4, 4])
        }
    }
}

pub fn phone(random: &mut Random) -> Number {
    match random.below(4) {
        0 => Number::new(
            format!("0{}{}", random.between(1, 9), random.digits(8)),
            &[2, 2, 2, 2, 2],
        ),
        1 => Number::new(
            format!("+33{}{}", random.between(1, 9), random.digits(8)),
            &[3, 1, 2, 2, 2, 2],
        ),
        2 => Number::new(format!("+4930{}", random.digits(8)), &[3, 2, 4, 4]),
        _ => Number::new(format!("0171{}", random.digits(7)), &[4, 7]),
    }
}

pub fn number_plate(random: &mut Random) -> Number {
    let letters = |random: &mut Random| random.drawn_from(PLATE_LETTERS, 2);
    let plain = format!("{}{}{}", letters(random), random.digits(3), letters(random));
    Number::new(plain, &[2, 3, 2])
}

/// A right number of a kind that has check digits, and of those that have a form.
pub fn number(kind: Kind, random: &mut Random) -> Option<Number> {
    Some(match kind {
        Kind::Iban => iban(random),
        Kind::Nir => nir(random),
        Kind::VatId => vat_id(random),
        Kind::FrenchTaxNumber => french_tax_number(random),
        Kind::GermanTaxId => german_tax_id(random),
        Kind::GermanInsuranceNumber => german_insurance_number(random),
        Kind::GermanIdentityCard => german_identity_card(random),
        Kind::Siret => siret(random),
        Kind::PaymentCard => payment_card(random),
        Kind::Siren => siren(random),
        Kind::Phone => phone(random),
        Kind::NumberPlate => number_plate(random),
        Kind::Email | Kind::DateOfBirth | Kind::Listed => return None,
    })
}

/// The same with another digit in one place, so that no check digit is right.
pub fn wrong_number(kind: Kind, random: &mut Random) -> Option<Number> {
    let mut number = number(kind, random)?;
    let places: Vec<usize> = number
        .plain
        .char_indices()
        .filter(|(_, c)| c.is_ascii_digit())
        .map(|(at, _)| at)
        .collect();
    let at = places[random.below(places.len())];
    let old = number.plain.as_bytes()[at] - b'0';
    let new = (old + random.between(1, 9) as u8) % 10;
    number
        .plain
        .replace_range(at..=at, &char::from(b'0' + new).to_string());
    Some(number)
}
