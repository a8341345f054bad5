//! Documents that are sent or kept: `POST /v1/documents/parse`, and the files of chats.

use super::auth::Owner;
use super::body::JsonBody;
use super::error::ApiError;
use super::fields::{Field, Fields};
use super::files;
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

/// What a file is called that its client gives no name.
pub const UNNAMED: &str = "document";

/// With or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A file as a request holds it.
pub struct SentFile {
    name: Option<String>,
    content: Content,
    /// Where it stands in the request.
    path: String,
}

enum Content {
    Sent(Vec<u8>),
    /// Under this id.
    Kept(String),
}

/// Reads documents for one request.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    pub state: &'a ApiState,
    pub caller: Caller,
    owner: &'a Owner,
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
    Extension(owner): Extension<Owner>,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let mut ignored = state.ignored();
    let fields = Fields::root(&body)?;
    parameters::check(parameters::PARSE, &fields, &mut ignored)?;
    let allow_unreadable = fields.flag("allow_unreadable_pages")?.unwrap_or(false);
    let file = SentFile::parse(&fields)?;
    let reading = Reading::new(&state, caller, &owner);
    let (name, document) = reading.document(file, allow_unreadable).await?;
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
    /// `file_data` or `file_id`, and `filename` of an object.
    pub fn parse(fields: &Fields<'_>) -> Result<Self, ApiError> {
        let (content, path) = match (fields.get("file_data"), fields.get("file_id")) {
            (Some(data), None) => (Content::Sent(decoded(&data)?), data),
            (None, Some(id)) => (Content::Kept(id.string()?.to_owned()), id),
            (Some(_), Some(id)) => return Err(id.must("be left out beside `file_data`")),
            (None, None) => {
                let id = fields.path_of("file_id");
                return Err(fields.lacks("file_data", &format!(" or `{id}`")));
            }
        };
        let name = |field: Field<'_>| file_name(field.string()?).map_err(|must| field.must(must));
        Ok(Self {
            name: fields.get("filename").map(name).transpose()?,
            content,
            path: path.path().to_owned(),
        })
    }
}

impl<'a> Reading<'a> {
    pub fn new(state: &'a ApiState, caller: Caller, owner: &'a Owner) -> Self {
        Self {
            state,
            caller,
            owner,
        }
    }

    /// The name of a file, and the document that a process of its own reads when it is the caller's
    /// turn.
    pub async fn document(
        self,
        file: SentFile,
        allow_unreadable: bool,
    ) -> Result<(String, Document), ApiError> {
        let SentFile {
            name,
            content,
            path,
        } = file;
        let Some(reader) = &self.state.documents else {
            return Err(ApiError::internal("there is no reader of documents"));
        };
        let (reader, limits) = (Arc::clone(&reader.parser), reader.limits.clone());
        // Waiting here and not on a thread, a client that leaves gives up its place.
        let place = self.state.readers.place(self.caller).await;
        let (name, bytes) = match content {
            Content::Sent(bytes) => (name.unwrap_or_else(|| UNNAMED.to_owned()), bytes),
            // Not before its turn: a small request may name many large files.
            Content::Kept(id) => {
                let (kept, bytes) = files::named(self.state, self.owner, &path, &id).await?;
                (name.unwrap_or(kept), bytes)
            }
        };
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

/// A name is shown to the model and in answers: on one line, and no longer than one. The error is
/// what it must be.
pub fn file_name(name: &str) -> Result<String, String> {
    let max = super::limits::MAX_FILE_NAME_CHARS;
    let num_chars = name.chars().count();
    if num_chars == 0 || num_chars > max || name.chars().any(char::is_control) {
        return Err(format!(
            "have 1 to {max} characters, none of them a control character"
        ));
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
