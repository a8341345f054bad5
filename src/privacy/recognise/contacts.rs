//! Addresses of e-mail.

use super::super::kind::Kind;
use super::{Candidate, Search};

/// As the domain name system allows them.
const MAX_DOMAIN_BYTES: usize = 253;

pub fn find(search: &mut Search) {
    let text = search.text;
    for (at, _) in text.match_indices('@') {
        let Some((start, end)) = local_part(text, at).zip(domain(text, at + 1)) else {
            continue;
        };
        search.candidates.push(Candidate {
            kind: Kind::Email,
            range: start..end,
            key: text.get(start..end).unwrap_or_default().to_lowercase(),
            is_sure: true,
        });
    }
}

/// Where the part before the `@` begins.
fn local_part(text: &str, at: usize) -> Option<usize> {
    let is_part = |c: char| c.is_alphanumeric() || "._%+-'&~=".contains(c);
    let before = text.get(..at)?;
    let part = before.get(before.trim_end_matches(is_part).len()..)?;
    let trimmed = part.trim_start_matches(['.', '-', '\'', '&', '=', '~']);
    let is_whole = !trimmed.is_empty() && !trimmed.ends_with('.');
    is_whole.then_some(at - trimmed.len())
}

/// Where the domain behind the `@` ends: labels with points between them, the last one of letters.
fn domain(text: &str, start: usize) -> Option<usize> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
    let until = text.floor_char_boundary(start + MAX_DOMAIN_BYTES);
    let after = text.get(start..until)?;
    let part = after.get(..after.len() - after.trim_start_matches(is_part).len())?;
    let mut part = part.trim_end_matches(['.', '-']);
    // `mairie.fr.Bonjour` is a sentence after an address, but only a point with no space says so.
    while let Some((head, last)) = part.rsplit_once('.') {
        let is_domain = last.chars().count() >= 2 && last.chars().all(char::is_alphabetic);
        if is_domain && head.split('.').all(is_label) {
            return Some(start + part.len());
        }
        part = head;
    }
    None
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::super::Recogniser;

    #[test]
    fn an_address_ends_where_the_sentence_goes_on() {
        let recogniser = Recogniser::default();
        for (text, address) in [
            (
                "Écrire à jean.dupont@mairie-lyon.fr.",
                "jean.dupont@mairie-lyon.fr",
            ),
            (
                "<o'neil+amt@stadt.example.de>",
                "o'neil+amt@stadt.example.de",
            ),
            ("E-Mail:müller@köln.de, Fax", "müller@köln.de"),
            ("(a@b.fr)", "a@b.fr"),
            ("'a@b.fr'", "a@b.fr"),
        ] {
            let found = recogniser.find(text);
            assert_eq!(found.len(), 1, "{text}");
            assert_eq!(&text[found[0].range.clone()], address);
        }
        for text in [
            "3 pommes @ 2 €",
            "@mairie",
            "a@b",
            "x@.fr",
            "x@1.2",
            "a.@b.fr",
        ] {
            assert!(recogniser.find(text).is_empty(), "{text}");
        }
    }
}
