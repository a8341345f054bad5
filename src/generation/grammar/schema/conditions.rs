//! `not`, `if` and `oneOf`, by what schemas do not accept.

use super::complement::{all_of, any_of};
use super::exclusive::{Document, Traits};
use super::keywords::{Keyword, keyword};
use super::limits::{MAX_COMPARED, MAX_MEMBERS, MAX_OVERLAPPING};
use super::{FormatError, Walk};
use serde_json::{Map, Value};

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
        let Some(overlapping) = self.overlapping(schemas, &prepared) else {
            return Err(self.refuse(&format!(
                "more than {MAX_OVERLAPPING} of its members may hold together: let them exclude each other by their types, by const or enum, or by a required property with const or enum; or use anyOf"
            )));
        };
        if overlapping.iter().all(Vec::is_empty) {
            return Ok(any_of(prepared));
        }
        let mut outside = Vec::with_capacity(prepared.len());
        for (index, schema) in prepared.iter().enumerate() {
            let num_others = overlapping[index].len();
            outside.push(if num_others > 0 {
                self.inside(&index.to_string(), |walk| {
                    let outside = walk.complement(schema)?;
                    walk.count_copies(&outside, num_others)?;
                    Ok(outside)
                })?
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

    /// For each schema the others that may hold with it. `None`: too many may.
    fn overlapping(&self, schemas: &[Value], prepared: &[Value]) -> Option<Vec<Vec<usize>>> {
        let document = Document {
            root: self.root,
            identifiers: &self.identifiers,
        };
        let mut num_left = MAX_COMPARED;
        let traits: Vec<Option<Traits>> = schemas
            .iter()
            .enumerate()
            .map(|(index, schema)| {
                let place = document.resolved(format!("{}/{index}", self.pointer), schema)?;
                Some(document.traits(&place, &mut num_left))
            })
            .collect();
        let may_meet = |one: usize, other: usize| {
            let never = Value::Bool(false);
            if prepared[one] == never || prepared[other] == never {
                return false;
            }
            match (&traits[one], &traits[other]) {
                (Some(one), Some(other)) => !one.exclude(other),
                _ => true,
            }
        };
        let mut overlapping = vec![Vec::new(); schemas.len()];
        let mut num_overlapping = 0;
        for one in 0..schemas.len() {
            for other in one + 1..schemas.len() {
                if !may_meet(one, other) {
                    continue;
                }
                for (member, also) in [(one, other), (other, one)] {
                    num_overlapping += usize::from(overlapping[member].is_empty());
                    overlapping[member].push(also);
                }
                if num_overlapping > MAX_OVERLAPPING {
                    return None;
                }
            }
        }
        Some(overlapping)
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
