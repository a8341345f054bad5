use serde::{Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;

/// What a version may look like, for messages.
pub(super) const FORM: &str =
    "a version is one to three numbers with points between them, such as 1, 1.2 or 2026.3.1";

/// `1`, `1.2` or `2026.3.1`: compared number by number; what is left out counts as 0, so that
/// `1` and `1.0` are one version.
#[derive(Debug, Clone)]
pub struct Version {
    numbers: [u32; 3],
    /// As the file's name has it.
    text: String,
}

impl Version {
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = [0; 3];
        let mut parts = text.split('.');
        for (place, part) in numbers.iter_mut().zip(parts.by_ref()) {
            // One spelling each: neither `+1` nor `01`.
            let plain = part.bytes().all(|byte| byte.is_ascii_digit());
            if !plain || (part.len() > 1 && part.starts_with('0')) {
                return None;
            }
            *place = part.parse().ok()?;
        }
        let text = text.to_owned();
        parts.next().is_none().then_some(Self { numbers, text })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.numbers == other.numbers
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_their_numbers_and_not_by_their_letters() {
        let version = |text| Version::parse(text).unwrap();
        assert!(version("10") > version("9.9.9"));
        assert!(version("2026.10.1") > version("2026.9.30"));
        assert_eq!(version("1"), version("1.0.0"));
        assert_eq!(version("1.0").to_string(), "1.0");
    }

    #[test]
    fn a_version_has_one_spelling() {
        for text in [
            "",
            "v1",
            "1.",
            ".1",
            "01",
            "1.2.3.4",
            "1-2",
            "+1",
            "1.a",
            "4294967296",
        ] {
            assert!(Version::parse(text).is_none(), "{text}");
        }
    }
}
