//! Where references in a schema lead: to its own parts, by their places and by their names.

use super::FormatError;
use super::keywords::{Keyword, keyword};
use super::limits::{MAX_IDENTIFIER_BYTES, MAX_IDENTIFIERS, MAX_POINTER_BYTES};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

/// What a schema calls its parts.
#[derive(Debug, Default)]
pub struct Identifiers {
    /// Pointers by URI, and by URI with an anchor as its fragment. `None`: more than one has it.
    places: HashMap<String, Option<String>>,
    /// The URIs of `$id`, by pointer: references below are relative to them.
    bases: BTreeMap<String, String>,
    /// How often the names of `$dynamicAnchor` are given, and where one stands.
    dynamic: HashMap<String, (usize, String)>,
    num_given: usize,
}

/// Where a reference leads.
#[derive(Debug, PartialEq, Eq)]
pub enum Lead {
    At(String),
    /// Which of several it is depends on the way to the reference.
    Dynamic,
    Nowhere,
}

impl Identifiers {
    /// Refuses names that would take much memory: each is kept whole, and so is its place.
    pub fn of(root: &Value) -> Result<Self, FormatError> {
        let mut identifiers = Self::default();
        identifiers.bases.insert(String::new(), String::new());
        identifiers
            .places
            .insert(String::new(), Some(String::new()));
        identifiers.collect(root, &mut String::new(), "")?;
        Ok(identifiers)
    }

    /// Where a reference leads that stands in the schema at `from`.
    pub fn target(&self, root: &Value, from: &str, reference: &str) -> Lead {
        let place = self.place(root, from, reference);
        place.map_or(Lead::Nowhere, Lead::At)
    }

    /// The same for a reference that may lead elsewhere if whoever led here says so.
    pub fn dynamic_target(&self, root: &Value, from: &str, reference: &str) -> Lead {
        let Some(place) = self.place(root, from, reference) else {
            return Lead::Nowhere;
        };
        let fragment = reference
            .split_once('#')
            .map_or("", |(_, fragment)| fragment);
        match self.dynamic.get(fragment) {
            // Only a name that was given by `$dynamicAnchor` is looked for again.
            Some((num_given, first)) if *num_given > 1 || *first != place => {
                let at = root.pointer(&place).and_then(|at| at.get("$dynamicAnchor"));
                if at.and_then(Value::as_str) == Some(fragment) {
                    Lead::Dynamic
                } else {
                    Lead::At(place)
                }
            }
            _ => Lead::At(place),
        }
    }

    fn place(&self, root: &Value, from: &str, reference: &str) -> Option<String> {
        let (uri, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let uri = joined(self.base(from), uri);
        if !fragment.is_empty() && !fragment.starts_with('/') {
            return self.places.get(&format!("{uri}#{fragment}"))?.clone();
        }
        let decoded = percent_encoding::percent_decode_str(fragment);
        let resource = self.places.get(&uri)?.as_ref()?;
        let pointer = format!("{resource}{}", decoded.decode_utf8().ok()?);
        root.pointer(&pointer).is_some().then_some(pointer)
    }

    /// The URI that references at a place are relative to.
    fn base(&self, pointer: &str) -> &str {
        let mut pointer = pointer;
        loop {
            if let Some(base) = self.bases.get(pointer) {
                return base;
            }
            match pointer.rsplit_once('/') {
                Some((above, _)) => pointer = above,
                None => return "",
            }
        }
    }

    fn collect(
        &mut self,
        schema: &Value,
        pointer: &mut String,
        base: &str,
    ) -> Result<(), FormatError> {
        let Value::Object(keywords) = schema else {
            return Ok(());
        };
        let named = |name: &str| keywords.get(name).and_then(Value::as_str);
        let mut base = base.to_owned();
        if let Some(id) = named("$id") {
            match id.split_once('#') {
                // In older drafts an anchor.
                Some(("", anchor)) if !anchor.is_empty() => {
                    self.name("$id", &base, anchor, pointer)?;
                }
                split => {
                    base = joined(&base, split.map_or(id, |(uri, _)| uri));
                    self.give("$id", base.clone(), pointer)?;
                    self.bases.insert(pointer.clone(), base.clone());
                }
            }
        }
        for keyword in ["$anchor", "$dynamicAnchor"] {
            if let Some(anchor) = named(keyword) {
                self.name(keyword, &base, anchor, pointer)?;
            }
        }
        if let Some(anchor) = named("$dynamicAnchor") {
            let given = self.dynamic.entry(anchor.to_owned());
            given.or_insert_with(|| (0, pointer.clone())).0 += 1;
        }
        for (path, schema) in parts(keywords) {
            let len = pointer.len();
            pointer.push_str(&path);
            if pointer.len() > MAX_POINTER_BYTES {
                pointer.truncate(len);
                let message = format!("a pointer there has more than {MAX_POINTER_BYTES} bytes");
                return Err(refusal(pointer, message));
            }
            self.collect(schema, pointer, &base)?;
            pointer.truncate(len);
        }
        Ok(())
    }

    fn name(
        &mut self,
        keyword: &str,
        base: &str,
        anchor: &str,
        pointer: &str,
    ) -> Result<(), FormatError> {
        self.give(keyword, format!("{base}#{anchor}"), pointer)
    }

    fn give(&mut self, keyword: &str, uri: String, pointer: &str) -> Result<(), FormatError> {
        if uri.len() > MAX_IDENTIFIER_BYTES {
            let message = format!(
                "it must have at most {MAX_IDENTIFIER_BYTES} bytes, with the URI that it is relative to"
            );
            return Err(refusal(&format!("{pointer}/{keyword}"), message));
        }
        self.num_given += 1;
        if self.num_given > MAX_IDENTIFIERS {
            let message = format!(
                "the schema has more than {MAX_IDENTIFIERS} of $id, $anchor and $dynamicAnchor"
            );
            return Err(refusal(&format!("{pointer}/{keyword}"), message));
        }
        let place = self.places.entry(uri);
        place
            .and_modify(|known| {
                if known.as_deref() != Some(pointer) {
                    *known = None;
                }
            })
            .or_insert_with(|| Some(pointer.to_owned()));
        Ok(())
    }
}

fn refusal(pointer: &str, reason: String) -> FormatError {
    FormatError::Schema {
        pointer: pointer.to_owned(),
        reason,
    }
}

/// The schemas within a schema, and the ways to them. What stands in values is none.
fn parts(keywords: &Map<String, Value>) -> Vec<(String, &Value)> {
    let mut parts = Vec::new();
    for (name, value) in keywords {
        match (keyword(name), value) {
            (
                Some(
                    Keyword::Schemas(_)
                    | Keyword::Patterns
                    | Keyword::DependentSchemas
                    | Keyword::Definitions,
                ),
                Value::Object(schemas),
            ) => parts.extend(
                schemas
                    .iter()
                    .map(|(key, schema)| (format!("/{name}/{}", escaped(key)), schema)),
            ),
            (Some(Keyword::List(_) | Keyword::OneOf | Keyword::Items), Value::Array(schemas)) => {
                parts.extend(
                    schemas
                        .iter()
                        .enumerate()
                        .map(|(index, schema)| (format!("/{name}/{index}"), schema)),
                )
            }
            (
                Some(
                    Keyword::Schema
                    | Keyword::Items
                    | Keyword::AdditionalItems
                    | Keyword::Not
                    | Keyword::If
                    | Keyword::Branch
                    | Keyword::Contains
                    | Keyword::PropertyNames
                    | Keyword::Unevaluated(_),
                ),
                Value::Object(_),
            ) => parts.push((format!("/{name}"), value)),
            _ => {}
        }
    }
    parts
}

/// A name as it stands in a JSON pointer.
pub fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A URI reference that stands in something with this URI (RFC 3986, 5.2).
fn joined(base: &str, reference: &str) -> String {
    let scheme_len = |uri: &str| {
        let (scheme, _) = uri.split_once(':')?;
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        is_scheme.then_some(scheme.len() + 1)
    };
    if reference.is_empty() {
        return base.to_owned();
    }
    if scheme_len(reference).is_some() {
        return reference.to_owned();
    }
    let after_scheme = scheme_len(base).unwrap_or(0);
    if reference.starts_with("//") {
        return format!("{}{reference}", &base[..after_scheme]);
    }
    let path_start = match base[after_scheme..].strip_prefix("//") {
        Some(rest) => base.len() - rest.len() + rest.find('/').unwrap_or(rest.len()),
        None => after_scheme,
    };
    let (before, path) = base.split_at(path_start);
    let path = path.split('?').next().unwrap_or_default();
    let path = if reference.starts_with('/') {
        reference.to_owned()
    } else if reference.starts_with('?') {
        format!("{path}{reference}")
    } else {
        let parent = path.rfind('/').map_or("", |end| &path[..=end]);
        let parent = if parent.is_empty() && before.contains("//") {
            "/"
        } else {
            parent
        };
        format!("{parent}{reference}")
    };
    format!("{before}{}", without_dots(&path))
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.split('/').collect();
    for (index, segment) in segments.iter().enumerate() {
        let is_last = index + 1 == segments.len();
        match *segment {
            "." | ".." => {
                if *segment == ".." && kept.len() > 1 {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
    }
    kept.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_are_relative_to_the_nearest_identifier() {
        for (base, reference, uri) in [
            (
                "http://a.example/b/c.json",
                "d.json",
                "http://a.example/b/d.json",
            ),
            ("http://a.example/b/c.json", "/d", "http://a.example/d"),
            ("http://a.example/b/c/", "../d", "http://a.example/b/d"),
            ("http://a.example/b/c", "./d", "http://a.example/b/d"),
            ("http://a.example", "d", "http://a.example/d"),
            ("http://a.example/b?q=/x", "d", "http://a.example/d"),
            ("http://a.example/b", "//c.example/d", "http://c.example/d"),
            ("http://a.example/b", "urn:c", "urn:c"),
            ("urn:uuid:1", "", "urn:uuid:1"),
            ("", "d", "d"),
            ("d/e", "f", "d/f"),
        ] {
            assert_eq!(joined(base, reference), uri, "{base} {reference}");
        }
    }

    #[test]
    fn a_name_that_two_have_leads_nowhere() {
        let root = json!({
            "$id": "http://a.example/root",
            "$defs": {
                "a": {"$id": "one", "$anchor": "x"},
                "b": {"$id": "one", "$anchor": "y"},
                "c": {"const": {"$anchor": "value"}, "items": {"$anchor": "z"}},
            }
        });
        let identifiers = Identifiers::of(&root).unwrap();
        let target = |reference: &str| identifiers.target(&root, "", reference);
        assert_eq!(target("one"), Lead::Nowhere);
        assert_eq!(target("#value"), Lead::Nowhere);
        assert_eq!(target("#z"), Lead::At("/$defs/c/items".to_owned()));
        assert_eq!(target("http://a.example/root"), Lead::At(String::new()));
        assert_eq!(target("one#/items"), Lead::Nowhere);
    }

    #[test]
    fn a_dynamic_name_that_is_given_once_is_a_name() {
        let once =
            json!({"$defs": {"a": {"$dynamicAnchor": "x"}, "b": {"$id": "b", "$anchor": "x"}}});
        let identifiers = Identifiers::of(&once).unwrap();
        let target = |from: &str| identifiers.dynamic_target(&once, from, "#x");
        assert_eq!(target(""), Lead::At("/$defs/a".to_owned()));
        assert_eq!(target("/$defs/b"), Lead::At("/$defs/b".to_owned()));
        let twice =
            json!({"$dynamicAnchor": "x", "$defs": {"b": {"$id": "b", "$dynamicAnchor": "x"}}});
        let identifiers = Identifiers::of(&twice).unwrap();
        assert_eq!(identifiers.dynamic_target(&twice, "", "#x"), Lead::Dynamic);
    }
}
