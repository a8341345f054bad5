//! Messages as Outlook saves them, and what else comes in a compound file: older Office formats,
//! which are refused with advice, and newer ones behind a password.

use super::properties::{Storage, damaged};
use crate::document::error::DocumentError;
use crate::document::format::{Format, unsupported};
use crate::document::html;
use crate::document::model::BlockKind;
use crate::document::rtf;
use crate::document::text::{encoding, paragraphs};
use crate::document::writer::Writer;
use std::path::Path;

/// When a message was sent, and when it came.
const SENT: u32 = 0x0039_0040;
const DELIVERED: u32 = 0x0e06_0040;

/// Which of the formats in compound files it is.
pub fn detect(bytes: &[u8]) -> Result<Format, DocumentError> {
    let storage = Storage::open(bytes, 0)?;
    let has = |name: &str| storage.file.exists(Path::new("/").join(name));
    if has("__properties_version1.0") {
        return Ok(Format::Msg);
    }
    if has("EncryptedPackage") {
        return Err(DocumentError::Encrypted {
            format: Format::Docx,
        });
    }
    Err(match () {
        () if has("WordDocument") => unsupported(
            "a Word document of the older kind (.doc)",
            "save it as DOCX or PDF",
        ),
        () if has("Workbook") || has("Book") => unsupported(
            "an Excel workbook of the older kind (.xls)",
            "save it as XLSX",
        ),
        () if has("PowerPoint Document") => {
            unsupported("a PowerPoint presentation", "save it as PDF")
        }
        () => unsupported("a compound file of an unknown kind", "save it as PDF"),
    })
}

pub fn read(bytes: &[u8], writer: &mut Writer<'_>) -> Result<(), DocumentError> {
    let mut storage = Storage::open(bytes, writer.limits.max_input_bytes)?;
    message(&mut storage, Path::new("/"), writer)
}

fn message(
    storage: &mut Storage<'_>,
    base: &Path,
    writer: &mut Writer<'_>,
) -> Result<(), DocumentError> {
    let subject = storage.text(base, "0037")?;
    let name = storage.text(base, "0C1A")?;
    let address = match storage.text(base, "5D01")? {
        Some(address) => Some(address),
        None => storage
            .text(base, "0C1F")?
            .filter(|address| address.contains('@')),
    };
    let from = match (name, address) {
        (Some(name), Some(address)) if name != address => Some(format!("{name} <{address}>")),
        (name, address) => address.or(name),
    };
    let time = match storage.time(base, SENT)? {
        Some(time) => Some(time),
        None => storage.time(base, DELIVERED)?,
    };
    let to = storage.text(base, "0E04")?;
    let cc = storage.text(base, "0E03")?;
    let fields = [
        ("From", from),
        ("To", to),
        ("Cc", cc),
        ("Date", time.map(rfc_3339)),
        ("Subject", subject.clone()),
    ];
    let head: Vec<String> = fields
        .into_iter()
        .filter_map(|(name, value)| {
            Some(format!(
                "{name}: {}",
                value.filter(|value| !value.trim().is_empty())?
            ))
        })
        .collect();
    if writer.title.is_none() {
        writer.title = subject;
    }
    writer.block(BlockKind::MessageHeader, &head.join("\n"))?;
    body(storage, base, writer)?;
    for attachment in storage.storages(base, "__attach_version1.0_") {
        let name = match storage.text(&attachment, "3707")? {
            Some(name) => name,
            None => storage.text(&attachment, "3704")?.unwrap_or_default(),
        };
        let inner = attachment.join("__substg1.0_3701000D");
        if let Some(bytes) = storage.binary(&attachment, "3701")? {
            writer.attach(&name, &bytes)?;
        } else if storage.file.is_storage(&inner) {
            if writer.depth >= writer.limits.max_attachment_depth {
                let note = format!(
                    "attachment `{name}`: messages within messages are read {} deep",
                    writer.depth
                );
                writer.leave_out(crate::document::model::LeftOutKind::Attachment, 1, &note);
                continue;
            }
            writer.page(Some(name.clone()))?;
            writer.block(BlockKind::Attachment, &name)?;
            writer.depth += 1;
            message(storage, &inner, writer)?;
            writer.depth -= 1;
        }
    }
    Ok(())
}

/// The text in HTML if there is one, else plain, else as RTF.
fn body(
    storage: &mut Storage<'_>,
    base: &Path,
    writer: &mut Writer<'_>,
) -> Result<(), DocumentError> {
    if let Some(bytes) = storage.binary(base, "1013")? {
        let text = encoding::decode(&bytes).unwrap_or_default();
        return html::read_text(&text, writer);
    }
    if let Some(text) = storage.text(base, "1013")? {
        return html::read_text(&text, writer);
    }
    if let Some(text) = storage
        .text(base, "1000")?
        .filter(|text| !text.trim().is_empty())
    {
        return paragraphs(&text, writer);
    }
    match storage.binary(base, "1009")? {
        Some(bytes) => {
            let rtf = decompress(&bytes, writer.limits.max_inflated_bytes)?;
            rtf::read(&rtf, writer)
        }
        None => Ok(()),
    }
}

/// What the dictionary of compressed RTF holds at the start, as [MS-OXRTFCP] has it.
const DICTIONARY: &[u8] = b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";

fn decompress(bytes: &[u8], max: u64) -> Result<Vec<u8>, DocumentError> {
    let short = || damaged("its compressed text ends too early");
    let head = bytes.get(..16).ok_or_else(short)?;
    let mut input = bytes.get(16..).unwrap_or_default().iter().copied();
    if &head[8..12] == b"MELA" {
        return Ok(input.collect());
    }
    let mut window = [0_u8; 4096];
    window[..DICTIONARY.len()].copy_from_slice(DICTIONARY);
    let mut at = DICTIONARY.len();
    let mut output = Vec::new();
    let mut put = |byte: u8, window: &mut [u8; 4096]| {
        window[at] = byte;
        at = (at + 1) % window.len();
        at
    };
    let mut end = DICTIONARY.len();
    'all: while let Some(flags) = input.next() {
        for bit in 0..8 {
            if flags >> bit & 1 == 0 {
                let Some(byte) = input.next() else { break 'all };
                end = put(byte, &mut window);
                output.push(byte);
                continue;
            }
            let (Some(high), Some(low)) = (input.next(), input.next()) else {
                break 'all;
            };
            let reference = usize::from(u16::from_be_bytes([high, low]));
            let (offset, length) = (reference >> 4, (reference & 15) + 2);
            if offset == end {
                break 'all;
            }
            for step in 0..length {
                let byte = window[(offset + step) % window.len()];
                end = put(byte, &mut window);
                output.push(byte);
            }
            if output.len() as u64 > max {
                return Err(DocumentError::Bomb {
                    format: Format::Msg,
                    max,
                });
            }
        }
    }
    Ok(output)
}

fn rfc_3339(seconds: i64) -> String {
    let (year, month, day) = crate::document::office::civil(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Document, ParseLimits, parse};
    use std::io::{Cursor, Write as _};

    /// A compound file with streams of these names.
    fn compound(streams: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        for (name, bytes) in streams {
            if let Some(parent) = Path::new(name).parent() {
                file.create_storage_all(parent).unwrap();
            }
            file.create_stream(name).unwrap().write_all(bytes).unwrap();
        }
        file.into_inner().into_inner()
    }

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn read(streams: &[(&str, Vec<u8>)]) -> Document {
        let mut all = vec![("/__properties_version1.0", vec![0; 32])];
        all.extend_from_slice(streams);
        parse(&compound(&all), &ParseLimits::default()).unwrap()
    }

    #[test]
    fn an_outlook_message_is_read_with_its_attachments() {
        let document = read(&[
            ("/__substg1.0_0037001F", wide("Décision")),
            ("/__substg1.0_0C1A001F", wide("Mairie")),
            ("/__substg1.0_5D01001F", wide("mairie@example.fr")),
            ("/__substg1.0_0E04001F", wide("Anna Müller")),
            (
                "/__substg1.0_1000001F",
                wide("Bonjour.\r\n\r\nVoir la pièce."),
            ),
            (
                "/__attach_version1.0_#00000000/__substg1.0_3707001F",
                wide("pièce.txt"),
            ),
            (
                "/__attach_version1.0_#00000000/__substg1.0_37010102",
                "Texte joint".as_bytes().to_vec(),
            ),
        ]);
        assert_eq!(
            document.text,
            "From: Mairie <mairie@example.fr>\nTo: Anna Müller\nSubject: Décision\n\nBonjour.\n\nVoir la pièce.\n\npièce.txt\n\nTexte joint"
        );
        assert_eq!(document.attachments.len(), 1);
    }

    #[test]
    fn compressed_rtf_is_unfolded() {
        // The example of [MS-OXRTFCP], 3.2.1.
        let bytes = [
            0x2d, 0, 0, 0, 0x2b, 0, 0, 0, 0x4c, 0x5a, 0x46, 0x75, 0xf1, 0xc5, 0xc7, 0xa7, 0x03, 0,
            0x0a, 0, 0x72, 0x63, 0x70, 0x67, 0x31, 0x32, 0x35, 0x42, 0x32, 0x0a, 0xf3, 0x20, 0x68,
            0x65, 0x6c, 0x09, 0, 0x20, 0x62, 0x77, 0x05, 0xb0, 0x6c, 0x64, 0x7d, 0x0a, 0x80, 0x0f,
            0xa0,
        ];
        assert_eq!(
            decompress(&bytes, 1000).unwrap(),
            b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
        );
    }

    #[test]
    fn older_and_protected_office_files_are_refused_with_advice() {
        for (stream, word) in [
            ("/WordDocument", "DOCX"),
            ("/Workbook", "XLSX"),
            ("/EncryptedPackage", "password"),
        ] {
            let error =
                parse(&compound(&[(stream, vec![0; 10])]), &ParseLimits::default()).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
