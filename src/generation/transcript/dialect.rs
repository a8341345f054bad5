use super::gemma::GemmaReader;
use super::marker::Marker;
use crate::text::{ChatTemplate, Tokenizer};

/// How a model marks reasoning and calls, as its chat template shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    reasoning: Reasoning,
    /// What the answer behind the reasoning stands between.
    answer: Option<(Marker, Marker)>,
    tools: ToolFormat,
    /// What the calls of [`Self::tools`] stand between.
    open: Option<Marker>,
    close: Option<Marker>,
    /// A call's name stands before its arguments.
    names_calls: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Reasoning {
    None,
    Tags { open: Marker, close: Marker },
    Harmony,
}

/// How calls of tools are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolFormat {
    /// `<tool_call>{"name": …, "arguments": …}</tool_call>`: Hermes, Qwen, and many more.
    Hermes,
    /// `{"name": …, "parameters": …}`, perhaps behind `<|python_tag|>`: Llama 3.
    Llama,
    /// `[TOOL_CALLS]name[ARGS]{…}`, before version 11 of the tokenizer
    /// `[TOOL_CALLS][{"name": …, "arguments": …}]`.
    Mistral,
    /// `<|tools_prefix|>[{"name": {…}}]<|tools_suffix|>`: Apertus.
    Apertus,
    /// `<|tool_call|>[{"name": …, "arguments": …}]`: Granite 3.
    Granite,
    /// `functools[{"name": …, "arguments": …}]`: Phi-4-mini, as vLLM's template asks it.
    Functools,
    /// A message in the commentary channel: gpt-oss.
    Harmony,
    /// `<start_function_call>call:name{…}<end_function_call>`: FunctionGemma.
    Gemma,
    /// `<tool_call><function=name><parameter=key>value</parameter></function></tool_call>`:
    /// Qwen3-Coder.
    FunctionTags,
    /// The template knows no tools: the model is told to write as [`Self::Hermes`], and JSON
    /// without the tags is a call too.
    Generic,
}

/// Tags around reasoning.
const REASONING: [(&str, &str); 4] = [
    ("<think>", "</think>"),
    ("Here is my thought process:", "Here is my response:"),
    ("[THINK]", "[/THINK]"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
];

/// Tags around the answer behind it: Granite 3.3.
const ANSWER: (&str, &str) = ("<response>", "</response>");

impl ToolFormat {
    /// As a program is told it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hermes => "hermes",
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Apertus => "apertus",
            Self::Granite => "granite",
            Self::Functools => "functools",
            Self::Harmony => "harmony",
            Self::Gemma => "gemma",
            Self::FunctionTags => "qwen3-coder",
            Self::Generic => "generic",
        }
    }
}

impl Dialect {
    /// Of a model with this chat template, if it has one.
    pub fn of_model(template: Option<&ChatTemplate>, tokenizer: &Tokenizer) -> Self {
        let source = template.map_or("", ChatTemplate::source);
        Self::of(source, |text| tokenizer.is_control_token(text))
    }

    /// From the source of a chat template. `is_control`: whether a text is a control token of
    /// the model.
    pub fn of(template: &str, is_control: impl Fn(&str) -> bool) -> Self {
        let marker = |text: &'static str| {
            if is_control(text) {
                Marker::Control(text)
            } else {
                Marker::Text(text)
            }
        };
        let has = |text: &str| template.contains(text);
        let reasoning = if has("<|channel|>") && has("<|message|>") {
            Reasoning::Harmony
        } else {
            let found = REASONING.iter().find(|(_, close)| has(close));
            found.map_or(Reasoning::None, |(open, close)| Reasoning::Tags {
                open: marker(open),
                close: marker(close),
            })
        };
        let tools = match reasoning {
            Reasoning::Harmony => ToolFormat::Harmony,
            _ if has("[TOOL_CALLS]") => ToolFormat::Mistral,
            _ if has("<|tools_prefix|>") => ToolFormat::Apertus,
            _ if has("<start_function_call>") => ToolFormat::Gemma,
            _ if has("<tool_call>") && has("<function=") => ToolFormat::FunctionTags,
            _ if has("<tool_call>") => ToolFormat::Hermes,
            _ if has("<|tool_call|>") => ToolFormat::Granite,
            _ if has("functools[") => ToolFormat::Functools,
            _ if has("<|python_tag|>") || (has("ipython") && has("parameters")) => {
                ToolFormat::Llama
            }
            _ => ToolFormat::Generic,
        };
        let (open, close) = tools.tags();
        let is_tagged = matches!(reasoning, Reasoning::Tags { .. });
        Self {
            reasoning,
            answer: (is_tagged && has(ANSWER.0) && has(ANSWER.1))
                .then_some((Marker::Text(ANSWER.0), Marker::Text(ANSWER.1))),
            tools,
            open: open.map(marker),
            close: close.map(marker),
            names_calls: has(ARGS) && is_control(ARGS),
        }
    }

    /// The same reasoning, with calls in tags that every model can write.
    pub(in crate::generation) fn with(&self, tools: ToolFormat) -> Self {
        let (open, close) = tools.tags();
        Self {
            tools,
            open: open.map(Marker::Text),
            close: close.map(Marker::Text),
            ..self.clone()
        }
    }

    pub fn open(&self) -> Option<&Marker> {
        self.open.as_ref()
    }

    pub fn close(&self) -> Option<&Marker> {
        self.close.as_ref()
    }

    /// Whether a call's name stands before its arguments and not in them.
    pub fn names_calls(&self) -> bool {
        self.names_calls
    }

    /// What stands around reasoning, where tags do.
    pub fn reasoning_tags(&self) -> Option<(Marker, Marker)> {
        match &self.reasoning {
            Reasoning::Tags { open, close } => Some((open.clone(), close.clone())),
            Reasoning::None | Reasoning::Harmony => None,
        }
    }

    /// What stands around the answer behind reasoning, if anything does.
    pub(super) fn answer_tags(&self) -> Option<(Marker, Marker)> {
        self.answer.clone()
    }

    /// Whether it marks what it thinks.
    pub fn thinks(&self) -> bool {
        self.reasoning != Reasoning::None
    }

    pub fn tools(&self) -> ToolFormat {
        self.tools
    }

    pub(super) fn is_harmony(&self) -> bool {
        self.reasoning == Reasoning::Harmony
    }
}

impl ToolFormat {
    /// What calls stand between.
    fn tags(self) -> (Option<&'static str>, Option<&'static str>) {
        match self {
            Self::Hermes | Self::FunctionTags | Self::Generic => {
                (Some("<tool_call>"), Some("</tool_call>"))
            }
            Self::Llama => (Some("<|python_tag|>"), None),
            Self::Mistral => (Some("[TOOL_CALLS]"), None),
            Self::Apertus => (Some("<|tools_prefix|>"), Some("<|tools_suffix|>")),
            Self::Granite => (Some("<|tool_call|>"), None),
            Self::Functools => (Some("functools"), None),
            Self::Gemma => (Some("<start_function_call>"), Some("<end_function_call>")),
            Self::Harmony => (None, None),
        }
    }

    /// JSON at the start of an answer may be a call.
    pub(super) fn is_bare(self) -> bool {
        matches!(self, Self::Llama | Self::Generic)
    }

    /// Whether this control token stands inside of a call.
    pub(super) fn reads_inside(self, control: &str) -> bool {
        match self {
            Self::Mistral => control == ARGS || control == CALL_ID,
            Self::Gemma => GemmaReader::reads(control),
            _ => false,
        }
    }
}

/// Between a name and its arguments.
pub(super) const ARGS: &str = "[ARGS]";
const CALL_ID: &str = "[CALL_ID]";
