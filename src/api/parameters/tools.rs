//! Tables of what goes with `tools`.

use super::{Parameter, Shape, honoured, required};
use crate::api::limits;

/// A member of `tools`.
pub const TOOL: &[Parameter] = &[
    required("type", Shape::Word(&["function"]), "`function`"),
    required("function", Shape::Object(FUNCTION), ""),
];

/// Its function.
pub const FUNCTION: &[Parameter] = &[
    required(
        "name",
        Shape::DottedName(limits::MAX_FUNCTION_NAME_CHARS),
        "given to the chat template",
    ),
    honoured("description", Shape::Text, "given to the chat template"),
    honoured(
        "parameters",
        Shape::Parameters,
        "a JSON schema, given to the chat template; absent: the function takes nothing",
    ),
    honoured(
        "strict",
        Shape::Boolean,
        "true: arguments fit the schema in every call",
    ),
];

/// `tool_choice`, as an object.
pub const TOOL_CHOICE: &[Parameter] = &[
    required(
        "type",
        Shape::Word(&["function", "allowed_tools"]),
        "`function` or `allowed_tools`",
    ),
    honoured(
        "function",
        Shape::Object(NAMED_FUNCTION),
        "required with that type; its `name`",
    ),
    honoured(
        "allowed_tools",
        Shape::Object(ALLOWED_TOOLS),
        "required with that type",
    ),
];

/// `tool_choice.allowed_tools`.
pub const ALLOWED_TOOLS: &[Parameter] = &[
    required(
        "mode",
        Shape::Word(&["auto", "required"]),
        "`auto` or `required`",
    ),
    required(
        "tools",
        Shape::List(&Shape::Object(ALLOWED_TOOL), 1, limits::MAX_TOOLS),
        "functions by their names, the only ones that may be called",
    ),
];

/// A function that is named.
pub const NAMED_FUNCTION: &[Parameter] = &[required(
    "name",
    Shape::DottedName(limits::MAX_FUNCTION_NAME_CHARS),
    "the name of a function in `tools`",
)];

/// A member of `tool_choice.allowed_tools.tools`.
pub const ALLOWED_TOOL: &[Parameter] = &[
    required("type", Shape::Word(&["function"]), "`function`"),
    required("function", Shape::Object(NAMED_FUNCTION), ""),
];
