//! Keywords of arrays that the compiler has no equal of: what they ask for is written out for
//! each place of a short array.

use super::complement::{any_of, other_than};
use super::exclusive::{Document, equal, values};
use super::limits::{MAX_CONTAINING_ITEMS, MAX_CONTAINING_PLACES, MAX_UNIQUE_ARRAYS};
use super::written::size;
use super::{FormatError, Walk};
use serde_json::{Map, Value, json};

impl Walk<'_> {
    /// `contains` with the counts beside it.
    pub(super) fn contains(
        &mut self,
        value: &Value,
        beside: &Map<String, Value>,
    ) -> Result<Value, FormatError> {
        let mut count = |name: &str| match beside.get(name) {
            None => Ok(None),
            Some(count) => self
                .above(|walk| walk.inside(name, |walk| walk.count(count)))
                .map(|count| count.as_u64()),
        };
        let min = count("minContains")?.unwrap_or(1);
        let max = count("maxContains")?;
        let schema = self.schema(value)?;
        let no_array = || other_than("array");
        if max.is_some_and(|max| max < min) {
            return Ok(no_array());
        }
        match (schema, min, max) {
            (_, 0, None) => Ok(Value::Bool(true)),
            (Value::Bool(true), min, None) => Ok(json!({ "minItems": min })),
            (Value::Bool(true), min, Some(max)) => Ok(json!({"minItems": min, "maxItems": max})),
            (Value::Bool(false), 0, _) => Ok(Value::Bool(true)),
            (Value::Bool(false), _, _) => Ok(no_array()),
            (schema, 0, Some(0)) => Ok(json!({ "items": self.complement(&schema)? })),
            (schema, min, None) => self.some_items(&schema, min as usize, beside),
            (_, _, Some(_)) => self.above(|walk| {
                walk.inside("maxContains", |walk| {
                    Err(walk.refuse("it can only be 0, beside a minContains of 0; leave it out"))
                })
            }),
        }
    }

    /// Arrays in which so many items are accepted.
    fn some_items(
        &mut self,
        schema: &Value,
        min: usize,
        beside: &Map<String, Value>,
    ) -> Result<Value, FormatError> {
        let refuse = |walk: &Self| {
            Err(walk.refuse(&format!(
                "it needs maxItems of at most {MAX_CONTAINING_ITEMS} beside it, and has at most {MAX_CONTAINING_PLACES} choices of places"
            )))
        };
        let Some(max_items) = max_items(beside).filter(|max| *max <= MAX_CONTAINING_ITEMS) else {
            return refuse(self);
        };
        let mut any = vec![other_than("array")];
        // The first places that hold, of as many as are asked for.
        for choice in 0..1usize << max_items {
            if choice.count_ones() as usize != min {
                continue;
            }
            if any.len() > MAX_CONTAINING_PLACES {
                return refuse(self);
            }
            let end = usize::BITS as usize - choice.leading_zeros() as usize;
            self.count_values(end)?;
            self.count_copies(schema, min)?;
            let items: Vec<Value> = (0..end)
                .map(|index| match choice >> index & 1 {
                    1 => schema.clone(),
                    _ => Value::Bool(true),
                })
                .collect();
            any.push(json!({"type": "array", "prefixItems": items, "minItems": end}));
        }
        Ok(any_of(any))
    }

    pub(super) fn unique_items(
        &mut self,
        value: &Value,
        beside: &Map<String, Value>,
    ) -> Result<Value, FormatError> {
        let Value::Bool(must_be) = value else {
            return Err(self.refuse("it must be true or false"));
        };
        let max_items = max_items(beside);
        if !must_be || max_items.is_some_and(|max| max < 2) {
            return Ok(Value::Bool(true));
        }
        let Some(places) = self.values_of_items(beside, max_items)? else {
            return Err(self.refuse(
                "it needs items of which all values are listed, by enum, const or type boolean; leave it out",
            ));
        };
        let mut arrays: Vec<Vec<Value>> = vec![Vec::new()];
        let mut first_of_len = 0;
        for place in 0.. {
            let longest = arrays[first_of_len..].to_vec();
            first_of_len = arrays.len();
            let values = places.at(place);
            for array in &longest {
                let is_new = |value: &&Value| !array.iter().any(|item| equal(item, value));
                for value in values.iter().filter(is_new) {
                    self.count_values(array.iter().map(size).sum::<usize>() + size(value))?;
                    arrays.push([array.as_slice(), std::slice::from_ref(value)].concat());
                }
                if arrays.len() > MAX_UNIQUE_ARRAYS {
                    return Err(self.refuse(&format!(
                        "there are more than {MAX_UNIQUE_ARRAYS} such arrays: use fewer values or a smaller maxItems, or leave it out"
                    )));
                }
            }
            if arrays.len() == first_of_len {
                break;
            }
        }
        Ok(any_of(vec![other_than("array"), json!({ "enum": arrays })]))
    }

    fn values_of_items(
        &mut self,
        beside: &Map<String, Value>,
        max_items: Option<usize>,
    ) -> Result<Option<Places>, FormatError> {
        let mut first = Vec::new();
        match beside.get("prefixItems") {
            None => {}
            Some(Value::Array(schemas)) => {
                for (index, schema) in schemas.iter().enumerate() {
                    let Some(values) = self.listed(&format!("prefixItems/{index}"), schema)? else {
                        return Ok(None);
                    };
                    first.push(values);
                }
            }
            Some(_) => return Ok(None),
        }
        let rest = match beside.get("items") {
            Some(Value::Bool(false)) => Some(Vec::new()),
            Some(schema @ Value::Object(_)) => self.listed("items", schema)?,
            _ if max_items.is_some_and(|max| max <= first.len()) => Some(Vec::new()),
            _ => None,
        };
        Ok(rest.map(|rest| Places {
            first,
            rest,
            max: max_items.unwrap_or(usize::MAX),
        }))
    }

    /// The values of a schema that stands beside the keyword where it is, if it lists them.
    fn listed(&mut self, path: &str, schema: &Value) -> Result<Option<Vec<Value>>, FormatError> {
        let above = self.pointer.rsplit_once('/').map_or("", |(above, _)| above);
        let document = Document {
            root: self.root,
            identifiers: &self.identifiers,
        };
        let Some(place) = document.resolved(format!("{above}/{path}"), schema) else {
            return Ok(None);
        };
        let keywords = place.schema;
        match keywords.get("type").and_then(Value::as_str) {
            Some("boolean") => return Ok(Some(vec![true.into(), false.into()])),
            Some("null") => return Ok(Some(vec![Value::Null])),
            _ => {}
        }
        let Some(values) = values(keywords) else {
            return Ok(None);
        };
        let values: Vec<Value> = values.into_iter().cloned().collect();
        self.count_values(values.iter().map(size).sum())?;
        Ok(Some(values))
    }
}

/// What the items of an array may be.
struct Places {
    first: Vec<Vec<Value>>,
    rest: Vec<Value>,
    max: usize,
}

impl Places {
    fn at(&self, place: usize) -> &[Value] {
        if place >= self.max {
            return &[];
        }
        self.first.get(place).unwrap_or(&self.rest)
    }
}

/// How long an array can be.
fn max_items(beside: &Map<String, Value>) -> Option<usize> {
    let max = beside.get("maxItems").and_then(Value::as_f64);
    let tuple = match (beside.get("prefixItems"), beside.get("items")) {
        (None, Some(Value::Bool(false))) => Some(0),
        (Some(Value::Array(first)), Some(Value::Bool(false))) => Some(first.len()),
        _ => None,
    };
    let max = max.map(|max| max as usize);
    max.into_iter().chain(tuple).min()
}
