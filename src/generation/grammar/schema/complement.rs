//! Schemas of exactly what other schemas do not accept.
//!
//! They are made of prepared schemas, in which few keywords are left. Each keyword is a condition
//! on one type of value; what breaks one of them is not accepted.

use super::limits::{MAX_REFUSED_CHARS, MAX_REFUSED_ITEMS, MAX_REFUSED_PROPERTIES};
use super::texts::all_texts_but;
use super::written::{size, size_of_text};
use super::{FormatError, Walk, escaped};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashSet};

/// All types but `integer`, whose complement would be the numbers that are not whole.
const TYPES: [&str; 6] = ["null", "boolean", "number", "string", "array", "object"];

/// What holds where one of these does.
pub fn any_of(schemas: Vec<Value>) -> Value {
    if schemas.contains(&Value::Bool(true)) {
        return Value::Bool(true);
    }
    one_or(schemas, &Value::Bool(false), "anyOf")
}

/// What holds where all of these do.
pub fn all_of(schemas: Vec<Value>) -> Value {
    if schemas.contains(&Value::Bool(false)) {
        return Value::Bool(false);
    }
    one_or(schemas, &Value::Bool(true), "allOf")
}

/// Without those that change nothing, and each once: the compiler holds all against all.
fn one_or(mut schemas: Vec<Value>, neutral: &Value, keyword: &str) -> Value {
    let mut known = HashSet::new();
    schemas.retain(|schema| schema != neutral && known.insert(schema.to_string()));
    match schemas.len() {
        0 => neutral.clone(),
        1 => schemas.swap_remove(0),
        _ => json!({ keyword: schemas }),
    }
}

/// Every value that is of another type.
pub fn other_than(name: &str) -> Value {
    let others: Vec<&str> = TYPES.into_iter().filter(|other| *other != name).collect();
    json!({ "type": others })
}

impl Walk<'_> {
    /// The complement of a schema that was prepared, if it can be said.
    pub(super) fn complement(&mut self, prepared: &Value) -> Result<Value, FormatError> {
        self.count_part()?;
        let keywords = match prepared {
            Value::Bool(accepts) => return Ok((!accepts).into()),
            Value::Object(keywords) => keywords,
            _ => return Err(self.refuse("it must be an object, true or false")),
        };
        self.deeper(|walk| {
            let mut any = Vec::new();
            for (name, value) in keywords {
                walk.breaking(name, value, keywords, &mut any)?;
            }
            Ok(any_of(any))
        })
    }

    /// Adds what breaks one keyword.
    fn breaking(
        &mut self,
        name: &str,
        value: &Value,
        beside: &Map<String, Value>,
        any: &mut Vec<Value>,
    ) -> Result<(), FormatError> {
        let count = value.as_u64().unwrap_or(0);
        match name {
            "type" => any.push(self.other_types(value)?),
            "const" => any.push(self.other_values(std::slice::from_ref(value))?),
            "enum" => any.push(self.other_values(value.as_array().map_or(&[][..], Vec::as_slice))?),
            "minimum" => any.push(self.numbers("exclusiveMaximum", value)),
            "maximum" => any.push(self.numbers("exclusiveMinimum", value)),
            "exclusiveMinimum" => any.push(self.numbers("maximum", value)),
            "exclusiveMaximum" => any.push(self.numbers("minimum", value)),
            "minLength" if count > 0 => {
                any.push(json!({"type": "string", "maxLength": count - 1}));
            }
            "maxLength" => any.push(json!({"type": "string", "minLength": count + 1})),
            "minItems" if count > 0 => any.push(json!({"type": "array", "maxItems": count - 1})),
            "maxItems" => any.push(json!({"type": "array", "minItems": count + 1})),
            "minProperties" if count > 0 => {
                any.push(json!({"type": "object", "maxProperties": count - 1}));
            }
            // With more the names that the model chooses might repeat.
            "maxProperties" if count == 0 => {
                any.push(json!({"type": "object", "minProperties": 1}));
            }
            "minLength" | "minItems" | "minProperties" => {}
            "prefixItems" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    let outside = self.complement(item)?;
                    any.push(self.item_outside(index, outside)?);
                }
            }
            "items" => self.items_outside(value, beside, any)?,
            "required" => {
                self.count_copies(value, 1)?;
                let names = value.as_array().into_iter().flatten();
                let names = names.filter_map(Value::as_str);
                any.extend(
                    names.map(|name| json!({"type": "object", "properties": {name: false}})),
                );
            }
            "properties" => {
                for (name, schema) in value.as_object().into_iter().flatten() {
                    let outside = self.complement(schema)?;
                    if outside != Value::Bool(false) {
                        any.push(json!({
                            "type": "object", "properties": {name: outside}, "required": [name]
                        }));
                    }
                }
            }
            "patternProperties" if accepts_all_that_it_names(value) => {}
            "additionalProperties" if *value == Value::Bool(true) => {}
            "additionalProperties" if *value == Value::Bool(false) => {
                any.extend(self.more_properties(beside)?);
            }
            "allOf" => {
                for schema in value.as_array().into_iter().flatten() {
                    any.push(self.complement(schema)?);
                }
            }
            "anyOf" => {
                let schemas = value.as_array().into_iter().flatten();
                let all = schemas.map(|schema| self.complement(schema));
                any.push(all_of(all.collect::<Result<_, _>>()?));
            }
            "$ref" => any.push(self.complement_of_reference(value)?),
            other => return Err(self.cannot_be_said(other)),
        }
        Ok(())
    }

    fn cannot_be_said(&self, keyword: &str) -> FormatError {
        self.refuse(&format!(
            "it cannot be enforced: no schema accepts just what `{}` refuses there",
            escaped(keyword)
        ))
    }

    fn other_types(&self, types: &Value) -> Result<Value, FormatError> {
        let has = |name: &str| match types {
            Value::Array(types) => types.iter().any(|one| one == name),
            one => one == name,
        };
        if has("integer") && !has("number") {
            return Err(self.refuse(
                "it cannot be enforced: no schema accepts just the numbers that are not whole",
            ));
        }
        let others: Vec<&str> = TYPES.into_iter().filter(|name| !has(name)).collect();
        Ok(if others.is_empty() {
            Value::Bool(false)
        } else {
            json!({ "type": others })
        })
    }

    /// Numbers within a bound.
    fn numbers(&mut self, keyword: &str, bound: &Value) -> Value {
        self.bounded(json!({"type": "number", keyword: bound}))
    }

    /// A schema of ours whose bounds the compiler might not keep to beside others.
    fn bounded(&mut self, schema: Value) -> Value {
        if let Value::Object(keywords) = &schema {
            self.bounds.add(&self.pointer, keywords);
        }
        schema
    }

    /// Everything but these.
    fn other_values(&mut self, values: &[Value]) -> Result<Value, FormatError> {
        self.count_values(values.iter().map(size).sum())?;
        let mut all = Vec::new();
        let mut numbers: BTreeMap<Order, &Value> = BTreeMap::new();
        let mut texts = Vec::new();
        let mut booleans = Vec::new();
        let mut has_null = false;
        for value in values {
            match value {
                Value::Null => has_null = true,
                Value::Bool(value) => booleans.push(*value),
                Value::Number(number) => {
                    numbers.insert(Order(number.as_f64().unwrap_or(0.0) + 0.0), value);
                }
                Value::String(text) if text.chars().nth(MAX_REFUSED_CHARS).is_some() => {
                    return Err(self.refuse(&format!(
                        "it cannot be enforced: a text that is refused there must have at most {MAX_REFUSED_CHARS} characters"
                    )));
                }
                Value::String(text) => texts.push(text.as_str()),
                Value::Array(_) | Value::Object(_) => {
                    all.push(self.complement(&just(value))?);
                }
            }
        }
        let mut any = Vec::new();
        let mut types = vec!["array", "object"];
        types.extend((!has_null).then_some("null"));
        match (booleans.contains(&true), booleans.contains(&false)) {
            (true, true) => {}
            (false, false) => types.push("boolean"),
            (has_true, _) => any.push(json!({"const": !has_true})),
        }
        if texts.is_empty() {
            types.push("string");
        } else {
            let pattern = all_texts_but(&texts);
            self.count_values(size_of_text(&pattern))?;
            any.push(json!({"type": "string", "pattern": pattern}));
        }
        let numbers: Vec<&Value> = numbers.into_values().collect();
        self.count_values(2 * numbers.len())?;
        match (numbers.first(), numbers.last()) {
            (Some(first), Some(last)) => {
                any.push(self.numbers("exclusiveMaximum", first));
                for between in numbers.windows(2) {
                    any.push(self.bounded(json!({
                        "type": "number",
                        "exclusiveMinimum": between[0], "exclusiveMaximum": between[1]
                    })));
                }
                any.push(self.numbers("exclusiveMinimum", last));
            }
            _ => types.push("number"),
        }
        any.push(json!({ "type": types }));
        all.push(any_of(any));
        Ok(all_of(all))
    }

    /// Arrays with an item at this place that is not accepted.
    fn item_outside(&mut self, index: usize, outside: Value) -> Result<Value, FormatError> {
        if outside == Value::Bool(false) {
            return Ok(outside);
        }
        self.count_values(index)?;
        let mut items = vec![Value::Bool(true); index];
        items.push(outside);
        Ok(json!({"type": "array", "prefixItems": items, "minItems": index + 1}))
    }

    fn items_outside(
        &mut self,
        item: &Value,
        beside: &Map<String, Value>,
        any: &mut Vec<Value>,
    ) -> Result<(), FormatError> {
        let first = beside
            .get("prefixItems")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        if *item == Value::Bool(false) {
            any.push(json!({"type": "array", "minItems": first + 1}));
            return Ok(());
        }
        let outside = self.complement(item)?;
        if outside == Value::Bool(false) {
            return Ok(());
        }
        // Longer ones are outside anyway.
        let end = beside.get("maxItems").and_then(Value::as_u64);
        let Some(end) = end.filter(|end| *end as usize <= first + MAX_REFUSED_ITEMS) else {
            return Err(self.refuse(&format!(
                "it cannot be enforced: what `items` refuses there needs maxItems, of at most {MAX_REFUSED_ITEMS} more than prefixItems"
            )));
        };
        let end = end as usize;
        self.count_copies(&outside, end.saturating_sub(first))?;
        for index in first..end {
            any.push(self.item_outside(index, outside.clone())?);
        }
        Ok(())
    }

    /// Objects with a property that a closed one has not.
    fn more_properties(&mut self, beside: &Map<String, Value>) -> Result<Vec<Value>, FormatError> {
        let properties = beside.get("properties").and_then(Value::as_object);
        let names: Vec<&String> = properties.into_iter().flat_map(Map::keys).collect();
        if beside.contains_key("patternProperties") || names.len() > MAX_REFUSED_PROPERTIES {
            return Err(self.refuse(&format!(
                "it cannot be enforced: what `additionalProperties: false` refuses there can be said of at most {MAX_REFUSED_PROPERTIES} properties, and of no patternProperties"
            )));
        }
        let num_choices = 1usize << names.len();
        self.count_values(num_choices * (2 * names.len() + 1))?;
        let choices = (0..num_choices).map(|choice| {
            let is_there = |index: usize| choice >> index & 1 == 1;
            let here: Vec<&String> = (0..names.len())
                .filter(|index| is_there(*index))
                .map(|index| names[index])
                .collect();
            let properties: Map<String, Value> = (0..names.len())
                .map(|index| (names[index].clone(), is_there(index).into()))
                .collect();
            json!({
                "type": "object", "properties": properties, "required": here,
                "minProperties": here.len() + 1
            })
        });
        Ok(choices.collect())
    }
}

/// Whether patterns of names ask for nothing.
fn accepts_all_that_it_names(patterns: &Value) -> bool {
    let schemas = patterns.as_object().into_iter().flat_map(Map::values);
    schemas
        .into_iter()
        .all(|schema| *schema == Value::Bool(true))
}

/// A schema of one value that has parts.
fn just(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let consts: Vec<Value> = items.iter().map(|item| json!({"const": item})).collect();
            let len = items.len();
            json!({"type": "array", "prefixItems": consts, "minItems": len, "maxItems": len})
        }
        Value::Object(members) => {
            let consts: Map<String, Value> = members
                .iter()
                .map(|(name, member)| (name.clone(), json!({"const": member})))
                .collect();
            let names: Vec<&String> = members.keys().collect();
            json!({
                "type": "object", "properties": consts, "required": names,
                "additionalProperties": false
            })
        }
        scalar => json!({"const": scalar}),
    }
}

/// Numbers by their values.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Order(f64);

impl Eq for Order {}

impl PartialOrd for Order {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Order {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}
