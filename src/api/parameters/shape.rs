//! What the value of a property looks like, for those who write clients and for what they generate.

use super::Parameter;
use crate::api::limits::{self, Range};

/// Null always means that a property was left out, and is no shape of its own.
pub enum Shape {
    /// Any JSON.
    Any,
    Boolean,
    /// From one to the other.
    Integer(i64, i64),
    Number(Range),
    Text,
    /// A text of 1 to so many characters.
    Short(usize),
    /// The same of letters, digits, `_` and `-`.
    Name(usize),
    /// The same, and `.`.
    DottedName(usize),
    /// A file.
    Bytes,
    /// One of these.
    Word(&'static [&'static str]),
    /// An array of at least and at most so many.
    List(&'static Shape, usize, usize),
    /// Its properties, and no others.
    Object(&'static [Parameter]),
    /// At most so many properties of any name.
    Map(usize),
    /// Numbers by the ids of tokens.
    Biases,
    /// Texts by names.
    Metadata,
    /// A JSON schema.
    Schema,
    /// The JSON schema of an object.
    Parameters,
    /// A text, token ids, or at most so many of either.
    TextsOrIds(usize),
    Either(&'static [Shape]),
}

pub const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh", "max"];

pub const SERVICE_TIERS: &[&str] = &[
    "auto",
    "default",
    "flex",
    "priority",
    "fast",
    "ultrafast",
    "scale",
];

/// A maximum of tokens.
pub const MAX_TOKENS: Shape = Shape::Integer(1, limits::MAX_MAX_TOKENS as i64);
