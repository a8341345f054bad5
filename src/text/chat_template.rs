use super::callers_values::{protected, texts_in};
use super::checkpoint::{SpecialTokens, file_error, read_tokenizer_config, special_tokens};
use super::compiled_template::{Bounds, CompiledTemplate, Context, describe, refusal};
use super::content::Absence;
use super::guard::Guard;
use super::open_end::OpenEnd;
use super::template_environment::strftime_now;
use super::template_sources::{self, DEFAULT};
use super::{ChatPrompt, Content, Ending, GuardedText, TextError, Tokenizer};
use minijinja::value::Serde;
use minijinja::{Error, ErrorKind, Value};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

/// The template that is used where tools are given and none is chosen, if there is one.
const WITH_TOOLS: &str = "tool_use";

/// Messages to prompt text, as the model was trained on.
pub struct ChatTemplate {
    /// By name; one is the default.
    templates: BTreeMap<String, CompiledTemplate>,
    /// Of all of them.
    source: String,
    special_tokens: SpecialTokens,
}

/// Why nothing was rendered.
struct Unrendered {
    error: TextError,
    /// It may be because a message has no content.
    may_miss_content: bool,
}

impl ChatTemplate {
    /// From files of their own, else `tokenizer_config.json`; `None` if neither has one.
    pub fn from_dir(dir: &Path) -> Result<Option<Self>, TextError> {
        let config = read_tokenizer_config(dir)?;
        let mut templates = BTreeMap::new();
        for (name, source) in template_sources::read(dir, &config)? {
            let template = CompiledTemplate::parse(source.text)
                .map_err(|message| file_error(&source.path, message))?;
            templates.insert(name, template);
        }
        if templates.is_empty() {
            return Ok(None);
        }
        let sources: Vec<_> = templates.values().map(CompiledTemplate::source).collect();
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
            .map_or("", CompiledTemplate::source)
    }

    /// As `transformers` chooses.
    fn named(&self, name: Option<&str>, has_tools: bool) -> Option<&CompiledTemplate> {
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
        let unrendered = match self.render_with(tokenizer, prompt, clock, Absence::NoKey) {
            Ok(text) => return Ok(text),
            Err(unrendered) => unrendered,
        };
        let is_absent = |content: &Content| *content == Content::Absent;
        let mut contents = prompt.messages.iter().map(|message| &message.content);
        if unrendered.may_miss_content && contents.any(is_absent) {
            for absence in [Absence::Null, Absence::Empty] {
                if let Ok(text) = self.render_with(tokenizer, prompt, clock, absence) {
                    return Ok(text);
                }
            }
        }
        Err(unrendered.error)
    }

    fn render_with(
        &self,
        tokenizer: &Tokenizer,
        prompt: &ChatPrompt,
        clock: SystemTime,
        absence: Absence,
    ) -> Result<GuardedText, Unrendered> {
        let template = self
            .named(prompt.template.as_deref(), !prompt.tools.is_empty())
            .ok_or_else(|| TextError::Template("there is none of this name".to_owned()))?;
        let mut context = self
            .context(clock, prompt.ending == Ending::Answer)
            .map_err(|error| TextError::Template(describe(&error)))?;
        let messages = prompt.messages.iter().map(|message| {
            let is_parts = matches!(message.content, Content::Parts(_));
            let takes_parts = is_parts && template.takes_parts(&message.role, &context);
            message.to_value(message.content.to_value(takes_parts, absence))
        });
        let messages: Json = messages.collect();
        let tools = Json::Array(prompt.tools.clone());
        let arguments = Json::Object(prompt.arguments.clone());
        let mut texts = Vec::new();
        for value in [&messages, &tools, &arguments] {
            texts_in(value, &mut texts);
        }
        let ours = std::iter::once(template.source())
            .chain(self.special_tokens.values().map(String::as_str));
        let mut guard = Guard::new(tokenizer, texts.iter().copied().chain(ours));
        let bounds = Bounds::of(&texts);
        let (mut messages, tools) = (
            protected(&mut guard, &messages)?,
            protected(&mut guard, &tools)?,
        );
        let open_end = match prompt.ending {
            Ending::Open => Some(OpenEnd::mark(&mut guard, &mut messages)?),
            Ending::Answer | Ending::Message => None,
        };
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
        match template.render(context, &bounds) {
            Ok(rendered) => Ok(guard.restore(&match open_end {
                Some(end) => end.cut(&rendered)?,
                None => rendered,
            })),
            Err(error) => {
                let message = guard.restore(&describe(&error)).as_str().to_owned();
                Err(Unrendered {
                    error: TextError::Template(message),
                    may_miss_content: may_miss_content(&error),
                })
            }
        }
    }

    /// What a template finds beside what a request gives.
    fn context(&self, clock: SystemTime, begins_answer: bool) -> Result<Context, Error> {
        let tokens = self.special_tokens.iter();
        let mut context: Context = tokens
            .map(|(name, token)| (name.clone(), Value::from(token.as_str())))
            .collect();
        context.insert("documents".to_owned(), Value::from(()));
        let begins_answer = Value::from(begins_answer);
        context.insert("add_generation_prompt".to_owned(), begins_answer);
        context.insert("strftime_now".to_owned(), strftime_now(clock)?);
        Ok(context)
    }
}

/// What a template refuses in its own words, or is stopped in, is not for want of a content.
fn may_miss_content(error: &Error) -> bool {
    let is_stopped = matches!(error.kind(), ErrorKind::OutOfFuel | ErrorKind::WriteFailure);
    refusal(error).is_none() && !is_stopped
}

impl From<TextError> for Unrendered {
    fn from(error: TextError) -> Self {
        Self {
            error,
            may_miss_content: false,
        }
    }
}
