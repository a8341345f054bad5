//! Every limit on a request, in one table: the checks, the OpenAPI document and `docs/limits.md`
//! come from it.

/// One limit as the documentation shows it.
pub struct Limit {
    pub name: &'static str,
    pub value: usize,
    pub what: &'static str,
}

/// Numbers from one to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    pub min: f64,
    pub max: f64,
}

/// One such range as the documentation shows it.
pub struct NumberLimit {
    pub name: &'static str,
    pub value: Range,
    pub what: &'static str,
}

impl Range {
    pub fn contains(&self, number: f64) -> bool {
        (self.min..=self.max).contains(&number)
    }
}

macro_rules! ranges {
    ($($name:ident = $min:literal to $max:literal, $what:literal;)*) => {
        $(#[doc = $what] pub const $name: Range = Range { min: $min, max: $max };)*
        /// All ranges, in the order of the documentation.
        pub const RANGES: &[NumberLimit] = &[
            $(NumberLimit { name: stringify!($name), value: $name, what: $what },)*
        ];
    };
}

ranges! {
    TEMPERATURE = 0.0 to 2.0, "`temperature`.";
    TOP_P = 0.0 to 1.0, "`top_p`.";
    MIN_P = 0.0 to 1.0, "`min_p`.";
    PENALTY = -2.0 to 2.0, "`frequency_penalty` and `presence_penalty`.";
    REPETITION_PENALTY = 0.01 to 2.0, "`repetition_penalty`.";
    BIAS = -100.0 to 100.0, "A value in `logit_bias`.";
}

macro_rules! limits {
    ($($name:ident = $value:expr, $what:literal;)*) => {
        $(#[doc = $what] pub const $name: usize = $value;)*
        /// All limits, in the order of the documentation.
        pub const TABLE: &[Limit] = &[
            $(Limit { name: stringify!($name), value: $value, what: $what },)*
        ];
    };
}

limits! {
    MAX_BODY_BYTES = 8 << 20, "Bytes in a request body, unless `server.max_body_mib` says otherwise; where documents may be, those of the largest come on top (`documents.max_file_mib`), as base64 has them or, in `POST /v1/files`, as they are.";
    MAX_JSON_DEPTH = 64, "Arrays and objects inside one another in a body.";
    MAX_JSON_VALUES = 1_000_000, "Values in a body, keys not counted.";
    MAX_MESSAGES = 4096, "Messages in a chat request.";
    MAX_CONTENT_PARTS = 1024, "Text parts in one message.";
    MAX_NAME_CHARS = 128, "Characters in the `name` of a message.";
    MAX_PROMPTS = 128, "Prompts in a completion request.";
    MAX_TEXTS = 2048, "Texts in a request for embeddings, and documents in one to rerank.";
    MAX_DIMENSIONS = 65_536, "`dimensions` of an embedding, before the model is looked at.";
    MAX_N = 16, "Choices for each prompt (`n`).";
    MAX_CHOICES = 128, "Prompts times `n` in a request.";
    MAX_STOP_STRINGS = 4, "Stop strings in a request.";
    MAX_STOP_BYTES = 1024, "Bytes in one stop string.";
    MAX_STOP_TOKEN_IDS = 128, "Ids in `stop_token_ids`.";
    MAX_LOGIT_BIAS = 300, "Token ids in `logit_bias`.";
    MAX_TOP_LOGPROBS = 20, "`top_logprobs` of a chat, and `logprobs` of a completion, where OpenAI takes up to 5.";
    MAX_INCLUDE = 16, "Names in `include` of a response.";
    MAX_METADATA = 16, "Entries in `metadata` of a response.";
    MAX_METADATA_KEY_CHARS = 64, "Characters in the name of such an entry.";
    MAX_METADATA_VALUE_CHARS = 512, "Characters in such an entry.";
    MAX_TOOLS = 128, "Functions in `tools`.";
    MAX_TOOL_CALLS = 128, "Calls in a message that is sent back.";
    MAX_TOOL_CALLS_BYTES = 1 << 20, "Bytes in the arguments of all calls that are sent back.";
    MAX_TEMPLATE_KWARGS = 64, "Variables in `chat_template_kwargs`.";
    MAX_FORM_PARTS = 16, "Fields of a form, or of the query of an address.";
    MAX_FORM_TEXT_BYTES = 1024, "Bytes in a field of a form that is not the file.";
    MIN_FILE_SECONDS = 3600, "Least `expires_after.seconds` of a file.";
    MAX_FILE_SECONDS = 2_592_000, "Most `expires_after.seconds` of a file: 30 days.";
    MAX_LISTED_FILES = 10_000, "Files in a list (`limit`).";
    MAX_FILES = 16, "Files in the messages of one request.";
    MAX_FILE_NAME_CHARS = 255, "Characters in `filename`.";
    MAX_DOCUMENTS_BYTES = 64 << 20, "Bytes in the text of all documents of a request, once they are read.";
    MAX_QUOTED_BYTES = 4 << 20, "Bytes in the text of all documents of a request with `citations`.";
    MAX_MIN_QUOTED_CHARS = 1000, "`citations.min_chars`.";
    MAX_LONG_TOKENS = 16 << 20, "Tokens that all steps together may take in which documents are read that are longer than the context.";
    MAX_PROMPT_VARIABLES = 64, "Variables of a `prompt`.";
    MAX_DOCUMENTS = 256, "Objects in `documents` of a chat.";
    MAX_FUNCTION_NAME_CHARS = 64, "Characters in the name of a function.";
    MAX_SCHEMA_BYTES = 256 << 10, "Bytes in a JSON schema, or in all functions of `tools` together, as compact JSON.";
    MAX_GRAMMAR_BYTES = 64 << 10, "Bytes in a regular expression, a grammar, or all choices of an answer together.";
    MAX_FORMAT_CHOICES = 1024, "Strings in `structured_outputs.choice`.";
    MAX_FORMAT_NAME_CHARS = 64, "Characters in the `name` of a `json_schema`.";
    MAX_MAX_TOKENS = 16_777_216, "`max_tokens`, `max_completion_tokens` and `min_tokens`, before the context length is looked at.";
}
