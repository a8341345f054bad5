//! The routes, and what each of them takes and answers.

use super::described::described;
use crate::api::{
    CAPABILITIES, CHAT, COMPLETIONS, DETOKENIZE, EMBEDDINGS, FILES, OPENAPI, PARSE, PROMPTS,
    RENDER, RERANK, RESPONSES, TEI_RERANK, TOKENIZE,
};
use utoipa::openapi::path::PathItem;
use utoipa::openapi::{HttpMethod, Paths, PathsBuilder};

/// What one route does with one method.
pub struct Operation {
    /// What generated clients call it.
    pub id: &'static str,
    pub method: HttpMethod,
    pub path: String,
    pub summary: &'static str,
    pub takes: Takes,
    pub answers: Answer,
    /// With what statuses it fails.
    pub fails: &'static [u16],
}

/// Its body, of this schema.
pub enum Takes {
    Nothing,
    Json(&'static str),
    Form(&'static str),
}

pub enum Answer {
    Json(&'static str),
    /// The same, or a stream, where that is asked for.
    Streamed(&'static str, Chunk),
    List(&'static str),
    Document,
    /// Of a file.
    Bytes,
    Text,
    Metrics,
}

/// What each event of a stream holds.
pub enum Chunk {
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
const UPLOAD: &[u16] = &[400, 401, 404, 408, 413, 415, 500];
const LIST: &[u16] = &[400, 401, 404, 500];
const ASK: &[u16] = &[400, 401, 404, 408, 413, 415, 500, 503, 504];
const GENERATE: &[u16] = &[400, 401, 404, 408, 413, 415, 422, 500, 503, 504];

fn operations() -> Vec<Operation> {
    use Answer::{Bytes, Document, Json, List, Metrics, Streamed, Text};
    let asked = |id, path: &str, summary, takes, answers, fails| Operation {
        id,
        method: HttpMethod::Post,
        path: path.to_owned(),
        summary,
        takes: Takes::Json(takes),
        answers,
        fails,
    };
    let read = |id, path: &str, summary, answers, fails| Operation {
        id,
        method: HttpMethod::Get,
        path: path.to_owned(),
        summary,
        takes: Takes::Nothing,
        answers,
        fails,
    };
    let stored = format!("{RESPONSES}/{{id}}");
    let file = format!("{FILES}/{{id}}");
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
        Operation {
            takes: Takes::Form("FileRequest"),
            ..asked(
                "create_file",
                FILES,
                "Keeps a file, for requests that name it",
                "FileRequest",
                Json("FileObject"),
                UPLOAD,
            )
        },
        read(
            "list_files",
            FILES,
            "The files that are kept",
            Json("FileList"),
            LIST,
        ),
        read("get_file", &file, "One of them", Json("FileObject"), STORED),
        read(
            "get_file_content",
            &format!("{file}/content"),
            "What it holds",
            Bytes,
            STORED,
        ),
        Operation {
            method: HttpMethod::Delete,
            ..read(
                "delete_file",
                &file,
                "Forgets a file",
                Json("DeletedFile"),
                STORED,
            )
        },
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
