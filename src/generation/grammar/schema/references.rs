//! References, and the definitions that the compiler gets for them.

use super::identifiers::Lead;
use super::{FormatError, Walk};
use serde_json::{Value, json};
use std::collections::HashMap;

/// How references to definitions begin.
const REFERENCE: &str = "#/$defs/";

/// The name of a place that references lead to.
pub fn name_of_definition(number: usize) -> String {
    format!("r{number}")
}

/// What a reference in the prepared schema means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    pointer: String,
    /// What is not accepted there.
    is_complement: bool,
}

/// Such places, each of which has a number.
#[derive(Debug, Default)]
pub struct Targets {
    all: Vec<Target>,
    numbers: HashMap<Target, usize>,
}

impl Targets {
    pub fn get(&self, number: usize) -> Option<Target> {
        self.all.get(number).cloned()
    }

    fn number(&mut self, target: Target) -> usize {
        let next = self.all.len();
        let number = *self.numbers.entry(target.clone()).or_insert(next);
        if number == next {
            self.all.push(target);
        }
        number
    }
}

impl Walk<'_> {
    /// Where a reference leads.
    pub(super) fn target(&self, keyword: &str, value: &Value) -> Result<String, FormatError> {
        let Some(reference) = value.as_str() else {
            return Err(self.refuse("it must be a string"));
        };
        let place = if keyword == "$ref" {
            self.identifiers.target(self.root, &self.pointer, reference)
        } else {
            self.identifiers
                .dynamic_target(self.root, &self.pointer, reference)
        };
        match place {
            Lead::At(pointer) => Ok(pointer),
            Lead::Dynamic => Err(self.refuse(
                "it cannot be enforced where more than one schema has that $dynamicAnchor",
            )),
            Lead::Nowhere => {
                Err(self.refuse("it must lead to a part of this schema, as `#/$defs/name`"))
            }
        }
    }

    /// What is written for a reference.
    pub(super) fn reference(&mut self, pointer: String, is_complement: bool) -> Value {
        let target = Target {
            pointer,
            is_complement,
        };
        let number = self.targets.number(target);
        format!("{REFERENCE}{}", name_of_definition(number)).into()
    }

    /// The complement of what was written for a reference.
    pub(super) fn complement_of_reference(
        &mut self,
        reference: &Value,
    ) -> Result<Value, FormatError> {
        let number = reference
            .as_str()
            .and_then(|reference| reference.strip_prefix(REFERENCE)?.get(1..)?.parse().ok());
        let Some(target) = number.and_then(|number: usize| self.targets.get(number)) else {
            return Err(self.refuse("it must lead to a part of this schema, as `#/$defs/name`"));
        };
        let reference = self.reference(target.pointer, !target.is_complement);
        Ok(json!({ "$ref": reference }))
    }

    pub(super) fn definition(&mut self, target: Target) -> Result<Value, FormatError> {
        let root = self.root;
        let Some(schema) = root.pointer(&target.pointer) else {
            return Err(self.refuse("it is not there"));
        };
        self.at(target.pointer, |walk| {
            let prepared = walk.schema(schema)?;
            if target.is_complement {
                walk.complement(&prepared)
            } else {
                Ok(prepared)
            }
        })
    }
}
