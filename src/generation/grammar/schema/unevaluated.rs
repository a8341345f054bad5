//! `unevaluatedProperties` and `unevaluatedItems`: what no keyword beside them has looked at.
//!
//! What was looked at depends on which schemas hold. So all cases are written out: in each some
//! schemas hold, and what they look at is known. The more was looked at, the less is asked for;
//! so a case may leave out schemas that happen to hold too.

use super::complement::{all_of, any_of};
use super::keywords::Parts;
use super::limits::{MAX_CASES, MAX_REFERENCES};
use super::texts::kept_to;
use super::written::{size, size_of_text};
use super::{FormatError, Preparing, Walk};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// What was looked at where some schemas hold.
#[derive(Debug, Clone, Default, PartialEq)]
struct Case {
    hold: Vec<Value>,
    names: BTreeSet<String>,
    patterns: BTreeSet<String>,
    num_items: usize,
    /// All of them, whatever their names and places.
    all: bool,
}

impl Walk<'_> {
    pub(super) fn unevaluated(
        &mut self,
        parts: Parts,
        value: &Value,
        out: &mut Preparing,
    ) -> Result<(), FormatError> {
        let schema = self.schema(value)?;
        let cases = self.above(|walk| walk.cases(out.beside, parts, 0))?;
        if schema == Value::Bool(true) {
            return Ok(());
        }
        let own = Case::of(out.beside, parts);
        if cases == [own.clone()] && !own.all {
            // Nothing else looks at them: what is not evaluated is additional.
            let name = match parts {
                Parts::Properties => "additionalProperties",
                Parts::Items => "items",
            };
            out.insert(name, schema);
            return Ok(());
        }
        for case in &cases {
            self.count_values(case.size())?;
        }
        self.count_copies(&schema, cases.len())?;
        let closed = cases.into_iter().map(|case| case.closed(parts, &schema));
        out.also.push(any_of(closed.collect()));
        Ok(())
    }

    /// The cases of the keywords of a schema, but for its own unevaluated parts.
    fn cases(
        &mut self,
        keywords: &Map<String, Value>,
        parts: Parts,
        depth: usize,
    ) -> Result<Vec<Case>, FormatError> {
        if depth > MAX_REFERENCES {
            return Err(self.refuse("it cannot be enforced beside references in references"));
        }
        if parts == Parts::Items && keywords.contains_key("contains") {
            return self.inside("contains", |walk| {
                Err(walk.refuse("it cannot be enforced beside unevaluatedItems"))
            });
        }
        for name in ["properties", "patternProperties"] {
            let schemas = keywords.get(name).and_then(Value::as_object);
            let names = schemas.into_iter().flat_map(Map::keys);
            self.count_values(names.map(|name| size_of_text(name)).sum())?;
        }
        let mut cases = vec![Case::of(keywords, parts)];
        let list = |name: &str| keywords.get(name).and_then(Value::as_array);
        for (index, schema) in list("allOf").into_iter().flatten().enumerate() {
            let more = self.within(&["allOf", &index.to_string()], |walk| {
                walk.cases_of(schema, parts, depth)
            })?;
            cases = self.both(cases, &more)?;
        }
        for (index, schema) in list("anyOf").into_iter().flatten().enumerate() {
            let more = self.within(&["anyOf", &index.to_string()], |walk| {
                walk.cases_if(schema, parts, depth)
            })?;
            let mut either = vec![Case::default()];
            either.extend(more);
            cases = self.both(cases, &either)?;
        }
        let mut one = vec![Case::default()];
        for (index, schema) in list("oneOf").into_iter().flatten().enumerate() {
            one.extend(self.within(&["oneOf", &index.to_string()], |walk| {
                walk.cases_if(schema, parts, depth)
            })?);
        }
        cases = self.both(cases, &one)?;
        let condition = self.cases_of_condition(keywords, parts, depth)?;
        cases = self.both(cases, &condition)?;
        let dependent = keywords.get("dependentSchemas").and_then(Value::as_object);
        for (name, schema) in dependent.into_iter().flatten() {
            let mut either = vec![Case::default()];
            let more = self.within(&["dependentSchemas", name], |walk| {
                walk.cases_of(schema, parts, depth)
            })?;
            let is_there = json!({"type": "object", "required": [name]});
            either.extend(more.into_iter().map(|case| case.where_holds(&is_there)));
            cases = self.both(cases, &either)?;
        }
        for name in ["$ref", "$dynamicRef"] {
            let Some(reference) = keywords.get(name) else {
                continue;
            };
            let pointer = self.within(&[name], |walk| walk.target(name, reference))?;
            let root = self.root;
            let more = match root.pointer(&pointer) {
                Some(schema) => self.at(pointer, |walk| walk.cases_of(schema, parts, depth + 1))?,
                None => vec![Case::default()],
            };
            cases = self.both(cases, &more)?;
        }
        Ok(cases)
    }

    /// The cases of a schema that holds.
    fn cases_of(
        &mut self,
        schema: &Value,
        parts: Parts,
        depth: usize,
    ) -> Result<Vec<Case>, FormatError> {
        let Value::Object(keywords) = schema else {
            return Ok(vec![Case::default()]);
        };
        self.count_part()?;
        let mut cases = self.deeper(|walk| walk.cases(keywords, parts, depth))?;
        for case in &mut cases {
            case.all |= keywords.contains_key(match parts {
                Parts::Properties => "unevaluatedProperties",
                Parts::Items => "unevaluatedItems",
            });
        }
        Ok(cases)
    }

    /// The cases of a schema if it holds; none where it looks at nothing.
    fn cases_if(
        &mut self,
        schema: &Value,
        parts: Parts,
        depth: usize,
    ) -> Result<Vec<Case>, FormatError> {
        let cases = self.cases_of(schema, parts, depth)?;
        if cases.iter().all(|case| !case.looks_at_some()) {
            return Ok(Vec::new());
        }
        let holds = self.schema(schema)?;
        self.count_copies(&holds, cases.len())?;
        Ok(cases
            .into_iter()
            .map(|case| case.where_holds(&holds))
            .collect())
    }

    fn cases_of_condition(
        &mut self,
        keywords: &Map<String, Value>,
        parts: Parts,
        depth: usize,
    ) -> Result<Vec<Case>, FormatError> {
        let Some(condition) = keywords.get("if") else {
            return Ok(vec![Case::default()]);
        };
        let branch = |walk: &mut Self, name: &str| match keywords.get(name) {
            Some(schema) => walk.within(&[name], |walk| walk.cases_of(schema, parts, depth)),
            None => Ok(vec![Case::default()]),
        };
        let then = branch(self, "then")?;
        let otherwise = branch(self, "else")?;
        let (holds, looked) = self.within(&["if"], |walk| {
            let looked = walk.cases_of(condition, parts, depth)?;
            Ok((walk.schema(condition)?, looked))
        })?;
        let both = self.both(looked, &then)?;
        self.count_copies(&holds, both.len())?;
        let mut cases: Vec<Case> = both
            .into_iter()
            .map(|case| case.where_holds(&holds))
            .collect();
        if otherwise.iter().any(|case| case.looks_at_some()) {
            let fails = self.within(&["if"], |walk| walk.complement(&holds))?;
            self.count_copies(&fails, otherwise.len())?;
            cases.extend(otherwise.into_iter().map(|case| case.where_holds(&fails)));
        }
        cases.push(Case::default());
        Ok(cases)
    }

    /// The cases in which one of these and one of those meet.
    fn both(&mut self, cases: Vec<Case>, others: &[Case]) -> Result<Vec<Case>, FormatError> {
        if *others == [Case::default()] {
            return Ok(cases);
        }
        let mut both: Vec<Case> = Vec::new();
        for case in &cases {
            for other in others {
                self.count_values(case.size() + other.size())?;
                let case = case.and(other);
                if !both.iter().any(|known| known.covers(&case)) {
                    both.retain(|known| !case.covers(known));
                    both.push(case);
                }
                if both.len() > MAX_CASES {
                    return Err(self.refuse(&format!(
                        "what is evaluated there, and what is not, has more than {MAX_CASES} cases"
                    )));
                }
            }
        }
        Ok(both)
    }
}

impl Case {
    /// What the keywords of a schema look at themselves.
    fn of(keywords: &Map<String, Value>, parts: Parts) -> Self {
        let names = |name: &str| -> BTreeSet<String> {
            let schemas = keywords.get(name).and_then(Value::as_object);
            schemas.into_iter().flat_map(Map::keys).cloned().collect()
        };
        match parts {
            Parts::Properties => Self {
                names: names("properties"),
                patterns: names("patternProperties")
                    .into_iter()
                    .map(|pattern| kept_to(&pattern).unwrap_or(pattern))
                    .collect(),
                all: keywords.contains_key("additionalProperties"),
                ..Self::default()
            },
            Parts::Items => {
                let is_older = keywords.get("items").is_some_and(Value::is_array);
                let (tuple, rest) = if is_older {
                    ("items", "additionalItems")
                } else {
                    ("prefixItems", "items")
                };
                let tuple = keywords.get(tuple).and_then(Value::as_array);
                Self {
                    num_items: tuple.map_or(0, Vec::len),
                    all: keywords.contains_key(rest),
                    ..Self::default()
                }
            }
        }
    }

    fn looks_at_some(&self) -> bool {
        self.all || self.num_items > 0 || !self.names.is_empty() || !self.patterns.is_empty()
    }

    /// How many values it counts as.
    fn size(&self) -> usize {
        let hold = self.hold.iter().map(size).sum::<usize>();
        let names = self.names.iter().chain(&self.patterns);
        hold + names.map(|name| size_of_text(name)).sum::<usize>() + self.num_items
    }

    /// Whether it accepts all that the other does.
    fn covers(&self, other: &Self) -> bool {
        let looks_at_as_much = self.all
            || !other.all
                && self.num_items >= other.num_items
                && self.names.is_superset(&other.names)
                && self.patterns.is_superset(&other.patterns);
        looks_at_as_much && self.hold.iter().all(|schema| other.hold.contains(schema))
    }

    fn where_holds(mut self, schema: &Value) -> Self {
        self.hold.push(schema.clone());
        self
    }

    fn and(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.hold.extend_from_slice(&other.hold);
        both.names.extend(other.names.iter().cloned());
        both.patterns.extend(other.patterns.iter().cloned());
        both.num_items = both.num_items.max(other.num_items);
        both.all |= other.all;
        both
    }

    /// The case, and that the rest is as `schema` says.
    fn closed(self, parts: Parts, schema: &Value) -> Value {
        let mut all = self.hold;
        match parts {
            _ if self.all => {}
            Parts::Properties => {
                let free = |names: BTreeSet<String>| -> Map<String, Value> {
                    names.into_iter().map(|name| (name, true.into())).collect()
                };
                let mut closed = json!({
                    "properties": free(self.names), "additionalProperties": schema
                });
                if !self.patterns.is_empty() {
                    closed["patternProperties"] = free(self.patterns).into();
                }
                all.push(closed);
            }
            Parts::Items => all.push(json!({
                "prefixItems": vec![Value::Bool(true); self.num_items], "items": schema
            })),
        }
        all_of(all)
    }
}
