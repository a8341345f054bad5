//! What a file is, by its content: names and media types lie.

use super::error::DocumentError;
use super::office::archive::Archive;
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Pdf,
    Docx,
    Odt,
    Xlsx,
    Ods,
    Rtf,
    Html,
    /// An e-mail as RFC 5322 has it.
    Eml,
    /// An e-mail as Outlook saves it.
    Msg,
    Csv,
    Markdown,
    Text,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pdf => "PDF",
            Self::Docx => "DOCX",
            Self::Odt => "ODT",
            Self::Xlsx => "XLSX",
            Self::Ods => "ODS",
            Self::Rtf => "RTF",
            Self::Html => "HTML",
            Self::Eml => "e-mail",
            Self::Msg => "Outlook",
            Self::Csv => "CSV",
            Self::Markdown => "Markdown",
            Self::Text => "text",
        })
    }
}

const ZIP: &[u8] = b"PK\x03\x04";
const COMPOUND: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// What is known not to be read, by its first bytes.
const REFUSED: &[(&[u8], &str, &str)] = &[
    (
        b"\x89PNG",
        "a PNG picture",
        "send the text, or a PDF with a text layer",
    ),
    (
        b"\xff\xd8\xff",
        "a JPEG picture",
        "send the text, or a PDF with a text layer",
    ),
    (
        b"GIF8",
        "a GIF picture",
        "send the text, or a PDF with a text layer",
    ),
    (
        b"II*\0",
        "a TIFF picture",
        "send the text, or a PDF with a text layer",
    ),
    (
        b"MM\0*",
        "a TIFF picture",
        "send the text, or a PDF with a text layer",
    ),
    (b"RIFF", "a sound, a film or a picture", "send the text"),
    (b"\x1f\x8b", "a gzip archive", "send the file that is in it"),
    (b"BZh", "a bzip2 archive", "send the file that is in it"),
    (b"\xfd7zXZ", "an xz archive", "send the file that is in it"),
    (
        b"7z\xbc\xaf",
        "a 7-Zip archive",
        "send the files that are in it",
    ),
    (b"Rar!", "a RAR archive", "send the files that are in it"),
    (b"\x7fELF", "a program", "send a document"),
    (b"MZ", "a program", "send a document"),
    (b"%!PS", "a PostScript file", "save it as PDF"),
    (
        b"SQLite format 3\0",
        "a database",
        "save it as XLSX, ODS or CSV",
    ),
    (b"PK\x05\x06", "an empty ZIP archive", "send a document"),
];

impl Format {
    /// What the bytes are.
    ///
    /// # Errors
    ///
    /// `Empty`, `Unsupported` with advice, `Encrypted` for office files behind a password, and
    /// what is wrong with a ZIP archive that looks like one.
    pub fn detect(bytes: &[u8], max_inflated: u64) -> Result<Self, DocumentError> {
        if bytes.is_empty() {
            return Err(DocumentError::Empty);
        }
        // A PDF may have up to 1024 bytes of something else before it.
        if find(&bytes[..bytes.len().min(1024)], b"%PDF-").is_some() {
            return Ok(Self::Pdf);
        }
        if bytes.starts_with(ZIP) {
            return Archive::open(bytes, max_inflated)?.format();
        }
        if bytes.starts_with(COMPOUND) {
            return super::mail::msg::detect(bytes);
        }
        if bytes.starts_with(b"{\\rtf") {
            return Ok(Self::Rtf);
        }
        if let Some((_, found, advice)) = REFUSED
            .iter()
            .find(|(magic, _, _)| bytes.starts_with(magic))
        {
            return Err(unsupported(found, advice));
        }
        Self::of_text(bytes)
    }

    fn of_text(bytes: &[u8]) -> Result<Self, DocumentError> {
        let text = super::text::encoding::decode(bytes).ok_or_else(|| {
            unsupported(
                "no text and no known document",
                "send a PDF, DOCX, ODT, XLSX, ODS, RTF, HTML, EML, MSG or text file",
            )
        })?;
        let start = text.trim_start();
        let head: String = start
            .chars()
            .take(2048)
            .collect::<String>()
            .to_ascii_lowercase();
        let html = ["<!doctype html", "<html", "<head", "<body"];
        if html.iter().any(|tag| head.starts_with(tag))
            || (head.starts_with('<') && head.contains("<html"))
        {
            return Ok(Self::Html);
        }
        if super::mail::looks_like_mail(start) {
            return Ok(Self::Eml);
        }
        if super::text::csv::separator(start).is_some() {
            return Ok(Self::Csv);
        }
        match super::text::looks_like_markdown(start) {
            true => Ok(Self::Markdown),
            false => Ok(Self::Text),
        }
    }
}

pub(super) fn unsupported(found: &str, advice: &str) -> DocumentError {
    DocumentError::Unsupported {
        found: found.to_owned(),
        advice: advice.to_owned(),
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(bytes: &[u8]) -> Result<Format, DocumentError> {
        Format::detect(bytes, 1 << 20)
    }

    #[test]
    fn text_is_told_apart_by_how_it_is_written() {
        assert_eq!(detect(b"Madame, Monsieur,\n"), Ok(Format::Text));
        assert_eq!(detect(b"# Titre\n\n- un\n- deux\n"), Ok(Format::Markdown));
        assert_eq!(detect(b"Nom;Montant\nA;1,5\nB;2,5\n"), Ok(Format::Csv));
        assert_eq!(
            detect(b"From: a@b.fr\r\nSubject: x\r\n\r\ny"),
            Ok(Format::Eml)
        );
        assert_eq!(
            detect(b"<?xml version='1.0'?><html><body>"),
            Ok(Format::Html)
        );
    }

    #[test]
    fn what_is_not_read_is_refused_by_its_name() {
        for (bytes, word) in [
            (&b"\x89PNG\r\n"[..], "PNG"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"\0\x01\x02\xff\0", "no text"),
        ] {
            let error = detect(bytes).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        assert_eq!(detect(b""), Err(DocumentError::Empty));
    }
}
