//! The routes, and what each of them takes and answers.

use crate::api::{
    CAPABILITIES, CHAT, COMPLETIONS, DETOKENIZE, EMBEDDINGS, OPENAPI, PARSE, PROMPTS, RENDER,
    RERANK, RESPONSES, TEI_RERANK, TOKENIZE,
};
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{
    ContentBuilder, HttpMethod, ObjectBuilder, Paths, PathsBuilder, Ref, RefOr, Required,
    ResponseBuilder, Schema,
};
use utoipa::openapi::{HeaderBuilder, path::PathItem};

/// What one route does with one method.
struct Operation {
    /// What generated clients call it.
    id: &'static str,
    method: HttpMethod,
    path: String,
    summary: &'static str,
    /// The schema of its body.
    takes: Option<&'static str>,
    answers: Answer,
    /// With what statuses it fails.
    fails: &'static [u16],
}

enum Answer {
    Json(&'static str),
    /// The same, or a stream, where that is asked for.
    Streamed(&'static str, Chunk),
    List(&'static str),
    Document,
    Text,
    Metrics,
}

/// What each event of a stream holds.
enum Chunk {
    /// JSON of this schema.
    Schema(&'static str),
    /// What OpenAI's specification of responses has.
    ResponseEvent,
}

const PROBE: &[u16] = &[500, 503];
const OPEN: &[u16] = &[401, 500];
const READ: &[u16] = &[401, 500, 503];
const READ_ONE: &[u16] = &[401, 404, 500, 503];
const NAMED: &[u16] = &[401, 404, 500];
const CANCEL: &[u16] = &[400, 401, 404, 500];
const STORED: &[u16] = &[401, 404, 500];
const ASK: &[u16] = &[400, 401, 404, 408, 413, 415, 500, 503, 504];
const GENERATE: &[u16] = &[400, 401, 404, 408, 413, 415, 422, 500, 503, 504];

fn operations() -> Vec<Operation> {
    use Answer::{Document, Json, List, Metrics, Streamed, Text};
    let asked = |id, path: &str, summary, takes, answers, fails| Operation {
        id,
        method: HttpMethod::Post,
        path: path.to_owned(),
        summary,
        takes: Some(takes),
        answers,
        fails,
    };
    let read = |id, path: &str, summary, answers, fails| Operation {
        id,
        method: HttpMethod::Get,
        path: path.to_owned(),
        summary,
        takes: None,
        answers,
        fails,
    };
    let stored = format!("{RESPONSES}/{{id}}");
    vec![
        asked(
            "create_chat_completion",
            CHAT,
            "Answers a chat",
            "ChatRequest",
            Streamed("ChatCompletion", Chunk::Schema("ChatChunk")),
            GENERATE,
        ),
        asked(
            "render_chat_completion",
            RENDER,
            "Shows the prompt of a chat",
            "ChatRequest",
            Json("Rendered"),
            ASK,
        ),
        asked(
            "create_completion",
            COMPLETIONS,
            "Continues texts",
            "CompletionRequest",
            Streamed("Completion", Chunk::Schema("Completion")),
            GENERATE,
        ),
        asked(
            "create_response",
            RESPONSES,
            "Answers, and keeps the answer",
            "ResponseRequest",
            Streamed("Response", Chunk::ResponseEvent),
            GENERATE,
        ),
        read(
            "get_response",
            &stored,
            "A response that is kept",
            Json("Response"),
            STORED,
        ),
        Operation {
            method: HttpMethod::Delete,
            ..read(
                "delete_response",
                &stored,
                "Forgets a response",
                Json("DeletedResponse"),
                STORED,
            )
        },
        Operation {
            method: HttpMethod::Post,
            ..read(
                "cancel_response",
                &format!("{stored}/cancel"),
                "Ends a response in the background",
                Json("Response"),
                CANCEL,
            )
        },
        read(
            "list_response_input_items",
            &format!("{stored}/input_items"),
            "What a response was asked",
            Json("ResponseItemList"),
            STORED,
        ),
        asked(
            "create_embedding",
            EMBEDDINGS,
            "Vectors of texts",
            "EmbeddingRequest",
            Json("EmbeddingList"),
            ASK,
        ),
        asked(
            "rerank",
            RERANK,
            "Orders documents by a query, as Cohere and Jina have it",
            "RerankRequest",
            Json("Reranked"),
            ASK,
        ),
        asked(
            "rank_texts",
            TEI_RERANK,
            "The same as text-embeddings-inference has it",
            "RankRequest",
            List("Rank"),
            ASK,
        ),
        asked(
            "tokenize",
            TOKENIZE,
            "Token ids of a text",
            "TokenizeRequest",
            Json("Tokenized"),
            ASK,
        ),
        asked(
            "detokenize",
            DETOKENIZE,
            "The text of token ids",
            "DetokenizeRequest",
            Json("Detokenized"),
            ASK,
        ),
        asked(
            "parse_document",
            PARSE,
            "The text of a document",
            "ParseRequest",
            Json("ParsedDocument"),
            GENERATE,
        ),
        read(
            "list_prompts",
            PROMPTS,
            "The prompts that requests may name",
            Json("PromptList"),
            OPEN,
        ),
        read(
            "get_prompt",
            "/v1/prompts/{id}",
            "One of them",
            Json("Prompt"),
            NAMED,
        ),
        read(
            "get_info",
            "/info",
            "The encoder that is served, as text-embeddings-inference has it",
            Json("Info"),
            READ_ONE,
        ),
        read(
            "list_models",
            "/v1/models",
            "The models that are served",
            Json("ModelList"),
            READ,
        ),
        read(
            "get_model",
            "/v1/models/{id}",
            "One of them",
            Json("Model"),
            READ_ONE,
        ),
        read(
            "get_capabilities",
            CAPABILITIES,
            "What becomes of requests here",
            Json("Capabilities"),
            READ,
        ),
        read("get_openapi", OPENAPI, "This document", Document, OPEN),
        read(
            "get_livez",
            "/livez",
            "Whether the process is of use",
            Text,
            PROBE,
        ),
        read(
            "get_readyz",
            "/readyz",
            "Whether requests are taken",
            Text,
            PROBE,
        ),
        read("get_health", "/health", "The same", Text, PROBE),
        read(
            "get_metrics",
            "/metrics",
            "What an operator watches",
            Metrics,
            OPEN,
        ),
    ]
}

/// All of them, by their paths.
pub fn paths() -> Paths {
    operations()
        .into_iter()
        .fold(PathsBuilder::new(), |paths, operation| {
            let Operation { method, path, .. } = &operation;
            let (method, path) = (method.clone(), path.clone());
            paths.path(path, PathItem::new(method, described(operation)))
        })
        .build()
}

fn described(operation: Operation) -> OperationBuilder {
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
    if let Some(schema) = operation.takes {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema)));
        let body = RequestBodyBuilder::new()
            .content("application/json", content.build())
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
        404 => "There is no such model or response",
        408 => "The body did not arrive in time",
        413 => "The body is too large",
        415 => "The body must be JSON",
        422 => "The engine failed twice on this request",
        503 => "The server is loading, busy or stopping: ask again",
        504 => "The answer was not complete in time",
        _ => "A fault of the server; its log has more under the request's id",
    }
}
