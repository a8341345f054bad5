//! `not`, `if` and `oneOf`, by what schemas do not accept.

use super::complement::{all_of, any_of};
use super::exclusive::{Document, Place};
use super::keywords::{Keyword, MAX_MEMBERS, keyword};
use super::{FormatError, Walk};
use serde_json::{Map, Value};

/// Members of `oneOf` that may hold together: each is held against each.
const MAX_OVERLAPPING: usize = 8;

impl Walk<'_> {
    pub(super) fn not(&mut self, value: &Value) -> Result<Value, FormatError> {
        // What is refused twice is accepted, whether or not its complement can be said.
        if let Some(inner) = negated(value) {
            return self.inside("not", |walk| walk.schema(inner));
        }
        let schema = self.schema(value)?;
        self.complement(&schema)
    }

    /// `if` with what stands beside it.
    pub(super) fn condition(
        &mut self,
        value: &Value,
        beside: &Map<String, Value>,
    ) -> Result<Value, FormatError> {
        let branch = |walk: &mut Self, name: &str| match beside.get(name) {
            Some(schema) => walk.above(|walk| walk.inside(name, |walk| walk.schema(schema))),
            None => Ok(Value::Bool(true)),
        };
        let then = branch(self, "then")?;
        let otherwise = branch(self, "else")?;
        let always = Value::Bool(true);
        if then == always && otherwise == always {
            return Ok(always);
        }
        let holds = self.schema(value)?;
        if then == always {
            return Ok(any_of(vec![holds, otherwise]));
        }
        let fails = self.complement(&holds)?;
        Ok(any_of(vec![
            all_of(vec![holds, then]),
            all_of(vec![fails, otherwise]),
        ]))
    }

    pub(super) fn one_of(&mut self, value: &Value) -> Result<Value, FormatError> {
        let prepared = self.list(value, MAX_MEMBERS)?;
        let (Value::Array(schemas), Value::Array(prepared)) = (value, prepared) else {
            return Err(self.refuse("it must be an array of schemas"));
        };
        let overlapping = self.overlapping(schemas, &prepared);
        if overlapping.iter().all(Vec::is_empty) {
            return Ok(any_of(prepared));
        }
        if overlapping
            .iter()
            .filter(|others| !others.is_empty())
            .count()
            > MAX_OVERLAPPING
        {
            return Err(self.refuse(&format!(
                "more than {MAX_OVERLAPPING} of its members may hold together: let them exclude each other by their types, by const or enum, or by a required property with const or enum; or use anyOf"
            )));
        }
        let mut outside = Vec::with_capacity(prepared.len());
        for (index, schema) in prepared.iter().enumerate() {
            let overlaps = overlapping.iter().any(|others| others.contains(&index));
            outside.push(if overlaps {
                self.inside(&index.to_string(), |walk| walk.complement(schema))?
            } else {
                Value::Bool(true)
            });
        }
        let members = prepared.into_iter().zip(&overlapping);
        let members = members.map(|(schema, others)| {
            let mut all = vec![schema];
            all.extend(others.iter().map(|other| outside[*other].clone()));
            all_of(all)
        });
        Ok(any_of(members.collect()))
    }

    /// For each schema the others that may hold with it.
    fn overlapping(&self, schemas: &[Value], prepared: &[Value]) -> Vec<Vec<usize>> {
        let document = Document {
            root: self.root,
            identifiers: &self.identifiers,
        };
        let places: Vec<Option<Place>> = schemas
            .iter()
            .enumerate()
            .map(|(index, schema)| document.resolved(format!("{}/{index}", self.pointer), schema))
            .collect();
        let may_meet = |one: usize, other: usize| {
            let never = Value::Bool(false);
            if one == other || prepared[one] == never || prepared[other] == never {
                return false;
            }
            match (&places[one], &places[other]) {
                (Some(one), Some(other)) => !document.exclude_each_other(one, other),
                _ => true,
            }
        };
        (0..schemas.len())
            .map(|one| {
                (0..schemas.len())
                    .filter(|other| may_meet(one, *other))
                    .collect()
            })
            .collect()
    }
}

/// The schema whose complement this is, if it says nothing else.
fn negated(schema: &Value) -> Option<&Value> {
    let keywords = schema.as_object()?;
    let says_nothing = |name: &String| {
        name == "not"
            || matches!(
                keyword(name),
                Some(Keyword::Annotation | Keyword::Definitions)
            )
    };
    keywords
        .keys()
        .all(says_nothing)
        .then(|| keywords.get("not"))?
}
