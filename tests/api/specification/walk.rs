//! Every property of OpenAI's requests, with a value of each type and each that is listed, asked
//! of a server.

use super::places::{CHAT, COMPLETION, EMBEDDING, FILE, RESPONSE, Row, row};
use super::requests::{Facts, Request, concrete, generic, parent};
use super::server::{EMBEDDER, KEPT, Server};
use crate::scripted::MODEL;
use crate::server::Answer;
use guichet::api::parameters::Outcome;
use guichet::config::ServerConfig;
use serde_json::{Value, json};

/// A prompt that is built in, and has a variable `focus`.
const PROMPT: &str = "resume-courrier";

/// How a refusal tells what may be sent instead.
const ADVICE: [&str; 3] = ["must ", "leave it out", "left out"];

struct Walk {
    name: &'static str,
    route: &'static str,
    request: Request,
    server: Server,
    /// It refuses what the other ignores.
    strict: Server,
    failures: Vec<String>,
    num_asked: usize,
}

async fn walk(name: &'static str, route: &'static str) {
    let strict = ServerConfig {
        strict_parameters: true,
        ..ServerConfig::default()
    };
    let mut walk = Walk {
        name,
        route,
        request: Request::read(name),
        server: Server::saying("ok").await,
        strict: Server::configured("ok", strict).await,
        failures: Vec::new(),
        num_asked: 0,
    };
    let request = Request::read(name);
    for facts in request.facts() {
        walk.visit(facts).await;
    }
    let Walk {
        failures,
        num_asked,
        ..
    } = walk;
    println!("{num_asked} requests to {route}");
    assert!(
        failures.is_empty(),
        "{} of {num_asked}:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[tokio::test]
async fn every_property_of_a_chat_has_one_outcome() {
    walk(CHAT, "/v1/chat/completions").await;
}

#[tokio::test]
async fn every_property_of_a_completion_has_one_outcome() {
    walk(COMPLETION, "/v1/completions").await;
}

#[tokio::test]
async fn every_property_of_a_response_has_one_outcome() {
    walk(RESPONSE, "/v1/responses").await;
}

#[tokio::test]
async fn every_property_of_embeddings_has_one_outcome() {
    walk(EMBEDDING, "/v1/embeddings").await;
}

#[tokio::test]
async fn every_property_of_a_file_has_one_outcome() {
    walk(FILE, "/v1/files").await;
}

impl Walk {
    async fn visit(&mut self, facts: &Facts) {
        let path = &facts.path;
        let row = match row(self.name, path) {
            Ok(row) => row,
            Err(missing) => {
                self.failures.push(format!("{path}: {missing}"));
                return;
            }
        };
        let mut num_taken = 0;
        let values = values(self.name, path).unwrap_or_else(|| self.request.values(facts));
        for value in values {
            self.num_asked += 1;
            let body = self.request.holding(path, value.clone());
            let body = self.completed(path, body).await;
            let answer = self.server.ask(self.route, &body).await;
            num_taken += usize::from(answer.status == 200);
            let found = match expected(path, &value, &row, &answer) {
                Ok(()) if is_ignored(&answer, &row.path) => {
                    let again = self.strict.ask(self.route, &body).await;
                    match row.parameter.outcome {
                        Outcome::SentBack => not_refused_for(&again, &row.path),
                        _ => refused_instead(&again, &answer),
                    }
                }
                found => found,
            };
            if let Err(problem) = found {
                self.failures.push(format!("{path} = {value}: {problem}"));
            }
        }
        let is_honoured = matches!(row.parameter.outcome, Outcome::Honoured);
        if row.is_own && row.path == *path && is_honoured && num_taken == 0 {
            self.failures
                .push(format!("{path}: no value of it is taken"));
        }
    }

    /// With what must stand beside a property for it to mean anything.
    async fn completed(&self, path: &str, mut body: Value) -> Value {
        if self.name == FILE {
            if path != "purpose" {
                body["purpose"] = "user_data".into();
            }
            return body;
        }
        if path != "model" {
            body["model"] = match self.name {
                EMBEDDING => EMBEDDER,
                _ => MODEL,
            }
            .into();
        }
        let first = path.split(['.', '[', '<', '{']).next().unwrap();
        match (self.name, first) {
            (CHAT, "tool_choice") => {
                body["tools"] = json!([{"type": "function", "function": {"name": "a"}}]);
            }
            (RESPONSE, "tool_choice") => body["tools"] = json!([{"type": "function", "name": "a"}]),
            (CHAT | COMPLETION, "stream_options") => body["stream"] = true.into(),
            (CHAT, "top_logprobs") => body["logprobs"] = true.into(),
            (RESPONSE, "top_logprobs") => body["include"] = json!(["message.output_text.logprobs"]),
            (RESPONSE, "previous_response_id") => {
                let earlier = json!({"model": MODEL, "input": "a"});
                let answer = self.server.server.post(self.route, &earlier).await;
                body["previous_response_id"] = answer.json()["id"].clone();
            }
            _ => {}
        }
        if self.name == RESPONSE && body["input"].is_null() {
            body["input"] = "a".into();
        }
        fill_in(path, &mut body);
        body
    }
}

/// What the specification lets be left out, or be anything.
fn fill_in(path: &str, body: &mut Value) {
    if let Some(message) = body.pointer_mut("/messages/0")
        && message["role"] == "assistant"
        && message["tool_calls"].is_null()
        && message["content"].is_null()
    {
        message["content"] = "a".into();
    }
    if let Some(item) = body.pointer_mut("/input/0")
        && item["type"] == "function_call_output"
        && item["call_id"].is_null()
    {
        item["call_id"] = "a".into();
    }
    // A file has data or is kept, and a prompt of ours has a letter.
    for (place, kind) in [
        ("/messages/0/content/0/file", "file"),
        ("/input/0/content/0", "input_file"),
    ] {
        if let Some(file) = body.pointer_mut(place)
            && (kind == "file" || file["type"] == kind)
            && file["file_data"].is_null()
            && file["file_id"].is_null()
            && file.is_object()
        {
            file["file_data"] = "YQ==".into();
        }
    }
    if body["prompt"].is_object() {
        if path != "prompt.id" {
            body["prompt"]["id"] = PROMPT.into();
        }
        let letter = json!({"type": "input_file", "file_data": "YQ=="});
        body["input"] = json!([{"role": "user", "content": [letter]}]);
    }
    if let Some(annotations) = body.pointer_mut("/input/0/content/0/annotations")
        && !path.contains("annotations")
    {
        *annotations = json!([]);
    }
    for (place, function) in [
        (
            "/tool_choice/allowed_tools/tools/0",
            json!({"type": "function", "function": {"name": "a"}}),
        ),
        (
            "/tool_choice/tools/0",
            json!({"type": "function", "name": "a"}),
        ),
    ] {
        if let Some(tool) = body.pointer_mut(place) {
            *tool = function;
        }
    }
}

/// Values that the types do not tell.
fn values(request: &str, path: &str) -> Option<Vec<Value>> {
    Some(match (request, path) {
        (EMBEDDING, "model") => vec![EMBEDDER.into()],
        (_, "model") => vec![MODEL.into()],
        (EMBEDDING, "dimensions") => vec![24.into(), 48.into()],
        (RESPONSE, "prompt.id") => vec![PROMPT.into()],
        (RESPONSE, "prompt.version") => vec!["1".into()],
        (_, path) if path.ends_with(".file_data") => vec!["YQ==".into(), "?".into()],
        (_, path) if path.ends_with(".file_id") => vec![KEPT[0].into(), "?".into()],
        (RESPONSE, "include") => vec![json!(["message.output_text.logprobs"])],
        _ => return None,
    })
}

/// The one outcome that the row promises.
fn expected(path: &str, value: &Value, row: &Row, answer: &Answer) -> Result<(), String> {
    let at = concrete(path);
    let own = concrete(&row.path);
    match row.parameter.outcome {
        Outcome::Ignored | Outcome::SentBack if is_ignored(answer, &row.path) => Ok(()),
        Outcome::Ignored | Outcome::SentBack => {
            Err(format!("is not listed as ignored: {}", shown(answer)))
        }
        Outcome::RefusedUnless(neutral) => {
            let is = |literal: &&str| serde_json::from_str::<Value>(literal).unwrap() == *value;
            match row.path == path && neutral.iter().any(is) {
                true => taken(answer),
                false if taken(answer).is_ok() && !neutral.is_empty() && row.path != path => Ok(()),
                false => refused(answer, &own),
            }
        }
        // Some values of it are refused, or not used.
        Outcome::Honoured if row.is_own => match is_ignored(answer, &row.path) {
            true if row.parameter.note.contains("listed as ignored") => Ok(()),
            true => Err("is listed as ignored".to_owned()),
            false => taken(answer).or_else(|_| refused(answer, &at)),
        },
        // It stands in an object that is not ours, which is told from others by its kind.
        Outcome::Honoured => {
            let is_refused = |mark: &String| refused(answer, mark).is_ok();
            match marks(path).iter().any(is_refused) {
                true => Ok(()),
                false => Err(format!("nothing around it is refused: {}", shown(answer))),
            }
        }
    }
}

/// A strict server takes what an answer held, whatever else of the request it refuses.
fn not_refused_for(answer: &Answer, path: &str) -> Result<(), String> {
    match refused(answer, &concrete(path)) {
        Ok(()) => Err(format!("a strict server refuses it: {}", shown(answer))),
        Err(_) => Ok(()),
    }
}

/// What tells the objects around a place from others that may stand there.
fn marks(path: &str) -> Vec<String> {
    let mut marks = Vec::new();
    let mut object = parent(path).0;
    while !object.is_empty() {
        if object.ends_with('>') {
            let at = concrete(object);
            marks.extend(["type", "role", "id"].map(|mark| format!("{at}.{mark}")));
        }
        object = parent(object).0;
    }
    marks
}

fn is_ignored(answer: &Answer, path: &str) -> bool {
    let listed = answer.header("x-guichet-ignored").unwrap_or_default();
    listed.split(", ").any(|name| name == generic(path))
}

fn taken(answer: &Answer) -> Result<(), String> {
    match answer.status {
        200 => Ok(()),
        _ => Err(format!("is not taken: {}", shown(answer))),
    }
}

/// What one server takes and lists as ignored, the strict one refuses, or something else that the
/// first one lists.
fn refused_instead(refusal: &Answer, taken: &Answer) -> Result<(), String> {
    if refusal.status != 400 {
        return Err(format!(
            "is not refused where it must be: {}",
            shown(refusal)
        ));
    }
    let error = &refusal.json()["error"];
    let param = error["param"].as_str().unwrap();
    let listed = taken.header("x-guichet-ignored").unwrap_or_default();
    match listed
        .split(", ")
        .any(|name| name == param.replace("[0]", "[]"))
    {
        true => refused(refusal, param),
        false => Err(format!("is refused as what nobody ignores: {error}")),
    }
}

fn refused(answer: &Answer, param: &str) -> Result<(), String> {
    if answer.status != 400 {
        return Err(format!("is not refused as `{param}`: {}", shown(answer)));
    }
    let error = &answer.json()["error"];
    let message = error["message"].as_str().unwrap();
    if error["param"] != *param {
        return Err(format!(
            "is refused as something else than `{param}`: {error}"
        ));
    }
    match ADVICE.iter().any(|advice| message.contains(advice))
        && !message.contains("a known parameter")
    {
        true => Ok(()),
        false => Err(format!(
            "is refused without saying what is allowed: {message}"
        )),
    }
}

fn shown(answer: &Answer) -> String {
    let ignored = answer.header("x-guichet-ignored").unwrap_or_default();
    format!("{} [{ignored}] {:.300}", answer.status, answer.text)
}
