//! A template that was parsed, and how far one rendering of it may go.

use super::content::parts_value;
use super::template_environment::{Refusal, template_environment, without_generation_tags};
use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, Value};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::io;
use std::sync::OnceLock;

/// What a template is given, by name.
pub(super) type Context = BTreeMap<String, Value>;

/// The longest known template has some 30 KiB.
const MAX_SOURCE_BYTES: usize = 128 << 10;

/// The parser recurses with some constructs that it does not count (`not not …`, `elif`); this
/// is enough for a template of [`MAX_SOURCE_BYTES`] that consists of nothing else.
const PARSER_STACK_BYTES: usize = 256 << 20;

/// Instructions that every rendering may execute. The longest known template takes some thousands
/// for itself. A list that grows by each of them costs as many copies squared, so not more.
const BASE_FUEL: u64 = 50_000;
/// And for each text of the callers, names of members included: a message takes some hundreds.
const FUEL_FOR_A_TEXT: u64 = 5_000;
/// And for each byte of them: some templates go through lines.
const FUEL_FOR_A_BYTE: u64 = 2;
const MAX_FUEL: u64 = 20_000_000;

/// A rendering may be this much longer than eight times what callers wrote.
const MAX_ADDED_BYTES: usize = 16 << 20;

const NAME: &str = "chat template";

/// Roles of messages that may say something in parts.
const ROLES: [&str; 4] = ["system", "user", "assistant", "tool"];

pub(super) struct CompiledTemplate {
    environment: Environment<'static>,
    source: String,
    /// In what messages of these roles say the template takes parts. Found out when the first
    /// parts come.
    roles_of_parts: OnceLock<Vec<&'static str>>,
}

/// How far a rendering may go: as far as what callers wrote gives reason to.
pub(super) struct Bounds {
    fuel: u64,
    num_bytes: usize,
}

/// Collects what a template writes, up to a limit.
struct BoundedOutput {
    bytes: Vec<u8>,
    limit: usize,
}

impl Bounds {
    /// `texts`: everything that callers wrote.
    pub(super) fn of(texts: &[&str]) -> Self {
        let num_bytes: usize = texts.iter().map(|text| text.len()).sum();
        let for_texts = FUEL_FOR_A_TEXT.saturating_mul(texts.len() as u64);
        let for_bytes = FUEL_FOR_A_BYTE.saturating_mul(num_bytes as u64);
        Self {
            fuel: BASE_FUEL
                .saturating_add(for_texts)
                .saturating_add(for_bytes)
                .min(MAX_FUEL),
            num_bytes: num_bytes.saturating_mul(8).saturating_add(MAX_ADDED_BYTES),
        }
    }
}

impl CompiledTemplate {
    pub(super) fn parse(source: String) -> Result<Self, String> {
        Ok(Self {
            environment: parse(&source)?,
            source,
            roles_of_parts: OnceLock::new(),
        })
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    pub(super) fn render(&self, context: Context, bounds: &Bounds) -> Result<String, Error> {
        let mut output = BoundedOutput {
            bytes: Vec::new(),
            limit: bounds.num_bytes,
        };
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(bounds.fuel));
        environment
            .get_template(NAME)?
            .render_captured_to(Value::from_pairs(context), &mut output)?;
        // A template writes strings only.
        String::from_utf8(output.bytes)
            .map_err(|error| Error::new(ErrorKind::WriteFailure, error.to_string()))
    }

    /// Whether what a message of this role says may be parts: one is rendered as its text alone
    /// is, and of two none is lost. `context` is what the template is given beside messages.
    pub(super) fn takes_parts(&self, role: &str, context: &Context) -> bool {
        let roles = self.roles_of_parts.get_or_init(|| {
            let takes = |role: &&str| self.renders_parts(role, context);
            ROLES.into_iter().filter(takes).collect()
        });
        roles.contains(&role)
    }

    fn renders_parts(&self, role: &str, context: &Context) -> bool {
        let rendered = |content: Json| {
            let mut context = context.clone();
            let messages = trial(role, content);
            context.insert("messages".to_owned(), Value::from(Serde(messages)));
            context.insert("tools".to_owned(), Value::from(()));
            self.render(context, &Bounds::of(&[])).ok()
        };
        let (first, second) = ("Grüße", "Salutations");
        let text = rendered(first.into());
        let both = rendered(parts_value(&[first, second])).unwrap_or_default();
        text.is_some()
            && text == rendered(parts_value(&[first]))
            && both.contains(first)
            && both.contains(second)
    }
}

/// A conversation that any template renders, in which a message of this role says `content`.
fn trial(role: &str, content: Json) -> Json {
    let message = json!({"role": role, "content": content, "tool_call_id": "a1b2c3d4e"});
    let call = json!({"id": "a1b2c3d4e", "type": "function",
        "function": {"name": "clock", "arguments": {}}});
    let user = json!({"role": "user", "content": "?"});
    let called = json!({"role": "assistant", "content": "", "tool_calls": [call]});
    match role {
        "user" => json!([message]),
        "assistant" => json!([user, message]),
        "tool" => json!([user, called, message]),
        _ => json!([message, user]),
    }
}

impl io::Write for BoundedOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(io::Error::other(format!("more than {} bytes", self.limit)));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn parse(source: &str) -> Result<Environment<'static>, String> {
    if source.len() > MAX_SOURCE_BYTES {
        return Err(format!(
            "the chat template is longer than {MAX_SOURCE_BYTES} bytes"
        ));
    }
    let parse = || -> Result<Environment<'static>, Error> {
        let mut environment = template_environment()?;
        environment.add_template_owned(NAME, without_generation_tags(source).into_owned())?;
        Ok(environment)
    };
    let parsed = std::thread::scope(|scope| {
        let parser = std::thread::Builder::new()
            .stack_size(PARSER_STACK_BYTES)
            .spawn_scoped(scope, parse);
        let parser =
            parser.map_err(|error| format!("the chat template cannot be parsed: {error}"))?;
        parser
            .join()
            .map_err(|_| "the chat template cannot be parsed: the parser panicked".to_owned())
    })?;
    parsed.map_err(|error| format!("the chat template is invalid: {error}"))
}

/// What a template said with `raise_exception`.
pub(super) fn refusal(error: &Error) -> Option<&str> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(Refusal(message)) = error.downcast_ref() {
            return Some(message);
        }
        cause = error.source();
    }
    None
}

/// The template's own words where it refused, else what went wrong in it.
pub(super) fn describe(error: &Error) -> String {
    if let Some(message) = refusal(error) {
        return message.to_owned();
    }
    match error.kind() {
        ErrorKind::OutOfFuel => "the chat template ran too long on these messages".to_owned(),
        ErrorKind::WriteFailure => {
            "the chat template writes far more than these messages hold".to_owned()
        }
        _ => format!("the chat template failed on these messages: {error}"),
    }
}
