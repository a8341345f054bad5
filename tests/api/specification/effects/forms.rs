//! The form of an answer.

use super::{Effect, Shows, chat, completions, responses, with};
use serde_json::{Value, json};

/// Its message tells that `not` is not enforced.
const REFUSAL: Shows = Shows::Answer("/error/message");

/// The same at both endpoints that take it.
fn twice(name: &'static str, values: [Value; 2]) -> [Effect; 2] {
    [
        (chat::ROUTE, chat::chat(), "/choices/0/message/content"),
        (
            completions::ROUTE,
            completions::completion(),
            "/choices/0/text",
        ),
    ]
    .map(|(route, base, place)| Effect {
        table: route,
        name,
        route,
        says: "abc",
        bodies: values
            .clone()
            .map(|value| with(&base, &json!({name: value}))),
        shows: Shows::Answer(place),
    })
}

/// Within the field `field` of a chat.
fn within(
    table: &'static str,
    field: &'static str,
    name: &'static str,
    values: [Value; 2],
    shows: Shows,
) -> Effect {
    Effect {
        table,
        name,
        route: chat::ROUTE,
        says: "abc",
        bodies: values.map(|value| with(&chat::chat(), &json!({field: value}))),
        shows,
    }
}

/// Within `text.format` of a response.
fn of_response(name: &'static str, values: [Value; 2], shows: Shows) -> Effect {
    let text = |format: Value| json!({"text": {"format": format}});
    Effect {
        table: "`text.format` of a response",
        name,
        route: responses::ROUTE,
        says: "abc",
        bodies: values.map(|value| with(&responses::response(), &text(value))),
        shows,
    }
}

fn named(schema: Value, more: Value) -> Value {
    with(&json!({"name": "a", "schema": schema}), &more)
}

pub fn effects() -> Vec<Effect> {
    let one = || json!({"enum": ["x"]});
    let other = || json!({"enum": ["y"]});
    let unenforceable = || json!({"not": {}});
    let grammars = [json!("start: \"x\""), json!("start: \"y\"")];
    let mut effects: Vec<Effect> = [
        twice(
            "response_format",
            [json!({"type": "text"}), json!({"type": "json_object"})],
        ),
        twice(
            "structured_outputs",
            [json!({"choice": ["x"]}), json!({"choice": ["y"]})],
        ),
        twice("guided_json", [one(), other()]),
        twice("guided_regex", [json!("x+y"), json!("y")]),
        twice("guided_choice", [json!(["x"]), json!(["y"])]),
        twice("guided_grammar", grammars.clone()),
    ]
    .into_iter()
    .flatten()
    .collect();

    let format =
        |name, values, shows| within("`response_format`", "response_format", name, values, shows);
    let of_schema = |schema: Value| json!({"type": "json_schema", "json_schema": {"name": "a", "schema": schema}});
    effects.push(format(
        "type",
        [json!({"type": "text"}), json!({"type": "json_object"})],
        chat::CONTENT,
    ));
    effects.push(format(
        "json_schema",
        [of_schema(one()), of_schema(other())],
        chat::CONTENT,
    ));
    let schema = |name, values: [Value; 2], shows| {
        let values = values.map(|schema| json!({"type": "json_schema", "json_schema": schema}));
        within(
            "`response_format.json_schema`",
            "response_format",
            name,
            values,
            shows,
        )
    };
    effects.extend([
        schema(
            "name",
            ["a", "b"].map(|name| named(unenforceable(), json!({"name": name}))),
            REFUSAL,
        ),
        schema(
            "schema",
            [named(one(), json!({})), named(other(), json!({}))],
            chat::CONTENT,
        ),
        schema(
            "strict",
            [true, false].map(|strict| named(one(), json!({"strict": strict}))),
            Shows::Ignored,
        ),
    ]);

    let output = |name: &'static str, values: [Value; 2]| {
        let values = values.map(|value| json!({name: value}));
        within(
            "`structured_outputs`",
            "structured_outputs",
            name,
            values,
            chat::CONTENT,
        )
    };
    effects.extend([
        output("json", [one(), other()]),
        output("json_object", [false.into(), true.into()]),
        output("regex", ["x+y".into(), "y".into()]),
        output("choice", [json!(["x"]), json!(["y"])]),
        output("grammar", grammars),
    ]);

    let flat =
        |schema: Value, more: Value| with(&named(schema, more), &json!({"type": "json_schema"}));
    let text = Shows::Answer("/output/0/content/0/text");
    effects.extend([
        of_response(
            "type",
            [json!({"type": "text"}), json!({"type": "json_object"})],
            Shows::Answer("/output/0/content/0/text"),
        ),
        of_response(
            "name",
            ["a", "b"].map(|name| flat(unenforceable(), json!({"name": name}))),
            REFUSAL,
        ),
        of_response(
            "schema",
            [flat(one(), json!({})), flat(other(), json!({}))],
            text,
        ),
        of_response(
            "strict",
            [true, false].map(|strict| flat(one(), json!({"strict": strict}))),
            Shows::Ignored,
        ),
    ]);
    effects
}
