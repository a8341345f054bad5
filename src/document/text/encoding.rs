//! The encoding of a text that does not say it.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use std::borrow::Cow;

/// The text, or nothing where the bytes are none.
///
/// A byte order mark decides, then UTF-8, if it is that throughout; else the detector, whose
/// answers for Latin-1 and ISO 8859-15 are among those of Windows-1252, which holds both.
pub fn decode(bytes: &[u8]) -> Option<Cow<'_, str>> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        let (text, had_errors) = encoding.decode_without_bom_handling(&bytes[mark..]);
        return (!had_errors && is_text(&text)).then_some(text);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return is_text(text).then_some(Cow::Borrowed(text));
    }
    if let Some(encoding) = utf_16_without_mark(bytes) {
        let (text, had_errors) = encoding.decode_without_bom_handling(bytes);
        return (!had_errors && is_text(&text)).then_some(text);
    }
    // Text in any other encoding has no zero bytes.
    if bytes.contains(&0) {
        return None;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(&bytes[..bytes.len().min(1 << 20)], true);
    let guess = detector.guess(None, Utf8Detection::Deny);
    let encoding = match is_western(guess) || !has_many_high(bytes) {
        true => WINDOWS_1252,
        false => guess,
    };
    let (text, had_errors) = encoding.decode_without_bom_handling(bytes);
    let text = match had_errors && encoding != WINDOWS_1252 {
        true => WINDOWS_1252.decode_without_bom_handling(bytes).0,
        false => text,
    };
    is_text(&text).then_some(text)
}

/// The text in an encoding that the file names, or as `decode` finds it.
pub fn decode_labelled<'a>(bytes: &'a [u8], label: Option<&str>) -> Option<Cow<'a, str>> {
    let named = label.and_then(|label| Encoding::for_label(label.trim().as_bytes()));
    match named {
        Some(encoding) if encoding != UTF_8 && Encoding::for_bom(bytes).is_none() => {
            Some(encoding.decode_without_bom_handling(bytes).0)
        }
        _ => decode(bytes),
    }
}

/// German and French letters with few accents are taken for other alphabets now and then.
fn is_western(encoding: &'static Encoding) -> bool {
    [
        "windows-1252",
        "windows-1250",
        "windows-1254",
        "windows-1257",
        "ISO-8859-2",
        "windows-1258",
    ]
    .contains(&encoding.name())
        && encoding != encoding_rs::WINDOWS_1250
        || encoding == WINDOWS_1252
}

/// Whether at least a tenth of the bytes is beyond ASCII, as in Greek, Cyrillic or Japanese.
fn has_many_high(bytes: &[u8]) -> bool {
    bytes.iter().filter(|byte| **byte >= 0x80).count() * 10 >= bytes.len()
}

/// Latin text in UTF-16 has a zero in every other byte.
fn utf_16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(4096)];
    let zeros = |offset: usize| {
        head.iter()
            .skip(offset)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    let half = head.len() / 2;
    match (zeros(0), zeros(1)) {
        (even, odd) if half >= 8 && odd * 10 > half * 7 && even * 10 < half => Some(UTF_16LE),
        (even, odd) if half >= 8 && even * 10 > half * 7 && odd * 10 < half => Some(UTF_16BE),
        _ => None,
    }
}

/// Text has next to no control characters.
fn is_text(text: &str) -> bool {
    let controls = text
        .chars()
        .filter(|c| {
            c.is_control()
                && !matches!(
                    c,
                    '\n' | '\r' | '\t' | '\u{c}' | '\u{b}' | '\u{85}' | '\u{1a}'
                )
        })
        .count();
    controls * 200 <= text.len() && !text.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn french_and_german_are_read_in_every_encoding_they_are_saved_in() {
        for text in [
            "Décision du 3 août : 1 234,56 € à verser à l’intéressé, œuvre n° 5.",
            "Bescheid über die Höhe der Gebühr: 12 € für Straße und Öl, „bitte“.",
            "é",
        ] {
            assert_eq!(decode(text.as_bytes()).unwrap(), text);
            assert_eq!(decode(&WINDOWS_1252.encode(text).0).unwrap(), text);
            let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert_eq!(
                decode(&[&[0xff, 0xfe], &utf_16[..]].concat()).unwrap(),
                text
            );
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_none() {
        assert_eq!(decode(&[0, 1, 2, 3, 0xfe]), None);
        assert_eq!(
            decode(&(0..=255).cycle().take(4096).collect::<Vec<u8>>()),
            None
        );
    }
}
