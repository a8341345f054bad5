use super::xml::{self, Element};
use crate::document::error::{DocumentError, Limit};
use crate::document::format::{Format, unsupported};
use crate::document::limits::ParseLimits;
use std::collections::HashMap;
use std::io::{Cursor, ErrorKind, Read as _};
use zip::ZipArchive;
use zip::result::ZipError;

/// More parts than an honest office file has.
const MAX_PARTS: usize = 20_000;

/// An office file, and how much of it may still be inflated.
pub struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    format: Format,
    max_inflated: u64,
    left: u64,
}

impl<'a> Archive<'a> {
    /// # Errors
    ///
    /// `Malformed` if it is no ZIP archive after all.
    pub fn open(bytes: &'a [u8], max_inflated: u64) -> Result<Self, DocumentError> {
        // Which of the office formats it is, nobody knows yet.
        let malformed = |reason: String| DocumentError::Malformed {
            format: Format::Docx,
            reason,
        };
        let zip = ZipArchive::new(Cursor::new(bytes))
            .map_err(|error| malformed(format!("its ZIP archive is damaged: {error}")))?;
        if zip.len() > MAX_PARTS {
            return Err(malformed(format!(
                "its ZIP archive has {} parts",
                zip.len()
            )));
        }
        Ok(Self {
            zip,
            format: Format::Docx,
            max_inflated,
            left: max_inflated,
        })
    }

    /// Which office format it is, by its parts.
    ///
    /// # Errors
    ///
    /// `Unsupported` for other archives, `Encrypted` for protected OpenDocument files.
    pub fn format(&mut self) -> Result<Format, DocumentError> {
        if let Some(mimetype) = self.part("mimetype")? {
            let kind = String::from_utf8_lossy(&mimetype).trim().to_owned();
            let format = match kind.strip_prefix("application/vnd.oasis.opendocument.") {
                Some("text" | "text-template" | "text-master") => Format::Odt,
                Some("spreadsheet" | "spreadsheet-template") => Format::Ods,
                Some(other) => {
                    return Err(unsupported(
                        &format!("an OpenDocument file ({other})"),
                        "save it as PDF",
                    ));
                }
                None => {
                    return Err(unsupported(
                        &format!("a file of type {kind}"),
                        "save it as PDF",
                    ));
                }
            };
            let manifest = self.part("META-INF/manifest.xml")?.unwrap_or_default();
            return match String::from_utf8_lossy(&manifest).contains("encryption-data") {
                true => Err(DocumentError::Encrypted { format }),
                false => Ok(format),
            };
        }
        let has = |prefix: &str| {
            self.zip
                .file_names()
                .flatten()
                .any(|name| name.starts_with(prefix))
        };
        match () {
            () if has("word/") => Ok(Format::Docx),
            () if has("xl/workbook.xml") => Ok(Format::Xlsx),
            () if has("xl/") => Err(unsupported(
                "a binary Excel workbook (.xlsb)",
                "save it as XLSX",
            )),
            () if has("ppt/") => Err(unsupported("a PowerPoint presentation", "save it as PDF")),
            () => Err(unsupported(
                "a ZIP archive",
                "send the documents that are in it",
            )),
        }
    }

    /// Says in errors what the archive has turned out to be.
    pub fn named(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// A part's bytes, if there is one of that name.
    pub fn part(&mut self, name: &str) -> Result<Option<Vec<u8>>, DocumentError> {
        let name = name.trim_start_matches('/');
        let entry = match self.zip.by_name(name) {
            Ok(entry) => entry,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(error) => {
                return match error.to_string().contains("assword") {
                    true => Err(DocumentError::Encrypted {
                        format: self.format,
                    }),
                    false => Err(malformed(
                        self.format,
                        &format!("its part {name} is damaged"),
                    )),
                };
            }
        };
        let bomb = Err(DocumentError::Bomb {
            format: self.format,
            max: self.max_inflated,
        });
        // What the archive says of itself may be a lie, but nobody lies to look worse.
        if entry.size() > self.left {
            return bomb;
        }
        let mut bytes = Vec::new();
        let inflated = entry.take(self.left + 1).read_to_end(&mut bytes);
        if bytes.len() as u64 > self.left {
            return bomb;
        }
        self.left -= bytes.len() as u64;
        match inflated {
            Ok(_) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::OutOfMemory => bomb,
            Err(_) => Err(malformed(
                self.format,
                &format!("its part {name} is damaged"),
            )),
        }
    }

    /// A part's root element, if there is such a part.
    pub fn xml(
        &mut self,
        name: &str,
        limits: &ParseLimits,
    ) -> Result<Option<Element>, DocumentError> {
        match self.part(name)? {
            Some(bytes) => xml::parse(&bytes, self.format, limits).map(Some),
            None => Ok(None),
        }
    }

    /// The root element of a part that must be there.
    pub fn required(&mut self, name: &str, limits: &ParseLimits) -> Result<Element, DocumentError> {
        self.xml(name, limits)?
            .ok_or_else(|| malformed(self.format, &format!("its part {name} is missing")))
    }

    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.zip
            .file_names()
            .flatten()
            .map(|name| name.into_owned())
    }
}

pub fn malformed(format: Format, reason: &str) -> DocumentError {
    DocumentError::Malformed {
        format,
        reason: reason.to_owned(),
    }
}

/// Where a relationship of the part `base` leads: parts name each other relative to themselves.
pub fn resolve(base: &str, target: &str) -> String {
    if let Some(absolute) = target.strip_prefix('/') {
        return absolute.to_owned();
    }
    let mut path: Vec<&str> = base.split('/').collect();
    path.pop();
    for step in target.split('/') {
        match step {
            ".." => drop(path.pop()),
            "." => {}
            step => path.push(step),
        }
    }
    path.join("/")
}

/// Where the relationships of a part lead, by their ids.
pub fn relationships(
    archive: &mut Archive<'_>,
    part: &str,
    limits: &ParseLimits,
) -> Result<HashMap<String, String>, DocumentError> {
    let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
    let root = archive.xml(&format!("{folder}/_rels/{file}.rels"), limits)?;
    let Some(root) = root else {
        return Ok(HashMap::new());
    };
    let internal = root
        .children()
        .filter(|rel| rel.attribute("TargetMode") != Some("External"));
    Ok(internal
        .filter_map(|rel| {
            let target = resolve(part, rel.attribute("Target")?);
            Some((rel.attribute("Id")?.to_owned(), target))
        })
        .collect())
}

/// Refuses what no honest part has.
pub fn too_many_nodes(limits: &ParseLimits) -> DocumentError {
    DocumentError::LimitExceeded {
        limit: Limit::Nodes,
        max: limits.max_nodes,
    }
}
