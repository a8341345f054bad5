//! Amounts, percentages, periods, measures, and numbers of which no more is known.

use super::units::{currency, factor, period_of, unit_of};
use super::{Fact, Found, bounds, discourse, pattern};
use crate::document::checks::language::Language;
use crate::document::checks::number_words::spelled;
use crate::document::checks::numerals::{Numeral, numerals};
use crate::document::checks::value::{ONE, Reading, Value};

pattern!(
    MULTIPLE,
    r"^[ \u{a0}\u{202f}-]{0,2}(?:(?P<word>(?i:tsd\.?|tausend|thousand|millions?|millionen|mio\.?|milliards?|milliarden?|mrd\.?|billion))(?:[ \u{a0}]d['’]| de\b|[^\p{L}]|$)|(?P<short>k|M|Md)€)",
);
// What leads from the first number of a range to the one that has the unit.
pattern!(
    RANGE,
    r"^[ \u{a0}]?(?:-|–|à|au|bis|to|auf|ou|oder|or|et|und|and)[ \u{a0}]?$",
);
pattern!(
    CURRENCY_AFTER,
    r"^[ \u{a0}\u{202f}]{0,2}(?P<name>€|£|\$|(?:EUR|GBP|CHF|USD)\b|(?i:euros?|francs?(?: suisses)?|franken|swiss francs|pfund(?: sterling)?|livres?(?: sterling)?|pounds?(?: sterling)?|dollars?)\b|Fr\.)",
);
pattern!(
    CURRENCY_BEFORE,
    r"(?P<name>€|£|\$|\b(?:EUR|GBP|CHF|USD|Euro)|\bFr\.)[ \u{a0}\u{202f}]?[-–−]?$"
);
pattern!(
    PERCENT,
    r"^[ \u{a0}\u{202f}]{0,2}(?:%|(?i:pour[ \u{a0}]cent|prozent|per ?cent|v\.[ ]?h\.)(?:\b|$))"
);
pattern!(
    PERIOD,
    r"^[ \u{a0}\u{202f}-]{0,2}(?:(?i:working|business|calendar|full|clear|whole|further|additional|other|more|consecutive|volle[nr]?|ganze[nr]?|weitere[nr]?|aufeinanderfolgende[nr]?)[ \u{a0}])?",
    r"(?P<unit>(?i:jours?|journées?|tage?[ns]?|days?|werktage?n?|arbeitstage?n?|kalendertage?n?|tägige?[nrs]?|semaines?|wochen?|weeks?|wöchige?[nrs]?|mois|monate?[ns]?|months?|monatige?[nrs]?|trimestres?|quartale?[ns]?|quarters?|ans?|années?|jahre?[ns]?|years?|jährige?[nrs]?|heures?|stunden?|hours?|minutes?|minuten?|h|min))\b",
);
pattern!(
    UNIT,
    r"^[ \u{a0}\u{202f}]{0,2}(?P<unit>(?i:km/h|kmh|mph|m/s|m²|m2|qm|m³|m3|km²|km|cm|mm|ml|kwh|mwh|kw|mw|kg|ha|°c|gb|mb|square metres?|square meters?|quadratmetern?|mètres? carrés?|kubikmetern?|mètres? cubes?|kilometres?|kilometers?|kilomètres?|kilometern?|centimetres?|centimètres?|zentimetern?|millilitres?|millilitern?|hectares?|hektar|metres?|meters?|mètres?|metern?|litres?|liters?|litern?|kilogrammes?|kilogramm|kilograms?|tonnes?|tonnen?)|m|l|g|t)(?:\b|$|[^\p{L}\d])",
);

pub fn find(found: &mut Found) {
    let mut all = numerals(found.text);
    all.extend(spelled(found.text).into_iter().map(|number| Numeral {
        start: number.start,
        end: number.end,
        reading: Reading::sure(u128::from(number.value) * ONE),
        spelled: true,
    }));
    all.sort_by_key(|numeral| numeral.start);
    for numeral in all {
        if found.is_free(numeral.start, numeral.end) {
            add(found, numeral);
        }
    }
    share_units(found);
}

/// Gives the first number of `18-25 ans` and `250 bis 300 Euro` the unit of the second.
fn share_units(found: &mut Found) {
    found.facts.sort_by_key(|fact| (fact.start, fact.end));
    for index in 1..found.facts.len() {
        let (head, tail) = found.facts.split_at_mut(index);
        let (Some(first), Some(next)) = (head.last_mut(), tail.first()) else {
            continue;
        };
        let Value::Number {
            reading,
            unit: None,
        } = first.value
        else {
            continue;
        };
        let between = found
            .text
            .text
            .get(first.end..next.start)
            .unwrap_or_default();
        if first.article || between.len() > 8 || !RANGE.is_match(between) {
            continue;
        }
        match next.value {
            Value::Amount { currency, .. } => {
                first.value = Value::Amount {
                    reading: as_amount(reading),
                    currency,
                }
            }
            Value::Number {
                unit: Some(unit), ..
            } => {
                first.value = Value::Number {
                    reading,
                    unit: Some(unit),
                }
            }
            Value::Duration {
                period,
                reading: second,
            } => {
                let written = found.text.text[next.start..next.end].to_lowercase();
                let unit = written
                    .rsplit(|c: char| !c.is_alphabetic())
                    .find(|word| !word.is_empty())
                    .unwrap_or_default();
                let (factor, named) = period_of(unit);
                // The factor is that of the unit's own word: of `2 bis 3 Wochen` it is 7.
                if named == period && second.likely % factor == 0 {
                    first.value = Value::Duration {
                        reading: reading.times(factor),
                        period,
                    };
                }
            }
            _ => {}
        }
    }
}

fn add(found: &mut Found, mut numeral: Numeral) {
    let digits_end = numeral.end;
    let mut after = found.text.after(numeral.end, 64);
    if let Some(hit) = MULTIPLE.captures(after)
        && let Some(word) = hit.name("word").or(hit.name("short"))
        && let Some(factor) = factor(word.as_str())
    {
        // `millions d'euros`.
        let joint = after[word.end()..]
            .strip_prefix([' ', '\u{a0}'])
            .and_then(|rest| {
                rest.strip_prefix("d'")
                    .or(rest.strip_prefix("d’"))
                    .or(rest.strip_prefix("de "))
            });
        let end = joint.map_or(word.end(), |rest| after.len() - rest.len());
        numeral.reading = numeral.reading.times(factor);
        numeral.end += end;
        after = &after[end..];
    }
    let before = found.text.before(numeral.start, 24);
    if let Some(hit) = CURRENCY_AFTER.captures(after) {
        let currency = currency(&hit["name"]);
        let (start, end) = (
            numeral.start,
            numeral.end + hit.get(0).map_or(0, |all| all.end()),
        );
        return found.add(
            start,
            end,
            Value::Amount {
                reading: as_amount(numeral.reading),
                currency,
            },
        );
    }
    if let Some(hit) = CURRENCY_BEFORE.captures(before) {
        let currency = currency(&hit["name"]);
        let start =
            numeral.start - before.len() + hit.get(0).map_or(before.len(), |all| all.start());
        if found.is_free(start, numeral.end) {
            return found.add(
                start,
                numeral.end,
                Value::Amount {
                    reading: as_amount(numeral.reading),
                    currency,
                },
            );
        }
    }
    if let Some(hit) = PERCENT.find(after) {
        let value = Value::Number {
            reading: numeral.reading,
            unit: Some("%"),
        };
        return found.add(numeral.start, numeral.end + hit.end(), value);
    }
    // `an` is a year in French alone: German and English have other words that look like it.
    let french = found.text.languages.first() == Some(&Language::French);
    let period = PERIOD
        .captures(after)
        .and_then(|hit| hit.name("unit"))
        .filter(|unit| french || !unit.as_str().eq_ignore_ascii_case("an"));
    if let Some(unit) = period.filter(|_| digits_end == numeral.end) {
        let (factor, period) = period_of(&unit.as_str().to_lowercase());
        let value = Value::Duration {
            reading: numeral.reading.times(factor),
            period,
        };
        let (start, end) = (numeral.start, numeral.end + unit.end());
        let bound = bounds::of_period(found.text.before(start, 48));
        return found.add_fact(Fact {
            bound,
            ..Fact::new(start, end, value)
        });
    }
    let written = found.text.text[numeral.start..numeral.end].to_lowercase();
    let article = numeral.spelled
        && numeral.reading.likely == ONE
        && !matches!(written.as_str(), "one" | "eins");
    let unit = UNIT
        .captures(after)
        .and_then(|hit| hit.name("unit"))
        .filter(|_| !numeral.spelled || after.len() > 2);
    let (unit, end) = match unit {
        Some(unit) => (
            unit_of(&unit.as_str().to_lowercase()),
            numeral.end + unit.end(),
        ),
        None => (None, numeral.end),
    };
    let value = Value::Number {
        reading: numeral.reading,
        unit,
    };
    let small = numeral.spelled && numeral.reading.likely <= 10 * ONE;
    let structural = small
        && (numeral.reading.likely <= 5 * ONE && discourse::is_counted(found, numeral.end)
            || unit.is_none()
                && numeral.reading.likely <= 3 * ONE
                && discourse::is_definite(before));
    found.add_fact(Fact {
        spelled: small,
        structural,
        article,
        ..Fact::new(numeral.start, end, value)
    });
}

/// An amount has no three decimals: `1.234 €` is more than a thousand.
fn as_amount(reading: Reading) -> Reading {
    match reading.other {
        Some(other) => Reading::sure(reading.likely.max(other)),
        None => reading,
    }
}
