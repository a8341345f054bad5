//! `POST /v1/responses`: events, items, what is stored, and whose it is.

use crate::scripted::{MODEL, Script};
use crate::server::{Answer, Options, TestServer};
use crate::tools::HERMES;
use guichet::store::{Retention, Store};
use guichet::tenant::{ApiKey, KeyConfig};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tempfile::TempDir;

const RESPONSES: &str = "/v1/responses";

pub async fn store() -> (Store, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention {
        time: Duration::from_secs(3600),
        max_bytes: 1 << 20,
    };
    let store = Store::open(&dir.path().join("guichet.db"), retention).await;
    (store.unwrap(), dir)
}

async fn start(script: Script) -> (TestServer, TempDir) {
    let (store, dir) = store().await;
    let mut options = Options::new(script);
    options.store = Some(store);
    (TestServer::start(options).await, dir)
}

fn thinking(text: &str) -> Script {
    Script {
        family: HERMES,
        ..Script::saying(text)
    }
}

fn ask(more: Value) -> Value {
    let mut body = json!({"model": MODEL, "input": "Où est la mairie ?"});
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

fn weather() -> Value {
    json!([{"type": "function", "name": "weather", "parameters":
        {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}])
}

/// The events of a stream, after what holds for all: each says its type twice and its number.
fn events(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(!answer.text.contains("[DONE]"));
    let names = answer
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("event: "));
    let events: Vec<Value> = (answer.events().iter())
        .map(|event| serde_json::from_str(event).unwrap())
        .collect();
    assert_eq!(names.count(), events.len());
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
        assert!(
            answer
                .text
                .contains(&format!("event: {}\n", event["type"].as_str().unwrap()))
        );
    }
    events
}

/// Deltas of one kind in a row count once.
fn kinds(events: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<&str> = events.iter().map(|e| e["type"].as_str().unwrap()).collect();
    kinds.dedup();
    kinds
}

fn last(events: &[Value]) -> &Value {
    &events[events.len() - 1]["response"]
}

/// The items without their ids and what is random.
fn plain(output: &Value) -> Value {
    let mut output = output.clone();
    for item in output.as_array_mut().unwrap() {
        let item = item.as_object_mut().unwrap();
        item.remove("id");
        item.remove("call_id");
    }
    output
}

/// Streams and asks plainly; both must come to the same.
async fn both(server: &TestServer, body: Value) -> (Vec<Value>, Value) {
    let mut streamed = body.clone();
    streamed["stream"] = true.into();
    let events = events(&server.post(RESPONSES, &streamed).await);
    let answer = server.post(RESPONSES, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let whole = answer.json();
    let end = last(&events);
    assert_eq!(plain(&end["output"]), plain(&whole["output"]));
    // The second finds the first one's prompt.
    for count in ["input_tokens", "output_tokens", "total_tokens"] {
        assert_eq!(end["usage"][count], whole["usage"][count], "{count}");
    }
    for name in [
        "status",
        "incomplete_details",
        "error",
        "store",
        "tools",
        "text",
    ] {
        assert_eq!(end[name], whole[name], "{name}");
    }
    let mut items = 0;
    for event in &events {
        if event["type"] == "response.output_item.done" {
            assert_eq!(event["item"], end["output"][items]);
            assert_eq!(event["output_index"], items);
            items += 1;
        }
    }
    assert_eq!(items, end["output"].as_array().unwrap().len());
    (events, whole)
}

/// What the deltas of an item add up to.
fn joined(events: &[Value], kind: &str) -> String {
    let deltas = events.iter().filter(|event| event["type"] == kind);
    deltas
        .map(|event| event["delta"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_text_comes_in_typed_events_and_plainly() {
    let (server, _dir) = start(Script::saying("À côté de l'église.")).await;
    let (events, whole) = both(&server, ask(json!({"instructions": "Sois bref."}))).await;
    assert_eq!(
        kinds(&events),
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    assert_eq!(
        joined(&events, "response.output_text.delta"),
        "À côté de l'église."
    );
    assert_eq!(events[0]["response"]["status"], "in_progress");
    assert_eq!(whole["object"], "response");
    assert_eq!(whole["status"], "completed");
    assert!(whole["id"].as_str().unwrap().starts_with("resp_"));
    assert_eq!(whole["instructions"], "Sois bref.");
    assert_eq!(
        plain(&whole["output"]),
        json!([{"type": "message", "status": "completed", "role": "assistant", "content":
            [{"type": "output_text", "text": "À côté de l'église.", "annotations": [], "logprobs": []}]}])
    );
    let usage = &whole["usage"];
    assert_eq!(
        usage["total_tokens"].as_u64().unwrap(),
        usage["input_tokens"].as_u64().unwrap() + usage["output_tokens"].as_u64().unwrap()
    );
}

#[tokio::test]
async fn what_is_thought_and_called_are_items_of_their_own() {
    let said = "<think>Paris?</think>Je regarde.<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>";
    let (server, _dir) = start(thinking(said)).await;
    let (events, whole) = both(&server, ask(json!({"tools": weather()}))).await;
    assert_eq!(
        kinds(&events),
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.reasoning_text.delta",
            "response.reasoning_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    let output = whole["output"].as_array().unwrap();
    let types: Vec<_> = output.iter().map(|item| &item["type"]).collect();
    assert_eq!(types, ["reasoning", "message", "function_call"]);
    assert_eq!(output[0]["content"][0]["text"], "Paris?");
    assert_eq!(output[2]["name"], "weather");
    let arguments: Value = serde_json::from_str(output[2]["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(arguments, json!({"city": "Paris"}));
    assert!(
        whole["usage"]["output_tokens_details"]["reasoning_tokens"]
            .as_u64()
            .unwrap()
            > 0
    );
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_incomplete_and_says_why() {
    let (server, _dir) = start(Script::saying("Une longue réponse.")).await;
    let (events, whole) = both(&server, ask(json!({"max_output_tokens": 5}))).await;
    assert_eq!(events[events.len() - 1]["type"], "response.incomplete");
    assert_eq!(whole["status"], "incomplete");
    assert_eq!(
        whole["incomplete_details"],
        json!({"reason": "max_output_tokens"})
    );
    assert_eq!(whole["output"][0]["status"], "incomplete");
}

#[tokio::test]
async fn a_failure_is_an_http_error_before_the_first_byte_and_an_event_after_it() {
    let script = Script {
        fails_at: Some(3),
        ..Script::saying("abcdef")
    };
    let (server, _dir) = start(script).await;
    let answer = server.post(RESPONSES, &ask(json!({"stream": true}))).await;
    let events = events(&answer);
    let end = &events[events.len() - 1];
    assert_eq!(end["type"], "response.failed");
    assert_eq!(end["response"]["status"], "failed");
    assert_eq!(end["response"]["error"]["code"], "server_error");
    assert_eq!(end["response"]["output"][0]["status"], "incomplete");
    // Its id was told, so what became of it can be asked for.
    let path = format!("{RESPONSES}/{}", end["response"]["id"].as_str().unwrap());
    assert_eq!(server.get(&path).await.json(), end["response"]);
    // The engine starts again in between.
    let plain = loop {
        let answer = server.post(RESPONSES, &ask(json!({}))).await;
        if answer.status != 503 {
            break answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(plain.status, 500);
}

#[tokio::test]
async fn a_conversation_goes_on_from_what_is_stored() {
    let script = Script::saying("Bonjour.");
    let prompts = std::sync::Arc::clone(&script.prompts);
    let (server, _dir) = start(script).await;
    let first = server
        .post(RESPONSES, &ask(json!({"instructions": "Sois poli."})))
        .await
        .json();
    assert_eq!(first["store"], true);
    let id = first["id"].as_str().unwrap();
    let next = json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": "Merci !"}]}],
        "previous_response_id": id});
    let second = server.post(RESPONSES, &ask(next)).await.json();
    assert_eq!(second["previous_response_id"], id);
    let prompt = prompts.lock().unwrap().last().unwrap().clone();
    let text: String = (prompt.iter())
        .map(|id| {
            if *id < 256 {
                char::from(*id as u8)
            } else {
                '|'
            }
        })
        .collect();
    // Bytes as characters: the words are what matters.
    assert!(
        text.contains("mairie ?|\n|assistant\nBonjour.|\n|user\nMerci !|"),
        "{text}"
    );
    assert!(
        !text.contains("poli"),
        "instructions are not carried over: {text}"
    );

    let got = server.get(&format!("{RESPONSES}/{id}")).await;
    assert_eq!(got.json(), first);
    let items = server
        .get(&format!("{RESPONSES}/{id}/input_items"))
        .await
        .json();
    assert_eq!(
        items["data"][0],
        json!({"type": "message", "id": "item_0", "status": "completed", "role": "user",
            "content": [{"type": "input_text", "text": "Où est la mairie ?"}]})
    );
    // What a client calls an item is ignored; a list has a name for each all the same.
    let named = json!([{"id": [1], "role": "user", "content": "a"}, {"id": null, "role": "user", "content": "b"}]);
    let asked = server.post(RESPONSES, &ask(json!({"input": named}))).await;
    let path = format!(
        "{RESPONSES}/{}/input_items",
        asked.json()["id"].as_str().unwrap()
    );
    let items = server.get(&path).await.json();
    assert_eq!(
        (&items["first_id"], &items["last_id"]),
        (&json!("item_1"), &json!("item_0"))
    );
    let deleted = server
        .request(Method::DELETE, &format!("{RESPONSES}/{id}"))
        .send()
        .await;
    let deleted = Answer::read(deleted.unwrap()).await;
    assert_eq!(
        deleted.json(),
        json!({"id": id, "object": "response", "deleted": true})
    );
    assert_eq!(server.get(&format!("{RESPONSES}/{id}")).await.status, 404);
    let gone = server
        .post(RESPONSES, &ask(json!({"previous_response_id": id})))
        .await;
    assert_eq!(gone.status, 404);
    assert_eq!(gone.json()["error"]["param"], "previous_response_id");
    // A stream is kept as well.
    let streamed = events(&server.post(RESPONSES, &ask(json!({"stream": true}))).await);
    let id = last(&streamed)["id"].as_str().unwrap();
    assert_eq!(
        server.get(&format!("{RESPONSES}/{id}")).await.json(),
        *last(&streamed)
    );
}

#[tokio::test]
async fn calls_and_their_results_are_given_to_the_template() {
    let script = thinking("Il pleut.");
    let prompts = std::sync::Arc::clone(&script.prompts);
    let (server, _dir) = start(script).await;
    let input = json!([
        {"role": "user", "content": "Quel temps ?"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{\"city\":\"Lyon\"}"},
        {"type": "function_call_output", "call_id": "c1", "output": "pluie"},
    ]);
    let answer = server
        .post(RESPONSES, &ask(json!({"input": input, "tools": weather()})))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let prompt = prompts.lock().unwrap().last().unwrap().clone();
    let bytes: Vec<u8> = prompt
        .iter()
        .filter_map(|id| u8::try_from(*id).ok())
        .collect();
    let text = String::from_utf8_lossy(&bytes);
    for part in [
        "\"tool_call_id\": \"c1\"",
        "pluie",
        "\"city\": \"Lyon\"",
        "\"reasoning_content\": \"hm\"",
    ] {
        let part = part.replace("\": ", "\":");
        assert!(
            text.replace("\": ", "\":").contains(&part),
            "{part} in {text}"
        );
    }
}

#[tokio::test]
async fn what_clients_add_to_items_is_listed_and_not_refused() {
    let (server, _dir) = start(thinking("Il pleut.")).await;
    let input = json!([
        {"role": "assistant", "content": [{"type": "output_text", "text": "{}", "annotations": [], "parsed": {}}]},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}", "parsed_arguments": {}},
        {"type": "function_call_output", "call_id": "c1", "output":
            [{"type": "input_text", "text": "pluie", "cache_control": {"type": "ephemeral"}}]},
    ]);
    let answer = server.post(RESPONSES, &ask(json!({"input": input}))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(
        answer.header("x-guichet-ignored"),
        Some("input[].content[].parsed, input[].parsed_arguments, input[].output[].cache_control")
    );
}

#[tokio::test]
async fn the_items_of_an_input_are_listed_whole_however_short_they_were() {
    let (server, _dir) = start(thinking("Il pleut.")).await;
    let input = json!([
        {"role": "user", "content": [{"type": "text", "text": "Et ?"}]},
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]},
        {"role": "assistant", "content": "Attends."},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "pluie"},
    ]);
    let answer = server.post(RESPONSES, &ask(json!({"input": input}))).await;
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let items = server
        .get(&format!("{RESPONSES}/{id}/input_items"))
        .await
        .json();
    assert_eq!(
        items["data"],
        json!([
            {"type": "function_call_output", "call_id": "c1", "output": "pluie", "id": "item_4",
                "status": "completed"},
            {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}",
                "id": "item_3", "status": "completed"},
            {"role": "assistant", "type": "message", "id": "item_2", "status": "completed", "content":
                [{"type": "output_text", "text": "Attends.", "annotations": [], "logprobs": []}]},
            {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}],
                "id": "item_1", "status": "completed", "summary": []},
            {"role": "user", "type": "message", "id": "item_0", "status": "completed", "content":
                [{"type": "input_text", "text": "Et ?"}]},
        ])
    );
}

#[tokio::test]
async fn a_conversation_goes_on_from_whatever_the_model_wrote() {
    let (server, _dir) = start(Script::saying("a\u{0}b")).await;
    let first = server.post(RESPONSES, &ask(json!({}))).await.json();
    let next = json!({"previous_response_id": first["id"]});
    let answer = server.post(RESPONSES, &ask(next)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn where_nothing_is_stored_that_is_said() {
    let server = TestServer::saying("Bonjour.").await;
    let answer = server.post(RESPONSES, &ask(json!({}))).await.json();
    assert_eq!(answer["store"], false);
    for (more, param) in [
        (json!({"store": true}), "store"),
        (json!({"background": true}), "background"),
        (
            json!({"previous_response_id": "resp_1"}),
            "previous_response_id",
        ),
    ] {
        let answer = server.post(RESPONSES, &ask(more)).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert_eq!(answer.json()["error"]["param"], param);
    }
    let (server, _dir) = start(Script::saying("Bonjour.")).await;
    let answer = server
        .post(RESPONSES, &ask(json!({"store": false})))
        .await
        .json();
    assert_eq!(answer["store"], false);
    let id = answer["id"].as_str().unwrap();
    assert_eq!(server.get(&format!("{RESPONSES}/{id}")).await.status, 404);
}

#[tokio::test]
async fn nobody_finds_what_is_anothers() {
    let keys = ["a", "b"].map(|name| (name, ApiKey::generate().unwrap()));
    let (store, _dir) = store().await;
    let mut options = Options::new(Script::saying("Bonjour."));
    options.store = Some(store);
    options.keys = keys
        .iter()
        .map(|(name, key)| KeyConfig {
            name: (*name).to_owned(),
            hash: key.hash().to_string(),
            weight: 1,
        })
        .collect();
    let server = TestServer::start(options).await;
    let send = async |key: &ApiKey, method: Method, path: &str, body: Option<Value>| {
        let request = server.request(method, path).bearer_auth(key.reveal());
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        Answer::read(request.send().await.unwrap()).await
    };
    let [(_, a), (_, b)] = &keys;
    let mine = send(a, Method::POST, RESPONSES, Some(ask(json!({}))))
        .await
        .json();
    let path = format!("{RESPONSES}/{}", mine["id"].as_str().unwrap());
    let go_on = ask(json!({"previous_response_id": mine["id"]}));
    assert_eq!(
        send(b, Method::POST, RESPONSES, Some(go_on.clone()))
            .await
            .status,
        404
    );
    let routes = [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::GET, format!("{path}/input_items")),
        (Method::POST, format!("{path}/cancel")),
    ];
    for (method, path) in routes {
        let theirs = send(b, method.clone(), &path, None).await;
        let nobodys = send(b, method, &path.replace("resp_", "resp_x"), None).await;
        assert_eq!(theirs.status, 404, "{path}");
        let message = |answer: &Answer| {
            let message = answer.json()["error"]["message"]
                .as_str()
                .unwrap()
                .to_owned();
            message.replace("resp_x", "resp_")
        };
        assert_eq!(message(&theirs), message(&nobodys));
    }
    assert_eq!(send(a, Method::GET, &path, None).await.status, 200);
    assert_eq!(
        send(a, Method::POST, RESPONSES, Some(go_on)).await.status,
        200
    );
}

#[tokio::test]
async fn in_the_background_an_answer_is_asked_for_until_it_is_there() {
    let script = Script {
        step: Duration::from_millis(5),
        ..Script::saying("Une réponse qui prend du temps.")
    };
    let (server, _dir) = start(script).await;
    let begun = server
        .post(RESPONSES, &ask(json!({"background": true})))
        .await
        .json();
    assert_eq!(begun["status"], "in_progress", "{begun}");
    let path = format!("{RESPONSES}/{}", begun["id"].as_str().unwrap());
    let unfinished = ask(json!({"previous_response_id": begun["id"]}));
    assert_eq!(server.post(RESPONSES, &unfinished).await.status, 400);
    let done = loop {
        let now = server.get(&path).await.json();
        if now["status"] != "in_progress" {
            break now;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(done["status"], "completed");
    assert_eq!(
        done["output"][0]["content"][0]["text"],
        "Une réponse qui prend du temps."
    );

    let begun = server
        .post(RESPONSES, &ask(json!({"background": true})))
        .await
        .json();
    let path = format!("{RESPONSES}/{}", begun["id"].as_str().unwrap());
    let cancelled = server.post(&format!("{path}/cancel"), &json!({})).await;
    assert_eq!(
        cancelled.json()["status"],
        "cancelled",
        "{}",
        cancelled.text
    );
    assert_eq!(server.get(&path).await.json()["status"], "cancelled");
}

/// Asked for again and again, one is often stored as ended between two looks at it.
#[tokio::test(flavor = "multi_thread")]
async fn a_background_answer_is_never_shown_as_failed_while_it_ends() {
    let (server, _dir) = start(Script::saying("Oui.")).await;
    for round in 0..40 {
        let begun = server
            .post(RESPONSES, &ask(json!({"background": true})))
            .await
            .json();
        let path = format!("{RESPONSES}/{}", begun["id"].as_str().unwrap());
        let is_cancelled = round % 2 == 1;
        let cancel = async {
            if is_cancelled {
                server.post(&format!("{path}/cancel"), &json!({})).await;
            }
        };
        let poll = async || {
            loop {
                let status = server.get(&path).await.json()["status"].clone();
                if status != "in_progress" {
                    break status;
                }
            }
        };
        let (_, a, b, c, d) = tokio::join!(cancel, poll(), poll(), poll(), poll());
        for status in [a, b, c, d] {
            let may_be_cancelled = is_cancelled && status == "cancelled";
            assert!(status == "completed" || may_be_cancelled, "{status}");
        }
    }
}

#[tokio::test]
async fn a_response_that_runs_while_the_server_stops_is_finished_first() {
    let script = Script {
        step: Duration::from_millis(5),
        ..Script::saying("Une réponse qui prend du temps.")
    };
    let (store, dir) = store().await;
    let mut options = Options::new(script);
    options.store = Some(store);
    let server = TestServer::start(options).await;
    let begun = server
        .post(RESPONSES, &ask(json!({"background": true})))
        .await
        .json();
    server.stop.send(()).unwrap();
    server.task.await.unwrap();
    let retention = Retention {
        time: Duration::from_secs(3600),
        max_bytes: 1 << 20,
    };
    let again = Store::open(&dir.path().join("guichet.db"), retention)
        .await
        .unwrap();
    let id = begun["id"].as_str().unwrap();
    let now = std::time::SystemTime::now();
    let kept = again.response("", id, now).await.unwrap().unwrap();
    let body: Value = serde_json::from_str(&kept.body).unwrap();
    assert_eq!(body["status"], "completed");
}

#[tokio::test]
async fn bad_responses_name_the_field() {
    let (server, _dir) = start(Script::saying("a")).await;
    for (more, param, words) in [
        (json!({"input": null}), "input", "required"),
        (json!({"input": []}), "input", "1 to"),
        (
            json!({"input": [{"type": "image"}]}),
            "input[0].type",
            "function_call_output",
        ),
        (
            json!({"input": [{"role": "robot", "content": "a"}]}),
            "input[0].role",
            "assistant",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}),
            "input[0].content[0].type",
            "no images",
        ),
        (
            json!({"input": [{"type": "function_call", "name": "a"}]}),
            "input[0].call_id",
            "required",
        ),
        (json!({"truncation": "auto"}), "truncation", "disabled"),
        (
            json!({"include": ["file_search_call.results"]}),
            "include[0]",
            "logprobs",
        ),
        (json!({"top_logprobs": 3}), "top_logprobs", "include"),
        (
            json!({"tools": [{"type": "web_search"}]}),
            "tools[0].type",
            "function",
        ),
        (
            json!({"tools": [{"type": "function"}]}),
            "tools[0].name",
            "required",
        ),
        (
            json!({"tool_choice": {"type": "function", "name": "x"}}),
            "tool_choice.name",
            "tools",
        ),
        (
            json!({"text": {"format": {"type": "json_schema", "name": "a"}}}),
            "text.format.schema",
            "required",
        ),
        (
            json!({"text": {"format": {"type": "json_schema", "name": "a", "schema": {"not": {"multipleOf": 2}}}}}),
            "text.format.schema",
            "/not",
        ),
        (
            json!({"reasoning": {"summary": "auto"}}),
            "reasoning.summary",
            "not supported",
        ),
        (json!({"metadata": {"a": 1}}), "metadata.a", "string"),
        (
            json!({"background": true, "stream": true}),
            "background",
            "stream",
        ),
        (
            json!({"background": true, "store": false}),
            "background",
            "stored",
        ),
        (json!({"messages": []}), "messages", "not a known parameter"),
        (json!({"prompt": "x"}), "prompt", "must be an object"),
    ] {
        let answer = server.post(RESPONSES, &ask(more.clone())).await;
        assert_eq!(answer.status, 400, "{more}: {}", answer.text);
        let error = &answer.json()["error"];
        assert_eq!(error["param"], param, "{error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(server.get(RESPONSES).await.status, 405);
}

#[tokio::test]
async fn a_form_log_probabilities_and_metadata_are_honoured() {
    let (server, _dir) = start(Script::saying("zzz")).await;
    let body = ask(json!({
        "text": {"format": {"type": "json_schema", "name": "a", "schema": {"enum": ["oui", "non"]}}},
        "include": ["message.output_text.logprobs"],
        "top_logprobs": 2,
        "metadata": {"dossier": "42"},
        "user": "u",
    }));
    let answer = server.post(RESPONSES, &body).await;
    assert_eq!(answer.header("x-guichet-ignored"), Some("user"));
    let whole = answer.json();
    assert_eq!(whole["metadata"], json!({"dossier": "42"}));
    let part = &whole["output"][0]["content"][0];
    let said: String = serde_json::from_str(part["text"].as_str().unwrap()).unwrap();
    assert!(["oui", "non"].contains(&&*said));
    let logprobs = part["logprobs"].as_array().unwrap();
    let tokens: String = logprobs
        .iter()
        .map(|token| token["token"].as_str().unwrap())
        .collect();
    assert_eq!(tokens, *part["text"].as_str().unwrap());
    assert_eq!(logprobs[0]["top_logprobs"].as_array().unwrap().len(), 2);
}
