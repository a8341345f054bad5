//! Bodies of requests, from their tables.

use super::{named, or_null};
use crate::api::limits;
use crate::api::parameters::{self, Outcome, Parameter, Shape};
use serde_json::{Map, Value, json};

/// Each body under the name that operations have for it.
pub fn schemas() -> Map<String, Value> {
    named([
        ("ChatRequest", object(parameters::CHAT)),
        ("CompletionRequest", object(parameters::COMPLETIONS)),
        ("ResponseRequest", object(parameters::RESPONSES)),
        ("EmbeddingRequest", object(parameters::EMBEDDINGS)),
        ("RerankRequest", object(parameters::RERANK)),
        ("RankRequest", object(parameters::TEI_RERANK)),
        ("TokenizeRequest", object(parameters::TOKENIZE)),
        ("DetokenizeRequest", object(parameters::DETOKENIZE)),
        ("ParseRequest", object(parameters::PARSE)),
        ("FileRequest", form(parameters::FILE_UPLOAD)),
    ])
}

/// The parameters of a query. One that is left out is not there, so that none of them is null.
pub fn query(table: &[Parameter]) -> Value {
    let parameters = table.iter().map(|parameter| {
        json!({
            "name": parameter.name,
            "in": "query",
            "required": parameter.is_required,
            "description": parameter.note,
            "schema": shape(&parameter.shape),
        })
    });
    parameters.collect()
}

/// A form, in which nothing can be null.
fn form(table: &[Parameter]) -> Value {
    holding(table, |parameter| {
        let mut schema = shape(&parameter.shape);
        schema["description"] = parameter.note.into();
        schema
    })
}

fn object(table: &[Parameter]) -> Value {
    holding(table, property)
}

fn holding(table: &[Parameter], property: impl Fn(&Parameter) -> Value) -> Value {
    let required: Vec<&str> = table
        .iter()
        .filter(|parameter| parameter.is_required)
        .map(|parameter| parameter.name)
        .collect();
    let properties: Map<String, Value> = table
        .iter()
        .map(|parameter| (parameter.name.to_owned(), property(parameter)))
        .collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn property(parameter: &Parameter) -> Value {
    let (mut schema, outcome) = match parameter.outcome {
        Outcome::Honoured if parameter.is_required => (shape(&parameter.shape), ""),
        // Null says that it is left out.
        Outcome::Honoured => (or_null(shape(&parameter.shape)), ""),
        // Anything is taken, and listed.
        Outcome::Ignored | Outcome::SentBack => {
            (json!({}), "Ignored, and listed in `x-guichet-ignored`")
        }
        Outcome::RefusedUnless(neutral) => {
            // The tables hold JSON.
            let neutral = neutral
                .iter()
                .filter_map(|text| serde_json::from_str(text).ok());
            let values: Vec<Value> = neutral.chain([Value::Null]).collect();
            (json!({"enum": values}), "Not supported: refused otherwise")
        }
    };
    let note = match (outcome, parameter.note) {
        ("", note) => note.to_owned(),
        (outcome, "") => outcome.to_owned(),
        (outcome, note) => format!("{outcome}; {note}"),
    };
    if !note.is_empty() {
        schema["description"] = note.into();
    }
    schema
}

fn shape(shape: &Shape) -> Value {
    let text = || json!({"type": "string"});
    let ids = || {
        json!({
            "type": "array", "minItems": 1, "maxItems": limits::MAX_JSON_VALUES,
            "items": {"type": "integer", "minimum": 0, "maximum": u32::MAX},
        })
    };
    match shape {
        Shape::Any => json!({}),
        Shape::Boolean => json!({"type": "boolean"}),
        Shape::Integer(min, max) => json!({"type": "integer", "minimum": min, "maximum": max}),
        Shape::Number(range) => {
            json!({"type": "number", "minimum": range.min, "maximum": range.max})
        }
        Shape::Text => text(),
        Shape::Bytes => json!({"type": "string", "format": "binary"}),
        Shape::Short(max) => json!({"type": "string", "minLength": 1, "maxLength": max}),
        Shape::Name(max) => {
            json!({"type": "string", "pattern": format!("^[A-Za-z0-9_-]{{1,{max}}}$")})
        }
        Shape::DottedName(max) => {
            json!({"type": "string", "pattern": format!("^[A-Za-z0-9_.-]{{1,{max}}}$")})
        }
        Shape::Word(words) => json!({"type": "string", "enum": words}),
        Shape::List(items, min, max) => {
            json!({"type": "array", "items": self::shape(items), "minItems": min, "maxItems": max})
        }
        Shape::Object(table) => object(table),
        Shape::Map(max) => json!({"type": "object", "maxProperties": max}),
        Shape::Biases => json!({
            "type": "object", "maxProperties": limits::MAX_LOGIT_BIAS,
            "propertyNames": {"pattern": "^(0|[1-9][0-9]{0,9})$"},
            "additionalProperties": {"type": "number", "minimum": limits::BIAS.min, "maximum": limits::BIAS.max},
        }),
        Shape::Metadata => json!({
            "type": "object", "maxProperties": limits::MAX_METADATA,
            "propertyNames": {"maxLength": limits::MAX_METADATA_KEY_CHARS},
            "additionalProperties": {"type": "string", "maxLength": limits::MAX_METADATA_VALUE_CHARS},
        }),
        Shape::Schema => json!({"type": ["object", "boolean"]}),
        Shape::Parameters => json!({"type": "object", "properties": {"type": {"const": "object"}}}),
        Shape::TextsOrIds(max) => json!({"anyOf": [
            text(),
            {"type": "array", "items": text(), "minItems": 1, "maxItems": max},
            ids(),
            {"type": "array", "items": ids(), "minItems": 1, "maxItems": max},
        ]}),
        Shape::Either(shapes) => {
            json!({"anyOf": shapes.iter().map(self::shape).collect::<Vec<_>>()})
        }
    }
}
