//! An operation as the document describes it.

use super::operations::{Answer, Chunk, Operation, Takes};
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, Required, ResponseBuilder, Schema,
};

pub fn described(operation: Operation) -> OperationBuilder {
    let mut built = OperationBuilder::new()
        .operation_id(Some(operation.id))
        .summary(Some(operation.summary))
        .response("200", answered(&operation.answers));
    // Probes are open to everyone.
    if operation.fails.contains(&401) {
        built = built.security(SecurityRequirement::new("key", [] as [&str; 0]));
    }
    if operation.path.contains("{id}") {
        let id = ParameterBuilder::new()
            .name("id")
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(string()));
        built = built.parameter(id);
    }
    let takes = match operation.takes {
        Takes::Nothing => None,
        Takes::Json(schema) => Some(("application/json", schema)),
        Takes::Form(schema) => Some(("multipart/form-data", schema)),
    };
    if let Some((media_type, schema)) = takes {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema)));
        let body = RequestBodyBuilder::new()
            .content(media_type, content.build())
            .required(Some(Required::True));
        built = built.request_body(Some(body.build()));
    }
    for status in operation.fails {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorBody")));
        let mut failed = ResponseBuilder::new()
            .description(meaning(*status))
            .content("application/json", content.build());
        if *status == 503 {
            let seconds = ObjectBuilder::new().schema_type(Type::Integer);
            failed = failed.header(
                "retry-after",
                HeaderBuilder::new().schema(Some(seconds)).build(),
            );
        }
        built = built.response(status.to_string(), failed);
    }
    built
}

fn answered(answer: &Answer) -> ResponseBuilder {
    let response = ResponseBuilder::new();
    let json = |schema: RefOr<Schema>| ContentBuilder::new().schema(Some(schema)).build();
    let text = || ContentBuilder::new().schema(Some(string())).build();
    match answer {
        Answer::Json(schema) => response.description("The answer").content(
            "application/json",
            json(Ref::from_schema_name(*schema).into()),
        ),
        Answer::Streamed(schema, chunk) => {
            let holds = match chunk {
                Chunk::Schema(schema) => format!("a `{schema}`, and the last `[DONE]`"),
                Chunk::ResponseEvent => "an event of the Responses API".to_owned(),
            };
            response
                .description(format!(
                    "The answer; with `stream: true` server-sent events, each of which holds {holds}"
                ))
                .content("application/json", json(Ref::from_schema_name(*schema).into()))
                .content("text/event-stream", json(event()))
        }
        Answer::List(schema) => {
            let list = ArrayBuilder::new().items(Ref::from_schema_name(*schema));
            response
                .description("The answer")
                .content("application/json", json(list.into()))
        }
        Answer::Document => {
            let document = ObjectBuilder::new().schema_type(Type::Object);
            response
                .description("OpenAPI 3.1")
                .content("application/json", json(document.into()))
        }
        Answer::Bytes => response
            .description("The bytes of the file")
            .content("application/octet-stream", text()),
        Answer::Text => response.description("`ok`").content("text/plain", text()),
        Answer::Metrics => response
            .description("OpenMetrics")
            .content("application/openmetrics-text", text()),
    }
}

/// One event of a stream. What it holds is JSON, but for the last of a chat.
fn event() -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("event", string())
        .property("data", string())
        .required("data")
        .into()
}

fn string() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).into()
}

fn meaning(status: u16) -> &'static str {
    match status {
        400 => "A field is wrong: `param` names it, `message` says what is allowed",
        401 => "The API key is missing or unknown",
        404 => "There is no such model, response, prompt or file",
        408 => "The body did not arrive in time",
        413 => "The body is too large",
        415 => "The body must be JSON, or a form where a file is sent",
        422 => "The engine failed twice on this request",
        503 => "The server is loading, busy or stopping: ask again",
        504 => "The answer was not complete in time",
        _ => "A fault of the server; its log has more under the request's id",
    }
}
