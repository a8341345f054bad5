//! What stands in a PDF beside its pages: attachments, fields of forms, remarks, scripts.

use crate::document::error::DocumentError;
use crate::document::model::{BlockKind, LeftOutKind};
use crate::document::text::encoding;
use crate::document::writer::Writer;
use hayro_interpret::hayro_syntax::Pdf;
use hayro_interpret::hayro_syntax::object::{
    Array, Dict, Name, Object, Stream, String as PdfString,
};
use hayro_interpret::hayro_syntax::page::Page;

/// Trees of names are no deeper, and no wider.
const MAX_DEPTH: u32 = 16;
const MAX_ENTRIES: usize = 10_000;
/// A widget that takes its value from fields above it is no further from them.
const MAX_PARENTS: usize = 16;

pub fn catalog(pdf: &Pdf) -> Dict<'_> {
    pdf.xref()
        .get::<Dict<'_>>(pdf.xref().root_id())
        .unwrap_or_else(Dict::empty)
}

/// Layers that are switched off, and what would run.
pub fn report(pdf: &Pdf, writer: &mut Writer<'_>) {
    let catalog = catalog(pdf);
    let layers = catalog
        .get::<Dict<'_>>(b"OCProperties")
        .and_then(|properties| properties.get::<Dict<'_>>(b"D")?.get::<Array<'_>>(b"OFF"))
        .map_or(0, |off| off.iter::<Dict<'_>>().count());
    writer.leave_out(
        LeftOutKind::HiddenText,
        layers as u64,
        "layers that are switched off",
    );
    let names = catalog
        .get::<Dict<'_>>(b"Names")
        .unwrap_or_else(Dict::empty);
    let runs = names.contains_key(b"JavaScript")
        || catalog
            .get::<Dict<'_>>(b"OpenAction")
            .is_some_and(|action| action.contains_key(b"JS"));
    writer.leave_out(LeftOutKind::ActiveContent, u64::from(runs), "scripts");
}

/// Whether the pages are drawn by a program from a form that is no PDF.
pub fn is_dynamic_form(pdf: &Pdf) -> bool {
    let catalog = catalog(pdf);
    let has_form = catalog
        .get::<Dict<'_>>(b"AcroForm")
        .is_some_and(|form| form.contains_key(b"XFA"));
    has_form && catalog.get::<bool>(b"NeedsRendering") == Some(true)
}

/// Files within the file, such as the invoice of Factur-X.
pub fn attachments(pdf: &Pdf, writer: &mut Writer<'_>) -> Result<(), DocumentError> {
    let catalog = catalog(pdf);
    let mut found = Vec::new();
    if let Some(tree) = catalog
        .get::<Dict<'_>>(b"Names")
        .and_then(|names| names.get::<Dict<'_>>(b"EmbeddedFiles"))
    {
        files_of(&tree, 0, &mut found);
    }
    for page in pdf.pages().iter() {
        for annotation in annotations(page) {
            if name(&annotation, b"Subtype") == b"FileAttachment"
                && let Some(file) = annotation.get::<Dict<'_>>(b"FS")
                && found.len() < MAX_ENTRIES
            {
                found.push(file);
            }
        }
    }
    for file in found {
        let title = text(&file, b"UF")
            .or_else(|| text(&file, b"F"))
            .unwrap_or_default();
        let embedded = file.get::<Dict<'_>>(b"EF");
        let stream = embedded.and_then(|embedded| {
            embedded
                .get::<Stream<'_>>(b"F")
                .or_else(|| embedded.get::<Stream<'_>>(b"UF"))
        });
        match stream.and_then(|stream| stream.decoded_data().ok()) {
            Some(bytes) => writer.attach(&title, &bytes)?,
            None => writer.leave_out(
                LeftOutKind::Attachment,
                1,
                &format!("attachment `{title}`: it is damaged"),
            ),
        }
    }
    Ok(())
}

fn files_of<'a>(tree: &Dict<'a>, depth: u32, found: &mut Vec<Dict<'a>>) {
    if let Some(names) = tree.get::<Array<'a>>(b"Names") {
        let room = MAX_ENTRIES.saturating_sub(found.len());
        let files = names
            .iter::<Object<'a>>()
            .filter_map(|object| match object {
                Object::Dict(file) => Some(file),
                _ => None,
            });
        found.extend(files.take(room));
    }
    if let Some(kids) = tree.get::<Array<'a>>(b"Kids")
        && depth < MAX_DEPTH
    {
        for kid in kids.iter::<Dict<'a>>() {
            if found.len() >= MAX_ENTRIES {
                return;
            }
            files_of(&kid, depth + 1, found);
        }
    }
}

pub fn annotations<'a>(page: &Page<'a>) -> Vec<Dict<'a>> {
    let all = page.raw().get::<Array<'a>>(b"Annots");
    all.map(|all| all.iter::<Dict<'a>>().take(MAX_ENTRIES).collect())
        .unwrap_or_default()
}

/// Values of fields that the page does not show as text, and remarks that readers have made.
pub fn fields(page: &Page<'_>, writer: &mut Writer<'_>) -> Result<(), DocumentError> {
    for annotation in annotations(page) {
        match name(&annotation, b"Subtype").as_slice() {
            b"Widget" => field(&annotation, writer)?,
            b"Text" | b"Highlight" | b"Underline" | b"StrikeOut" | b"Squiggly" | b"Caret"
                if text(&annotation, b"Contents").is_some_and(|remark| !remark.is_empty()) =>
            {
                writer.leave_out(LeftOutKind::Comment, 1, "remarks on the page");
            }
            _ => {}
        }
    }
    Ok(())
}

fn field(widget: &Dict<'_>, writer: &mut Writer<'_>) -> Result<(), DocumentError> {
    let mut names = Vec::new();
    let (mut kind, mut value) = (Vec::new(), None);
    let mut field = Some(widget.clone());
    for _ in 0..MAX_PARENTS {
        let Some(current) = field else { break };
        names.extend(text(&current, b"T"));
        if kind.is_empty() {
            kind = name(&current, b"FT");
        }
        if value.is_none() {
            value = current
                .get::<Object<'_>>(b"V")
                .and_then(|value| match value {
                    Object::String(text) => decoded(&text),
                    Object::Name(name) => Some(name.as_str().to_owned()),
                    _ => None,
                });
        }
        field = current.get::<Dict<'_>>(b"Parent");
    }
    names.reverse();
    let title = names.join(".");
    let is_shown = widget
        .get::<Dict<'_>>(b"AP")
        .is_some_and(|looks| looks.get::<Stream<'_>>(b"N").is_some());
    let flags = widget.get::<u32>(b"Ff").unwrap_or(0);
    match kind.as_slice() {
        // Push buttons have no state.
        b"Btn" if flags & 1 << 16 == 0 => {
            let state = name(widget, b"AS");
            let is_on = !state.is_empty() && state != b"Off";
            writer.block(
                BlockKind::FormField,
                &format!("{title}: {}", if is_on { "☒" } else { "☐" }),
            )?;
        }
        b"Tx" | b"Ch" if !is_shown => {
            if let Some(value) = value.filter(|value| !value.trim().is_empty()) {
                writer.block(BlockKind::FormField, &format!("{title}: {value}"))?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn name(dict: &Dict<'_>, key: &[u8]) -> Vec<u8> {
    dict.get::<Name<'_>>(key)
        .map(|name| name.as_ref().to_vec())
        .unwrap_or_default()
}

fn text(dict: &Dict<'_>, key: &[u8]) -> Option<String> {
    decoded(&dict.get::<PdfString<'_>>(key)?)
}

/// A text of the file: in UTF-16 or UTF-8 with a mark, or in an encoding much like Latin-1.
pub fn decoded(text: &PdfString<'_>) -> Option<String> {
    decoded_bytes(text.as_bytes())
}

pub fn decoded_bytes(bytes: &[u8]) -> Option<String> {
    if let Some(units) = bytes.strip_prefix(&[0xfe, 0xff]) {
        let units = units
            .chunks_exact(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        return Some(
            char::decode_utf16(units)
                .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect(),
        );
    }
    encoding::decode(bytes).map(|text| text.into_owned())
}
