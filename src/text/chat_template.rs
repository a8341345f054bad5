use super::checkpoint::{SpecialTokens, file_error, read_tokenizer_config, special_tokens};
use super::guard::Guard;
use super::open_end::OpenEnd;
use super::template_environment::{
    Refusal, strftime_now, template_environment, without_generation_tags,
};
use super::template_sources::{self, DEFAULT};
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

/// The template that is used where tools are given and none is chosen, if there is one.
const WITH_TOOLS: &str = "tool_use";

/// Messages to prompt text, as the model was trained on.
pub struct ChatTemplate {
    /// By name; one is the default.
    templates: BTreeMap<String, Compiled>,
    /// Of all of them.
    source: String,
    special_tokens: SpecialTokens,
}

struct Compiled {
    environment: Environment<'static>,
    source: String,
}

/// Collects what a template writes, up to a limit.
struct BoundedOutput {
    bytes: Vec<u8>,
    limit: usize,
}

impl ChatTemplate {
    /// From files of their own, else `tokenizer_config.json`; `None` if neither has one.
    pub fn from_dir(dir: &Path) -> Result<Option<Self>, TextError> {
        let config = read_tokenizer_config(dir)?;
        let mut templates = BTreeMap::new();
        for (name, source) in template_sources::read(dir, &config)? {
            let environment =
                compile(&source.text).map_err(|message| file_error(&source.path, message))?;
            let source = source.text;
            let compiled = Compiled {
                environment,
                source,
            };
            templates.insert(name, compiled);
        }
        if templates.is_empty() {
            return Ok(None);
        }
        let sources: Vec<_> = templates.values().map(|one| one.source.as_str()).collect();
        Ok(Some(Self {
            source: sources.join("\n"),
            special_tokens: special_tokens(&config),
            templates,
        }))
    }

    /// What marks calls and reasoning stands in here, whichever template is used.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Of the templates that a client may choose from.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.templates.keys().map(String::as_str)
    }

    /// The source of the template that is used for a prompt.
    pub fn source_for(&self, name: Option<&str>, has_tools: bool) -> &str {
        self.named(name, has_tools)
            .map_or("", |template| template.source.as_str())
    }

    /// As `transformers` chooses.
    fn named(&self, name: Option<&str>, has_tools: bool) -> Option<&Compiled> {
        let with_tools = has_tools.then(|| self.templates.get(WITH_TOOLS)).flatten();
        match name {
            Some(name) => self.templates.get(name),
            None => with_tools.or_else(|| self.templates.get(DEFAULT)),
        }
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
        let template = self
            .named(prompt.template.as_deref(), !prompt.tools.is_empty())
            .ok_or_else(|| TextError::Template("there is none of this name".to_owned()))?;
        let callers = [&messages, &tools, &arguments];
        let mut texts = Vec::new();
        callers
            .iter()
            .for_each(|value| collect_texts(value, &mut texts));
        let ours = std::iter::once(template.source.as_str())
            .chain(self.special_tokens.values().map(String::as_str));
        let mut guard = Guard::new(tokenizer, texts.iter().copied().chain(ours));
        let num_bytes: usize = texts.iter().map(|text| text.len()).sum();
        let limit = num_bytes.saturating_mul(8).saturating_add(MAX_ADDED_BYTES);
        let (mut messages, tools) = (
            protected(&mut guard, &messages)?,
            protected(&mut guard, &tools)?,
        );
        let open_end = match prompt.ending {
            Ending::Open => Some(OpenEnd::mark(&mut guard, &mut messages)?),
            Ending::Answer | Ending::Message => None,
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
        match template.render(context, limit) {
            Ok(rendered) => Ok(guard.restore(&match open_end {
                Some(end) => end.cut(&rendered)?,
                None => rendered,
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
}

impl Compiled {
    fn render(&self, context: BTreeMap<String, Value>, limit: usize) -> Result<String, Error> {
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
