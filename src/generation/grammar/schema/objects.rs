//! Keywords of objects that the compiler has no equal of.

use super::complement::{all_of, any_of};
use super::limits::{MAX_MEMBERS, MAX_PATTERN_PROPERTIES};
use super::texts::kept_to;
use super::{FormatError, Walk, absent};
use serde_json::{Map, Value, json};

impl Walk<'_> {
    /// Schemas by patterns of names.
    pub(super) fn patterns(&mut self, value: &Value) -> Result<Value, FormatError> {
        let schemas = self.schemas(value, MAX_PATTERN_PROPERTIES)?;
        let mut patterns = Map::new();
        for (pattern, schema) in schemas.as_object().into_iter().flatten() {
            let pattern = self.inside(pattern, |walk| walk.pattern(pattern))?;
            let same = patterns.shift_remove(&pattern).into_iter();
            let schema = all_of(same.chain([schema.clone()]).collect());
            patterns.insert(pattern, schema);
        }
        Ok(patterns.into())
    }

    pub(super) fn dependent_required(&mut self, value: &Value) -> Result<Value, FormatError> {
        let mut all = Vec::new();
        for (name, required) in self.members(value)? {
            let mut required = self.inside(name, |walk| walk.names(required))?;
            if let Value::Array(names) = &mut required {
                names.push(name.as_str().into());
            }
            all.push(any_of(vec![absent(name), json!({ "required": required })]));
        }
        Ok(all_of(all))
    }

    pub(super) fn dependent_schemas(&mut self, value: &Value) -> Result<Value, FormatError> {
        let mut all = Vec::new();
        for (name, schema) in self.members(value)? {
            let schema = self.inside(name, |walk| walk.schema(schema))?;
            let is_there = json!({"properties": {name: true}, "required": [name]});
            let present = all_of(vec![is_there, schema]);
            all.push(any_of(vec![absent(name), present]));
        }
        Ok(all_of(all))
    }

    /// Names as a pattern or a list of properties.
    pub(super) fn property_names(&mut self, value: &Value) -> Result<Value, FormatError> {
        let prepared = self.schema(value)?;
        let mut keywords = match prepared {
            Value::Bool(true) => return Ok(Value::Bool(true)),
            Value::Bool(false) => return Ok(json!({ "additionalProperties": false })),
            Value::Object(keywords) => keywords,
            _ => Map::new(),
        };
        // Names are strings.
        match keywords.shift_remove("type") {
            None => {}
            Some(Value::Array(types)) if types.iter().any(|name| name == "string") => {}
            Some(name) if name == "string" => {}
            Some(_) => return Ok(json!({ "additionalProperties": false })),
        }
        let count = |name: &str| keywords.get(name).and_then(Value::as_u64);
        let names: Vec<&String> = keywords.keys().collect();
        let pattern = match names.as_slice() {
            [] => return Ok(Value::Bool(true)),
            [name] if matches!(name.as_str(), "const" | "enum") => {
                let values = keywords.values().next().map(|value| match value {
                    Value::Array(values) if *name == "enum" => values.as_slice(),
                    one => std::slice::from_ref(one),
                });
                let names = values.unwrap_or_default().iter().filter_map(Value::as_str);
                let properties: Map<String, Value> =
                    names.map(|name| (name.to_owned(), true.into())).collect();
                return Ok(json!({"properties": properties, "additionalProperties": false}));
            }
            [name] if *name == "pattern" => keywords
                .get("pattern")
                .and_then(Value::as_str)
                .map(str::to_owned),
            names
                if names
                    .iter()
                    .all(|name| matches!(name.as_str(), "minLength" | "maxLength")) =>
            {
                let max = count("maxLength").map_or(String::new(), |max| max.to_string());
                let min = count("minLength").unwrap_or(0);
                let is_empty = count("maxLength").is_some_and(|max| max < min);
                if is_empty {
                    return Ok(json!({ "additionalProperties": false }));
                }
                kept_to(&format!("^(?s:.{{{min},{max}}})$")).ok()
            }
            _ => None,
        };
        let Some(pattern) = pattern else {
            return Err(self.refuse(
                "it can only hold const, enum, pattern, or minLength and maxLength; leave it out",
            ));
        };
        Ok(json!({"patternProperties": {pattern: true}, "additionalProperties": false}))
    }

    /// The grammar counts properties only where it need not tell which of them came.
    pub(super) fn counts_of_properties(
        &mut self,
        keywords: &Map<String, Value>,
    ) -> Result<(), FormatError> {
        let count = |name: &str| {
            keywords
                .get(name)
                .and_then(Value::as_f64)
                .map(|n| n as usize)
        };
        let (min, max) = (count("minProperties"), count("maxProperties"));
        let name = match (min, max) {
            (None, None) => return Ok(()),
            (_, Some(_)) => "maxProperties",
            (Some(_), None) => "minProperties",
        };
        let required: Vec<&Value> = keywords
            .get("required")
            .and_then(Value::as_array)
            .map_or_else(Vec::new, |names| names.iter().collect());
        let properties = keywords.get("properties").and_then(Value::as_object);
        let num_optional = properties.map_or(0, |properties| {
            let is_required = |name: &&String| required.iter().any(|r| r.as_str() == Some(name));
            properties.len() - properties.keys().filter(is_required).count()
        });
        let is_closed = keywords.get("additionalProperties") == Some(&Value::Bool(false))
            && !keywords.contains_key("patternProperties");
        let missing = min.map_or(0, |min| min.saturating_sub(required.len()));
        let room = max.map(|max| max.saturating_sub(required.len()));
        if num_optional > 0 && (missing > 0 || room.is_some()) {
            let is_counted = is_closed && missing <= 1 && room.unwrap_or(1) == 1;
            if !is_counted {
                return self.inside(name, |walk| {
                    Err(walk.refuse("it needs every name in `properties` to be required"))
                });
            }
        } else if missing > 1 && !is_closed {
            return self.inside("minProperties", |walk| {
                Err(walk.refuse("it needs names: the ones that it leaves free may repeat"))
            });
        }
        Ok(())
    }

    /// The members of a keyword that has few.
    fn members<'v>(&self, value: &'v Value) -> Result<&'v Map<String, Value>, FormatError> {
        let Value::Object(members) = value else {
            return Err(self.refuse("it must be an object"));
        };
        self.at_most(MAX_MEMBERS, members.len())?;
        Ok(members)
    }
}
