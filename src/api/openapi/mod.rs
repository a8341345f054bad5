//! `GET /openapi.json`: what can be asked and what is answered, written from the tables that check
//! requests and from the types of the answers. `docs/openapi.json` is the same.

mod described;
mod documents;
mod operations;
mod requests;
mod responses;

use super::capabilities::Capabilities;
use super::chat_answer::ChatCompletion;
use super::chat_chunks::ChatChunk;
use super::completions::Completion;
use super::embeddings::EmbeddingList;
use super::error_body::ErrorBody;
use super::files::{DeletedFile, FileList, FileObject};
use super::info::Info;
use super::models::ModelList;
use super::rerank::{Rank, Reranked};
use super::tokens::{Detokenized, Rendered, Tokenized};
use super::{FILES, parameters};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use utoipa::ToSchema;
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApiBuilder, RefOr, Schema,
};

const DESCRIPTION: &str = "OpenAI's API, and what else Guichet answers. A request may hold the properties that are listed and no others; null \
     means that one is left out. Every answer, but to a preflight, carries `x-request-id`; what was accepted and not used is listed in \
     `x-guichet-ignored`.";

/// It is the same as long as the process runs.
static TEXT: LazyLock<String> = LazyLock::new(|| document().to_string());

/// `GET /openapi.json`.
pub async fn get() -> Response {
    ([(CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}

/// The document, in OpenAPI 3.1.
pub fn document() -> Value {
    let info = InfoBuilder::new()
        .title("Guichet")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(
            LicenseBuilder::new()
                .name("Apache-2.0")
                .identifier(Some("Apache-2.0"))
                .build(),
        ))
        .build();
    let mut answers = Vec::new();
    add::<ChatCompletion>(&mut answers);
    add::<ChatChunk>(&mut answers);
    add::<Completion>(&mut answers);
    add::<EmbeddingList>(&mut answers);
    add::<Reranked>(&mut answers);
    add::<Rank>(&mut answers);
    add::<Info>(&mut answers);
    add::<Tokenized>(&mut answers);
    add::<Detokenized>(&mut answers);
    add::<Rendered>(&mut answers);
    add::<ModelList>(&mut answers);
    add::<Capabilities>(&mut answers);
    add::<FileObject>(&mut answers);
    add::<FileList>(&mut answers);
    add::<DeletedFile>(&mut answers);
    add::<ErrorBody>(&mut answers);
    let answers = ComponentsBuilder::new().schemas_from_iter(answers).build();
    let openapi = OpenApiBuilder::new()
        .info(info)
        .paths(operations::paths())
        .components(Some(answers))
        .build();
    // Names and schemas, which always serialize.
    let mut document = serde_json::to_value(openapi).unwrap_or_default();
    let files = &mut document["paths"][FILES];
    files["get"]["parameters"] = requests::query(parameters::FILE_LIST);
    // `expires_after[seconds]`.
    files["post"]["requestBody"]["content"]["multipart/form-data"]["encoding"] =
        json!({"expires_after": {"style": "deepObject", "explode": true}});
    let components = &mut document["components"];
    components["securitySchemes"] = json!({"key": {"type": "http", "scheme": "bearer"}});
    if let Some(schemas) = components["schemas"].as_object_mut() {
        schemas.values_mut().for_each(close);
        schemas.extend(responses::schemas());
        schemas.extend(documents::schemas());
        schemas.extend(requests::schemas());
        schemas.sort_keys();
    }
    document
}

/// A type, and those that it is made of.
fn add<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

/// An answer has no property that is not listed.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(keywords) => {
            if keywords.contains_key("properties") && !keywords.contains_key("additionalProperties")
            {
                keywords.insert("additionalProperties".to_owned(), false.into());
            }
            keywords.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// An object with these properties and no others; all of them come.
fn object(properties: Value) -> Value {
    let names: Vec<Value> = match &properties {
        Value::Object(properties) => properties.keys().map(|name| name.as_str().into()).collect(),
        _ => Vec::new(),
    };
    json!({"type": "object", "properties": properties, "required": names, "additionalProperties": false})
}

/// The same, or null.
fn or_null(schema: Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

/// A map of schemas by their names.
fn named<const N: usize>(schemas: [(&str, Value); N]) -> Map<String, Value> {
    schemas
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect()
}
