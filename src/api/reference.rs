//! The tables of `docs/api.md`, written from the tables that the checks use.

use super::limits::{self, Range};
use super::parameters::{
    ALLOWED_TOOL, ALLOWED_TOOLS, ASSISTANT_MESSAGE, CALLED_FUNCTION, CHAT, CITATIONS, COMPLETIONS,
    CONTENT_PART, DETOKENIZE, DOCUMENT, EMBEDDINGS, EXPIRES_AFTER, FILE, FILE_LIST, FILE_PART,
    FILE_UPLOAD, FUNCTION, JSON_SCHEMA, MESSAGE, NAMED_FUNCTION, Outcome, PARSE, PRIVACY, PROMPT,
    Parameter, RERANK, RESPONSE_ALLOWED_TOOL, RESPONSE_CALL, RESPONSE_CALL_OUTPUT, RESPONSE_FILE,
    RESPONSE_FORMAT, RESPONSE_MESSAGE, RESPONSE_PART, RESPONSE_REASONING,
    RESPONSE_REASONING_OPTIONS, RESPONSE_REASONING_PART, RESPONSE_TEXT, RESPONSE_TEXT_FORMAT,
    RESPONSE_TOOL, RESPONSE_TOOL_CHOICE, RESPONSES, STREAM_OPTIONS, STRUCTURED_OUTPUTS, TEI_RERANK,
    TOKENIZE, TOOL, TOOL_CALL, TOOL_CHOICE, TOOL_MESSAGE,
};
use crate::generation::SCHEMA_LIMITS;
use std::fmt::Write as _;

/// Where a generated part of the page begins and ends.
pub const BEGIN: &str = "<!-- generated from src/api; `make bless` writes it anew -->";
pub const END: &str = "<!-- end of the generated part -->";

/// Where requests with a body go, and what becomes of their properties.
pub const ENDPOINTS: &[(&str, &[Parameter])] = &[
    ("/v1/chat/completions", CHAT),
    ("/v1/completions", COMPLETIONS),
    ("/v1/responses", RESPONSES),
    ("/v1/embeddings", EMBEDDINGS),
    ("/v1/rerank", RERANK),
    ("/rerank", TEI_RERANK),
    ("/tokenize", TOKENIZE),
    ("/detokenize", DETOKENIZE),
    ("/v1/documents/parse", PARSE),
    ("/v1/files", FILE_UPLOAD),
];

const LIMITS_HEAD: &str = "# Limits

What goes beyond one of these is refused with status 400, and a body that is too large with 413.
`GET /v1/capabilities` tells them to programs. This page is written by `make bless`.

| limit | value | of what |
|---|---|---|
";

/// What stands within requests, and what becomes of its properties.
pub const OBJECTS: &[(&str, &[Parameter])] = &[
    ("`stream_options`", STREAM_OPTIONS),
    ("`text` of a response", RESPONSE_TEXT),
    ("`text.format` of a response", RESPONSE_TEXT_FORMAT),
    ("`reasoning` of a response", RESPONSE_REASONING_OPTIONS),
    ("`tools[]` of a response", RESPONSE_TOOL),
    ("`tool_choice` of a response", RESPONSE_TOOL_CHOICE),
    ("`input[]` of a response: a message", RESPONSE_MESSAGE),
    ("`input[].content[]` of a response", RESPONSE_PART),
    ("`input[].content[]` of a response: a file", RESPONSE_FILE),
    ("`input[]` of a response: `function_call`", RESPONSE_CALL),
    (
        "`input[]` of a response: `function_call_output`",
        RESPONSE_CALL_OUTPUT,
    ),
    ("`input[]` of a response: `reasoning`", RESPONSE_REASONING),
    (
        "`input[].content[]` and `summary[]` of a `reasoning`",
        RESPONSE_REASONING_PART,
    ),
    ("`response_format`", RESPONSE_FORMAT),
    ("`response_format.json_schema`", JSON_SCHEMA),
    ("`structured_outputs`", STRUCTURED_OUTPUTS),
    (
        "`messages[]` of the roles system, developer and user",
        MESSAGE,
    ),
    ("`messages[]` of the role assistant", ASSISTANT_MESSAGE),
    ("`messages[]` of the role tool", TOOL_MESSAGE),
    ("`messages[].content[]`", CONTENT_PART),
    ("`messages[].content[]`: a file", FILE_PART),
    ("`messages[].content[].file`", FILE),
    ("`expires_after` of a file", EXPIRES_AFTER),
    ("`GET /v1/files`: its query", FILE_LIST),
    ("`prompt`", PROMPT),
    ("`citations`", CITATIONS),
    ("`privacy`", PRIVACY),
    ("`messages[].tool_calls[]`", TOOL_CALL),
    ("`messages[].tool_calls[].function`", CALLED_FUNCTION),
    ("`tools[]`", TOOL),
    ("`tools[].function`", FUNCTION),
    ("`tool_choice`", TOOL_CHOICE),
    ("`tool_choice.function`", NAMED_FUNCTION),
    ("`tool_choice.allowed_tools`", ALLOWED_TOOLS),
    ("`tool_choice.allowed_tools.tools[]`", ALLOWED_TOOL),
    ("`tool_choice.tools[]` of a response", RESPONSE_ALLOWED_TOOL),
    ("`documents[]` of `POST /v1/rerank`, as objects", DOCUMENT),
];

/// The generated part: every documented parameter with its outcome.
pub fn markdown() -> String {
    let mut page = String::new();
    for (route, table) in ENDPOINTS {
        parameters(&mut page, &format!("`POST {route}`"), table);
    }
    for (title, table) in OBJECTS {
        parameters(&mut page, title, table);
    }
    page
}

/// Every limit: `docs/limits.md`.
pub fn limits_page() -> String {
    let mut page = String::from(LIMITS_HEAD);
    for limit in limits::TABLE {
        // Writing to a string cannot fail.
        let _ = writeln!(
            page,
            "| {} | {} | {} |",
            limit.name.to_lowercase(),
            limit.value,
            limit.what
        );
    }
    page.push_str("\n| range | from | to | of what |\n|---|---|---|---|\n");
    for limit in limits::RANGES {
        let Range { min, max } = limit.value;
        let _ = writeln!(
            page,
            "| {} | {min} | {max} | {} |",
            limit.name.to_lowercase(),
            limit.what
        );
    }
    page.push_str("\n| limit of a JSON schema | value | of what |\n|---|---|---|\n");
    for (name, value, what) in SCHEMA_LIMITS {
        let _ = writeln!(page, "| {} | {value} | {what} |", name.to_lowercase());
    }
    page
}

/// The page with its generated part written anew; `None` if the page has no such part.
pub fn regenerate(page: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{}\n{END}{after}", markdown()))
}

fn parameters(page: &mut String, title: &str, table: &[Parameter]) {
    let _ = writeln!(
        page,
        "### {title}\n\n| parameter | outcome | |\n|---|---|---|"
    );
    for parameter in table {
        let note = match (parameter.is_required, parameter.note) {
            (false, note) => note.to_owned(),
            (true, "") => "required".to_owned(),
            (true, note) => format!("required; {note}"),
        };
        let outcome = match parameter.outcome {
            Outcome::Honoured => "honoured".to_owned(),
            Outcome::Ignored | Outcome::SentBack => "ignored".to_owned(),
            Outcome::RefusedUnless([]) => "refused".to_owned(),
            Outcome::RefusedUnless(neutral) => format!("refused unless `{}`", neutral.join("`, `")),
        };
        let _ = writeln!(page, "| `{}` | {outcome} | {note} |", parameter.name);
    }
    page.push('\n');
}
