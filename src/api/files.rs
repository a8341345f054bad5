//! `/v1/files`: files that are kept, so that requests may name them.

use super::auth::Owner;
use super::documents::{UNNAMED, file_name};
use super::error::ApiError;
use super::fields::Fields;
use super::form::{FormBody, FormFile, Query};
use super::json::Json as Read;
use super::parameters::{self, EXPIRES_AFTER, FILE_LIST, FILE_UPLOAD};
use super::state::ApiState;
use super::{limits, random};
use crate::generation::Caller;
use crate::store::{FilePage, FileQuery, NewFile, Store, StoredFile};
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{
    CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::TryStreamExt as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use utoipa::ToSchema;

/// The one that files are kept for.
const PURPOSE: &str = "user_data";

/// From which the time of a file counts.
const ANCHOR: &str = "created_at";

/// A kept file, without its content.
#[derive(Serialize, ToSchema)]
pub struct FileObject {
    id: String,
    object: &'static str,
    bytes: u64,
    created_at: i64,
    expires_at: i64,
    filename: String,
    purpose: String,
    /// Always `processed`: a file is read when it is asked about.
    status: &'static str,
    /// Of the content, in hexadecimal.
    sha256: String,
}

#[derive(Serialize, ToSchema)]
pub struct FileList {
    object: &'static str,
    data: Vec<FileObject>,
    #[schema(required)]
    first_id: Option<String>,
    #[schema(required)]
    last_id: Option<String>,
    has_more: bool,
}

#[derive(Serialize, ToSchema)]
pub struct DeletedFile {
    id: String,
    object: &'static str,
    deleted: bool,
}

/// A file as a form holds it, validated.
struct Upload {
    name: String,
    content: bytes::Bytes,
    time: Option<Duration>,
}

/// `POST /v1/files`.
pub async fn create(
    State(state): State<Arc<ApiState>>,
    Extension(caller): Extension<Caller>,
    Extension(owner): Extension<Owner>,
    form: FormBody,
) -> Result<Response, ApiError> {
    let store = store(&state)?;
    let mut ignored = state.ignored();
    let fields = Fields::root(&form.fields)?;
    parameters::check(FILE_UPLOAD, &fields, &mut ignored)?;
    let upload = Upload::parse(&fields, form.file)?;
    let content = upload.content.clone();
    let digest = move || format!("{:x}", Sha256::digest(&content));
    let sha256 = state.beside_connections(caller, digest).await?;
    let file = NewFile {
        id: &format!("file-{}", random::hex()),
        name: &upload.name,
        purpose: PURPOSE,
        content: &upload.content,
        sha256: &sha256,
        time: upload.time,
    };
    let stored =
        (store.put_file(&owner.0, &file, SystemTime::now()).await).map_err(ApiError::from_store)?;
    let mut response = Json(FileObject::from(stored)).into_response();
    ignored.write_header(&mut response);
    Ok(response)
}

/// `GET /v1/files`.
pub async fn list(
    State(state): State<Arc<ApiState>>,
    Extension(owner): Extension<Owner>,
    Query(query): Query,
) -> Result<Json<FileList>, ApiError> {
    let store = store(&state)?;
    let fields = Fields::root(&query)?;
    parameters::check(FILE_LIST, &fields, &mut state.ignored())?;
    let text = |name: &str| fields.get(name).map(|field| field.string()).transpose();
    let query = FileQuery {
        after: text("after")?,
        purpose: text("purpose")?,
        newest_first: match fields.get("order") {
            None => true,
            Some(field) => match field.string()? {
                "desc" => true,
                "asc" => false,
                _ => return Err(field.must("be `asc` or `desc`")),
            },
        },
        limit: match fields.get("limit") {
            None => limits::MAX_LISTED_FILES,
            Some(field) => field.count(limits::MAX_LISTED_FILES)?,
        },
    };
    let found =
        (store.files(&owner.0, query, SystemTime::now()).await).map_err(ApiError::from_store)?;
    match found {
        Some(page) => Ok(Json(page.into())),
        None => Err(ApiError::unknown_file_in(
            "after",
            query.after.unwrap_or_default(),
        )),
    }
}

/// `GET /v1/files/{id}`.
pub async fn get(
    State(state): State<Arc<ApiState>>,
    Extension(owner): Extension<Owner>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<FileObject>, ApiError> {
    let (_, file) = stored(&state, &owner, id).await?;
    Ok(Json(file.into()))
}

/// `GET /v1/files/{id}/content`: its bytes, never as something that a browser would show.
pub async fn content(
    State(state): State<Arc<ApiState>>,
    Extension(owner): Extension<Owner>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let (store, file) = stored(&state, &owner, id).await?;
    let name = utf8_percent_encode(&file.name, NON_ALPHANUMERIC);
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_LENGTH, file.num_bytes.to_string()),
        (
            CONTENT_DISPOSITION,
            format!("attachment; filename*=UTF-8''{name}"),
        ),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    let pieces = store.file_content(&file).map_ok(bytes::Bytes::from);
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// `DELETE /v1/files/{id}`.
pub async fn delete(
    State(state): State<Arc<ApiState>>,
    Extension(owner): Extension<Owner>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<DeletedFile>, ApiError> {
    let (store, file) = stored(&state, &owner, id).await?;
    let deleted = (store
        .delete_file(&owner.0, &file.id, SystemTime::now())
        .await)
        .map_err(ApiError::from_store)?;
    Ok(Json(DeletedFile {
        id: file.id,
        object: "file",
        deleted,
    }))
}

/// The name and the content of a file that a request names at `path`.
pub async fn named(
    state: &ApiState,
    owner: &Owner,
    path: &str,
    id: &str,
) -> Result<(String, Vec<u8>), ApiError> {
    let Some(store) = &state.store else {
        return Err(ApiError::invalid(
            path,
            format!("`{path}` must be left out: this server keeps no files."),
        ));
    };
    let found =
        (store.file(&owner.0, id, SystemTime::now()).await).map_err(ApiError::from_store)?;
    let content = match &found {
        Some(file) => store.whole_file(file).await.map_err(ApiError::from_store)?,
        None => None,
    };
    match (found, content) {
        (Some(file), Some(content)) => Ok((file.name, content)),
        _ => Err(ApiError::unknown_file_in(path, id)),
    }
}

fn store(state: &ApiState) -> Result<&Store, ApiError> {
    state.store.as_ref().ok_or_else(ApiError::keeps_no_files)
}

/// What is stored under an id of this owner, and where.
async fn stored<'a>(
    state: &'a ApiState,
    owner: &Owner,
    id: Result<Path<String>, PathRejection>,
) -> Result<(&'a Store, StoredFile), ApiError> {
    let store = store(state)?;
    // What is not UTF-8 names no file.
    let id = id.map_or_else(|_| char::REPLACEMENT_CHARACTER.to_string(), |Path(id)| id);
    let found =
        (store.file(&owner.0, &id, SystemTime::now()).await).map_err(ApiError::from_store)?;
    match found {
        Some(file) => Ok((store, file)),
        None => Err(ApiError::unknown_file(&id)),
    }
}

impl Upload {
    fn parse(fields: &Fields<'_>, file: Option<FormFile>) -> Result<Self, ApiError> {
        let Some(FormFile { name, content }) = file else {
            return Err(ApiError::invalid("file", "`file` is required."));
        };
        let purpose = fields.require("purpose")?;
        if *purpose.value() != Read::String(PURPOSE.to_owned()) {
            return Err(purpose.must(format_args!(
                "be `{PURPOSE}`: files are kept here for requests that name them"
            )));
        }
        Ok(Self {
            name: file_name(name.as_deref().unwrap_or(UNNAMED)).map_err(|must| {
                ApiError::invalid("file", format!("The filename of `file` must {must}."))
            })?,
            content,
            time: (fields.get("expires_after"))
                .map(|field| time(&field.object()?))
                .transpose()?,
        })
    }
}

/// `expires_after`.
fn time(fields: &Fields<'_>) -> Result<Duration, ApiError> {
    // None of its rows is one that is ignored.
    parameters::check(EXPIRES_AFTER, fields, &mut parameters::Ignored::default())?;
    let anchor = fields.require("anchor")?;
    if anchor.string()? != ANCHOR {
        return Err(anchor.must(format_args!("be `{ANCHOR}`")));
    }
    let seconds = fields
        .require("seconds")?
        .count_from(limits::MIN_FILE_SECONDS, limits::MAX_FILE_SECONDS)?;
    Ok(Duration::from_secs(seconds as u64))
}

impl From<StoredFile> for FileObject {
    fn from(file: StoredFile) -> Self {
        Self {
            id: file.id,
            object: "file",
            bytes: file.num_bytes,
            created_at: file.created_at,
            expires_at: file.expires_at,
            filename: file.name,
            purpose: file.purpose,
            status: "processed",
            sha256: file.sha256,
        }
    }
}

impl From<FilePage> for FileList {
    fn from(page: FilePage) -> Self {
        let id = |file: Option<&StoredFile>| file.map(|file| file.id.clone());
        Self {
            object: "list",
            first_id: id(page.files.first()),
            last_id: id(page.files.last()),
            has_more: page.has_more,
            data: page.files.into_iter().map(FileObject::from).collect(),
        }
    }
}
