use super::checkpoint::{
    SpecialTokens, file_error, read_optional, read_tokenizer_config, special_tokens,
};
use super::guard::Guard;
use super::template_environment::{
    Refusal, strftime_now, template_environment, without_generation_tags,
};
use super::{ChatMessage, ChatPrompt, Ending, GuardedText, TextError, Tokenizer};
use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, Value};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// Roles are a template's own words: some templates build control tokens from them.
const ROLES: [&str; 5] = ["system", "developer", "user", "assistant", "tool"];

/// What else templates look for by name in messages, calls and definitions of tools.
const NAMES: [&str; 19] = [
    "role",
    "content",
    "name",
    "reasoning_content",
    "tool_calls",
    "tool_call_id",
    "id",
    "type",
    "function",
    "arguments",
    "description",
    "parameters",
    "properties",
    "required",
    "items",
    "enum",
    "return",
    "enable_thinking",
    "reasoning_effort",
];

/// And what they compare types with.
const TYPES: [&str; 8] = [
    "function", "null", "boolean", "integer", "number", "string", "array", "object",
];

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

    /// What marks calls and reasoning stands in here.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Renders a prompt up to its ending. Nothing a caller wrote becomes a control token.
    pub fn render(
        &self,
        tokenizer: &Tokenizer,
        prompt: &ChatPrompt,
        clock: SystemTime,
    ) -> Result<GuardedText, TextError> {
        let messages: Json = prompt.messages.iter().map(ChatMessage::to_value).collect();
        let tools = Json::Array(prompt.tools.clone());
        let arguments = Json::Object(prompt.arguments.clone());
        let callers = [&messages, &tools, &arguments];
        let mut texts = Vec::new();
        callers
            .iter()
            .for_each(|value| collect_texts(value, &mut texts));
        let ours = std::iter::once(self.source.as_str())
            .chain(self.special_tokens.values().map(String::as_str));
        let mut guard = Guard::new(tokenizer, texts.iter().copied().chain(ours));
        let num_bytes: usize = texts.iter().map(|text| text.len()).sum();
        let limit = num_bytes.saturating_mul(8).saturating_add(MAX_ADDED_BYTES);
        let (messages, tools) = (
            protected(&mut guard, &messages)?,
            protected(&mut guard, &tools)?,
        );
        let last = messages.as_array().and_then(|messages| messages.last());
        let open = match (prompt.ending, last) {
            (Ending::Open, Some(last)) => last["content"].as_str().map(str::to_owned),
            _ => None,
        };
        let mut context = self
            .context(clock, prompt.ending == Ending::Answer)
            .map_err(|error| failed(&guard, &error))?;
        for (name, value) in &prompt.arguments {
            let value = protected(&mut guard, value)?;
            context.insert(name.clone(), Value::from(Serde(value)));
        }
        let given = !prompt.tools.is_empty();
        context.insert("messages".to_owned(), Value::from(Serde(messages)));
        context.insert(
            "tools".to_owned(),
            given.then(|| Value::from(Serde(tools))).into(),
        );
        match self.render_protected(context, limit) {
            Ok(rendered) => Ok(guard.restore(match &open {
                Some(open) => up_to(&rendered, open)?,
                None => &rendered,
            })),
            Err(error) => Err(failed(&guard, &error)),
        }
    }

    /// What a template finds beside what a request gives.
    fn context(
        &self,
        clock: SystemTime,
        begins_answer: bool,
    ) -> Result<BTreeMap<String, Value>, Error> {
        let tokens = self.special_tokens.iter();
        let mut context: BTreeMap<String, Value> = tokens
            .map(|(name, token)| (name.clone(), Value::from(token.as_str())))
            .collect();
        context.insert("documents".to_owned(), Value::from(()));
        let begins_answer = Value::from(begins_answer);
        context.insert("add_generation_prompt".to_owned(), begins_answer);
        context.insert("strftime_now".to_owned(), strftime_now(clock)?);
        Ok(context)
    }

    fn render_protected(
        &self,
        context: BTreeMap<String, Value>,
        limit: usize,
    ) -> Result<String, Error> {
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

/// What a template wrote until the last message's text ends. Templates trim it, some of them.
fn up_to<'a>(rendered: &'a str, open: &str) -> Result<&'a str, TextError> {
    let found = [open, open.trim_start(), open.trim_end(), open.trim()]
        .into_iter()
        .filter(|text| !text.is_empty())
        .find_map(|text| Some(rendered.rfind(text)? + text.len()));
    found.map(|end| &rendered[..end]).ok_or_else(|| {
        TextError::Template(
            "the last message cannot go on, because its text is not shown as it is".to_owned(),
        )
    })
}

fn failed(guard: &Guard<'_>, error: &Error) -> TextError {
    TextError::Template(guard.restore(&describe(error)).as_str().to_owned())
}

fn collect_texts<'a>(value: &'a Json, texts: &mut Vec<&'a str>) {
    match value {
        Json::String(text) => texts.push(text),
        Json::Array(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        Json::Object(members) => {
            for (name, value) in members {
                texts.push(name);
                collect_texts(value, texts);
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// Everything that callers wrote, as the template may see it.
fn protected(guard: &mut Guard<'_>, value: &Json) -> Result<Json, TextError> {
    Ok(match value {
        Json::String(text) => guard.protect(text)?.into(),
        Json::Array(items) => {
            let items = items.iter().map(|item| protected(guard, item));
            items.collect::<Result<_, _>>()?
        }
        Json::Object(members) => {
            let mut out = serde_json::Map::new();
            for (name, value) in members {
                let value = match value.as_str() {
                    Some(word) if is_word_of_templates(name, word) => value.clone(),
                    _ => protected(guard, value)?,
                };
                let name = if NAMES.contains(&name.as_str()) {
                    name.clone()
                } else {
                    guard.protect(name)?
                };
                out.insert(name, value);
            }
            Json::Object(out)
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => value.clone(),
    })
}

/// Templates compare these, and some build control tokens from roles.
fn is_word_of_templates(name: &str, word: &str) -> bool {
    match name {
        "role" => ROLES.contains(&word),
        "type" => TYPES.contains(&word),
        _ => false,
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
