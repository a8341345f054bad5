//! Legal references: articles and sections with their paragraphs and laws, and acts by number.

use super::{Fact, Found, laws, pattern};
use crate::document::checks::value::Value;

pattern!(
    HEAD,
    r"(?:§§?|\b(?i:art(?:icles?|ikeln?|\.)|sections?|sec\.|abschnitte?n?|regulations?|paragraphen?)|\bs\.)[ \u{a0}\u{202f}]{0,2}",
    r"(?:n° ?)?(?:[LRDA]\.? ?\*?)?\d",
);
pattern!(BARE, r"\b[LRD](?:\. ?|)\d{1,4}-\d");
pattern!(
    NUMBER,
    r"^(?:n° ?)?(?P<letter>[LRDA])?\.?[ \u{a0}\u{202f}]?\*?(?P<digits>\d{1,5}(?:[-–‑]\d{1,4}){0,4})(?P<suffix>[a-z]\b)?(?:er\b|\b)(?:\.(?P<dotted>\d{1,2})\b)?",
);
pattern!(
    PART,
    r"^[,\s]{0,2}(?:(?:Abs\.|Absatz|al\.|alinéa|paragraphe|paragraph|para\.|§|Satz|Nr\.|Nummer|no\.|No\.|Buchst\.|Buchstabe|lit\.|point|sous|lettre|let\.|chiffre|ch\.|letter|sentence|phrase)[ \u{a0}]?(?P<named>\d{1,3}|[a-z])\b\)?|[ ]?\((?P<round>[0-9a-z]{1,4})\))",
);
pattern!(
    NEXT,
    r"^[ \u{a0}]?(?:,|et|und|and|ou|oder|or|à|bis|to)[ \u{a0}](?:l['’]article )?(?P<number>(?:[LRDA]\.? ?)?\d)"
);
pattern!(
    ACT,
    r"\b(?i:(?:durchführungs|bundes|delegierte )?(?:lois?|décrets?|ordonnances?|règlements?|verordnung|regulation|directives?|richtlinie|arrêté|beschluss|gesetz(?:es)?|dekrets?|law|decree|act))",
    r"(?: (?:organique|d['’]exécution|délégué))?[ \u{a0}](?:\((?:EU|UE|EG|CE|EC)\) )?(?:n° ?|Nr\. ?|No\.? ?)?(?P<number>(?:19|20)?\d{2}[-/]\d{1,4})\b",
);
pattern!(
    HEADING,
    r"(?m)^[ \t#*]{0,6}(?i:article|artikel)[ \u{a0}](?P<number>\d{1,3})(?:er)?[ \u{a0}]?[.:–—\n*-]"
);

/// Articles in a row that share their law.
const MAX_ROW: usize = 12;
/// Paragraphs, sentences, letters of one article.
const MAX_PARTS: usize = 5;
/// Bytes within which an article and its law stand.
const REACH: usize = 240;

pub fn find(found: &mut Found) {
    let text = found.text.text;
    for heading in HEADING.captures_iter(text) {
        let (Some(all), Some(number)) = (heading.get(0), heading.name("number")) else {
            continue;
        };
        let value = Value::Reference {
            law: None,
            number: number.as_str().to_owned(),
            parts: Vec::new(),
        };
        let (start, end) = (all.start(), number.end());
        found.add_fact(Fact {
            structural: true,
            ..Fact::new(start, end, value)
        });
    }
    let heads = HEAD.find_iter(text).chain(BARE.find_iter(text));
    for head in heads.collect::<Vec<_>>() {
        let first_digit = head
            .as_str()
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or_default();
        let label = head.as_str()[..first_digit]
            .trim_end_matches(['L', 'R', 'D', 'A', '.', ' ', '*', '\u{a0}', '\u{202f}']);
        // `s.` ends in the point that was cut off, and it is no label's letter.
        let at = head.start() + label.len() + usize::from(label.ends_with('s') && label.len() == 1);
        if found.is_free(head.start(), head.end()) {
            add_row(found, head.start(), at, is_plural(label));
        }
    }
    for act in ACT.captures_iter(text) {
        let (Some(all), Some(number)) = (act.get(0), act.name("number")) else {
            continue;
        };
        if found.is_free(all.start(), all.end()) {
            let number = number.as_str().replace('/', "-");
            let law = laws::numbered(&number.replace('-', "/"));
            found.add(
                all.start(),
                all.end(),
                Value::Reference {
                    law,
                    number,
                    parts: Vec::new(),
                },
            );
        }
    }
}

fn is_plural(label: &str) -> bool {
    label == "§§"
        || label.ends_with("les")
        || label.to_lowercase().starts_with("artikel")
        || label.to_lowercase().ends_with("ions")
}

/// Adds the article at `at`, and those that follow it in a row: they share the law behind them.
fn add_row(found: &mut Found, start: usize, at: usize, plural: bool) {
    let text = found.text.text;
    let mut row: Vec<(usize, usize, String, Vec<String>)> = Vec::new();
    let (mut start, mut at) = (
        start,
        at + (text[at..].len()
            - text[at..]
                .trim_start_matches(['.', ' ', '\u{a0}', '\u{202f}'])
                .len()),
    );
    let mut law = None;
    while row.len() < MAX_ROW {
        let Some((number, parts, end)) = article(found, at) else {
            break;
        };
        row.push((start, end, number, parts));
        let rest = found.text.after(end, REACH);
        if let Some((name, length)) = laws::named(rest) {
            law = Some(name);
            if let Some(last) = row.last_mut() {
                last.1 = end + length;
            }
            break;
        }
        let Some(next) = NEXT.captures(rest).and_then(|next| next.name("number")) else {
            break;
        };
        if !plural && !next.as_str().starts_with(['L', 'R', 'D', 'A']) {
            break;
        }
        start = end + next.start();
        at = start;
    }
    for (start, end, number, parts) in row {
        found.add(
            start,
            end,
            Value::Reference {
                law: law.clone(),
                number,
                parts,
            },
        );
    }
}

/// The number of an article, its parts, and where they end.
fn article(found: &Found, at: usize) -> Option<(String, Vec<String>, usize)> {
    let rest = found.text.after(at, REACH);
    let number = NUMBER.captures(rest)?;
    let letter = number.name("letter").map_or("", |letter| letter.as_str());
    let digits = number.name("digits")?.as_str().replace(['–', '‑'], "-");
    let suffix = number.name("suffix").map_or("", |suffix| suffix.as_str());
    let mut parts: Vec<String> = number
        .name("dotted")
        .map(|part| part.as_str().to_owned())
        .into_iter()
        .collect();
    let mut end = number.get(0)?.end();
    while parts.len() < MAX_PARTS {
        let Some(part) = PART.captures(&rest[end..]) else {
            break;
        };
        let Some(value) = part.name("named").or(part.name("round")) else {
            break;
        };
        parts.push(value.as_str().to_owned());
        end += part.get(0)?.end();
    }
    Some((format!("{letter}{digits}{suffix}"), parts, at + end))
}
