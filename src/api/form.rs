//! What comes as names and texts: a form (`multipart/form-data`), and the query of an address. They
//! become the JSON that a body would be, so that the same tables and checks hold for them.

use super::body;
use super::error::{ApiError, shown};
use super::json::Json;
use super::limits;
use super::state::ApiState;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use bytes::Bytes;
use futures_util::stream;
use multer::{Constraints, Multipart, SizeLimit};
use std::convert::Infallible;
use std::sync::Arc;

/// The part that may be large.
const FILE: &str = "file";

/// The fields of a form, and the file in it.
pub struct FormBody {
    pub fields: Json,
    pub file: Option<FormFile>,
}

pub struct FormFile {
    /// As the client calls it.
    pub name: Option<String>,
    pub content: Bytes,
}

/// What stands in an address after the question mark.
pub struct Query(pub Json);

impl FromRequest<Arc<ApiState>> for FormBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &Arc<ApiState>) -> Result<Self, ApiError> {
        let content_type = request.headers().get(CONTENT_TYPE);
        let boundary = (content_type.and_then(|value| value.to_str().ok()))
            .and_then(|value| multer::parse_boundary(value).ok())
            .ok_or_else(|| {
                ApiError::media_type(
                    "a form: send the header `Content-Type: multipart/form-data; boundary=…`",
                )
            })?;
        let max_file_bytes = state.max_document_bytes();
        let max = state.max_body_bytes.saturating_add(max_file_bytes);
        let bytes = body::whole(request, state, max).await?;
        Self::read(bytes, boundary, max_file_bytes).await
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut fields = Texts::default();
        let query = parts.uri.query().unwrap_or_default();
        for (name, text) in form_urlencoded::parse(query.as_bytes()) {
            fields.add(&name, &text)?;
        }
        Ok(Self(fields.json))
    }
}

impl FormBody {
    async fn read(bytes: Bytes, boundary: String, max_file_bytes: usize) -> Result<Self, ApiError> {
        let sizes = SizeLimit::new()
            .per_field(limits::MAX_FORM_TEXT_BYTES as u64)
            .for_field(FILE, max_file_bytes as u64);
        let mut parts = Multipart::with_constraints(
            stream::iter([Ok::<_, Infallible>(bytes)]),
            boundary,
            Constraints::new().size_limit(sizes),
        );
        let failed = |error| unusable(error, max_file_bytes);
        let (mut fields, mut file) = (Texts::default(), None);
        while let Some(part) = parts.next_field().await.map_err(failed)? {
            let Some(name) = part.name().map(str::to_owned) else {
                return Err(ApiError::bad_body("A part of the form has no name."));
            };
            if name == FILE {
                fields.count()?;
                let name = part.file_name().map(str::to_owned);
                let content = part.bytes().await.map_err(failed)?;
                if file.replace(FormFile { name, content }).is_some() {
                    return Err(given_twice(FILE));
                }
            } else {
                let text = part.bytes().await.map_err(failed)?;
                let text = std::str::from_utf8(&text).map_err(|_| {
                    let name = shown(&name);
                    ApiError::invalid(&name, format!("`{name}` must be UTF-8."))
                })?;
                fields.add(&name, text)?;
            }
        }
        Ok(Self {
            fields: fields.json,
            file,
        })
    }
}

/// An object that grows by names and texts.
struct Texts {
    json: Json,
    num_given: usize,
}

impl Default for Texts {
    fn default() -> Self {
        Self {
            json: Json::Object(Vec::new()),
            num_given: 0,
        }
    }
}

impl Texts {
    /// `a[b]` is the property `b` of the object `a`, as OpenAI's clients write it; a text that is an
    /// integer is one.
    fn add(&mut self, name: &str, text: &str) -> Result<(), ApiError> {
        self.count()?;
        let value = match text.parse() {
            Ok(integer) => Json::Integer(integer),
            Err(_) => Json::String(text.to_owned()),
        };
        let within = name
            .strip_suffix(']')
            .and_then(|name| name.split_once('['))
            .filter(|(object, _)| !object.is_empty());
        let (object, name) = match within {
            None => (&mut self.json, name),
            Some((outer, name)) => {
                self.json.set_absent(outer, Json::Object(Vec::new()));
                match self.json.entry_mut(outer) {
                    Some(object @ Json::Object(_)) => (object, name),
                    _ => return Err(given_twice(outer)),
                }
            }
        };
        if object.entry(name).is_some() {
            return Err(given_twice(name));
        }
        object.set(name, value);
        Ok(())
    }

    /// One more part.
    fn count(&mut self) -> Result<(), ApiError> {
        self.num_given += 1;
        if self.num_given > limits::MAX_FORM_PARTS {
            return Err(ApiError::bad_body(format!(
                "There are more than {} fields.",
                limits::MAX_FORM_PARTS
            )));
        }
        Ok(())
    }
}

fn given_twice(name: &str) -> ApiError {
    let name = shown(name);
    ApiError::invalid(&name, format!("`{name}` must not be given twice."))
}

fn unusable(error: multer::Error, max_file_bytes: usize) -> ApiError {
    match error {
        multer::Error::FieldSizeExceeded { field_name, .. } => match field_name.as_deref() {
            Some(FILE) => ApiError::file_too_large(max_file_bytes),
            name => {
                let name = shown(name.unwrap_or_default());
                let max = limits::MAX_FORM_TEXT_BYTES;
                ApiError::invalid(&name, format!("`{name}` must have at most {max} bytes."))
            }
        },
        // What it says of headers may hold a name.
        multer::Error::ReadHeaderFailed(_) | multer::Error::DecodeHeaderValue { .. } => {
            ApiError::bad_body("A part of the form has headers that cannot be read.")
        }
        other => ApiError::bad_body(format!(
            "The body is not a usable form: {}.",
            shown(&other.to_string())
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDARY: &str = "b";

    fn form(parts: &[&str]) -> Bytes {
        let mut body: String = parts
            .iter()
            .map(|part| format!("--b\r\nContent-Disposition: form-data; {part}\r\n"))
            .collect();
        body.push_str("--b--\r\n");
        body.into()
    }

    async fn read(parts: &[&str]) -> Result<FormBody, ApiError> {
        FormBody::read(form(parts), BOUNDARY.to_owned(), 10).await
    }

    async fn refusal(parts: &[&str]) -> String {
        match read(parts).await {
            Ok(_) => panic!("{parts:?} is taken"),
            Err(error) => error.to_json()["error"]["message"].to_string(),
        }
    }

    #[tokio::test]
    async fn names_in_brackets_stand_in_an_object_and_a_file_is_bytes() {
        let form = read(&[
            "name=\"purpose\"\r\n\r\nuser_data",
            "name=\"after[anchor]\"\r\n\r\ncreated_at",
            "name=\"after[seconds]\"\r\n\r\n3600",
            "name=\"file\"; filename=\"Bescheid äöü.pdf\"\r\nContent-Type: application/pdf\r\n\r\na\r\nb\0",
        ])
        .await
        .unwrap_or_else(|error| panic!("{}", error.to_json()));
        let wanted = r#"{"purpose":"user_data","after":{"anchor":"created_at","seconds":3600}}"#;
        assert_eq!(form.fields, Json::parse(wanted.as_bytes()).unwrap());
        let file = form.file.unwrap();
        assert_eq!(file.name.as_deref(), Some("Bescheid äöü.pdf"));
        assert_eq!(&file.content[..], b"a\r\nb\0");
    }

    #[tokio::test]
    async fn what_is_given_twice_or_too_large_is_refused_by_its_name() {
        let file = "name=\"file\"; filename=\"a\"\r\n\r\n";
        for (parts, reason) in [
            (
                vec!["name=\"a\"\r\n\r\n1"; 2],
                "`a` must not be given twice",
            ),
            (vec![file; 2], "`file` must not be given twice"),
            (
                vec!["name=\"a\"\r\n\r\n1", "name=\"a[b]\"\r\n\r\n1"],
                "`a` must not be given twice",
            ),
            (vec!["name=\"file\"\r\n\r\n01234567890"], "10 bytes"),
            (
                vec![&format!("name=\"a\"\r\n\r\n{}", "x".repeat(1025))],
                "`a` must have at most 1024 bytes",
            ),
            (vec!["x=\"a\"\r\n\r\n1"], "has no name"),
        ] {
            let message = refusal(&parts).await;
            assert!(message.contains(reason), "{message}");
        }
        let many: Vec<_> = (0..=limits::MAX_FORM_PARTS)
            .map(|part| format!("name=\"a{part}\"\r\n\r\n1"))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(refusal(&many).await.contains("more than 16 fields"));
    }

    proptest::proptest! {
        /// Whatever a client sends, it is taken or refused.
        #[test]
        fn no_form_is_more_than_refused(
            head in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60),
            edits in proptest::collection::vec((0usize..160, proptest::prelude::any::<u8>()), 0..6),
        ) {
            let mut bytes = form(&[
                "name=\"after[seconds]\"\r\n\r\n3600",
                "name=\"file\"; filename=\"a\\\"b\"\r\nContent-Type: text/plain\r\n\r\nabc",
            ])
            .to_vec();
            for (at, byte) in edits {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            for bytes in [bytes, [b"--b\r\n".to_vec(), head].concat()] {
                // The answer is whichever; a panic would fail.
                let _ = runtime.block_on(FormBody::read(bytes.into(), BOUNDARY.to_owned(), 10));
            }
        }
    }

    #[tokio::test]
    async fn a_form_without_its_end_is_refused() {
        let whole = form(&["name=\"file\"; filename=\"a\"\r\n\r\nabc"]);
        for len in 0..whole.len() - 4 {
            let read = FormBody::read(whole.slice(..len), BOUNDARY.to_owned(), 10).await;
            assert!(read.is_err(), "{len}");
        }
    }
}
