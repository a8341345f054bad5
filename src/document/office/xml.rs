//! XML as a tree. Nothing is declared, fetched or expanded: a document type is refused, and with
//! it every entity bomb.

use super::archive::{malformed, too_many_nodes};
use crate::document::error::{DocumentError, Limit};
use crate::document::format::Format;
use crate::document::limits::ParseLimits;
use crate::document::text::encoding;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{LocalName, ResolveResult};
use quick_xml::reader::NsReader;
use std::collections::HashMap;
use std::rc::Rc;

/// An element. Names are written with the prefixes that everybody uses, whatever the file's are.
#[derive(Debug)]
pub struct Element {
    name: Rc<str>,
    attributes: Vec<(Rc<str>, String)>,
    pub nodes: Vec<Node>,
}

#[derive(Debug)]
pub enum Node {
    Element(Element),
    Text(String),
}

impl Element {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// An attribute by its name with its prefix, such as `w:val`.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(own, _)| **own == *name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.attribute(name)?.parse().ok()
    }

    pub fn children(&self) -> impl Iterator<Item = &Element> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children().find(|child| child.name() == name)
    }

    /// The descendant that a path of names leads to.
    pub fn at(&self, path: &[&str]) -> Option<&Element> {
        path.iter()
            .try_fold(self, |element, name| element.child(name))
    }

    /// All descendants of a name, in order.
    pub fn descendants<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.all().filter(move |element| element.name() == name)
    }

    /// All descendants, in order.
    pub fn all(&self) -> impl Iterator<Item = &Element> {
        let mut stack: Vec<&Element> = self.children().collect();
        stack.reverse();
        std::iter::from_fn(move || {
            let element = stack.pop()?;
            let at = stack.len();
            stack.extend(element.children());
            stack[at..].reverse();
            Some(element)
        })
    }

    /// All text within.
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.add_text(&mut text);
        text
    }

    fn add_text(&self, text: &mut String) {
        for node in &self.nodes {
            match node {
                Node::Text(own) => text.push_str(own),
                Node::Element(element) => element.add_text(text),
            }
        }
    }
}

/// Reads a part.
pub fn parse(bytes: &[u8], format: Format, limits: &ParseLimits) -> Result<Element, DocumentError> {
    let text =
        encoding::decode(bytes).ok_or_else(|| malformed(format, "a part of it is no text"))?;
    let mut reader = NsReader::from_str(&text);
    let mut tree = Tree {
        open: Vec::new(),
        root: None,
        num_nodes: 0,
        names: HashMap::new(),
        format,
        limits,
    };
    loop {
        let event = reader
            .read_event()
            .map_err(|error| malformed(format, &format!("its XML is damaged: {error}")))?;
        match event {
            Event::Start(start) => {
                let element = tree.element(&reader, &start)?;
                tree.open(element)?;
            }
            Event::Empty(start) => {
                let element = tree.element(&reader, &start)?;
                tree.add(Node::Element(element))?;
            }
            Event::End(_) => tree.close()?,
            Event::Text(text) => tree.text(&text.xml_content(XmlVersion::Implicit1_0))?,
            Event::CData(text) => tree.text(&text.xml_content(XmlVersion::Implicit1_0))?,
            Event::GeneralRef(reference) => {
                let c = match &*reference {
                    "amp" => Some('&'),
                    "lt" => Some('<'),
                    "gt" => Some('>'),
                    "quot" => Some('"'),
                    "apos" => Some('\''),
                    _ => reference.resolve_char_ref().ok().flatten(),
                };
                let c = c.ok_or_else(|| malformed(format, "its XML uses an unknown entity"))?;
                tree.text(c.encode_utf8(&mut [0; 4]))?;
            }
            Event::DocType(_) => {
                return Err(malformed(
                    format,
                    "its XML declares a document type, which may hold entity bombs",
                ));
            }
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    match (tree.root, tree.open.is_empty()) {
        (Some(root), true) => Ok(root),
        _ => Err(malformed(format, "its XML ends too early")),
    }
}

struct Tree<'a> {
    open: Vec<Element>,
    root: Option<Element>,
    num_nodes: u64,
    names: HashMap<String, Rc<str>>,
    format: Format,
    limits: &'a ParseLimits,
}

impl Tree<'_> {
    fn element(
        &mut self,
        reader: &NsReader<&[u8]>,
        start: &BytesStart<'_>,
    ) -> Result<Element, DocumentError> {
        let (namespace, local) = reader.resolver().resolve_element(start.name());
        let name = self.name(&namespace, local);
        let mut attributes = Vec::new();
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute
                .map_err(|error| malformed(self.format, &format!("its XML is damaged: {error}")))?;
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            self.count()?;
            let (namespace, local) = reader.resolver().resolve_attribute(attribute.key);
            let name = self.name(&namespace, local);
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|_| malformed(self.format, "an attribute in its XML is damaged"))?;
            attributes.push((name, value.into_owned()));
        }
        Ok(Element {
            name,
            attributes,
            nodes: Vec::new(),
        })
    }

    fn name(&mut self, namespace: &ResolveResult<'_>, local: LocalName<'_>) -> Rc<str> {
        let prefix = match namespace {
            ResolveResult::Bound(namespace) => prefix_of(namespace.into_inner()),
            ResolveResult::Unbound | ResolveResult::Unknown(_) => "",
        };
        let name = match prefix {
            "" => local.into_inner().to_owned(),
            prefix => format!("{prefix}:{}", local.into_inner()),
        };
        let shared = self
            .names
            .entry(name)
            .or_insert_with_key(|name| Rc::from(name.as_str()));
        Rc::clone(shared)
    }

    fn count(&mut self) -> Result<(), DocumentError> {
        self.num_nodes += 1;
        match self.num_nodes > self.limits.max_nodes {
            true => Err(too_many_nodes(self.limits)),
            false => Ok(()),
        }
    }

    fn open(&mut self, element: Element) -> Result<(), DocumentError> {
        self.count()?;
        self.open.push(element);
        match self.open.len() as u64 > self.limits.max_nesting {
            true => Err(DocumentError::LimitExceeded {
                limit: Limit::Nesting,
                max: self.limits.max_nesting,
            }),
            false => Ok(()),
        }
    }

    fn close(&mut self) -> Result<(), DocumentError> {
        match self.open.pop() {
            Some(element) => self.add(Node::Element(element)),
            None => Err(malformed(
                self.format,
                "its XML ends an element that has not begun",
            )),
        }
    }

    fn add(&mut self, node: Node) -> Result<(), DocumentError> {
        self.count()?;
        match (self.open.last_mut(), node) {
            (Some(parent), node) => parent.nodes.push(node),
            (None, Node::Element(root)) if self.root.is_none() => self.root = Some(root),
            (None, _) => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), DocumentError> {
        match self.open.last_mut() {
            Some(Element { nodes, .. }) if matches!(nodes.last(), Some(Node::Text(_))) => {
                if let Some(Node::Text(own)) = nodes.last_mut() {
                    own.push_str(text);
                }
                Ok(())
            }
            Some(_) => self.add(Node::Text(text.to_owned())),
            None => Ok(()),
        }
    }
}

/// The usual prefix of a namespace: transitional and strict ones have the same.
fn prefix_of(namespace: &str) -> &str {
    if let Some(name) = namespace.strip_prefix("urn:oasis:names:tc:opendocument:xmlns:") {
        return match name.split(':').next().unwrap_or_default() {
            "drawing" => "draw",
            "xsl-fo-compatible" => "fo",
            "svg-compatible" => "svg",
            name => name,
        };
    }
    let end = |suffix: &str| namespace.ends_with(suffix);
    match () {
        () if end("/wordprocessingml/2006/main") || end("/wordprocessingml/main") => "w",
        () if end("/word/2010/wordml") => "w14",
        () if end("/spreadsheetml/2006/main") || end("/spreadsheetml/main") => "x",
        () if end("/drawingml/2006/main") || end("/drawingml/main") => "a",
        () if end("/drawingml/2006/chart") || end("/drawingml/chart") => "c",
        () if end("/officeDocument/2006/math") || end("/officeDocument/math") => "m",
        () if end("/officeDocument/2006/relationships") || end("/officeDocument/relationships") => {
            "r"
        }
        () if end("/markup-compatibility/2006") => "mc",
        () if namespace == "urn:schemas-microsoft-com:vml" => "v",
        () if end("/dc/elements/1.1/") => "dc",
        () if end("/package/2006/relationships") => "rel",
        () if end("/XML/1998/namespace") => "xml",
        () => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(text: &str) -> Result<Element, DocumentError> {
        let limits = ParseLimits {
            max_nesting: 10,
            ..ParseLimits::default()
        };
        parse(text.as_bytes(), Format::Docx, &limits)
    }

    #[test]
    fn names_do_not_depend_on_the_prefixes_of_the_file() {
        let root = parse_text(
            "<q:p xmlns:q='http://schemas.openxmlformats.org/wordprocessingml/2006/main' q:val='1'>a&amp;b&#x20AC;</q:p>",
        )
        .unwrap();
        assert_eq!(
            (root.name(), root.attribute("w:val"), root.text().as_str()),
            ("w:p", Some("1"), "a&b€")
        );
    }

    #[test]
    fn entity_bombs_and_deep_nesting_are_refused() {
        let bomb = "<!DOCTYPE a [<!ENTITY b 'bbbb'><!ENTITY c '&b;&b;'>]><a>&c;</a>";
        assert!(
            parse_text(bomb)
                .unwrap_err()
                .to_string()
                .contains("document type")
        );
        let deep = parse_text(&("<a>".repeat(11) + &"</a>".repeat(11))).unwrap_err();
        assert!(matches!(
            deep,
            DocumentError::LimitExceeded {
                limit: Limit::Nesting,
                ..
            }
        ));
        assert!(parse_text("<a><b></b>").is_err());
    }
}
