//! Documents that are sent: `POST /v1/documents/parse`, and the files of chats.

use super::body::JsonBody;
use super::error::ApiError;
use super::fields::{Field, Fields};
use super::parameters;
use super::state::ApiState;
use crate::document::Document;
use crate::generation::Caller;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// What a client that names no file calls it.
const UNNAMED: &str = "document";

/// With or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A file as a request holds it.
pub struct SentFile {
    pub name: String,
    bytes: Vec<u8>,
    /// Where it stands in the request.
    path: String,
}

#[derive(Serialize, ToSchema)]
pub struct ParsedDocument {
    object: &'static str,
    name: String,
    /// The text, and where in it pages and blocks stand, in UTF-8 bytes.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    document: Document,
}

pub async fn parse(
    State(state): State<Arc<ApiState>>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let mut ignored = state.ignored();
    let fields = Fields::root(&body)?;
    parameters::check(parameters::PARSE, &fields, &mut ignored)?;
    let allow_unreadable = fields.flag("allow_unreadable_pages")?.unwrap_or(false);
    let file = SentFile::parse(&fields)?;
    let (name, document) = file.read(&state, caller, allow_unreadable).await?;
    let mut response = Json(ParsedDocument {
        object: "document",
        name,
        document,
    })
    .into_response();
    ignored.write_header(&mut response);
    Ok(response)
}

impl SentFile {
    /// `file_data` and `filename` of an object.
    pub fn parse(fields: &Fields<'_>) -> Result<Self, ApiError> {
        let data = fields.require("file_data")?;
        let name = match fields.get("filename") {
            Some(field) => file_name(&field)?,
            None => UNNAMED.to_owned(),
        };
        Ok(Self {
            name,
            bytes: decoded(&data)?,
            path: data.path().to_owned(),
        })
    }

    /// Its name, and the document that a process of its own reads when it is the caller's turn.
    pub async fn read(
        self,
        state: &ApiState,
        caller: Caller,
        allow_unreadable: bool,
    ) -> Result<(String, Document), ApiError> {
        let Self { name, bytes, path } = self;
        let Some(reader) = &state.documents else {
            return Err(ApiError::internal("there is no reader of documents"));
        };
        let (reader, limits) = (Arc::clone(&reader.parser), reader.limits.clone());
        // Waiting here and not on a thread, a client that leaves gives up its place.
        let place = state.readers.place(caller).await;
        let read = tokio::task::spawn_blocking(move || {
            let read = reader.parse(&bytes, &limits);
            drop(place);
            read
        });
        let document = read
            .await
            .map_err(|_| ApiError::internal("reading a document panicked"))?;
        let document = match allow_unreadable {
            true => document,
            false => document.and_then(Document::with_all_pages_readable),
        };
        match document {
            Ok(document) => Ok((name, document)),
            Err(error) => Err(ApiError::from_document(&error, &path, &name)),
        }
    }
}

/// A name is shown to the model and in answers: on one line, and no longer than one.
fn file_name(field: &Field<'_>) -> Result<String, ApiError> {
    let name = field.string()?;
    let max = super::limits::MAX_FILE_NAME_CHARS;
    let num_chars = name.chars().count();
    if num_chars == 0 || num_chars > max || name.chars().any(char::is_control) {
        return Err(field.must(format_args!(
            "have 1 to {max} characters, none of them a control character"
        )));
    }
    Ok(name.to_owned())
}

/// The bytes of a data URL, or of base64 alone.
fn decoded(field: &Field<'_>) -> Result<Vec<u8>, ApiError> {
    const MUST: &str = "be base64, alone or in a data URL (`data:application/pdf;base64,…`)";
    let text = field.string()?;
    let encoded = match text.strip_prefix("data:") {
        None => text,
        Some(url) => match url.split_once(',') {
            Some((kind, encoded)) if kind.ends_with(";base64") => encoded,
            _ => return Err(field.must(MUST)),
        },
    };
    BASE64.decode(encoded.trim()).map_err(|_| field.must(MUST))
}
