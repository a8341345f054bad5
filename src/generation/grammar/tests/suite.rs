//! The JSON Schema Test Suite (draft 2020-12) against the grammars, token by token.

use super::{accepts, grammars, id};
use crate::generation::{Format, FormatError};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::future::ready;
use std::path::{Path, PathBuf};

/// What became of the suite.
#[derive(Debug, Default)]
struct Tally {
    groups: usize,
    compiled: usize,
    /// How often a schema was refused, by the reason.
    refused: BTreeMap<String, usize>,
    /// Instances that were judged.
    valid: usize,
    invalid: usize,
    /// Valid ones that are taken only with their properties in the schema's order, or with
    /// numbers in another spelling.
    ordered: usize,
    spelt: usize,
    false_accepts: Vec<String>,
    false_refusals: Vec<String>,
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    files
}

/// An instance as a model may write it: without white space, and as Python does.
fn spellings(instance: &Value) -> [String; 2] {
    let spaced = |text: String| {
        let mut out = String::new();
        let (mut in_text, mut escaped) = (false, false);
        for character in text.chars() {
            out.push(character);
            match character {
                _ if escaped => escaped = false,
                '\\' if in_text => escaped = true,
                '"' => in_text = !in_text,
                ':' | ',' if !in_text => out.push(' '),
                _ => {}
            }
        }
        out
    };
    let compact = instance.to_string();
    [compact.clone(), spaced(compact)]
}

/// The properties of objects in the order in which the schema names them, the others behind.
fn in_order(schema: &Value, instance: &Value) -> Value {
    match instance {
        Value::Object(members) => {
            let mut names = Vec::new();
            collect_names(schema, &mut names);
            let place = |name: &String| names.iter().position(|known| known == name);
            let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| place(name).unwrap_or(usize::MAX));
            let sorted = sorted
                .into_iter()
                .map(|(name, value)| (name.clone(), in_order(schema, value)));
            Value::Object(sorted.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(|item| in_order(schema, item)).collect(),
        other => other.clone(),
    }
}

fn collect_names(schema: &Value, names: &mut Vec<String>) {
    match schema {
        Value::Object(keywords) => {
            for (name, value) in keywords {
                if name == "properties"
                    && let Value::Object(properties) = value
                {
                    names.extend(properties.keys().cloned());
                }
                if name == "required"
                    && let Value::Array(required) = value
                {
                    names.extend(
                        required
                            .iter()
                            .filter_map(|n| n.as_str().map(str::to_owned)),
                    );
                }
                collect_names(value, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_names(item, names)),
        _ => {}
    }
}

/// 1.0 for 1, and the other way round.
fn respelt(instance: &Value) -> Value {
    match instance {
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => serde_json::from_str(&format!("{whole}.0")).unwrap(),
            (None, Some(float)) if float.fract() == 0.0 && float.abs() < 1e15 => {
                (float as i64).into()
            }
            _ => instance.clone(),
        },
        Value::Array(items) => items.iter().map(respelt).collect(),
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| (name.clone(), respelt(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

/// `scripts/json-schema-suite` runs it.
#[tokio::test]
#[ignore = "needs the suite: scripts/json-schema-suite"]
async fn the_json_schema_test_suite_finds_no_false_accept() {
    let dir = std::env::var("GUICHET_JSON_SCHEMA_SUITE").expect("GUICHET_JSON_SCHEMA_SUITE is set");
    let grammars = grammars(&[id("<|im_end|>")]);
    let mut tally = Tally::default();
    for file in files(&Path::new(&dir).join("draft2020-12")) {
        let groups: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        for group in groups.as_array().unwrap() {
            tally.groups += 1;
            let schema = &group["schema"];
            let name = format!(
                "{} {}",
                file.file_stem().unwrap().display(),
                group["description"]
            );
            let grammar = match grammars
                .compile(Format::JsonSchema(schema.clone()), ready(()))
                .await
            {
                Ok(grammar) => grammar,
                Err(error) => {
                    let reason = match &error {
                        FormatError::Schema { pointer, .. } => {
                            pointer.rsplit('/').next().unwrap_or_default().to_owned()
                        }
                        other => other.to_string(),
                    };
                    *tally.refused.entry(reason).or_default() += 1;
                    continue;
                }
            };
            tally.compiled += 1;
            let takes = |instance: &Value| {
                spellings(instance)
                    .iter()
                    .any(|text| accepts(&grammar, text))
            };
            for test in group["tests"].as_array().unwrap() {
                let instance = &test["data"];
                let what = format!("{name}: {schema} {} {instance}", test["description"]);
                if !test["valid"].as_bool().unwrap() {
                    tally.invalid += 1;
                    if takes(instance) || takes(&in_order(schema, instance)) {
                        tally.false_accepts.push(what);
                    }
                    continue;
                }
                tally.valid += 1;
                let ordered = in_order(schema, instance);
                if takes(instance) {
                } else if takes(&ordered) {
                    tally.ordered += 1;
                } else if takes(&respelt(&ordered)) {
                    tally.spelt += 1;
                } else {
                    tally.false_refusals.push(what);
                }
            }
        }
    }
    for refusal in &tally.false_refusals {
        println!("refused: {refusal}");
    }
    for accept in &tally.false_accepts {
        println!("ACCEPTED: {accept}");
    }
    println!(
        "{} of {} groups compile; {} valid instances, {} refused for the order of their properties alone, {} for the \
         spelling of numbers, {} for something else; {} invalid ones, {} accepted",
        tally.compiled,
        tally.groups,
        tally.valid,
        tally.ordered,
        tally.spelt,
        tally.false_refusals.len(),
        tally.invalid,
        tally.false_accepts.len()
    );
    println!("refused schemas, by keyword: {:?}", tally.refused);
    assert!(tally.false_accepts.is_empty());
    assert!(tally.compiled * 2 >= tally.groups);
}
