//! Metadata values of a GGUF file, read within bounds.

use std::io::{BufReader, Read, Seek};

use super::ImportError;

/// A metadata value. Numbers of all widths are folded together; arrays that no import
/// needs are skipped.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    Texts(Vec<String>),
    Integers(Vec<i64>),
    Floats(Vec<f32>),
    /// An array of booleans or of doubles.
    Skipped,
}

/// Reads little-endian fields and knows how many bytes are left.
pub(super) struct Cursor<'a, R> {
    reader: &'a mut BufReader<R>,
    position: u64,
    size: u64,
}

const UINT8: u32 = 0;
const INT8: u32 = 1;
const UINT16: u32 = 2;
const INT16: u32 = 3;
const UINT32: u32 = 4;
const INT32: u32 = 5;
const FLOAT32: u32 = 6;
const BOOL: u32 = 7;
const STRING: u32 = 8;
const ARRAY: u32 = 9;
const UINT64: u32 = 10;
const INT64: u32 = 11;
const FLOAT64: u32 = 12;

impl<'a, R: Read + Seek> Cursor<'a, R> {
    /// Starts at the beginning of `reader`, which holds `size` bytes.
    pub(super) fn new(reader: &'a mut BufReader<R>, size: u64) -> Result<Self, ImportError> {
        reader.rewind().map_err(ImportError::Read)?;
        Ok(Self {
            reader,
            position: 0,
            size,
        })
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn remaining(&self) -> u64 {
        self.size.saturating_sub(self.position)
    }

    pub(super) fn u32(&mut self) -> Result<u32, ImportError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, ImportError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn text(&mut self, what: &str) -> Result<String, ImportError> {
        let length = self.u64()?;
        self.require(length, 1, what)?;
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| ImportError::Malformed(format!("{what} is not UTF-8")))
    }

    /// The value of `key`, after its type number.
    pub(super) fn value(&mut self, key: &str) -> Result<Value, ImportError> {
        let kind = self.u32()?;
        match kind {
            ARRAY => self.values(key),
            STRING => Ok(Value::Text(self.text(key)?)),
            BOOL => Ok(Value::Bool(self.array::<1>()?[0] != 0)),
            FLOAT32 => Ok(Value::Float(shortest(f32::from_le_bytes(self.array()?)))),
            FLOAT64 => Ok(Value::Float(f64::from_le_bytes(self.array()?))),
            UINT64 => Ok(Value::Unsigned(self.u64()?)),
            _ => self
                .integer(kind, key)
                .map(|value| match u64::try_from(value) {
                    Ok(value) => Value::Unsigned(value),
                    Err(_) => Value::Signed(value),
                }),
        }
    }

    /// Refuses a count whose elements cannot fit in what is left of the file.
    pub(super) fn require(
        &self,
        count: u64,
        element_size: u64,
        what: &str,
    ) -> Result<(), ImportError> {
        match count.checked_mul(element_size) {
            Some(needed) if needed <= self.remaining() => Ok(()),
            _ => Err(ImportError::Malformed(format!(
                "{what} declares {count} elements, but only {} bytes are left in the file",
                self.remaining()
            ))),
        }
    }

    fn values(&mut self, key: &str) -> Result<Value, ImportError> {
        let kind = self.u32()?;
        let count = self.u64()?;
        self.require(count, element_size(kind, key)?, key)?;
        match kind {
            STRING => (0..count)
                .map(|_| self.text(key))
                .collect::<Result<_, _>>()
                .map(Value::Texts),
            FLOAT32 => (0..count)
                .map(|_| Ok(f32::from_le_bytes(self.array()?)))
                .collect::<Result<_, _>>()
                .map(Value::Floats),
            BOOL | FLOAT64 => {
                let size = count * element_size(kind, key)?;
                std::io::copy(&mut self.reader.by_ref().take(size), &mut std::io::sink())
                    .map_err(ImportError::Read)?;
                self.position += size;
                Ok(Value::Skipped)
            }
            _ => (0..count)
                .map(|_| self.integer(kind, key))
                .collect::<Result<_, _>>()
                .map(Value::Integers),
        }
    }

    fn integer(&mut self, kind: u32, key: &str) -> Result<i64, ImportError> {
        Ok(match kind {
            UINT8 => u8::from_le_bytes(self.array()?).into(),
            INT8 => i8::from_le_bytes(self.array()?).into(),
            UINT16 => u16::from_le_bytes(self.array()?).into(),
            INT16 => i16::from_le_bytes(self.array()?).into(),
            UINT32 => u32::from_le_bytes(self.array()?).into(),
            INT32 => i32::from_le_bytes(self.array()?).into(),
            INT64 => i64::from_le_bytes(self.array()?),
            UINT64 => i64::try_from(self.u64()?)
                .map_err(|_| ImportError::Malformed(format!("{key} holds a number above 2^63")))?,
            other => return Err(unknown_kind(other, key)),
        })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ImportError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), ImportError> {
        if bytes.len() as u64 > self.remaining() {
            return Err(ImportError::Malformed(
                "the file ends inside its header".into(),
            ));
        }
        self.reader.read_exact(bytes).map_err(ImportError::Read)?;
        self.position += bytes.len() as u64;
        Ok(())
    }
}

/// The double that prints like `value`: files hold 1e-5 as a float, configurations as a
/// decimal.
pub(super) fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// The fewest bytes one array element takes.
fn element_size(kind: u32, key: &str) -> Result<u64, ImportError> {
    match kind {
        UINT8 | INT8 | BOOL => Ok(1),
        UINT16 | INT16 => Ok(2),
        UINT32 | INT32 | FLOAT32 => Ok(4),
        UINT64 | INT64 | FLOAT64 | STRING => Ok(8),
        other => Err(unknown_kind(other, key)),
    }
}

fn unknown_kind(kind: u32, key: &str) -> ImportError {
    match kind {
        ARRAY => ImportError::Unsupported(format!(
            "{key} is an array of arrays, which is not imported"
        )),
        _ => ImportError::Malformed(format!("{key} has the unknown value type {kind}")),
    }
}
