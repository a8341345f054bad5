//! What of JSON Schema can be enforced. Every keyword has a row: nothing in a schema is dropped
//! without a word.

mod bounds;
mod exclusive;
mod keywords;
mod reference;
#[cfg(test)]
mod tests;
mod values;

pub use keywords::{FORMATS, enforced_keywords};

use super::FormatError;
use bounds::Bounds;
use keywords::{APPLICATORS, Keyword, MAX_MEMBERS, keyword};
use serde_json::{Map, Value, json};

/// The compiler holds each against all others.
const MAX_PATTERN_PROPERTIES: usize = 16;
/// Schemas within a schema.
const MAX_SCHEMAS: usize = 10_000;

/// White space between two parts of JSON: a space or two, or a line and its indentation. Without
/// a bound a model may write nothing else until its tokens are used up.
const WHITESPACE: &str = r"[\x20]{1,2}|\r?\n[\x20\x09]{0,32}";
/// What may follow a backslash in a text. Not `u`: written so, a name would pass for another.
const ESCAPES: &str = "nrbtf\\\"";

/// Holds a schema against the keywords and writes it as the compiler wants it.
pub fn prepare(schema: &Value) -> Result<Value, FormatError> {
    let mut walk = Walk {
        root: schema,
        pointer: String::new(),
        targets: Vec::new(),
        num_schemas: 0,
        bounds: Bounds::default(),
    };
    let mut prepared = walk.schema(schema)?;
    let mut definitions = Map::new();
    while let Some(pointer) = walk.targets.get(definitions.len()) {
        walk.pointer.clone_from(pointer);
        let Some(target) = schema.pointer(pointer) else {
            return Err(walk.refuse("it is not there"));
        };
        let target = walk.schema(target)?;
        definitions.insert(definition(definitions.len()), target);
    }
    if let Some(pointer) = walk.bounds.unenforced() {
        return Err(FormatError::Schema {
            pointer: pointer.to_owned(),
            reason: "it cannot be enforced less than 1 from a bound on the other side".to_owned(),
        });
    }
    if !walk.bounds.divisors_combine() {
        return Err(FormatError::Schema {
            pointer: String::new(),
            reason: "beside each other its values of multipleOf have too many digits".to_owned(),
        });
    }
    if let Value::Bool(true) = prepared {
        prepared = json!({});
    }
    let Value::Object(root) = &mut prepared else {
        return Err(FormatError::Schema {
            pointer: String::new(),
            reason: "it allows nothing".to_owned(),
        });
    };
    if !definitions.is_empty() {
        root.insert("$defs".to_owned(), Value::Object(definitions));
    }
    root.insert(
        "x-guidance".to_owned(),
        json!({
            "whitespace_flexible": false,
            "whitespace_pattern": WHITESPACE,
            "json_allowed_escapes": ESCAPES,
        }),
    );
    Ok(prepared)
}

/// Accepts objects without this property, and everything else.
fn absent(name: &str) -> Value {
    json!({"properties": {name: false}})
}

/// The name of a place that references lead to.
fn definition(number: usize) -> String {
    format!("r{number}")
}

struct Walk<'a> {
    root: &'a Value,
    /// Where it is.
    pointer: String,
    /// Where references lead. The compiler gets them as definitions, by their numbers here: so
    /// every one of them is looked at, wherever it stands.
    targets: Vec<String>,
    num_schemas: usize,
    bounds: Bounds,
}

impl Walk<'_> {
    fn schema(&mut self, schema: &Value) -> Result<Value, FormatError> {
        self.num_schemas += 1;
        if self.num_schemas > MAX_SCHEMAS {
            return Err(self.refuse(&format!("the schema has more than {MAX_SCHEMAS} parts")));
        }
        match schema {
            Value::Bool(_) => Ok(schema.clone()),
            Value::Object(keywords) => self.keywords(keywords),
            _ => Err(self.refuse("it must be an object, true or false")),
        }
    }

    fn keywords(&mut self, keywords: &Map<String, Value>) -> Result<Value, FormatError> {
        let mut prepared = Map::new();
        // What has to hold beside a keyword of the same name.
        let mut also = Vec::new();
        for (name, value) in keywords {
            self.inside(name, |walk| {
                walk.keyword(name, value, keywords, &mut prepared, &mut also)
            })?;
        }
        self.counts_of_properties(keywords)?;
        self.bounds.add(&self.pointer, keywords);
        if !also.is_empty() {
            let all = prepared.entry("allOf").or_insert_with(|| json!([]));
            if let Value::Array(all) = all {
                all.extend(also);
            }
        }
        Ok(Value::Object(prepared))
    }

    fn keyword(
        &mut self,
        name: &str,
        value: &Value,
        beside: &Map<String, Value>,
        prepared: &mut Map<String, Value>,
        also: &mut Vec<Value>,
    ) -> Result<(), FormatError> {
        let Some(keyword) = keyword(name) else {
            return Err(self.refuse("this keyword cannot be enforced; leave it out"));
        };
        let value = match keyword {
            Keyword::Annotation | Keyword::Definitions => return Ok(()),
            // Elsewhere it would change where references lead.
            Keyword::Identity if self.pointer == "/$id" => return Ok(()),
            Keyword::Identity => {
                return Err(self.refuse("it can only stand at the top; leave it out"));
            }
            Keyword::Unless(neutral) => {
                if neutral.contains(&value.to_string().as_str()) {
                    return Ok(());
                }
                let reason = format!("it can only be {}; leave it out", neutral.join(" or "));
                return Err(self.refuse(&reason));
            }
            Keyword::Type => self.types(value)?,
            Keyword::Values => self.values(name, value)?,
            Keyword::Names => self.names(value)?,
            Keyword::Count => self.count(value)?,
            Keyword::Number if bounds::is_exact(value) => value.clone(),
            Keyword::Number => {
                return Err(self.refuse("it must be a number between -2^53 and 2^53"));
            }
            Keyword::MultipleOf if bounds::divisor(value).is_some() => value.clone(),
            Keyword::MultipleOf => {
                return Err(self.refuse("it must be a number above 0 of at most 8 digits"));
            }
            Keyword::Schema => self.schema(value)?,
            Keyword::Schemas(max) => self.schemas(value, max)?,
            Keyword::Patterns => {
                for pattern in value.as_object().into_iter().flat_map(Map::keys) {
                    self.inside(pattern, |walk| walk.pattern(pattern))?;
                }
                self.schemas(value, MAX_PATTERN_PROPERTIES)?
            }
            Keyword::List(max) => self.list(value, max)?,
            Keyword::Items if value.is_array() => {
                if beside.contains_key("prefixItems") {
                    return Err(self.refuse("it must be a schema beside prefixItems"));
                }
                let items = self.list(value, usize::MAX)?;
                prepared.insert("prefixItems".to_owned(), items);
                return Ok(());
            }
            Keyword::Items => self.schema(value)?,
            Keyword::AdditionalItems => {
                let items = self.schema(value)?;
                // Beside another form of `items` it means nothing.
                if beside.get("items").is_some_and(Value::is_array) {
                    prepared.insert("items".to_owned(), items);
                }
                return Ok(());
            }
            Keyword::UnlessBeside(others) => {
                if let Some(other) = others.iter().find(|other| beside.contains_key(**other)) {
                    let reason = format!("it cannot be enforced beside {other}; leave it out");
                    return Err(self.refuse(&reason));
                }
                return Ok(());
            }
            Keyword::Unevaluated(evaluating) => {
                let schema = self.schema(value)?;
                let is_evaluated = match beside.get(evaluating) {
                    // The older form leaves the items behind these.
                    Some(Value::Array(_)) => beside.contains_key("additionalItems"),
                    other => other.is_some(),
                };
                if is_evaluated || schema == Value::Bool(true) {
                    // Nothing is left that would be unevaluated.
                    return Ok(());
                }
                if let Some(other) = APPLICATORS.iter().find(|name| beside.contains_key(**name)) {
                    let reason = format!("it cannot be enforced beside {other}; use {evaluating}");
                    return Err(self.refuse(&reason));
                }
                prepared.insert(evaluating.to_owned(), schema);
                return Ok(());
            }
            Keyword::DependentRequired => {
                for (name, required) in self.members(value)? {
                    let mut required = self.inside(name, |walk| walk.names(required))?;
                    if let Value::Array(names) = &mut required {
                        names.push(name.as_str().into());
                    }
                    also.push(json!({"anyOf": [absent(name), {"required": required}]}));
                }
                return Ok(());
            }
            Keyword::DependentSchemas => {
                for (name, schema) in self.members(value)? {
                    let schema = self.inside(name, |walk| walk.schema(schema))?;
                    let present = json!({"allOf": [{"required": [name]}, schema]});
                    also.push(json!({"anyOf": [absent(name), present]}));
                }
                return Ok(());
            }
            Keyword::OneOf => {
                let list = self.list(value, MAX_MEMBERS)?;
                if !exclusive::exclude_each_other(self.root, value) {
                    return Err(self.refuse(
                        "its members must exclude each other by their types, by const or enum, or by a required property with const or enum; else use anyOf",
                    ));
                }
                also.push(json!({"anyOf": list}));
                return Ok(());
            }
            Keyword::Pattern => {
                let Some(pattern) = value.as_str() else {
                    return Err(self.refuse("it must be a string"));
                };
                self.pattern(pattern)?;
                value.clone()
            }
            Keyword::Format => match self.format(value)? {
                Some(pattern) => {
                    also.push(json!({"pattern": pattern}));
                    return Ok(());
                }
                None => value.clone(),
            },
            Keyword::Reference => self.reference(value)?,
        };
        prepared.insert(name.to_owned(), value);
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

    fn schemas(&mut self, value: &Value, max: usize) -> Result<Value, FormatError> {
        let Value::Object(schemas) = value else {
            return Err(self.refuse("it must be an object of schemas"));
        };
        self.at_most(max, schemas.len())?;
        for name in schemas.keys() {
            self.inside(name, |walk| walk.spellable(name))?;
        }
        let mut prepared = Map::new();
        for (name, schema) in schemas {
            let schema = self.inside(name, |walk| walk.schema(schema))?;
            prepared.insert(name.clone(), schema);
        }
        Ok(Value::Object(prepared))
    }

    fn list(&mut self, value: &Value, max: usize) -> Result<Value, FormatError> {
        let Value::Array(schemas) = value else {
            return Err(self.refuse("it must be an array of schemas"));
        };
        self.at_most(max, schemas.len())?;
        let mut prepared = Vec::with_capacity(schemas.len());
        for (index, schema) in schemas.iter().enumerate() {
            prepared.push(self.inside(&index.to_string(), |walk| walk.schema(schema))?);
        }
        Ok(Value::Array(prepared))
    }

    fn at_most(&self, max: usize, len: usize) -> Result<(), FormatError> {
        if len > max {
            return Err(self.refuse(&format!("it must hold at most {max}, but holds {len}")));
        }
        Ok(())
    }

    /// The grammar counts properties only where it need not tell which of them came.
    fn counts_of_properties(&mut self, keywords: &Map<String, Value>) -> Result<(), FormatError> {
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

    fn reference(&mut self, value: &Value) -> Result<Value, FormatError> {
        let target = value.as_str();
        let pointer = target.and_then(|target| reference::pointer(self.root, target));
        let Some(pointer) = pointer else {
            return Err(self.refuse("it must lead to a part of this schema, as `#/$defs/name`"));
        };
        let known = self.targets.iter().position(|known| *known == pointer);
        let number = known.unwrap_or_else(|| {
            self.targets.push(pointer);
            self.targets.len() - 1
        });
        Ok(format!("#/$defs/{}", definition(number)).into())
    }

    fn inside<T>(
        &mut self,
        name: &str,
        walk: impl FnOnce(&mut Self) -> Result<T, FormatError>,
    ) -> Result<T, FormatError> {
        let len = self.pointer.len();
        self.pointer.push('/');
        self.pointer
            .push_str(&name.replace('~', "~0").replace('/', "~1"));
        let found = walk(self);
        self.pointer.truncate(len);
        found
    }

    fn refuse(&self, reason: &str) -> FormatError {
        FormatError::Schema {
            pointer: self.pointer.clone(),
            reason: reason.to_owned(),
        }
    }
}
