//! Answers that keep to a form, whatever the model would rather say.

use crate::scripted::{MODEL, Script};
use crate::server::{Answer, CHAT, COMPLETIONS, Options, TestServer};
use serde_json::{Value, json};

/// A chat with these fields beside what every chat has.
fn chat(fields: &Value) -> Value {
    let mut body = json!({"model": MODEL, "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    body
}

fn schema(schema: &Value) -> Value {
    json!({"response_format": {"type": "json_schema", "json_schema": {"name": "form", "schema": schema}}})
}

/// What a model that wants to say `said` answers under `fields`.
async fn asked(said: &str, fields: &Value) -> Answer {
    let server = TestServer::saying(said).await;
    server.post(CHAT, &chat(fields)).await
}

#[track_caller]
fn check(answer: &Answer, content: &str, finish_reason: &str) {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let choice = &answer.json()["choices"][0];
    assert_eq!(choice["message"]["content"], content);
    assert_eq!(choice["finish_reason"], finish_reason);
}

#[tokio::test]
async fn what_fits_is_left_as_it_is() {
    let fields = schema(&json!({
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
        "required": ["name", "age"],
        "additionalProperties": false,
    }));
    let said = r#"{"name": "Zoë 😀", "age": 41}"#;
    check(&asked(said, &fields).await, said, "stop");
    let said = "{\n  \"name\": \"\",\n  \"age\": 0\n}";
    check(&asked(said, &fields).await, said, "stop");
}

#[tokio::test]
async fn what_does_not_fit_is_not_said() {
    let choice = json!({"structured_outputs": {"choice": ["ja", "nein"]}});
    check(&asked("nun gut", &choice).await, "nein", "stop");
    let older = json!({"guided_choice": ["ja", "nein"]});
    check(&asked("ja!", &older).await, "ja", "stop");
    let number = schema(&json!({"enum": [12, 7]}));
    check(&asked("17", &number).await, "12", "stop");
    // The model wants to end its turn after one letter.
    let regex = json!({"structured_outputs": {"regex": "[a-c]{3}/x"}});
    check(&asked("b", &regex).await, "baa/x", "stop");
}

#[tokio::test]
async fn a_regular_expression_and_a_grammar_bind_the_whole_answer() {
    let regex = json!({"structured_outputs": {"regex": "[0-9]{2}/[0-9]{2}"}});
    check(&asked("31/12/2026", &regex).await, "31/12", "stop");
    let grammar =
        json!({"structured_outputs": {"grammar": "start: word (\", \" word)*\nword: /[a-z]+/"}});
    check(&asked("oui, non", &grammar).await, "oui, non", "stop");
    let object = json!({"response_format": {"type": "json_object"}});
    check(
        &asked(r#"{"a": [1, null]}"#, &object).await,
        r#"{"a": [1, null]}"#,
        "stop",
    );
}

#[tokio::test]
async fn an_answer_that_is_cut_off_says_so() {
    let mut fields = schema(&json!({"type": "array", "items": {"type": "integer"}}));
    fields["max_tokens"] = json!(4);
    check(&asked("[1, 2, 3]", &fields).await, "[1, ", "length");
}

#[tokio::test]
async fn a_stream_says_what_the_plain_answer_says_for_each_choice() {
    let mut script = Script::saying("");
    script.choices = vec![r#"{"a": 1}"#.to_owned(), r#"{"a":  23}"#.to_owned()];
    let server = TestServer::start(Options::new(script)).await;
    let mut fields = schema(
        &json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false}),
    );
    fields["n"] = json!(2);
    let plain = server.post(CHAT, &chat(&fields)).await.json();
    fields["stream"] = json!(true);
    let streamed = server.post(CHAT, &chat(&fields)).await;
    for index in 0..2 {
        let text: String = streamed
            .chunks()
            .iter()
            .filter(|chunk| chunk["choices"][0]["index"] == index)
            .filter_map(|chunk| Some(chunk["choices"][0]["delta"]["content"].as_str()?.to_owned()))
            .collect();
        assert_eq!(plain["choices"][index]["message"]["content"], text);
        assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
    }
}

#[tokio::test]
async fn completions_keep_to_forms_too() {
    let server = TestServer::saying("maybe").await;
    let body =
        json!({"model": MODEL, "prompt": "x", "structured_outputs": {"choice": ["yes", "no"]}});
    let answer = server.post(COMPLETIONS, &body).await.json();
    assert_eq!(answer["choices"][0]["text"], "no", "{answer}");
}

#[tokio::test]
async fn what_cannot_be_enforced_is_refused_with_its_place() {
    let server = TestServer::saying("x").await;
    let refused = async |fields: Value, param: &str, says: &str| {
        let answer = server.post(CHAT, &chat(&fields)).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        let error = answer.json()["error"].clone();
        assert_eq!(error["param"], param, "{error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(says), "{message}");
    };
    let in_schema = "response_format.json_schema.schema";
    let not = json!({"properties": {"a/b": {"not": {"type": "integer"}}}});
    refused(schema(&not), in_schema, "`/properties/a~1b/not`").await;
    refused(
        schema(&json!({"uniqueItems": true})),
        in_schema,
        "`/uniqueItems`",
    )
    .await;
    refused(
        schema(&json!({"oneOf": [{"type": "integer"}, {"type": "number"}]})),
        in_schema,
        "`/oneOf/0`",
    )
    .await;
    // What would take all of the stack, or of the memory.
    let long = json!({"not": {"const": "a".repeat(250_000)}});
    refused(schema(&long), in_schema, "`/not`").await;
    let contains = (0..9).fold(
        json!({"const": 1}),
        |inner, _| json!({"contains": inner, "minContains": 5, "maxItems": 10}),
    );
    refused(schema(&contains), in_schema, "/contains`").await;
    refused(
        schema(&json!({"pattern": "(?=a)b"})),
        in_schema,
        "`/pattern`",
    )
    .await;
    refused(
        schema(&json!({"$ref": "https://example.org/a"})),
        in_schema,
        "`/$ref`",
    )
    .await;
    refused(
        schema(&json!({"$ref": "#/$defs/none"})),
        in_schema,
        "`/$ref`",
    )
    .await;
    refused(schema(&json!(3)), in_schema, "be a JSON schema").await;
    let format = |format: Value| json!({"response_format": format});
    refused(format(json!({})), "response_format.type", "required").await;
    refused(
        format(json!({"type": "xml"})),
        "response_format.type",
        "`json_schema`",
    )
    .await;
    refused(
        format(json!({"type": "json_schema"})),
        "response_format.json_schema",
        "required",
    )
    .await;
    refused(
        format(json!({"type": "text", "json_schema": {"name": "a"}})),
        "response_format.json_schema",
        "left out",
    )
    .await;
    refused(
        format(json!({"type": "json_schema", "json_schema": {"name": "a b"}})),
        "response_format.json_schema.name",
        "characters",
    )
    .await;
    refused(
        format(json!({"type": "json_schema", "json_schema": {"name": "a", "mode": 1}})),
        "response_format.json_schema.mode",
        "not a known",
    )
    .await;
    let outputs = |outputs: Value| json!({"structured_outputs": outputs});
    refused(
        outputs(json!({"regex": "("})),
        "structured_outputs.regex",
        "cannot be enforced",
    )
    .await;
    refused(
        outputs(json!({"grammar": "start: nothing"})),
        "structured_outputs.grammar",
        "cannot be enforced",
    )
    .await;
    refused(
        outputs(json!({"choice": []})),
        "structured_outputs.choice",
        "1 to 1024",
    )
    .await;
    refused(
        outputs(json!({"choice": ["a", ""]})),
        "structured_outputs.choice[1]",
        "empty",
    )
    .await;
    refused(
        outputs(json!({"json": "{"})),
        "structured_outputs.json",
        "be a JSON schema",
    )
    .await;
    refused(
        outputs(json!({"xgrammar": "x"})),
        "structured_outputs.xgrammar",
        "not a known",
    )
    .await;
    refused(
        json!({"guided_regex": "a", "guided_choice": ["a"]}),
        "guided_choice",
        "send one",
    )
    .await;
    refused(
        json!({"guided_regex": "a", "ignore_eos": true}),
        "ignore_eos",
        "be false",
    )
    .await;
}

#[tokio::test]
async fn a_tagged_union_is_exactly_one_of_its_members() {
    let fields = schema(&json!({
        "oneOf": [{"$ref": "#/$defs/cat"}, {"$ref": "#/$defs/dog"}],
        "discriminator": {"propertyName": "kind"},
        "$defs": {
            "cat": {"type": "object", "properties": {"kind": {"const": "cat"}, "lives": {"type": "integer"}},
                "required": ["kind", "lives"], "additionalProperties": false},
            "dog": {"type": "object", "properties": {"kind": {"const": "dog"}, "name": {"type": "string"}},
                "required": ["kind", "name"], "additionalProperties": false},
        },
    }));
    let said = r#"{"kind": "dog", "name": "Rex"}"#;
    check(&asked(said, &fields).await, said, "stop");
    let answer = asked(r#"{"kind": "dog", "lives": 9}"#, &fields).await;
    let content = answer.json()["choices"][0]["message"]["content"].clone();
    assert!(!content.as_str().unwrap().contains("lives"), "{content}");
}

#[tokio::test]
async fn a_form_that_becomes_too_costly_ends_its_answer_with_an_error() {
    // The more is written, the more ways there are to have come there.
    let grammar = "start: s\ns: \"a\" | s s | s s s | s s s s | s s s s s";
    let fields = json!({"structured_outputs": {"grammar": grammar}});
    let answer = asked(&"a".repeat(480), &fields).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    let error = answer.json()["error"].clone();
    assert_eq!(error["code"], "format_failed", "{error}");
}
