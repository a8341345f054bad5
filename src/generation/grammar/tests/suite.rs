//! The JSON Schema Test Suite (draft 2020-12) against the grammars, token by token.

use super::{accepts, grammars, id};
use crate::generation::{Format, FormatError, Grammar, Grammars};
use serde_json::Value;
use std::collections::BTreeMap;
use std::future::ready;
use std::path::{Path, PathBuf};

/// Orders of one instance's properties that are tried.
const MAX_ORDERS: usize = 400;
/// Of the groups of the suite, and of those drawn at random.
const MIN_COMPILED: f64 = 0.78;
const MIN_COMPILED_AT_RANDOM: f64 = 0.6;

/// What became of the suite.
#[derive(Debug, Default)]
struct Tally {
    groups: usize,
    compiled: usize,
    /// How often a schema was refused, by the keyword.
    refused: BTreeMap<String, usize>,
    /// Instances that were judged.
    valid: usize,
    invalid: usize,
    /// Valid ones that are taken in some other order of their properties, or with numbers in
    /// another spelling.
    ordered: usize,
    spelt: usize,
    /// Valid ones that would be taken if `format` said nothing, as it does in this suite.
    formats: usize,
    false_accepts: Vec<String>,
    false_refusals: Vec<String>,
}

impl Tally {
    fn refuse(&mut self, error: &FormatError) {
        let reason = match error {
            FormatError::Schema { pointer, .. } => {
                let keywords = pointer
                    .rsplit('/')
                    .filter(|name| name.parse::<u32>().is_err());
                keywords.into_iter().next().unwrap_or_default().to_owned()
            }
            other => other.to_string(),
        };
        *self.refused.entry(reason).or_default() += 1;
    }
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

/// An instance with its properties in every order, its own first.
fn orders(instance: &Value) -> Vec<Value> {
    let one_of_each = |parts: Vec<Vec<Value>>| {
        parts.into_iter().fold(vec![Vec::new()], |begun, part| {
            let longer = begun.iter().flat_map(|begun: &Vec<Value>| {
                let with = |value: &Value| [begun.as_slice(), std::slice::from_ref(value)].concat();
                part.iter().map(with).collect::<Vec<_>>()
            });
            longer.take(MAX_ORDERS).collect()
        })
    };
    match instance {
        Value::Array(items) => {
            let items = one_of_each(items.iter().map(orders).collect());
            items.into_iter().map(Value::Array).collect()
        }
        Value::Object(members) => {
            let names: Vec<&String> = members.keys().collect();
            let values = one_of_each(members.values().map(orders).collect());
            let ordered = permutations(names.len()).into_iter().flat_map(|order| {
                let (names, order) = (&names, order);
                let members = values.iter().map(move |values| {
                    let member = |index: &usize| (names[*index].clone(), values[*index].clone());
                    Value::Object(order.iter().map(member).collect())
                });
                members.collect::<Vec<_>>()
            });
            ordered.take(MAX_ORDERS).collect()
        }
        other => vec![other.clone()],
    }
}

fn permutations(len: usize) -> Vec<Vec<usize>> {
    let mut found = vec![Vec::new()];
    for next in 0..len {
        found = (0..=next)
            .rev()
            .flat_map(|place| {
                found.iter().map(move |order: &Vec<usize>| {
                    let mut order = order.clone();
                    order.insert(place, next);
                    order
                })
            })
            .take(MAX_ORDERS)
            .collect();
    }
    found
}

#[test]
fn orders_begin_with_the_one_that_is_given() {
    let instance = serde_json::json!({"a": 1, "b": [{"c": 2, "d": 3}]});
    let orders: Vec<String> = orders(&instance).iter().map(Value::to_string).collect();
    assert_eq!(orders[0], instance.to_string());
    assert_eq!(orders.len(), 4);
    assert!(orders.contains(&r#"{"b":[{"d":3,"c":2}],"a":1}"#.to_owned()));
}

/// The schema without what it says of formats.
fn without_formats(schema: &Value) -> Value {
    match schema {
        Value::Object(keywords) => Value::Object(
            keywords
                .iter()
                .filter(|(name, value)| *name != "format" || !value.is_string())
                .map(|(name, value)| (name.clone(), without_formats(value)))
                .collect(),
        ),
        Value::Array(items) => items.iter().map(without_formats).collect(),
        other => other.clone(),
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

/// Whether a grammar takes an instance, as it is written or in any other order of its properties.
fn takes(grammar: &Grammar, orders: &[Value]) -> bool {
    let mut texts = orders.iter().flat_map(spellings);
    texts.any(|text| accepts(grammar, &text))
}

async fn judge(grammars: &Grammars, group: &Value, name: &str, tally: &mut Tally) {
    tally.groups += 1;
    let schema = &group["schema"];
    let compile = |schema: Value| grammars.compile(Format::JsonSchema(schema), ready(()));
    let grammar = match compile(schema.clone()).await {
        Ok(grammar) => grammar,
        Err(error) => {
            println!("not compiled: {name}: {error}");
            return tally.refuse(&error);
        }
    };
    tally.compiled += 1;
    for test in group["tests"].as_array().unwrap() {
        let instance = &test["data"];
        let what = format!("{name}: {schema} {} {instance}", test["description"]);
        let orders = orders(instance);
        let respelt: Vec<Value> = orders.iter().map(respelt).collect();
        if test["valid"] == false {
            tally.invalid += 1;
            if takes(&grammar, &orders) || takes(&grammar, &respelt) {
                tally.false_accepts.push(what);
            }
            continue;
        }
        tally.valid += 1;
        if takes(&grammar, &orders[..1]) {
        } else if takes(&grammar, &orders) {
            tally.ordered += 1;
        } else if takes(&grammar, &respelt) {
            tally.spelt += 1;
        } else if without_formats(schema) != *schema
            && takes(&compile(without_formats(schema)).await.unwrap(), &orders)
        {
            tally.formats += 1;
        } else {
            tally.false_refusals.push(what);
        }
    }
}

async fn judge_all(dir: &Path) -> Tally {
    let grammars = grammars(&[id("<|im_end|>")]);
    let mut tally = Tally::default();
    for file in files(dir) {
        let groups: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        for group in groups.as_array().unwrap() {
            let file = file.file_stem().unwrap().display();
            let name = format!("{file} {}", group["description"]);
            judge(&grammars, group, &name, &mut tally).await;
        }
    }
    for refusal in &tally.false_refusals {
        println!("refused: {refusal}");
    }
    for accept in &tally.false_accepts {
        println!("ACCEPTED: {accept}");
    }
    println!(
        "{} of {} groups compile ({:.1} %); {} valid instances, {} refused for the order of their properties alone, \
         {} for the spelling of numbers, {} for a format, {} for something else; {} invalid ones, {} accepted",
        tally.compiled,
        tally.groups,
        100.0 * tally.compiled as f64 / tally.groups as f64,
        tally.valid,
        tally.ordered,
        tally.spelt,
        tally.formats,
        tally.false_refusals.len(),
        tally.invalid,
        tally.false_accepts.len()
    );
    println!("refused schemas, by keyword: {:?}", tally.refused);
    tally
}

fn folder(variable: &str) -> PathBuf {
    let folder = std::env::var(variable);
    folder
        .unwrap_or_else(|_| panic!("{variable} is set by scripts/json-schema-suite"))
        .into()
}

fn suite() -> PathBuf {
    folder("GUICHET_JSON_SCHEMA_SUITE").join("draft2020-12")
}

#[tokio::test]
#[ignore = "needs the suite: scripts/json-schema-suite"]
async fn the_json_schema_test_suite_finds_no_false_accept() {
    let tally = judge_all(&suite()).await;
    assert!(tally.false_accepts.is_empty());
    assert!(tally.false_refusals.is_empty());
    assert_eq!((tally.ordered, tally.spelt, tally.formats), (6, 8, 12));
    assert!(tally.compiled as f64 >= MIN_COMPILED * tally.groups as f64);
}

/// Where `format` is more than an annotation.
#[tokio::test]
#[ignore = "needs the suite: scripts/json-schema-suite"]
async fn what_the_suite_says_of_formats_finds_no_false_accept() {
    let tally = judge_all(&suite().join("optional/format")).await;
    assert!(tally.false_accepts.is_empty());
    assert!(tally.false_refusals.is_empty());
}

/// `scripts/json-schema-groups` draws them.
#[tokio::test]
#[ignore = "needs another validator: scripts/json-schema-suite"]
async fn a_random_schema_finds_no_false_accept() {
    let tally = judge_all(&folder("GUICHET_JSON_SCHEMA_RANDOM")).await;
    assert!(tally.false_accepts.is_empty());
    assert!(tally.false_refusals.is_empty());
    assert!(tally.compiled as f64 >= MIN_COMPILED_AT_RANDOM * tally.groups as f64);
}
