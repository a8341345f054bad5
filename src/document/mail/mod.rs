//! E-mails: who wrote to whom and when, the text as mail programs show it, then what is attached,
//! read like any other file.

pub(super) mod eml;
pub(super) mod msg;
mod properties;

/// Names that the first lines of a message have, in small letters.
const KNOWN: &[&str] = &[
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "received",
    "return-path",
    "mime-version",
    "message-id",
    "delivered-to",
    "content-type",
    "reply-to",
    "sender",
    "x-mozilla-status",
    "dkim-signature",
];

/// Whether a text begins with the head of a message: two known fields, and nothing but fields.
pub(super) fn looks_like_mail(text: &str) -> bool {
    let mut num_known = 0;
    for line in text
        .lines()
        .take_while(|line| !line.trim().is_empty())
        .take(200)
    {
        if line.starts_with([' ', '\t']) || line.starts_with("From ") {
            continue;
        }
        let Some((name, _)) = line.split_once(':') else {
            return false;
        };
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_name {
            return false;
        }
        num_known += usize::from(KNOWN.contains(&name.to_ascii_lowercase().as_str()));
    }
    num_known >= 2
}
