use super::styles::is_on;
use crate::document::error::DocumentError;
use crate::document::office::archive::Archive;
use crate::document::office::xml::Element;
use crate::document::writer::Writer;
use std::collections::HashMap;

/// Headers and footers that a page of the document shows, each once.
#[derive(Default)]
pub struct Furniture {
    pub headers: Vec<Element>,
    pub footers: Vec<Element>,
}

impl Furniture {
    pub fn read(
        archive: &mut Archive<'_>,
        document: &Element,
        settings: Option<&Element>,
        targets: &HashMap<String, String>,
        writer: &Writer<'_>,
    ) -> Result<Self, DocumentError> {
        let even = settings
            .and_then(|all| all.child("w:evenAndOddHeaders"))
            .is_some_and(is_on);
        let mut furniture = Self::default();
        let mut seen = Vec::new();
        for section in document.descendants("w:sectPr") {
            let title = section.child("w:titlePg").is_some_and(is_on);
            for reference in section.children() {
                let shown = match reference.attribute("w:type") {
                    Some("first") => title,
                    Some("even") => even,
                    _ => true,
                };
                let target = reference.attribute("r:id").and_then(|id| targets.get(id));
                let (true, Some(target)) = (shown, target) else {
                    continue;
                };
                let list = match reference.name() {
                    "w:headerReference" => &mut furniture.headers,
                    "w:footerReference" => &mut furniture.footers,
                    _ => continue,
                };
                if seen.contains(target) {
                    continue;
                }
                seen.push(target.clone());
                if let Some(part) = archive.xml(target, writer.limits)? {
                    let is_new = list
                        .iter()
                        .all(|other: &Element| other.text() != part.text());
                    if is_new {
                        list.push(part);
                    }
                }
            }
        }
        Ok(furniture)
    }
}
