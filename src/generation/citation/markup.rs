//! `<quote doc="2">words of the second document</quote>`.

pub(super) const OPEN: &[u8] = b"<quote";
pub(super) const ATTRIBUTE: &[u8] = b" doc=\"";
pub(super) const OPENED: &[u8] = b"\">";
/// No request has more documents.
const MAX_DIGITS: usize = 6;

const CLOSING_TAG: &str = "</quote>";
pub(super) const CLOSE: &[u8] = CLOSING_TAG.as_bytes();

/// What opens a quotation at the beginning of a text.
pub(super) enum Opening {
    Of {
        document: usize,
        num_bytes: usize,
    },
    None,
    /// More of the text says.
    Unfinished,
}

pub(super) fn opening_of(text: &str) -> Opening {
    let fixed = OPEN.len() + ATTRIBUTE.len();
    let num_same = text
        .bytes()
        .zip(OPEN.iter().chain(ATTRIBUTE))
        .take_while(|(one, other)| one == *other)
        .count();
    if num_same < fixed {
        return if num_same == text.len() {
            Opening::Unfinished
        } else {
            Opening::None
        };
    }
    let rest = &text[fixed..];
    let num_digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, end) = rest.split_at(num_digits);
    let num_bytes = fixed + num_digits + OPENED.len();
    match digits.parse() {
        Ok(document) if end.as_bytes().starts_with(OPENED) => Opening::Of {
            document,
            num_bytes,
        },
        _ if OPENED.starts_with(end.as_bytes()) && num_digits <= MAX_DIGITS => Opening::Unfinished,
        _ => Opening::None,
    }
}

/// The text with blanks in the place of its tags: as long, and with nothing in it but what is said.
pub fn without_tags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        let num_bytes = match opening_of(tag) {
            Opening::Of { num_bytes, .. } => num_bytes,
            _ if tag.as_bytes().starts_with(CLOSE) => CLOSE.len(),
            _ => {
                out.push('<');
                rest = &tag[1..];
                continue;
            }
        };
        out.extend(std::iter::repeat_n(' ', num_bytes));
        rest = &tag[num_bytes..];
    }
    out.push_str(rest);
    out
}

/// What opens a quotation of a document, which has a number from 1.
pub fn opening_tag(document: usize) -> String {
    format!("<quote doc=\"{document}\">")
}

pub fn closing_tag() -> &'static str {
    CLOSING_TAG
}
