//! Forms as OpenAI's clients send them.

use crate::server::{Answer, TestServer};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

const BOUNDARY: &str = "a8f2";

/// The fields of a form, one after the other.
#[derive(Default)]
pub struct Form(Vec<u8>);

impl Form {
    pub fn text(mut self, name: &str, text: &str) -> Self {
        self.part(&format!("name=\"{name}\""), text.as_bytes());
        self
    }

    pub fn file(mut self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let disposition = format!("name=\"file\"; filename=\"{name}\"");
        self.part(&disposition, content.as_ref());
        self
    }

    fn part(&mut self, disposition: &str, content: &[u8]) {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n");
        self.0.extend_from_slice(head.as_bytes());
        self.0.extend_from_slice(content);
        self.0.extend_from_slice(b"\r\n");
    }

    pub fn send_with(self, request: RequestBuilder) -> RequestBuilder {
        let mut body = self.0;
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let media_type = format!("multipart/form-data; boundary={BOUNDARY}");
        request.header("content-type", media_type).body(body)
    }
}

/// The form that says what a JSON object does: `file` is a file, and what stands in an object has
/// its name in brackets.
impl From<&Value> for Form {
    fn from(fields: &Value) -> Self {
        let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
        let mut form = Self::default();
        for (name, value) in fields.as_object().unwrap() {
            form = match value {
                Value::Object(inner) => (inner.iter()).fold(form, |form, (inner, value)| {
                    form.text(&format!("{name}[{inner}]"), &text(value))
                }),
                value if name == "file" => form.file("a.txt", text(value)),
                value => form.text(name, &text(value)),
            };
        }
        form
    }
}

impl TestServer {
    pub async fn post_form(&self, path: &str, form: Form) -> Answer {
        let request = form.send_with(self.request(Method::POST, path));
        Answer::read(request.send().await.unwrap()).await
    }
}
