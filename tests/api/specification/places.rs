//! Where our tables lie in OpenAI's requests.

use super::requests::{parent, property};
use guichet::api::parameters::{Outcome, Parameter};
use guichet::api::reference::{ENDPOINTS, OBJECTS};

pub const CHAT: &str = "CreateChatCompletionRequest";
pub const COMPLETION: &str = "CreateCompletionRequest";
pub const RESPONSE: &str = "CreateResponse";
pub const EMBEDDING: &str = "CreateEmbeddingRequest";
pub const FILE: &str = "CreateFileRequest";

/// Requests, places in them, and the title of the table that says what becomes of the properties
/// there. Objects that stand at no such place are refused or ignored as a whole.
pub const PLACES: &[(&str, &str, &str)] = &[
    (CHAT, "", "/v1/chat/completions"),
    (CHAT, "stream_options", "`stream_options`"),
    (CHAT, "response_format<text>", "`response_format`"),
    (CHAT, "response_format<json_object>", "`response_format`"),
    (CHAT, "response_format<json_schema>", "`response_format`"),
    (
        CHAT,
        "response_format<json_schema>.json_schema",
        "`response_format.json_schema`",
    ),
    (CHAT, "messages[]<system>", USER_MESSAGE),
    (CHAT, "messages[]<developer>", USER_MESSAGE),
    (CHAT, "messages[]<user>", USER_MESSAGE),
    (
        CHAT,
        "messages[]<assistant>",
        "`messages[]` of the role assistant",
    ),
    (CHAT, "messages[]<tool>", "`messages[]` of the role tool"),
    (CHAT, "messages[]<system>.content[]", PART),
    (CHAT, "messages[]<developer>.content[]", PART),
    (CHAT, "messages[]<tool>.content[]", PART),
    (CHAT, "messages[]<user>.content[]<text>", PART),
    (
        CHAT,
        "messages[]<user>.content[]<file>",
        "`messages[].content[]`: a file",
    ),
    (
        CHAT,
        "messages[]<user>.content[]<file>.file",
        "`messages[].content[].file`",
    ),
    (CHAT, "messages[]<assistant>.content[]<text>", PART),
    (
        CHAT,
        "messages[]<assistant>.tool_calls[]<function>",
        "`messages[].tool_calls[]`",
    ),
    (
        CHAT,
        "messages[]<assistant>.tool_calls[]<function>.function",
        "`messages[].tool_calls[].function`",
    ),
    (CHAT, "tools[]<function>", "`tools[]`"),
    (CHAT, "tools[]<function>.function", "`tools[].function`"),
    (CHAT, "tool_choice<function>", "`tool_choice`"),
    (CHAT, "tool_choice<allowed_tools>", "`tool_choice`"),
    (
        CHAT,
        "tool_choice<function>.function",
        "`tool_choice.function`",
    ),
    (
        CHAT,
        "tool_choice<allowed_tools>.allowed_tools",
        "`tool_choice.allowed_tools`",
    ),
    (COMPLETION, "", "/v1/completions"),
    (COMPLETION, "stream_options", "`stream_options`"),
    (EMBEDDING, "", "/v1/embeddings"),
    (FILE, "", "/v1/files"),
    (FILE, "expires_after", "`expires_after` of a file"),
    (RESPONSE, "", "/v1/responses"),
    (RESPONSE, "prompt", "`prompt`"),
    (RESPONSE, "prompt.variables{}<input_text>", INPUT_PART),
    (RESPONSE, "text", "`text` of a response"),
    (RESPONSE, "text.format<text>", FORMAT),
    (RESPONSE, "text.format<json_object>", FORMAT),
    (RESPONSE, "text.format<json_schema>", FORMAT),
    (RESPONSE, "reasoning", "`reasoning` of a response"),
    (RESPONSE, "tools[]<function>", "`tools[]` of a response"),
    (RESPONSE, "tool_choice<function>", TOOL_CHOICE),
    (RESPONSE, "tool_choice<allowed_tools>", TOOL_CHOICE),
    (RESPONSE, "input[]<EasyInputMessage>", INPUT_MESSAGE),
    (RESPONSE, "input[]<InputMessage>", INPUT_MESSAGE),
    (RESPONSE, "input[]<OutputMessage>", INPUT_MESSAGE),
    (
        RESPONSE,
        "input[]<EasyInputMessage>.content[]<input_text>",
        INPUT_PART,
    ),
    (
        RESPONSE,
        "input[]<InputMessage>.content[]<input_text>",
        INPUT_PART,
    ),
    (
        RESPONSE,
        "input[]<EasyInputMessage>.content[]<input_file>",
        INPUT_FILE,
    ),
    (
        RESPONSE,
        "input[]<InputMessage>.content[]<input_file>",
        INPUT_FILE,
    ),
    (
        RESPONSE,
        "input[]<OutputMessage>.content[]<output_text>",
        INPUT_PART,
    ),
    (
        RESPONSE,
        "input[]<function_call_output>.output[]<input_text>",
        INPUT_PART,
    ),
    (
        RESPONSE,
        "input[]<function_call>",
        "`input[]` of a response: `function_call`",
    ),
    (
        RESPONSE,
        "input[]<function_call_output>",
        "`input[]` of a response: `function_call_output`",
    ),
    (
        RESPONSE,
        "input[]<reasoning>",
        "`input[]` of a response: `reasoning`",
    ),
    (RESPONSE, "input[]<reasoning>.content[]", THOUGHT),
    (RESPONSE, "input[]<reasoning>.summary[]", THOUGHT),
];

const USER_MESSAGE: &str = "`messages[]` of the roles system, developer and user";
const PART: &str = "`messages[].content[]`";
const FORMAT: &str = "`text.format` of a response";
const TOOL_CHOICE: &str = "`tool_choice` of a response";
const INPUT_MESSAGE: &str = "`input[]` of a response: a message";
const INPUT_PART: &str = "`input[].content[]` of a response";
const INPUT_FILE: &str = "`input[].content[]` of a response: a file";
const THOUGHT: &str = "`input[].content[]` and `summary[]` of a `reasoning`";

/// Tables of what OpenAI has nothing of, or has in no body.
pub const OTHERS: [&str; 12] = [
    "/v1/documents/parse",
    "`GET /v1/files`: its query",
    "/v1/rerank",
    "/rerank",
    "/tokenize",
    "/detokenize",
    "`structured_outputs`",
    "`citations`",
    "`privacy`",
    ALLOWED_TOOL,
    RESPONSE_ALLOWED_TOOL,
    DOCUMENT,
];

/// The specification leaves open what the allowed tools of a choice hold.
pub const ALLOWED_TOOL: &str = "`tool_choice.allowed_tools.tools[]`";
pub const RESPONSE_ALLOWED_TOOL: &str = "`tool_choice.tools[]` of a response";
pub const DOCUMENT: &str = "`documents[]` of `POST /v1/rerank`, as objects";

/// The row that decides about a place of a request.
pub struct Row {
    pub parameter: &'static Parameter,
    /// The property whose row it is.
    pub path: String,
    /// It is the place's own, and not that of something around it.
    pub is_own: bool,
}

/// Every table by its title.
pub fn tables() -> impl Iterator<Item = (&'static str, &'static [Parameter])> {
    ENDPOINTS.iter().chain(OBJECTS).copied()
}

pub fn table(title: &str) -> &'static [Parameter] {
    let found = tables().find(|(known, _)| *known == title);
    found.unwrap_or_else(|| panic!("no table {title}")).1
}

/// An error where there is a table, and it has no row for the property.
pub fn row(request: &str, path: &str) -> Result<Row, String> {
    let mut at = property(path);
    loop {
        let (object, name) = parent(at);
        let place = (PLACES.iter()).find(|(one, place, _)| (*one, *place) == (request, object));
        if let Some((_, _, title)) = place {
            let row = table(title).iter().find(|row| row.name == name);
            let row = row.ok_or_else(|| format!("{title} has no row for `{name}`"))?;
            return Ok(Row {
                parameter: row,
                path: at.to_owned(),
                is_own: at == property(path),
            });
        }
        at = property(object);
    }
}

#[test]
fn every_table_has_a_place_or_is_of_our_own() {
    for (title, _) in tables() {
        let is_placed = PLACES.iter().any(|(_, _, placed)| *placed == title);
        assert!(is_placed != OTHERS.contains(&title), "{title}");
    }
}

#[test]
fn no_table_has_two_rows_of_one_name() {
    for (title, table) in tables() {
        for (index, row) in table.iter().enumerate() {
            let is_new = table[..index].iter().all(|other| other.name != row.name);
            assert!(is_new, "{title}: {}", row.name);
        }
    }
}

#[test]
fn a_row_is_in_the_specification_or_says_that_it_is_not() {
    for (title, table) in tables().filter(|(title, _)| !OTHERS.contains(title)) {
        for row in table {
            let mut places = PLACES.iter().filter(|(_, _, placed)| *placed == title);
            let is_known = places.any(|(request, place, _)| {
                let request = super::requests::Request::read(request);
                request
                    .facts()
                    .any(|facts| parent(&facts.path) == (place, row.name))
            });
            let is_ours = row.note.contains("not OpenAI's");
            assert!(
                is_known != is_ours,
                "{title}: `{}` is {}in the specification, and its note says otherwise: {}",
                row.name,
                if is_known { "" } else { "not " },
                row.note
            );
        }
    }
}

#[test]
fn what_is_refused_unless_it_is_neutral_says_json() {
    for (title, table) in tables() {
        for row in table {
            if let Outcome::RefusedUnless(neutral) = row.outcome {
                for literal in neutral {
                    let read: Result<serde_json::Value, _> = serde_json::from_str(literal);
                    assert!(read.is_ok(), "{title}: {} unless {literal}", row.name);
                }
            }
        }
    }
}
