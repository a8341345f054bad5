use super::checkpoint::{
    SpecialTokens, file_error, read_optional, read_tokenizer_config, special_tokens,
};
use super::guard::Guard;
use super::template_environment::{
    Refusal, strftime_now, template_environment, without_generation_tags,
};
use super::{ChatMessage, GuardedText, TextError, Tokenizer};
use minijinja::{Environment, Error, ErrorKind, Value};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// Roles are a template's own words: some templates build control tokens from them.
const ROLES: [&str; 5] = ["system", "developer", "user", "assistant", "tool"];

/// A rendering may be this much longer than eight times its messages.
const MAX_ADDED_BYTES: usize = 16 << 20;

/// The longest known template has some 30 KiB.
const MAX_SOURCE_BYTES: usize = 128 << 10;

/// The parser recurses with some constructs that it does not count (`not not …`, `elif`); this
/// is enough for a template of [`MAX_SOURCE_BYTES`] that consists of nothing else.
const PARSER_STACK_BYTES: usize = 256 << 20;

const NAME: &str = "chat template";

/// Messages to prompt text, as the model was trained on.
pub struct ChatTemplate {
    environment: Environment<'static>,
    source: String,
    special_tokens: SpecialTokens,
}

/// Collects what a template writes, up to a limit.
struct BoundedOutput {
    bytes: Vec<u8>,
    limit: usize,
}

impl ChatTemplate {
    /// From `chat_template.jinja`, else `tokenizer_config.json`; `None` if neither has one.
    pub fn from_dir(dir: &Path) -> Result<Option<Self>, TextError> {
        let config = read_tokenizer_config(dir)?;
        let special_tokens = special_tokens(&config);
        let path = dir.join("chat_template.jinja");
        let (path, source) = match read_optional(&path)? {
            Some(source) => (path, source),
            None => {
                let path = dir.join("tokenizer_config.json");
                match configured_template(&config).map_err(|message| file_error(&path, message))? {
                    Some(source) => (path, source),
                    None => return Ok(None),
                }
            }
        };
        let environment = compile(&source).map_err(|message| file_error(&path, message))?;
        Ok(Some(Self {
            environment,
            source,
            special_tokens,
        }))
    }

    /// Renders with `add_generation_prompt = true`. Nothing a caller wrote becomes a control token.
    pub fn render(
        &self,
        tokenizer: &Tokenizer,
        messages: &[ChatMessage],
        clock: SystemTime,
    ) -> Result<GuardedText, TextError> {
        let callers = messages.iter().flat_map(|message| {
            [
                message.role.as_str(),
                &message.content,
                message.name.as_deref().unwrap_or_default(),
            ]
        });
        let ours = std::iter::once(self.source.as_str())
            .chain(self.special_tokens.values().map(String::as_str));
        let mut guard = Guard::new(tokenizer, callers.clone().chain(ours));
        let mut protected = Vec::with_capacity(messages.len());
        for message in messages {
            let known_role = ROLES.contains(&message.role.as_str());
            protected.push(ChatMessage {
                role: if known_role {
                    message.role.clone()
                } else {
                    guard.protect(&message.role)?
                },
                content: guard.protect(&message.content)?,
                name: message
                    .name
                    .as_deref()
                    .map(|name| guard.protect(name))
                    .transpose()?,
            });
        }
        let num_bytes: usize = callers.map(str::len).sum();
        let limit = num_bytes.saturating_mul(8).saturating_add(MAX_ADDED_BYTES);
        match self.render_protected(&protected, clock, limit) {
            Ok(rendered) => Ok(guard.restore(&rendered)),
            Err(error) => Err(TextError::Template(
                guard.restore(&describe(&error)).as_str().to_owned(),
            )),
        }
    }

    fn render_protected(
        &self,
        messages: &[ChatMessage],
        clock: SystemTime,
        limit: usize,
    ) -> Result<String, Error> {
        let mut context: BTreeMap<&str, Value> = self
            .special_tokens
            .iter()
            .map(|(name, token)| (name.as_str(), Value::from(token.as_str())))
            .collect();
        context.insert("messages", messages.iter().map(message_value).collect());
        context.insert("tools", Value::from(()));
        context.insert("documents", Value::from(()));
        context.insert("add_generation_prompt", Value::from(true));
        context.insert("strftime_now", strftime_now(clock)?);
        let mut output = BoundedOutput {
            bytes: Vec::new(),
            limit,
        };
        self.environment
            .get_template(NAME)?
            .render_captured_to(Value::from_pairs(context), &mut output)?;
        // A template writes strings only.
        String::from_utf8(output.bytes)
            .map_err(|error| Error::new(ErrorKind::WriteFailure, error.to_string()))
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

/// A message as the mapping that `transformers` would pass: an absent name is no key.
fn message_value(message: &ChatMessage) -> Value {
    let mut pairs = vec![
        ("role", message.role.as_str()),
        ("content", &message.content),
    ];
    pairs.extend(message.name.as_deref().map(|name| ("name", name)));
    Value::from_pairs(pairs)
}

fn compile(source: &str) -> Result<Environment<'static>, String> {
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

/// The string, or the one called `default` of a list of `{name, template}`.
fn configured_template(config: &serde_json::Map<String, Json>) -> Result<Option<String>, String> {
    match config.get("chat_template") {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(source)) => Ok(Some(source.clone())),
        Some(Json::Array(named)) => {
            let default = named
                .iter()
                .find(|entry| entry.get("name").and_then(Json::as_str) == Some("default"));
            let source = default
                .and_then(|entry| entry.get("template"))
                .and_then(Json::as_str);
            let source = source.ok_or("chat_template names no template \"default\"")?;
            Ok(Some(source.to_owned()))
        }
        Some(_) => {
            Err("chat_template is neither a string nor a list of named templates".to_owned())
        }
    }
}

/// The template's own words where it refused, else what went wrong in it.
fn describe(error: &Error) -> String {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(Refusal(message)) = error.downcast_ref() {
            return message.clone();
        }
        cause = error.source();
    }
    match error.kind() {
        ErrorKind::OutOfFuel => "the chat template ran too long on these messages".to_owned(),
        ErrorKind::WriteFailure => {
            "the chat template writes far more than these messages hold".to_owned()
        }
        _ => format!("the chat template failed on these messages: {error}"),
    }
}
