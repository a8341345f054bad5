//! Tables of what encoders answer.

use super::sampling::MODEL;
use super::{Parameter, Shape, honoured, ignored, required};
use crate::api::limits;

/// `POST /v1/embeddings`.
pub const EMBEDDINGS: &[Parameter] = &[
    MODEL,
    required(
        "input",
        Shape::TextsOrIds(limits::MAX_TEXTS),
        "a string, an array of strings, an array of the model's token ids or an array of such arrays",
    ),
    honoured(
        "encoding_format",
        Shape::Word(&["float", "base64"]),
        "`float` or `base64`",
    ),
    honoured(
        "dimensions",
        Shape::Integer(1, limits::MAX_DIMENSIONS as i64),
        "where the model was made for it; else only the length that it has",
    ),
    honoured(
        "input_type",
        Shape::Text,
        "not OpenAI's; a name among the model's prompts, such as `query`, whose text stands before each input",
    ),
    ignored("user", ""),
];

/// `POST /v1/rerank`.
pub const RERANK: &[Parameter] = &[
    MODEL,
    required("query", Shape::Text, "a string"),
    required(
        "documents",
        Shape::List(
            &Shape::Either(&[Shape::Text, Shape::Object(DOCUMENT)]),
            1,
            limits::MAX_TEXTS,
        ),
        "an array of strings, or of objects with `text`",
    ),
    honoured(
        "top_n",
        Shape::Integer(1, limits::MAX_TEXTS as i64),
        "how many of the best; absent: all",
    ),
    honoured(
        "return_documents",
        Shape::Boolean,
        "true: each result holds its document",
    ),
    honoured(
        "max_tokens_per_doc",
        Shape::Integer(1, limits::MAX_MAX_TOKENS as i64),
        "cuts the end off longer documents, and says so in `truncated_from`; absent: what is too long is refused",
    ),
    ignored("user", ""),
];

/// A document as an object.
pub const DOCUMENT: &[Parameter] = &[required("text", Shape::Text, "")];

/// `POST /rerank`.
pub const TEI_RERANK: &[Parameter] = &[
    honoured(
        "model",
        Shape::Text,
        "not theirs; needed where several rerankers are served",
    ),
    required("query", Shape::Text, "a string"),
    required(
        "texts",
        Shape::List(&Shape::Text, 1, limits::MAX_TEXTS),
        "an array of strings",
    ),
    honoured(
        "raw_scores",
        Shape::Boolean,
        "true: scores as the model says them; absent: from 0 to 1",
    ),
    honoured(
        "return_text",
        Shape::Boolean,
        "true: each result holds its text",
    ),
    honoured(
        "truncate",
        Shape::Boolean,
        "true: cuts texts that are too long; absent: they are refused",
    ),
    honoured(
        "truncation_direction",
        Shape::Word(&["Right", "Left", "right", "left"]),
        "`Right` or `Left`",
    ),
];
