//! `POST /v1/responses`, and what is stored of it.

mod answer;
mod background;
mod input;
mod listed;
mod request;
mod stream;

pub use background::Background;

use super::answer::Measured;
use super::asker::Asker;
use super::auth::Owner;
use super::body::JsonBody;
use super::documents::Reading;
use super::error::ApiError;
use super::fields::Fields;
use super::inputs;
use super::json::Json as Read;
use super::long::{self, Answer, Parsed, Progress, Progressing, Reader};
use super::parameters::Ignored;
use super::state::ApiState;
use crate::generation::GenerationEvent;
use crate::store::{Store, StoredResponse};
use answer::{End, ResponseAnswer};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use listed::listed;
use request::{Mode, ResponseRequest};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::SystemTime;

pub const INPUT: &str = "input";

/// A response that is being generated.
struct Running {
    generation: Measured,
    answer: ResponseAnswer,
    /// The conversation before the answer.
    items: Vec<Value>,
    /// Where it is kept, if it is.
    keep: Option<Keep>,
    /// Its id is known before its end.
    is_named: bool,
}

/// Where a response is kept.
#[derive(Clone)]
struct Keep {
    store: Store,
    owner: Owner,
}

pub async fn create(
    State(state): State<Arc<ApiState>>,
    asker: Asker,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let id = asker.request_id.clone();
    if !inputs::may_tell_progress(&body) {
        return answer(state, asker, body, None).await;
    }
    let answer = |told| -> Answer { Box::pin(answer(state, asker, body, Some(told))) };
    // Clients take a stream that does not begin with `response.created` for none.
    let comment = |progress: &Progress| format!(": progress {}\n\n", json!(progress));
    long::with_progress(id, answer, comment).await
}

/// `told` is where the reading of long documents tells how far it is.
async fn answer(
    state: Arc<ApiState>,
    asker: Asker,
    mut body: Read,
    told: Option<Progressing>,
) -> Result<Response, ApiError> {
    let Asker {
        request_id,
        caller,
        owner,
    } = asker;
    let mut ignored = state.ignored();
    let served = state.generator(&Fields::root(&body)?)?;
    let reading = Reading::new(&state, caller, &owner);
    let parse = |body: &Read| {
        let fields = Fields::root(body)?;
        let ignored = &mut state.ignored();
        let mode = Mode::parse(&fields, state.store.is_some(), ignored)?;
        let request = ResponseRequest::parse(&fields, served, &mode, None, ignored)?;
        Ok(Parsed {
            prompt: request.input.prompt,
            first: usize::from(fields.get("instructions").is_some()),
            params: request.ask.params,
            has_format: request.ask.format.is_some(),
        })
    };
    let fields = Fields::root(&body)?;
    let mode = Mode::parse(&fields, state.store.is_some(), &mut Ignored::default())?;
    let goes_on = mode.previous.is_some();
    if fields.get("privacy").is_some() && (mode.store || goes_on) {
        return Err(ApiError::invalid(
            "privacy",
            "`privacy` must go with `store: false` and without `previous_response_id`: what is stored would \
             hold the values, or stand-ins that nobody can read.",
        ));
    }
    let reader = Reader {
        state: &state,
        served,
        caller,
        request_id: &request_id,
        progress: told.as_ref(),
        parse: &parse,
    };
    // Steps know nothing of earlier turns, and whoever asks in the background waits for none.
    let long = (!goes_on && !mode.background).then_some(reader);
    let response = inputs::RESPONSE;
    let told = inputs::resolve(reading, long, &mut body, response, &mut ignored).await?;
    let fields = Fields::root(&body)?;
    let mode = Mode::parse(&fields, state.store.is_some(), &mut ignored)?;
    let earlier = match &mode.previous {
        Some(id) => Some(earlier_items(&state, &owner, id).await?),
        None => None,
    };
    let ResponseRequest {
        mut input,
        mut ask,
        items,
        mut echo,
        with_logprobs,
        short_ids,
    } = ResponseRequest::parse(&fields, served, &mode, earlier.as_ref(), &mut ignored)?;
    told.ask(&mut input.prompt, &mut ask)?;
    told.write(&mut echo);
    // The one clock value of the request, which a template may print.
    let clock = SystemTime::now();
    let generation = Measured::start(
        &state,
        served,
        request_id,
        caller,
        ask,
        INPUT,
        move |model, params| model.chat(&input, params, clock),
    )
    .await?;
    let keep = (state.store.clone())
        .filter(|_| mode.store)
        .map(|store| Keep { store, owner });
    let model = &served.model.id;
    let mut running = Running {
        generation,
        answer: ResponseAnswer::new(model, clock, echo, with_logprobs, short_ids)
            .with_annotator(told.annotator())
            .with_checker(told.checker),
        items,
        keep,
        is_named: mode.stream || mode.background,
    };
    let mut response = if mode.stream {
        stream::response(running)
    } else if mode.background {
        Json(background::start(&state, running).await?).into_response()
    } else {
        running.run().await?;
        Json(running.answer.body()).into_response()
    };
    ignored.write_header(&mut response);
    Ok(response)
}

/// The items up to the end of a stored response.
async fn earlier_items(state: &ApiState, owner: &Owner, id: &str) -> Result<Read, ApiError> {
    let must = |must: &str| {
        ApiError::invalid(
            "previous_response_id",
            format!("`previous_response_id` must {must}."),
        )
    };
    let Some(store) = &state.store else {
        return Err(must("be left out: this server stores nothing"));
    };
    let Some(stored) =
        (store.response(&owner.0, id, SystemTime::now()).await).map_err(ApiError::from_store)?
    else {
        return Err(ApiError::unknown_response("previous_response_id", id));
    };
    if is_unfinished(&body_of(&stored)) {
        return Err(must("name a response that is finished"));
    }
    let items = Read::parse(stored.items.as_bytes());
    let mut items = items.map_err(|error| ApiError::internal(error.to_string()))?;
    without_nul(&mut items);
    Ok(items)
}

/// A model may write what no request may hold: a conversation goes on from it all the same.
fn without_nul(value: &mut Read) {
    match value {
        Read::String(text) if text.contains('\0') => {
            *text = text.replace('\0', "\u{fffd}");
        }
        Read::Array(items) => items.iter_mut().for_each(without_nul),
        Read::Object(entries) => entries.iter_mut().for_each(|(_, value)| without_nul(value)),
        _ => {}
    }
}

/// `GET /v1/responses/{id}`.
pub async fn get(
    State(state): State<Arc<ApiState>>,
    Extension(owner): Extension<Owner>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, ApiError> {
    shown(&state, &owner, &id_of(id)).await.map(Json)
}

/// `GET /v1/responses/{id}/input_items`.
pub async fn input_items(
    State(state): State<Arc<ApiState>>,
    Extension(owner): Extension<Owner>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, ApiError> {
    let stored = stored(&state, &owner, &id_of(id)).await?;
    let num_output = body_of(&stored)["output"].as_array().map_or(0, Vec::len);
    let mut items: Vec<Value> = serde_json::from_str(&stored.items).unwrap_or_default();
    items.truncate(items.len().saturating_sub(num_output));
    let items = items.into_iter().enumerate();
    let mut items: Vec<Value> = items.map(|(index, item)| listed(index, item)).collect();
    // Newest first, as OpenAI has it.
    items.reverse();
    let end = |item: Option<&Value>| item.map_or(Value::Null, |item| item["id"].clone());
    Ok(Json(json!({
        "object": "list",
        "first_id": end(items.first()),
        "last_id": end(items.last()),
        "has_more": false,
        "data": items,
    })))
}

/// `DELETE /v1/responses/{id}`.
pub async fn delete(
    State(state): State<Arc<ApiState>>,
    Extension(owner): Extension<Owner>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, ApiError> {
    let id = id_of(id);
    stored(&state, &owner, &id).await?;
    // It must not come back when it is finished.
    state.background.stop(&owner, &id).await;
    if let Some(store) = &state.store {
        (store
            .delete_response(&owner.0, &id, SystemTime::now())
            .await)
            .map_err(ApiError::from_store)?;
    }
    Ok(Json(
        json!({"id": id, "object": "response", "deleted": true}),
    ))
}

/// `POST /v1/responses/{id}/cancel`.
pub async fn cancel(
    State(state): State<Arc<ApiState>>,
    Extension(owner): Extension<Owner>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, ApiError> {
    let id = id_of(id);
    if body_of(&stored(&state, &owner, &id).await?)["background"] != true {
        return Err(ApiError::bad_body(
            "Only a response that was asked for with `background` can be cancelled.",
        ));
    }
    state.background.stop(&owner, &id).await;
    shown(&state, &owner, &id).await.map(Json)
}

/// What is not UTF-8 names no response.
fn id_of(path: Result<Path<String>, PathRejection>) -> String {
    path.map_or_else(|_| char::REPLACEMENT_CHARACTER.to_string(), |Path(id)| id)
}

/// What is stored under an id of this owner.
async fn stored(state: &ApiState, owner: &Owner, id: &str) -> Result<StoredResponse, ApiError> {
    let found = match &state.store {
        Some(store) => {
            (store.response(&owner.0, id, SystemTime::now()).await).map_err(ApiError::from_store)?
        }
        None => None,
    };
    found.ok_or_else(|| ApiError::unknown_response("id", id))
}

/// A stored response as its owner is to see it.
async fn shown(state: &ApiState, owner: &Owner, id: &str) -> Result<Value, ApiError> {
    let was_running = state.background.is_running(owner, id);
    let mut body = body_of(&stored(state, owner, id).await?);
    // What ran when the process ended runs no more.
    if is_unfinished(&body) && !was_running {
        body["status"] = "failed".into();
        body["error"] = json!({
            "code": "server_error",
            "message": "The server was started again before this response was finished.",
        });
    }
    Ok(body)
}

fn body_of(stored: &StoredResponse) -> Value {
    serde_json::from_str(&stored.body).unwrap_or_default()
}

fn is_unfinished(body: &Value) -> bool {
    body["status"] == "queued" || body["status"] == "in_progress"
}

impl Running {
    /// To the end, or to the first error, which the answer then holds too.
    async fn run(&mut self) -> Result<(), ApiError> {
        while self.step().await? {}
        Ok(())
    }

    /// The next event of the generation; false after the last, when the response is kept.
    async fn step(&mut self) -> Result<bool, ApiError> {
        match self.generation.next().await {
            Some(GenerationEvent::Prompt { .. } | GenerationEvent::Echo { .. }) => Ok(true),
            Some(GenerationEvent::Delta { part, logprobs, .. }) => {
                self.answer.add(part, logprobs);
                Ok(true)
            }
            Some(GenerationEvent::Finished { reason, .. }) => {
                let usage = self.generation.usage();
                let end = End::Finished(reason, usage);
                self.end(end).await;
                Ok(false)
            }
            Some(GenerationEvent::Failed(error)) => {
                let error = ApiError::from_generation(&error, INPUT);
                Err(self.fail(error).await)
            }
            None => {
                let error = ApiError::internal("a generation ended before its choice");
                Err(self.fail(error).await)
            }
        }
    }

    async fn fail(&mut self, error: ApiError) -> ApiError {
        let error = error.logged(self.generation.request_id());
        self.end(End::Failed(&error)).await;
        error
    }

    /// Keeps the response before it says so.
    async fn end(&mut self, end: End<'_>) {
        let now = SystemTime::now();
        // What failed before anybody knew its id, nobody asks for.
        let is_known = self.is_named || matches!(end, End::Finished(..));
        self.answer.finish(end, now);
        if is_known {
            self.items.extend(self.answer.output().iter().cloned());
            let is_kept = self.save(now).await;
            self.answer.set_stored(is_kept);
        }
        self.answer.announce_end();
    }

    /// Whether it is kept.
    async fn save(&self, now: SystemTime) -> bool {
        let Some(keep) = &self.keep else { return false };
        let stored = StoredResponse {
            body: self.answer.body().to_string(),
            items: Value::from(self.items.clone()).to_string(),
        };
        let put = keep
            .store
            .put_response(&keep.owner.0, self.answer.id(), &stored, now);
        match put.await {
            Ok(()) => true,
            Err(error) => {
                let id = self.generation.request_id();
                tracing::warn!(request.id = %id, "the response to request {id} is not stored: {error}");
                false
            }
        }
    }
}
