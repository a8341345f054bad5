//! Documents and prompts.

use super::{Effect, Shows, chat, responses, with};
use serde_json::{Value, json};

pub const PARSE: &str = "/v1/documents/parse";
/// `a` and `b` as base64 has them.
const FILES: [&str; 2] = ["YQ==", "Yg=="];

/// The example of the standard for France.
const IBAN: &str = "FR14 2004 1010 0505 0001 3M02 606";

pub fn of(
    table: &'static str,
    name: &'static str,
    route: &'static str,
    bodies: [Value; 2],
    shows: Shows,
) -> Effect {
    Effect {
        table,
        name,
        route,
        says: "abc",
        bodies,
        shows,
    }
}

/// A chat of one message with this part.
pub fn with_part(part: Value) -> Value {
    let message = json!({"role": "user", "content": [part]});
    with(&chat::chat(), &json!({"messages": [message]}))
}

/// A response to such a message.
pub fn response_to(part: Value) -> Value {
    let message = json!({"role": "user", "content": [part]});
    with(&responses::response(), &json!({"input": [message]}))
}

fn file(data: &str, name: &str) -> Value {
    json!({"type": "file", "file": {"file_data": data, "filename": name}})
}

fn input_file(data: &str, name: &str) -> Value {
    json!({"type": "input_file", "file_data": data, "filename": name})
}

fn prompt(more: Value) -> Value {
    let letter = file(FILES[0], "a.txt");
    with(
        &with_part(letter),
        &json!({"prompt": with(&json!({"id": "resume-courrier"}), &more)}),
    )
}

pub fn effects() -> Vec<Effect> {
    let names = ["a.txt", "b.txt"];
    let parsed = |body: Value| with(&json!({"file_data": FILES[0]}), &body);
    let languages = ["fr", "de"].map(|language| json!({"variables": {"language": language}}));
    let response = |data: &str| response_to(input_file(data, "a.txt"));
    // `a b`, of which the model would quote less.
    let quoting = |more: Value| {
        let citations = with(&json!({"mode": "verbatim"}), &more);
        let body = with_part(file("YSBi", "a.txt"));
        with(&body, &json!({"citations": citations}))
    };
    let with_text = |text: &str| with_part(json!({"type": "text", "text": text}));
    let private = |mode: &str| with(&with_text(IBAN), &json!({"privacy": {"mode": mode}}));
    let cited = |min_chars: u32| quoting(json!({"min_chars": min_chars}));
    let annotations = "/choices/0/message/annotations";
    let prompts = ["resume-courrier", "langage-clair"].map(|id| prompt(json!({"id": id})));
    let scan = |allowed: bool| json!({"file_data": scan(), "allow_unreadable_pages": allowed});
    let allowed = |route: &'static str, body: &dyn Fn(&str) -> Value| {
        let bodies = [true, false].map(|allowed| {
            with(
                &body(&self::scan()),
                &json!({"allow_unreadable_pages": allowed}),
            )
        });
        let param = match route {
            chat::ROUTE => "messages[0].content[0].file.file_data",
            _ => "input[0].content[0].file_data",
        };
        of(
            route,
            "allow_unreadable_pages",
            route,
            bodies,
            Shows::Refusal(param),
        )
    };
    vec![
        of(
            PARSE,
            "file_data",
            PARSE,
            FILES.map(|data| json!({"file_data": data})),
            Shows::Answer("/text"),
        ),
        of(
            chat::ROUTE,
            "citations",
            chat::ROUTE,
            [quoting(json!({})), with_part(file("YSBi", "a.txt"))],
            Shows::Answer(annotations),
        ),
        of(
            chat::ROUTE,
            "privacy",
            chat::ROUTE,
            [private("mask"), with_text(IBAN)],
            Shows::Prompt,
        ),
        of(
            responses::ROUTE,
            "privacy",
            responses::ROUTE,
            [
                json!({"privacy": {"mode": "mask"}, "store": false}),
                json!({"store": false}),
            ]
            .map(|more| {
                with(
                    &with(&responses::response(), &json!({"input": IBAN})),
                    &more,
                )
            }),
            Shows::Prompt,
        ),
        of(
            "`privacy`",
            "mode",
            chat::ROUTE,
            ["mask", "pseudonymize"].map(private),
            Shows::Prompt,
        ),
        of(
            responses::ROUTE,
            "citations",
            responses::ROUTE,
            [json!({"citations": {"mode": "verbatim"}}), json!({})]
                .map(|more| with(&response(FILES[0]), &more)),
            Shows::Prompt,
        ),
        of(
            "`citations`",
            "mode",
            chat::ROUTE,
            [quoting(json!({})), quoting(json!({"mode": "loose"}))],
            Shows::Refusal("citations.mode"),
        ),
        of(
            "`citations`",
            "first",
            chat::ROUTE,
            [true, false].map(|first| quoting(json!({"first": first}))),
            Shows::Answer("/choices/0/message/content"),
        ),
        Effect {
            says: "<quote doc=\"1\">a</quote>",
            ..of(
                "`citations`",
                "min_chars",
                chat::ROUTE,
                [cited(1), cited(3)],
                Shows::Answer("/choices/0/message/content"),
            )
        },
        of(
            PARSE,
            "filename",
            PARSE,
            names.map(|name| parsed(json!({"filename": name}))),
            Shows::Answer("/name"),
        ),
        of(
            PARSE,
            "allow_unreadable_pages",
            PARSE,
            [true, false].map(scan),
            Shows::Refusal("file_data"),
        ),
        allowed(chat::ROUTE, &|data| with_part(file(data, "a.pdf"))),
        allowed(responses::ROUTE, &|data| {
            response_to(input_file(data, "a.pdf"))
        }),
        of(
            "`messages[].content[]`: a file",
            "type",
            chat::ROUTE,
            [
                with_part(file(FILES[0], "a.txt")),
                with_part(json!({"type": "input_audio"})),
            ],
            Shows::Refusal("messages[0].content[0].type"),
        ),
        of(
            "`messages[].content[]`: a file",
            "file",
            chat::ROUTE,
            FILES.map(|data| with_part(file(data, "a.txt"))),
            Shows::Prompt,
        ),
        of(
            "`messages[].content[].file`",
            "file_data",
            chat::ROUTE,
            FILES.map(|data| with_part(file(data, "a.txt"))),
            Shows::Prompt,
        ),
        of(
            "`messages[].content[].file`",
            "filename",
            chat::ROUTE,
            names.map(|name| with_part(file(FILES[0], name))),
            Shows::Prompt,
        ),
        of(
            "`input[].content[]` of a response: a file",
            "type",
            responses::ROUTE,
            [
                response(FILES[0]),
                response_to(json!({"type": "input_image"})),
            ],
            Shows::Refusal("input[0].content[0].type"),
        ),
        of(
            "`input[].content[]` of a response: a file",
            "file_data",
            responses::ROUTE,
            FILES.map(response),
            Shows::Prompt,
        ),
        of(
            "`input[].content[]` of a response: a file",
            "filename",
            responses::ROUTE,
            names.map(|name| response_to(input_file(FILES[0], name))),
            Shows::Prompt,
        ),
        of(
            chat::ROUTE,
            "prompt",
            chat::ROUTE,
            prompts.clone(),
            Shows::Prompt,
        ),
        of(
            responses::ROUTE,
            "prompt",
            responses::ROUTE,
            ["fr", "de"].map(|language| {
                let prompt = json!({"id": "resume-courrier", "variables": {"language": language}});
                with(&response(FILES[0]), &json!({"prompt": prompt}))
            }),
            Shows::Prompt,
        ),
        of("`prompt`", "id", chat::ROUTE, prompts, Shows::Prompt),
        of(
            "`prompt`",
            "version",
            chat::ROUTE,
            ["1", "999"].map(|version| prompt(json!({"version": version}))),
            Shows::Refusal("prompt.version"),
        ),
        of(
            "`prompt`",
            "variables",
            chat::ROUTE,
            languages.map(prompt),
            Shows::Prompt,
        ),
    ]
}

/// A PDF with a page that shows a picture and has no text, as base64 has it.
fn scan() -> String {
    use base64::Engine as _;
    let pdf = include_bytes!("../../../fixtures/documents/scanned-annex.pdf");
    base64::engine::general_purpose::STANDARD.encode(pdf)
}
