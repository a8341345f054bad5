//! Tables of what goes with `tools`.

use super::{Parameter, honoured};

/// A member of `tools`.
pub const TOOL: &[Parameter] = &[
    honoured("type", "required; `function`"),
    honoured("function", "required"),
];

/// Its function.
pub const FUNCTION: &[Parameter] = &[
    honoured("name", "required; given to the chat template"),
    honoured("description", "given to the chat template"),
    honoured(
        "parameters",
        "a JSON schema, given to the chat template; absent: the function takes nothing",
    ),
    honoured("strict", "true: arguments fit the schema in every call"),
];

/// `tool_choice`, as an object.
pub const TOOL_CHOICE: &[Parameter] = &[
    honoured("type", "required; `function` or `allowed_tools`"),
    honoured("function", "required with that type; its `name`"),
    honoured("allowed_tools", "required with that type"),
];

/// `tool_choice.allowed_tools`.
pub const ALLOWED_TOOLS: &[Parameter] = &[
    honoured("mode", "required; `auto` or `required`"),
    honoured(
        "tools",
        "required; functions by their names, the only ones that may be called",
    ),
];

/// A function that is named.
pub const NAMED_FUNCTION: &[Parameter] = &[honoured(
    "name",
    "required; the name of a function in `tools`",
)];
