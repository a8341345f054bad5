//! What stands around the text: headers and footers of its pages, and controls of its forms.

use crate::document::error::DocumentError;
use crate::document::model::BlockKind;
use crate::document::office::xml::Element;
use crate::document::writer::Writer;

/// The headers or footers of the pages that the document uses, each text once.
pub fn furniture<'a>(
    content: &Element,
    styles: Option<&'a Element>,
    kind: &str,
) -> Vec<&'a Element> {
    let mut used: Vec<&str> = content
        .all()
        .filter_map(|element| element.attribute("style:master-page-name"))
        .collect();
    used.push("Standard");
    let masters: Vec<&Element> = styles
        .into_iter()
        .flat_map(|styles| styles.descendants("style:master-page"))
        .collect();
    // A first page names what page follows it.
    for _ in 0..masters.len().min(16) {
        let next: Vec<&str> = masters
            .iter()
            .filter(|page| {
                page.attribute("style:name")
                    .is_some_and(|name| used.contains(&name))
            })
            .filter_map(|page| page.attribute("style:next-style-name"))
            .filter(|name| !used.contains(name))
            .collect();
        used.extend(next);
    }
    let mut found: Vec<&Element> = Vec::new();
    for page in masters {
        if !page
            .attribute("style:name")
            .is_some_and(|name| used.contains(&name))
        {
            continue;
        }
        for part in page.children() {
            let is_kind = part.name() == kind
                || part
                    .name()
                    .strip_prefix(kind)
                    .is_some_and(|rest| rest == "-first" || rest == "-left");
            let is_shown = part.attribute("style:display") != Some("false");
            if is_kind && is_shown && found.iter().all(|other| other.text() != part.text()) {
                found.push(part);
            }
        }
    }
    found
}

/// Values of controls: a form's answers.
pub fn forms(text: &Element, writer: &mut Writer<'_>) -> Result<(), DocumentError> {
    for control in text.descendants("office:forms").flat_map(Element::all) {
        let name = control
            .attribute("form:label")
            .or(control.attribute("form:name"))
            .unwrap_or_default();
        let value = match control.name() {
            "form:checkbox" | "form:radio" => {
                let state = control
                    .attribute("form:current-state")
                    .or(control.attribute("form:state"));
                let is_on = state == Some("checked")
                    || control.attribute("form:current-selected") == Some("true");
                Some(if is_on { "☒" } else { "☐" })
            }
            "form:text"
            | "form:textarea"
            | "form:formatted-text"
            | "form:date"
            | "form:number"
            | "form:combobox" => control
                .attribute("form:current-value")
                .or(control.attribute("form:value")),
            _ => None,
        };
        if let Some(value) = value {
            writer.block(BlockKind::FormField, &format!("{name}: {value}"))?;
        }
    }
    Ok(())
}
