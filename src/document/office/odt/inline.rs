//! The text of one paragraph, and what hangs on it.

use super::styles::Styles;
use crate::document::model::LeftOutKind;
use crate::document::office::numbering::superscript;
use crate::document::office::xml::{Element, Node};
use crate::document::writer::Writer;

/// Stands in the text where a page begins. It cannot be in XML.
pub const PAGE_BREAK: char = '\u{1}';
pub const HIDDEN: &str = "characters that are hidden, white or tiny";
/// Spaces that one element may stand for.
const MAX_SPACES: u64 = 200;

pub struct Inline<'a> {
    pub text: String,
    pub notes: Vec<&'a Element>,
    pub text_boxes: Vec<&'a Element>,
    styles: &'a Styles,
    num_comments: u64,
    num_images: u64,
    num_objects: u64,
    num_hidden: u64,
}

impl<'a> Inline<'a> {
    pub fn new(styles: &'a Styles) -> Self {
        Self {
            text: String::new(),
            notes: Vec::new(),
            text_boxes: Vec::new(),
            styles,
            num_comments: 0,
            num_images: 0,
            num_objects: 0,
            num_hidden: 0,
        }
    }

    pub fn report(&self, writer: &mut Writer<'_>) {
        writer.leave_out(
            LeftOutKind::Comment,
            self.num_comments,
            "comments in the margin",
        );
        writer.leave_out(LeftOutKind::Image, self.num_images, "pictures");
        writer.leave_out(
            LeftOutKind::Image,
            self.num_objects,
            "embedded objects, such as charts",
        );
        writer.leave_out(LeftOutKind::HiddenText, self.num_hidden, HIDDEN);
    }

    /// Puts a label before the text, after what begins a page.
    pub fn prefix(&mut self, label: &str) {
        let at = self.text.len() - self.text.trim_start_matches(PAGE_BREAK).len();
        self.text.insert_str(at, &format!("{label} "));
    }

    /// There is a comment, which is not read.
    pub fn comment(&mut self) {
        self.num_comments += 1;
    }

    /// Reads what stands within an element. Spaces and line feeds of the file are one space each.
    pub fn read(&mut self, parent: &'a Element, is_raised: bool) {
        for node in &parent.nodes {
            match node {
                Node::Text(text) if is_raised => self.text.push_str(&superscript(text)),
                Node::Text(text) => self
                    .text
                    .extend(text.chars().map(|c| if c == '\n' { ' ' } else { c })),
                Node::Element(child) => self.element(child, is_raised),
            }
        }
    }

    fn element(&mut self, child: &'a Element, is_raised: bool) {
        match child.name() {
            "text:s" => {
                let count = child.number("text:c").unwrap_or(1).min(MAX_SPACES);
                self.text.extend((0..count).map(|_| ' '));
            }
            "text:tab" => self.text.push('\t'),
            "text:line-break" => self.text.push('\n'),
            "text:soft-page-break" => self.text.push(PAGE_BREAK),
            "text:note" => {
                self.text.push_str(&self.styles.citation(child));
                self.notes.push(child);
            }
            "office:annotation" => self.comment(),
            "office:annotation-end" | "text:ruby-text" | "text:label" | "text:hidden-paragraph" => {
            }
            "text:hidden-text" => self.num_hidden += child.text().chars().count() as u64,
            "text:span" => {
                let style = child.attribute("text:style-name").unwrap_or_default();
                if self.styles.is_hidden("text", style) {
                    self.num_hidden += child.text().chars().count() as u64;
                } else {
                    self.read(child, is_raised || self.styles.is_raised(style));
                }
            }
            "draw:frame" | "draw:g" | "draw:custom-shape" | "draw:rect" | "draw:a" => {
                self.drawing(child)
            }
            _ => self.read(child, is_raised),
        }
    }

    /// A picture, a text box, or a shape with text.
    pub fn drawing(&mut self, drawing: &'a Element) {
        match drawing.name() {
            "draw:image" => {
                self.num_images += 1;
                return;
            }
            "draw:object" | "draw:object-ole" => {
                self.num_objects += 1;
                return;
            }
            "draw:text-box" => {
                self.text_boxes.push(drawing);
                return;
            }
            "draw:custom-shape" | "draw:rect" if drawing.child("text:p").is_some() => {
                self.text_boxes.push(drawing);
                return;
            }
            _ => {}
        }
        let has_object = drawing
            .children()
            .any(|child| child.name().starts_with("draw:object"));
        for child in drawing.children() {
            // The picture beside an object shows what the object is.
            if !(has_object && child.name() == "draw:image") {
                self.drawing(child);
            }
        }
    }
}
