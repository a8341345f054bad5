//! The properties of an Outlook message: streams whose names are their ids and types.

use crate::document::error::DocumentError;
use crate::document::format::Format;
use crate::document::text::encoding;
use cfb::CompoundFile;
use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};

/// What a stream's name ends with: text in UTF-16, text in the sender's encoding, bytes.
const UNICODE: &str = "001F";
const ANSI: &str = "001E";
const BINARY: &str = "0102";

pub struct Storage<'a> {
    pub file: CompoundFile<Cursor<&'a [u8]>>,
    max_bytes: u64,
}

impl<'a> Storage<'a> {
    pub fn open(bytes: &'a [u8], max_bytes: u64) -> Result<Self, DocumentError> {
        let file =
            CompoundFile::open(Cursor::new(bytes)).map_err(|error| damaged(&error.to_string()))?;
        Ok(Self { file, max_bytes })
    }

    pub fn bytes(&mut self, path: &Path) -> Result<Option<Vec<u8>>, DocumentError> {
        if !self.file.is_stream(path) {
            return Ok(None);
        }
        let stream = self
            .file
            .open_stream(path)
            .map_err(|error| damaged(&error.to_string()))?;
        let mut bytes = Vec::new();
        stream
            .take(self.max_bytes)
            .read_to_end(&mut bytes)
            .map_err(|error| damaged(&error.to_string()))?;
        Ok(Some(bytes))
    }

    /// A property of bytes by its id, such as `3701`.
    pub fn binary(&mut self, base: &Path, id: &str) -> Result<Option<Vec<u8>>, DocumentError> {
        self.bytes(&property(base, id, BINARY))
    }

    /// A property of text by its id, such as `0037`.
    pub fn text(&mut self, base: &Path, id: &str) -> Result<Option<String>, DocumentError> {
        if let Some(bytes) = self.bytes(&property(base, id, UNICODE))? {
            let units = bytes
                .chunks_exact(2)
                .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
            let text: String = char::decode_utf16(units)
                .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect();
            return Ok(Some(text.trim_end_matches('\0').to_owned()));
        }
        let bytes = self.bytes(&property(base, id, ANSI))?;
        Ok(bytes.and_then(|bytes| {
            let end = bytes
                .iter()
                .position(|byte| *byte == 0)
                .unwrap_or(bytes.len());
            encoding::decode(&bytes[..end]).map(|text| text.into_owned())
        }))
    }

    /// A point in time, in seconds since 1970, by the tag of its property.
    pub fn time(&mut self, base: &Path, tag: u32) -> Result<Option<i64>, DocumentError> {
        let table = self
            .bytes(&base.join("__properties_version1.0"))?
            .unwrap_or_default();
        // The table begins after 24 or 32 bytes, and its entries are 16 bytes long.
        let mut words = table.chunks_exact(8).skip(3);
        let value = words
            .by_ref()
            .find(|entry| entry.starts_with(&tag.to_le_bytes()))
            .and_then(|_| words.next()?.try_into().ok())
            .map(u64::from_le_bytes);
        // Counted in tenths of microseconds from the year 1601.
        Ok(value
            .and_then(|ticks| i64::try_from(ticks / 10_000_000).ok())
            .map(|seconds| seconds - 11_644_473_600))
    }

    /// The storages within one, whose names begin alike, in order.
    pub fn storages(&self, base: &Path, prefix: &str) -> Vec<PathBuf> {
        let entries = self.file.read_storage(base).into_iter().flatten();
        let mut paths: Vec<PathBuf> = entries
            .filter(|entry| entry.is_storage() && entry.name().starts_with(prefix))
            .map(|entry| base.join(entry.name()))
            .collect();
        paths.sort();
        paths
    }
}

fn property(base: &Path, id: &str, kind: &str) -> PathBuf {
    base.join(format!("__substg1.0_{id}{kind}"))
}

pub fn damaged(reason: &str) -> DocumentError {
    DocumentError::Malformed {
        format: Format::Msg,
        reason: format!("its compound file is damaged: {reason}"),
    }
}
