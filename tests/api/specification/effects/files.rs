//! Files that are kept, and requests that name them.

use super::super::server::{KEPT, LIST_FILES};
use super::{Effect, Shows, chat, documents, responses, with};
use serde_json::{Value, json};

const FILES: &str = "/v1/files";
const EXPIRY: &str = "`expires_after` of a file";
const LIST: &str = "`GET /v1/files`: its query";

pub fn effects() -> Vec<Effect> {
    let upload = |more: Value| with(&json!({"file": "a", "purpose": "user_data"}), &more);
    let until = |more: Value| {
        let time = json!({"anchor": "created_at", "seconds": 3600});
        upload(json!({"expires_after": with(&time, &more)}))
    };
    let uploaded = |table, name, bodies, shows| documents::of(table, name, FILES, bodies, shows);
    let listed =
        |name, bodies, place| documents::of(LIST, name, LIST_FILES, bodies, Shows::Answer(place));
    let named = |table, route, body: &dyn Fn(Value) -> Value, shows| {
        let bodies = KEPT.map(|id| body(json!({"file_id": id})));
        documents::of(table, "file_id", route, bodies, shows)
    };
    vec![
        uploaded(
            FILES,
            "file",
            ["a", "b"].map(|content| upload(json!({"file": content}))),
            Shows::Answer("/sha256"),
        ),
        uploaded(
            FILES,
            "purpose",
            ["user_data", "batch"].map(|purpose| upload(json!({"purpose": purpose}))),
            Shows::Refusal("purpose"),
        ),
        uploaded(
            FILES,
            "expires_after",
            [until(json!({})), upload(json!({"expires_after": "never"}))],
            Shows::Refusal("expires_after"),
        ),
        uploaded(
            EXPIRY,
            "anchor",
            ["created_at", "now"].map(|anchor| until(json!({"anchor": anchor}))),
            Shows::Refusal("expires_after.anchor"),
        ),
        uploaded(
            EXPIRY,
            "seconds",
            [3600, 3599].map(|seconds| until(json!({"seconds": seconds}))),
            Shows::Refusal("expires_after.seconds"),
        ),
        listed("after", KEPT.map(|id| json!({"after": id})), "/first_id"),
        listed(
            "limit",
            [1, 2].map(|limit| json!({"limit": limit})),
            "/has_more",
        ),
        listed(
            "order",
            ["asc", "desc"].map(|order| json!({"order": order})),
            "/first_id",
        ),
        listed(
            "purpose",
            ["user_data", "batch"].map(|purpose| json!({"purpose": purpose})),
            "/first_id",
        ),
        named(
            "`messages[].content[].file`",
            chat::ROUTE,
            &|file| documents::with_part(json!({"type": "file", "file": file})),
            Shows::Prompt,
        ),
        named(
            "`input[].content[]` of a response: a file",
            responses::ROUTE,
            &|file| documents::response_to(with(&json!({"type": "input_file"}), &file)),
            Shows::Prompt,
        ),
        named(
            documents::PARSE,
            documents::PARSE,
            &|file| file,
            Shows::Answer("/text"),
        ),
    ]
}
