//! The text of one paragraph, and what hangs on it.

use super::styles::is_on;
use crate::document::model::LeftOutKind;
use crate::document::office::numbering::superscript;
use crate::document::office::xml::{Element, Node};
use crate::document::writer::Writer;

/// Stand in the text where a page begins and where a note's number goes. Neither can be in XML.
pub const PAGE_BREAK: char = '\u{1}';
pub const NOTE: char = '\u{2}';

/// Text this small, in half points, is not meant to be read.
const MAX_TINY: u64 = 4;

#[derive(Default)]
pub struct Inline<'a> {
    pub text: String,
    /// `footnote 2`, in order.
    pub notes: Vec<String>,
    pub text_boxes: Vec<&'a Element>,
    /// The paragraph's style hides it.
    pub is_hidden: bool,
    num_deletions: u64,
    num_comments: u64,
    num_images: u64,
    num_hidden: u64,
    num_unknown: u64,
    num_charts: u64,
}

impl<'a> Inline<'a> {
    pub fn push(&mut self, c: char) {
        self.text.push(c);
    }

    pub fn is_empty(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// Puts a label before the text, after what begins a page.
    pub fn prefix(&mut self, label: &str) {
        let at = self.text.len() - self.text.trim_start_matches(PAGE_BREAK).len();
        self.text.insert_str(at, &format!("{label} "));
    }

    pub fn report(&self, writer: &mut Writer<'_>) {
        for (what, count, note) in [
            (
                LeftOutKind::Deletion,
                self.num_deletions,
                "tracked changes, taken as accepted",
            ),
            (
                LeftOutKind::Comment,
                self.num_comments,
                "comments in the margin",
            ),
            (LeftOutKind::Image, self.num_images, "pictures"),
            (LeftOutKind::Image, self.num_charts, "charts and diagrams"),
            (
                LeftOutKind::HiddenText,
                self.num_hidden,
                "characters that are hidden, white or tiny",
            ),
            (
                LeftOutKind::UnknownGlyphs,
                self.num_unknown,
                "symbols of a font without Unicode",
            ),
        ] {
            writer.leave_out(what, count, note);
        }
    }

    /// Reads what stands within a paragraph or anything in it.
    pub fn read(&mut self, parent: &'a Element) {
        for child in parent.children() {
            match child.name() {
                "w:r" => self.run(child),
                "w:pPr" | "w:rPr" | "w:sdtPr" => {}
                "w:del" | "w:moveFrom" => self.num_deletions += 1,
                "mc:AlternateContent" => self.alternate(child),
                "m:t" => self.text.push_str(&child.text()),
                _ => self.read(child),
            }
        }
    }

    fn alternate(&mut self, alternate: &'a Element) {
        if let Some(choice) = alternate
            .child("mc:Choice")
            .or(alternate.child("mc:Fallback"))
        {
            self.run_nodes(choice, false);
        }
    }

    fn run(&mut self, run: &'a Element) {
        let properties = run.child("w:rPr");
        let value = |name: &str| properties.and_then(|all| all.child(name)?.attribute("w:val"));
        let vanish = properties.and_then(|all| all.child("w:vanish"));
        let has_background = value("w:highlight").is_some()
            || properties.is_some_and(|all| all.child("w:shd").is_some());
        let is_white = value("w:color").is_some_and(|color| color.eq_ignore_ascii_case("ffffff"))
            && !has_background;
        let is_tiny = value("w:sz")
            .and_then(|size| size.parse::<u64>().ok())
            .is_some_and(|size| size <= MAX_TINY);
        if vanish.map_or(self.is_hidden, is_on) || is_white || is_tiny {
            let hidden: usize = run
                .descendants("w:t")
                .map(|text| text.text().chars().count())
                .sum();
            self.num_hidden += hidden as u64;
            return;
        }
        self.run_nodes(run, value("w:vertAlign") == Some("superscript"));
    }

    fn run_nodes(&mut self, run: &'a Element, is_raised: bool) {
        for node in &run.nodes {
            let Node::Element(child) = node else { continue };
            match child.name() {
                "w:t" if is_raised => self.text.push_str(&superscript(&child.text())),
                "w:t" => self.text.push_str(&child.text()),
                "w:tab" | "w:ptab" => self.push('\t'),
                "w:br" if child.attribute("w:type") == Some("page") => self.push(PAGE_BREAK),
                "w:br" | "w:cr" => self.push('\n'),
                "w:lastRenderedPageBreak" => self.push(PAGE_BREAK),
                "w:noBreakHyphen" => self.push('-'),
                "w:sym" => self.symbol(child),
                "w:footnoteReference" | "w:endnoteReference" => self.note(child),
                "w:commentReference" => self.num_comments += 1,
                "w:fldChar" => self.form_field(child),
                "w:drawing" | "w:pict" | "w:object" => self.drawing(child),
                "mc:AlternateContent" => self.alternate(child),
                "w:ruby" => {
                    if let Some(base) = child.child("w:rubyBase") {
                        self.read(base);
                    }
                }
                _ => {}
            }
        }
    }

    fn note(&mut self, reference: &Element) {
        let kind = reference
            .name()
            .trim_start_matches("w:")
            .trim_end_matches("Reference");
        if let Some(id) = reference.attribute("w:id") {
            self.notes.push(format!("{kind} {id}"));
            self.push(NOTE);
        }
    }

    /// A character by its code. Symbol fonts use the private area; what their boxes and marks
    /// mean is known.
    fn symbol(&mut self, symbol: &Element) {
        let code = symbol
            .attribute("w:char")
            .and_then(|code| u32::from_str_radix(code, 16).ok());
        let c = match code.map(|code| code & 0xff) {
            Some(0xfc) if code >= Some(0xf000) => Some('✓'),
            Some(0xfe | 0x78) if code >= Some(0xf000) => Some('☒'),
            Some(0xa8 | 0x6f) if code >= Some(0xf000) => Some('☐'),
            Some(0xb7 | 0xa7) if code >= Some(0xf000) => Some('•'),
            _ => code
                .filter(|code| !(0xf000..=0xf0ff).contains(code))
                .and_then(char::from_u32),
        };
        match c {
            Some(c) => self.push(c),
            None => self.num_unknown += 1,
        }
    }

    /// A box that is ticked or not, or a choice from a list, of the older kind of forms. What was
    /// typed into text fields stands in the runs.
    fn form_field(&mut self, field: &Element) {
        let Some(data) = field.child("w:ffData") else {
            return;
        };
        if let Some(check) = data.child("w:checkBox") {
            let state = check.child("w:checked").or(check.child("w:default"));
            self.push(if state.is_some_and(is_on) {
                '☒'
            } else {
                '☐'
            });
        }
        if let Some(list) = data.child("w:ddList") {
            let index = list
                .child("w:result")
                .and_then(|result| result.number("w:val"))
                .unwrap_or(0);
            let mut entries = list
                .children()
                .filter(|entry| entry.name() == "w:listEntry");
            let entry = usize::try_from(index)
                .ok()
                .and_then(|index| entries.nth(index));
            self.text.push_str(
                entry
                    .and_then(|entry| entry.attribute("w:val"))
                    .unwrap_or_default(),
            );
        }
    }

    fn drawing(&mut self, drawing: &'a Element) {
        for child in drawing.children() {
            match child.name() {
                // What is in it is read with it, later.
                "w:txbxContent" => self.text_boxes.push(child),
                "mc:AlternateContent" => {
                    if let Some(choice) = child.child("mc:Choice").or(child.child("mc:Fallback")) {
                        self.drawing(choice);
                    }
                }
                "a:blip" | "v:imagedata" => self.num_images += 1,
                "c:chart" => self.num_charts += 1,
                _ => self.drawing(child),
            }
        }
    }
}
