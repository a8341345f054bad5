//! *Honoured* means that two values of a property differ in their effect: in the tokens, in the
//! answer's shape or in what the model is sent. Here are two for each row of each table.

mod chat;
mod completions;
mod documents;
mod encoders;
mod files;
mod forms;
mod messages;
mod responses;
mod sampling;
mod tools;

use super::places::{table, tables};
use super::server::Server;
use guichet::api::parameters::Outcome;
use guichet::engine::SamplingParams;
use serde_json::{Value, json};
use std::collections::HashSet;

/// Two requests that differ in one property, and where that must show.
pub struct Effect {
    /// The title of the table.
    table: &'static str,
    name: &'static str,
    route: &'static str,
    /// What the model would say.
    says: &'static str,
    bodies: [Value; 2],
    shows: Shows,
}

pub enum Shows {
    /// At this place of the answer, as a JSON pointer.
    Answer(&'static str),
    /// In what the model is sent.
    Prompt,
    /// In how tokens are drawn.
    Sampling,
    /// In the header that lists what is not used: the first is used.
    Ignored,
    /// There is one value alone: another one is refused, and called this.
    Refusal(&'static str),
}

/// What a request came to.
struct Observed {
    status: u16,
    answer: Value,
    ignored: Option<String>,
    prompts: Vec<Vec<u32>>,
    sampling: Option<SamplingParams>,
}

fn effects() -> impl Iterator<Item = Effect> {
    chat::effects()
        .into_iter()
        .chain(completions::effects())
        .chain(documents::effects())
        .chain(encoders::effects())
        .chain(files::effects())
        .chain(forms::effects())
        .chain(messages::effects())
        .chain(responses::effects())
        .chain(sampling::effects())
        .chain(tools::effects())
}

/// `base` with these members, too.
fn with(base: &Value, more: &Value) -> Value {
    let mut body = base.clone();
    let members = more.as_object().unwrap();
    body.as_object_mut().unwrap().extend(members.clone());
    body
}

#[test]
fn every_honoured_row_has_an_effect() {
    let shown: HashSet<_> = effects()
        .map(|effect| (effect.table, effect.name))
        .collect();
    for (title, rows) in tables() {
        let honoured = rows
            .iter()
            .filter(|row| matches!(row.outcome, Outcome::Honoured));
        let missing: Vec<_> = honoured
            .map(|row| row.name)
            .filter(|name| !shown.contains(&(title, *name)))
            .collect();
        assert!(missing.is_empty(), "{title}: {missing:?}");
    }
}

#[test]
fn an_effect_is_that_of_an_honoured_row() {
    for effect in effects() {
        let row = table(effect.table)
            .iter()
            .find(|row| row.name == effect.name);
        let is_honoured = row.is_some_and(|row| matches!(row.outcome, Outcome::Honoured));
        assert!(is_honoured, "{}: {}", effect.table, effect.name);
    }
}

#[tokio::test]
async fn what_is_honoured_has_an_effect() {
    let mut failures = Vec::new();
    let mut num_effects = 0;
    for effect in effects() {
        num_effects += 1;
        if let Err(problem) = check(&effect).await {
            failures.push(format!("{} {}: {problem}", effect.table, effect.name));
        }
    }
    println!("{num_effects} effects");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

async fn check(effect: &Effect) -> Result<(), String> {
    let server = Server::saying(effect.says).await;
    let [first, second] = &effect.bodies;
    let observed = observe(&server, effect.route, first).await?;
    let again = observe(&server, effect.route, first).await?;
    let other = observe(&server, effect.route, second).await?;
    let shown = |observed: &Observed| match &effect.shows {
        Shows::Answer(pointer) => observed.answer.pointer(pointer).cloned(),
        Shows::Prompt => Some(json!(observed.prompts)),
        Shows::Sampling => Some(format!("{:?}", observed.sampling).into()),
        Shows::Ignored => Some(json!(observed.ignored)),
        Shows::Refusal(_) => Some(observed.status.into()),
    };
    if shown(&observed) != shown(&again) {
        return Err(format!(
            "one request shows two things: {:?} and {:?}",
            shown(&observed),
            shown(&again)
        ));
    }
    if shown(&observed) == shown(&other) {
        return Err(format!("both show {:?}: {}", shown(&other), other.answer));
    }
    let is_refusal = |observed: &Observed| observed.answer["error"]["message"].is_string();
    match &effect.shows {
        Shows::Refusal(param)
            if observed.status != 200 || other.answer["error"]["param"] != *param =>
        {
            Err(format!("{} and {}", observed.answer, other.answer))
        }
        Shows::Ignored if observed.ignored.is_some() => Err("the first is ignored, too".to_owned()),
        Shows::Answer(place) if place.starts_with("/error") => Ok(()),
        Shows::Refusal(_) => Ok(()),
        _ if is_refusal(&observed) || is_refusal(&other) => Err(format!(
            "one is refused: {} {}",
            observed.answer, other.answer
        )),
        Shows::Prompt if observed.prompts.is_empty() || other.prompts.is_empty() => {
            Err("the model was sent nothing".to_owned())
        }
        Shows::Sampling if observed.sampling.is_none() => Err("nothing was drawn".to_owned()),
        _ => Ok(()),
    }
}

async fn observe(server: &Server, route: &str, body: &Value) -> Result<Observed, String> {
    let mut body = body.clone();
    // What came before is said in full, and goes on by its id.
    if let Some(earlier) = body.as_object_mut().unwrap().remove("earlier") {
        let answer = server.ask(route, &earlier).await.json();
        body["previous_response_id"] = answer["id"].clone();
    }
    server.script.prompts.lock().unwrap().clear();
    server.script.seen.lock().unwrap().clear();
    let answer = server.ask(route, &body).await;
    let mut read = match serde_json::from_str(&answer.text) {
        Ok(answer) => answer,
        Err(_) => {
            let events = answer.events().into_iter();
            let read = |event: &str| serde_json::from_str(event).unwrap_or(Value::from(event));
            Value::Array(events.map(read).collect())
        }
    };
    forget(&mut read);
    Ok(Observed {
        status: answer.status,
        answer: read,
        ignored: answer.header("x-guichet-ignored").map(str::to_owned),
        prompts: server.script.prompts.lock().unwrap().clone(),
        sampling: server.script.seen.lock().unwrap().first().cloned(),
    })
}

/// Takes out what is another each time.
fn forget(answer: &mut Value) {
    match answer {
        Value::Array(items) => items.iter_mut().for_each(forget),
        Value::Object(members) => {
            members.retain(|name, _| {
                !matches!(
                    &**name,
                    "id" | "item_id"
                        | "call_id"
                        | "created"
                        | "created_at"
                        | "completed_at"
                        | "cached_tokens"
                )
            });
            members.values_mut().for_each(forget);
        }
        _ => {}
    }
}
