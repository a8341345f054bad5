//! Tables of the forms that an answer may have.

use super::{Parameter, Shape, honoured, ignored, refused, required};
use crate::api::limits;

/// A regular expression, a grammar or a choice.
pub const EXPRESSION: Shape = Shape::Short(limits::MAX_GRAMMAR_BYTES);

/// `response_format`.
pub const RESPONSE_FORMAT: &[Parameter] = &[
    required(
        "type",
        Shape::Word(&["text", "json_object", "json_schema"]),
        "`text`, `json_object` (any JSON object) or `json_schema`",
    ),
    honoured(
        "json_schema",
        Shape::Object(JSON_SCHEMA),
        "required with that type",
    ),
];

/// `response_format.json_schema`.
pub const JSON_SCHEMA: &[Parameter] = &[
    required(
        "name",
        Shape::Name(limits::MAX_FORMAT_NAME_CHARS),
        "what a refusal calls the schema",
    ),
    ignored("description", "the model is not told"),
    honoured(
        "schema",
        Shape::Either(&[Shape::Schema, Shape::Text]),
        "the answer is JSON that it accepts; absent: any JSON object",
    ),
    honoured(
        "strict",
        Shape::Boolean,
        "true, or listed as ignored: a schema is always enforced, and refused where it cannot be",
    ),
];

/// `structured_outputs`: one of these.
pub const STRUCTURED_OUTPUTS: &[Parameter] = &[
    honoured(
        "json",
        Shape::Either(&[Shape::Schema, Shape::Text]),
        "a JSON schema, or its text",
    ),
    honoured("json_object", Shape::Boolean, "true: any JSON object"),
    honoured("regex", EXPRESSION, "the whole answer matches it"),
    honoured(
        "choice",
        Shape::List(&EXPRESSION, 1, limits::MAX_FORMAT_CHOICES),
        "an array of strings; the answer is one of them",
    ),
    honoured(
        "grammar",
        EXPRESSION,
        "a context-free grammar in llguidance's Lark",
    ),
    refused("structural_tag", &[], ""),
    refused(
        "disable_fallback",
        &["true", "false"],
        "there is no other backend",
    ),
    refused("disable_any_whitespace", &["false"], ""),
    refused("disable_additional_properties", &["false"], ""),
    refused("whitespace_pattern", &[], ""),
];
