//! Units, currencies and multiples, by their names in the three languages.

use crate::document::checks::value::Period;

const UNITS: &[(&str, &[&str])] = &[
    ("km/h", &["km/h", "kmh"]),
    (
        "m²",
        &[
            "m²",
            "m2",
            "qm",
            "square met",
            "quadratmeter",
            "mètre carré",
            "mètres carrés",
        ],
    ),
    (
        "m³",
        &["m³", "m3", "kubikmeter", "mètre cube", "mètres cubes"],
    ),
    ("km", &["km", "kilom"]),
    ("cm", &["cm", "centim", "zentimeter"]),
    ("ml", &["ml", "millilit"]),
    ("ha", &["ha", "hectare", "hektar"]),
    ("kg", &["kg", "kilog"]),
    ("m", &["m", "metre", "meter", "mètre"]),
    ("l", &["l", "litre", "liter"]),
    ("t", &["t", "tonne"]),
];

const CURRENCIES: &[(&str, &[&str])] = &[
    ("EUR", &["€", "eur"]),
    ("GBP", &["£", "gbp", "pfund", "livre", "pound"]),
    ("USD", &["$", "usd", "dollar"]),
    ("CHF", &["chf", "fr", "swiss"]),
];

pub fn factor(word: &str) -> Option<u128> {
    if word == "M" {
        return Some(1_000_000);
    }
    let word = word.to_lowercase();
    match word.trim_end_matches('.') {
        "k" | "tsd" | "tausend" | "thousand" => Some(1000),
        "million" | "millions" | "millionen" | "mio" => Some(1_000_000),
        "milliard" | "milliards" | "milliarde" | "milliarden" | "mrd" | "md" | "billion" => {
            Some(1_000_000_000)
        }
        _ => None,
    }
}

pub fn currency(name: &str) -> &'static str {
    let name = name.to_lowercase();
    let known = CURRENCIES
        .iter()
        .find(|(_, names)| names.iter().any(|known| name.starts_with(known)));
    known.map_or("EUR", |(currency, _)| currency)
}

pub fn unit_of(name: &str) -> Option<&'static str> {
    const OTHERS: [&str; 10] = [
        "mph", "m/s", "km²", "mm", "kwh", "mwh", "kw", "mw", "gb", "mb",
    ];
    let exact = UNITS
        .iter()
        .find(|(_, names)| names.contains(&name))
        .map(|(unit, _)| *unit);
    let other = || OTHERS.into_iter().find(|unit| *unit == name);
    let longer = || {
        UNITS
            .iter()
            .find(|(_, names)| {
                names
                    .iter()
                    .any(|known| known.len() > 3 && name.starts_with(known))
            })
            .map(|(unit, _)| *unit)
    };
    exact.or_else(other).or_else(longer)
}

pub fn period_of(unit: &str) -> (u128, Period) {
    let starts = |heads: &[&str]| heads.iter().any(|head| unit.starts_with(head));
    if starts(&["sem", "woc", "wee", "wöc"]) {
        (7, Period::Days)
    } else if starts(&["moi", "mon"]) {
        (1, Period::Months)
    } else if starts(&["trim", "quar"]) {
        (3, Period::Months)
    } else if starts(&["an", "jahr", "year", "jähr"]) {
        (12, Period::Months)
    } else if starts(&["heu", "stu", "hou"]) || unit == "h" {
        (60, Period::Minutes)
    } else if starts(&["min"]) {
        (1, Period::Minutes)
    } else {
        (1, Period::Days)
    }
}
