//! The header of a safetensors file: which tensors lie where in it.
//!
//! Stricter than the `safetensors` library, and with messages that name the tensor: names occur
//! once, and the tensors fill the file without a gap. What it allocates the file has bytes for.

use safetensors::Dtype;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

/// What a header says of a tensor.
#[derive(Debug, PartialEq)]
pub struct Entry {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// Its bytes in the file.
    pub range: Range<usize>,
}

/// Bytes before the header, which say how long it is.
const LENGTH: usize = 8;
/// The longest header that the `safetensors` library writes or reads, in bytes.
const MAX_HEADER: u64 = 100_000_000;

/// The tensors of a whole file, in the order in which they lie in it.
pub fn read(file: &[u8]) -> Result<Vec<Entry>, String> {
    let Some((length, rest)) = file.split_first_chunk::<LENGTH>() else {
        return Err(format!(
            "the file is {} bytes long, shorter than the length of a header",
            file.len()
        ));
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER {
        return Err(format!(
            "the header is said to be {length} bytes long; at most {MAX_HEADER} are allowed"
        ));
    }
    let Some((header, data)) = usize::try_from(length)
        .ok()
        .and_then(|length| rest.split_at_checked(length))
    else {
        return Err(format!(
            "the header is said to be {length} bytes long, but the file ends before"
        ));
    };
    let header: Header =
        serde_json::from_slice(header).map_err(|e| format!("the header is invalid: {e}"))?;
    let start = LENGTH + length as usize;
    let mut entries = header
        .0
        .into_iter()
        .map(|(name, info)| entry(name, info))
        .collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(|entry| (entry.range.start, entry.range.end));
    check_order(&entries, data.len())?;
    for entry in &mut entries {
        entry.range = entry.range.start + start..entry.range.end + start;
    }
    Ok(entries)
}

/// A tensor whose offsets hold its elements, the offsets still from where data begin.
fn entry(name: String, info: Info) -> Result<Entry, String> {
    let Ok(dtype) = serde_json::from_value::<Dtype>(Value::String(info.dtype.clone())) else {
        return Err(format!(
            "the tensor {name} has type `{}`, which safetensors does not have",
            info.dtype
        ));
    };
    let (start, end) = info.data_offsets;
    let num_bits = info
        .shape
        .iter()
        .try_fold(1, |product: usize, n| product.checked_mul(*n))
        .and_then(|elements| elements.checked_mul(dtype.bitsize()));
    let Some(num_bits) = num_bits else {
        return Err(format!(
            "the elements of the tensor {name} overflow: its shape is {:?}",
            info.shape
        ));
    };
    if start > end || !num_bits.is_multiple_of(8) || end - start != num_bits / 8 {
        return Err(format!(
            "the tensor {name} has invalid offsets: from {start} to {end} there is no room for \
             exactly {:?} elements of type {dtype:?}",
            info.shape
        ));
    }
    Ok(Entry {
        name,
        dtype,
        shape: info.shape,
        range: start..end,
    })
}

fn check_order(entries: &[Entry], num_bytes: usize) -> Result<(), String> {
    let mut end = 0;
    for Entry { name, range, .. } in entries {
        let problem = if range.start < end {
            "it begins inside another tensor"
        } else if range.start > end {
            "bytes before it belong to no tensor"
        } else if range.end > num_bytes {
            "it ends after the file"
        } else {
            end = range.end;
            continue;
        };
        return Err(format!(
            "the tensor {name} has invalid offsets, {} to {}: {problem}",
            range.start, range.end
        ));
    }
    if end < num_bytes {
        return Err(format!(
            "{} bytes after the last tensor belong to none",
            num_bytes - end
        ));
    }
    Ok(())
}

/// Names and what stands behind them, as the file has them.
struct Header(Vec<(String, Info)>);

#[derive(Deserialize)]
struct Info {
    dtype: String,
    shape: Vec<usize>,
    /// Of the first byte, and of the first that is not the tensor's.
    data_offsets: (usize, usize),
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object with an entry for each tensor")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut names = BTreeSet::new();
        let mut tensors = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            if !names.insert(name.clone()) {
                return Err(A::Error::custom(format!(
                    "the tensor {name} is listed twice"
                )));
            }
            let info = map
                .next_value()
                .map_err(|e| A::Error::custom(format!("the tensor {name}: {e}")))?;
            tensors.push((name, info));
        }
        Ok(Header(tensors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let length = (header.len() as u64).to_le_bytes();
        [&length, header.as_bytes(), data].concat()
    }

    #[test]
    fn tensors_are_found_where_they_lie_in_whatever_order_they_are_listed() {
        let header = r#"{"b":{"dtype":"BF16","shape":[3],"data_offsets":[4,10]},
            "__metadata__":{"format":"pt"},
            "a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},
            "empty":{"dtype":"I64","shape":[0,7],"data_offsets":[4,4]}}"#;
        let entries = read(&file(header, &[0; 10])).unwrap();
        let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["a", "empty", "b"]);
        let start = 8 + header.len();
        assert_eq!(entries[2].range, start + 4..start + 10);
        assert_eq!(
            (entries[2].dtype, &entries[2].shape[..]),
            (Dtype::BF16, &[3][..])
        );
    }

    #[test]
    fn what_a_header_claims_wrongly_is_said_in_one_sentence() {
        let one = |shape: &str, offsets: &str| {
            format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#)
        };
        let two = |second: &str| {
            format!(
                r#"{{"a":{{"dtype":"U8","shape":[4],"data_offsets":[0,4]}},
                    "b":{{"dtype":"U8","shape":[4],"data_offsets":{second}}}}}"#
            )
        };
        for (header, expected) in [
            (one("[1]", "[0,8]"), "the tensor a has invalid offsets"),
            (one("[3]", "[4,0]"), "the tensor a has invalid offsets"),
            (one("[2,2]", "[0,16]"), "it ends after the file"),
            (
                one("[1]", "[0,4]"),
                "4 bytes after the last tensor belong to none",
            ),
            (one("[4294967296,4294967296]", "[0,8]"), "overflow"),
            (one("[-1]", "[0,8]"), "the tensor a: invalid value"),
            (one("2", "[0,8]"), "the tensor a: invalid type"),
            (two("[3,7]"), "it begins inside another tensor"),
            (two("[5,9]"), "bytes before it belong to no tensor"),
            (two("[0,4]"), "it begins inside another tensor"),
            (one("[2]", "[0,8]").replace("F32", "Q4"), "type `Q4`"),
            (
                r#"{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},
                 "a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}"#
                    .into(),
                "the tensor a is listed twice",
            ),
            ("[]".into(), "an object with an entry for each tensor"),
            ("{".into(), "the header is invalid"),
            ("\u{0}".into(), "the header is invalid"),
        ] {
            let error = read(&file(&header, &[0; 8])).unwrap_err();
            assert!(error.contains(expected), "{expected} is not in: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
        let claims = |length: u64| [&length.to_le_bytes()[..], b"{}"].concat();
        assert!(
            read(&claims(10_000_000_000))
                .unwrap_err()
                .contains("at most 100000000")
        );
        assert!(
            read(&claims(3))
                .unwrap_err()
                .contains("the file ends before")
        );
        assert!(read(&[1, 2, 3]).unwrap_err().contains("3 bytes long"));
    }
}
