//! What stands in letters, has digits, and is no value.

use super::Random;

pub const CLASSES: [&str; 11] = [
    "amount",
    "invoice",
    "file",
    "date",
    "order",
    "article",
    "plain number",
    "law",
    "timestamp",
    "reading",
    "version",
];

/// A clause of a class, in one of the languages.
pub fn decoy(class: &str, random: &mut Random) -> String {
    match class {
        "amount" => amount(random),
        "invoice" => {
            let len = random.between(8, 14);
            let number = random.digits(len);
            let before = random.of(&[
                "Facture n° ",
                "la facture ",
                "Rechnung Nr. ",
                "Rechnungsnummer: ",
                "invoice no. ",
                "Bordereau ",
                "Beleg-Nr. ",
            ]);
            format!("{before}{number}")
        }
        "file" => {
            let number = random.of(&["{a}-{b}/{c}", "{c} {b} {a}", "{a}.{b}.{c}", "{a}{b}{c}"]);
            let (a, b, c) = (random.digits(4), random.digits(5), random.digits(3));
            let number = number
                .replace("{a}", &a)
                .replace("{b}", &b)
                .replace("{c}", &c);
            let before = random.of(&[
                "Dossier n° ",
                "Réf. : ",
                "Az. ",
                "Aktenzeichen ",
                "Our ref. ",
                "case ",
                "Geschäftszeichen: ",
            ]);
            format!("{before}{number}")
        }
        "date" => {
            let (day, month, year) = (
                random.between(1, 28),
                random.between(1, 12),
                random.between(2015, 2027),
            );
            let before = random.of(&["le ", "am ", "on ", "Fait le ", "Eingang: ", "until "]);
            let form = random.below(4);
            let date = match form {
                0 => format!("{day:02}/{month:02}/{year}"),
                1 => format!("{day:02}.{month:02}.{year}"),
                2 => format!("{year}-{month:02}-{day:02}"),
                _ => format!("{day} mars {year}"),
            };
            format!("{before}{date}")
        }
        "order" => {
            let len = random.between(9, 18);
            let number = random.digits(len);
            let before = random.of(&[
                "commande ",
                "colis n° ",
                "suivi : ",
                "Bestellnummer ",
                "Sendungsnummer ",
                "Kundennummer ",
                "tracking number ",
                "order ",
            ]);
            format!("{before}{number}")
        }
        "article" => {
            // An EAN of a book, with the right check digit.
            let body = format!("978{}", random.digits(9));
            let sum: u32 = body
                .bytes()
                .zip([1, 3].into_iter().cycle())
                .map(|(byte, weight)| u32::from(byte - b'0') * weight)
                .sum();
            format!("ISBN {body}{}", (10 - sum % 10) % 10)
        }
        "plain number" => {
            let len = random.between(5, 16);
            // One that begins with 0 may be a telephone number.
            let number = format!("{}{}", random.between(1, 9), random.digits(len - 1));
            let (before, after) = [
                ("Le nombre ", " figure en marge"),
                ("Die Zahl ", " steht am Rand"),
                ("The figure ", " is in the margin"),
            ][random.below(3)];
            format!("{before}{number}{after}")
        }
        "law" => random
            .of(&[
                "article L. 311-3-1 du code des relations entre le public et l'administration",
                "§ 35 VwVfG",
                "règlement (UE) 2016/679",
                "BGBl. I S. 3634",
                "décret n° 2019-797 du 26 juillet 2019",
                "NOR : INTX2512345D",
                "JORF n° 0171 du 26 juillet 2019",
            ])
            .to_owned(),
        "timestamp" => {
            let before = random.of(&["horodatage ", "um ", "le ", "at ", "Datei-"]);
            let (month, day) = (random.between(1, 12), random.between(1, 28));
            let (hour, minute, second) = (random.below(24), random.below(60), random.below(60));
            format!("{before}2026{month:02}{day:02}{hour:02}{minute:02}{second:02}")
        }
        "reading" => {
            let number = random.between(1_000, 999_999_999);
            let number = grouped(number, random.of(&[" ", ".", "\u{202f}"]));
            let after = random.of(&[" kWh", " habitants", " Einwohner", " m²", " km"]);
            format!("relevé de {number}{after}")
        }
        _ => format!(
            "version {}.{}.{} du logiciel, adresse 192.168.{}.{}",
            random.below(20),
            random.below(100),
            random.digits(4),
            random.below(256),
            random.below(256)
        ),
    }
}

fn amount(random: &mut Random) -> String {
    let number = random.between(1_000, 2_000_000_000);
    let cents = random.below(100);
    match random.below(5) {
        0 => format!("soit {},{cents:02} €", grouped(number, " ")),
        1 => format!("un total de {} euros", grouped(number, "\u{a0}")),
        2 => format!("insgesamt {},{cents:02} EUR", grouped(number, ".")),
        3 => format!("that is €{}.{cents:02}", grouped(number, ",")),
        _ => format!("{} Euro Zuschuss", grouped(number, ".")),
    }
}

fn grouped(number: usize, separator: &str) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push_str(separator);
        }
        out.push(digit);
    }
    out
}
