//! Tables of the forms that an answer may have.

use super::{Parameter, honoured, ignored, refused};

/// `response_format`.
pub const RESPONSE_FORMAT: &[Parameter] = &[
    honoured(
        "type",
        "required; `text`, `json_object` (any JSON object) or `json_schema`",
    ),
    honoured("json_schema", "required with that type"),
];

/// `response_format.json_schema`.
pub const JSON_SCHEMA: &[Parameter] = &[
    honoured("name", "required; what a refusal calls the schema"),
    ignored("description", "the model is not told"),
    honoured(
        "schema",
        "the answer is JSON that it accepts; absent: any JSON object",
    ),
    honoured(
        "strict",
        "true, or listed as ignored: a schema is always enforced, and refused where it cannot be",
    ),
];

/// `structured_outputs`: one of these.
pub const STRUCTURED_OUTPUTS: &[Parameter] = &[
    honoured("json", "a JSON schema, or its text"),
    honoured("json_object", "true: any JSON object"),
    honoured("regex", "the whole answer matches it"),
    honoured("choice", "an array of strings; the answer is one of them"),
    honoured("grammar", "a context-free grammar in llguidance's Lark"),
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
