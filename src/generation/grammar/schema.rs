//! What of JSON Schema can be enforced. Every keyword has a row: nothing in a schema is dropped
//! without a word.

mod arrays;
mod bounds;
mod complement;
mod conditions;
mod exclusive;
mod identifiers;
mod keywords;
mod limits;
mod objects;
mod references;
#[cfg(test)]
mod tests;
mod texts;
mod unevaluated;
mod values;
mod written;
#[cfg(test)]
mod written_tests;

pub use keywords::{FORMATS, enforced_keywords};
pub use limits::SCHEMA_LIMITS;

use super::FormatError;
use bounds::Bounds;
use identifiers::{Identifiers, escaped};
use keywords::{Keyword, keyword};
use references::{Targets, name_of_definition};
use serde_json::{Map, Value, json};
use written::Written;

/// White space between two parts of JSON: a space or two, or a line and its indentation. Without
/// a bound a model may write nothing else until its tokens are used up.
const WHITESPACE: &str = r"[\x20]{1,2}|\r?\n[\x20\x09]{0,32}";
/// What may follow a backslash in a text. Not `u`: written so, a name would pass for another.
const ESCAPES: &str = "nrbtf\\\"";

/// Holds a schema against the keywords and writes it as the compiler wants it.
pub fn prepare(schema: &Value) -> Result<Value, FormatError> {
    let mut walk = Walk {
        root: schema,
        identifiers: Identifiers::of(schema)?,
        pointer: String::new(),
        targets: Targets::default(),
        written: Written::default(),
        bounds: Bounds::default(),
    };
    let mut prepared = walk.schema(schema)?;
    let mut definitions = Map::new();
    while let Some(target) = walk.targets.get(definitions.len()) {
        let name = name_of_definition(definitions.len());
        definitions.insert(name, walk.definition(target)?);
    }
    if let Some(pointer) = walk.bounds.unenforced() {
        return Err(FormatError::Schema {
            pointer,
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

struct Walk<'a> {
    root: &'a Value,
    identifiers: Identifiers,
    /// Where it is.
    pointer: String,
    /// Where references lead. The compiler gets them as definitions, by their numbers here: so
    /// every one of them is looked at, wherever it stands.
    targets: Targets,
    written: Written,
    bounds: Bounds,
}

/// What becomes of a schema, keyword by keyword.
struct Preparing<'s> {
    /// All its keywords.
    beside: &'s Map<String, Value>,
    prepared: Map<String, Value>,
    /// What has to hold beside a keyword of the same name.
    also: Vec<Value>,
}

impl Preparing<'_> {
    /// Schemas, one next to the other.
    fn insert_list(&mut self, name: &str, list: Value) {
        let never = Value::Bool(false);
        let schemas = list.as_array().map_or(&[][..], Vec::as_slice);
        let is_never = match name {
            "allOf" => schemas.contains(&never),
            "anyOf" => schemas.iter().all(|schema| *schema == never),
            _ => false,
        };
        if is_never {
            self.also.push(never);
        } else {
            self.insert(name, list);
        }
    }

    fn insert(&mut self, name: &str, value: Value) {
        self.prepared.insert(name.to_owned(), value);
    }
}

impl Walk<'_> {
    fn schema(&mut self, schema: &Value) -> Result<Value, FormatError> {
        self.count_part()?;
        match schema {
            Value::Bool(_) => Ok(schema.clone()),
            Value::Object(keywords) => self.deeper(|walk| walk.keywords(keywords)),
            _ => Err(self.refuse("it must be an object, true or false")),
        }
    }

    fn keywords(&mut self, keywords: &Map<String, Value>) -> Result<Value, FormatError> {
        let mut out = Preparing {
            beside: keywords,
            prepared: Map::new(),
            also: Vec::new(),
        };
        for (name, value) in keywords {
            self.inside(name, |walk| walk.keyword(name, value, &mut out))?;
        }
        self.counts_of_properties(keywords)?;
        self.bounds.add(&self.pointer, keywords);
        let Preparing {
            mut prepared, also, ..
        } = out;
        match complement::all_of(also) {
            Value::Bool(true) => {}
            Value::Bool(false) => return Ok(Value::Bool(false)),
            also if prepared.is_empty() => return Ok(also),
            also => {
                let all = prepared.entry("allOf").or_insert_with(|| json!([]));
                if let Value::Array(all) = all {
                    all.push(also);
                }
            }
        }
        Ok(if prepared.is_empty() {
            Value::Bool(true)
        } else {
            Value::Object(prepared)
        })
    }

    fn keyword(
        &mut self,
        name: &str,
        value: &Value,
        out: &mut Preparing,
    ) -> Result<(), FormatError> {
        let Some(keyword) = keyword(name) else {
            return Err(self.refuse("this keyword cannot be enforced; leave it out"));
        };
        match keyword {
            Keyword::Annotation
            | Keyword::Definitions
            | Keyword::Identity
            | Keyword::Branch
            | Keyword::CountOfContained => {}
            Keyword::Dialect => self.dialect(value)?,
            Keyword::Type => out.insert(name, self.types(value)?),
            Keyword::Values => out.insert(name, self.values(name, value)?),
            Keyword::Names => out.insert(name, self.names(value)?),
            Keyword::Count => out.insert(name, self.count(value)?),
            Keyword::Number => out.insert(name, self.number(value)?),
            Keyword::MultipleOf => out.insert(name, self.divisor(value)?),
            Keyword::Schema => out.insert(name, self.schema(value)?),
            Keyword::Schemas(max) => out.insert(name, self.schemas(value, max)?),
            Keyword::Patterns => {
                let patterns = self.patterns(value)?;
                out.insert(name, patterns);
            }
            Keyword::List(max) => {
                let list = self.list(value, max)?;
                out.insert_list(name, list);
            }
            Keyword::Items if value.is_array() => {
                if out.beside.contains_key("prefixItems") {
                    return Err(self.refuse("it must be a schema beside prefixItems"));
                }
                out.insert("prefixItems", self.list(value, usize::MAX)?);
            }
            Keyword::Items => out.insert(name, self.schema(value)?),
            Keyword::AdditionalItems => {
                let items = self.schema(value)?;
                // Beside another form of `items` it means nothing.
                if out.beside.get("items").is_some_and(Value::is_array) {
                    out.insert("items", items);
                }
            }
            Keyword::Unevaluated(parts) => self.unevaluated(parts, value, out)?,
            Keyword::Contains => out.also.push(self.contains(value, out.beside)?),
            Keyword::UniqueItems => out.also.push(self.unique_items(value, out.beside)?),
            Keyword::PropertyNames => out.also.push(self.property_names(value)?),
            Keyword::DependentRequired => out.also.push(self.dependent_required(value)?),
            Keyword::DependentSchemas => out.also.push(self.dependent_schemas(value)?),
            Keyword::Not => out.also.push(self.not(value)?),
            Keyword::If => out.also.push(self.condition(value, out.beside)?),
            Keyword::OneOf => out.also.push(self.one_of(value)?),
            Keyword::Pattern => {
                let Some(pattern) = value.as_str() else {
                    return Err(self.refuse("it must be a string"));
                };
                out.insert(name, self.pattern(pattern)?.into());
            }
            Keyword::Format => match self.format(value)? {
                Some(pattern) => out.also.push(json!({ "pattern": pattern })),
                None => out.insert(name, value.clone()),
            },
            Keyword::Reference | Keyword::DynamicReference => {
                let pointer = self.target(name, value)?;
                let reference = self.reference(pointer, false);
                if name == "$ref" {
                    out.insert(name, reference);
                } else {
                    out.also.push(json!({ "$ref": reference }));
                }
            }
        }
        Ok(())
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

    fn inside<T>(
        &mut self,
        name: &str,
        walk: impl FnOnce(&mut Self) -> Result<T, FormatError>,
    ) -> Result<T, FormatError> {
        let len = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&escaped(name));
        let found = walk(self);
        self.pointer.truncate(len);
        found
    }

    fn within<T>(
        &mut self,
        path: &[&str],
        walk: impl FnOnce(&mut Self) -> Result<T, FormatError>,
    ) -> Result<T, FormatError> {
        let mut pointer = self.pointer.clone();
        for name in path {
            pointer.push('/');
            pointer.push_str(&escaped(name));
        }
        self.at(pointer, walk)
    }

    /// At the schema that holds the keyword where it is.
    fn above<T>(
        &mut self,
        walk: impl FnOnce(&mut Self) -> Result<T, FormatError>,
    ) -> Result<T, FormatError> {
        let above = self.pointer.rsplit_once('/');
        let above = above.map_or_else(String::new, |(above, _)| above.to_owned());
        self.at(above, walk)
    }

    fn at<T>(
        &mut self,
        pointer: String,
        walk: impl FnOnce(&mut Self) -> Result<T, FormatError>,
    ) -> Result<T, FormatError> {
        let here = std::mem::replace(&mut self.pointer, pointer);
        let found = walk(self);
        self.pointer = here;
        found
    }

    fn refuse(&self, reason: &str) -> FormatError {
        FormatError::Schema {
            pointer: self.pointer.clone(),
            reason: reason.to_owned(),
        }
    }
}
