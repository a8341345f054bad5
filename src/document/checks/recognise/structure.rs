//! Numbers that are no facts: of list items, headings, paragraphs and pages.

use super::{Found, pattern};

pattern!(
    ITEM,
    r"(?m)^[ \t>#*]{0,12}(?P<number>\d{1,3}(?:[.)]|(?:\.\d{1,3}){1,4}\.?)|\(\d{1,3}\))[ \t\u{a0}]"
);
pattern!(
    PAGE,
    r"\b(?i:pages?|seiten?|p\.|S\.)[ \u{a0}]?(?P<number>\d{1,5}(?:[ \u{a0}]?(?:/|sur|von|of|de|à|bis|to|-|–)[ \u{a0}]?\d{1,5})?)\b"
);
pattern!(
    ALONE,
    r"(?m)^[ \t–—-]{0,8}(?P<number>\d{1,4}(?: ?/ ?\d{1,4})?)[ \t–—-]{0,8}$"
);

pub fn find(found: &mut Found) {
    for pattern in [&*ITEM, &*PAGE, &*ALONE] {
        for hit in pattern.captures_iter(found.text.text) {
            let Some(number) = hit.name("number") else {
                continue;
            };
            if found.is_free(number.start(), number.end()) {
                found.take(number.start(), number.end());
            }
        }
    }
}
