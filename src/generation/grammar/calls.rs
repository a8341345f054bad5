//! Calls of functions as a grammar: what a model may write where its arguments must fit.

use super::compiler::lark_string;
use super::{FormatError, schema};
use crate::generation::transcript::{Dialect, Marker, ToolFormat};
use crate::text::Tokenizer;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// An answer that calls functions.
#[derive(Debug, Clone, PartialEq)]
pub struct CallForm {
    pub dialect: Dialect,
    pub functions: Vec<Function>,
    /// There is a call and nothing else; otherwise text may come, and calls in it.
    pub required: bool,
    /// Several calls may come.
    pub parallel: bool,
}

/// A function that may be called.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    pub name: String,
    /// The JSON schema of its arguments.
    pub parameters: Value,
    /// Its arguments fit the schema whoever decides that it is called.
    pub strict: bool,
}

impl CallForm {
    /// The grammar in Lark. `tokenizer` knows the control tokens.
    pub(super) fn lark(&self, tokenizer: &Tokenizer) -> Result<String, FormatError> {
        let mut lark = String::new();
        for (index, function) in self.functions.iter().enumerate() {
            let enforced = self.required || function.strict;
            let schema = if enforced {
                schema::prepare(&function.parameters)?
            } else {
                schema::prepare(&json!({"type": "object"}))?
            };
            // Writing to a string cannot fail.
            let _ = writeln!(lark, "args_{index}: %json {schema}");
        }
        let syntax = Syntax {
            tokenizer,
            dialect: &self.dialect,
        };
        let calls: Vec<String> = self
            .functions
            .iter()
            .enumerate()
            .map(|(index, function)| syntax.call(index, &function.name))
            .collect();
        let _ = writeln!(lark, "call: {}", calls.join(" | "));
        lark.push_str(&syntax.answer(self.required, self.parallel));
        Ok(lark)
    }
}

struct Syntax<'a> {
    tokenizer: &'a Tokenizer,
    dialect: &'a Dialect,
}

impl Syntax<'_> {
    /// One call, without what stands around all of them.
    fn call(&self, index: usize, name: &str) -> String {
        let name_json = Value::from(name).to_string();
        let args = format!("args_{index}");
        let member = |key: &str| {
            let head = lark_string(&format!("{{\"name\": {name_json}, \"{key}\": "));
            format!("{head} {args} \"}}\"")
        };
        match self.dialect.tools() {
            ToolFormat::Hermes
            | ToolFormat::Generic
            | ToolFormat::Gemma
            | ToolFormat::FunctionTags
            | ToolFormat::Granite
            | ToolFormat::Functools => member("arguments"),
            ToolFormat::Llama => member("parameters"),
            ToolFormat::Mistral if self.dialect.names_calls() => {
                format!("{} {} {args}", lark_string(name), self.token("[ARGS]"))
            }
            ToolFormat::Mistral => member("arguments"),
            ToolFormat::Apertus => {
                format!("{} {args} \"}}\"", lark_string(&format!("{{{name_json}: ")))
            }
            ToolFormat::Harmony => format!(
                "{} {} {} {} \"json\" {} {args}",
                self.token("<|channel|>"),
                lark_string(&format!("commentary to=functions.{name}")),
                lark_string(" "),
                self.token("<|constrain|>"),
                self.token("<|message|>"),
            ),
        }
    }

    /// Around the calls.
    fn answer(&self, required: bool, parallel: bool) -> String {
        let many = |between: &str| {
            if parallel {
                format!("call ({} call)*", lark_string(between))
            } else {
                "call".to_owned()
            }
        };
        let tag = |marker: Option<&Marker>| marker.map_or(String::new(), |m| self.marker(m));
        let (open, close) = (tag(self.dialect.open()), tag(self.dialect.close()));
        // A text before a tag that is no control token ends with the tag.
        let text = "TEXT: /(.|\\n)*/\n";
        let is_token = self.dialect.open().is_some_and(Marker::is_token);
        // Behind the opening tag.
        let body = match self.dialect.tools() {
            ToolFormat::Hermes
            | ToolFormat::Generic
            | ToolFormat::Gemma
            | ToolFormat::FunctionTags => {
                format!("\"\\n\" call \"\\n\" {close}")
            }
            ToolFormat::Mistral if self.dialect.names_calls() => "call".to_owned(),
            ToolFormat::Mistral
            | ToolFormat::Apertus
            | ToolFormat::Granite
            | ToolFormat::Functools => {
                format!("\"[\" {} \"]\" {close}", many(", "))
            }
            ToolFormat::Llama | ToolFormat::Harmony => String::new(),
        };
        let repeats = match self.dialect.tools() {
            ToolFormat::Mistral if self.dialect.names_calls() => parallel,
            ToolFormat::Mistral
            | ToolFormat::Apertus
            | ToolFormat::Granite
            | ToolFormat::Functools => false,
            _ => parallel,
        };
        match self.dialect.tools() {
            ToolFormat::Llama if required => format!("start: {}\n", many("; ")),
            ToolFormat::Llama => {
                let (head, rule) = if is_token {
                    (open, String::new())
                } else {
                    ("head".to_owned(), format!("head[lazy]: TEXT {open}\n"))
                };
                format!(
                    "start: TEXT | {head} calls | calls\n{rule}calls: {}\nTEXT: /([^{{\\[\\s](.|\\n)*)?/\n",
                    many("; ")
                )
            }
            ToolFormat::Harmony => {
                let message = |channel: &str| {
                    format!(
                        "{} {} {} TEXT",
                        self.token("<|channel|>"),
                        lark_string(channel),
                        self.token("<|message|>"),
                    )
                };
                let next = format!(
                    "{} {} \"assistant\"",
                    self.token("<|end|>"),
                    self.token("<|start|>")
                );
                let analysis = message("analysis");
                let last = if required {
                    "call".to_owned()
                } else {
                    format!("call | {}", message("final"))
                };
                format!("start: analysis? last\nanalysis: {analysis} {next}\nlast: {last}\n{text}")
            }
            _ if required && repeats => {
                let between = if is_token { "" } else { "\"\\n\"" };
                format!("start: tagged ({between} tagged)*\ntagged: {open} {body}\n")
            }
            _ if required => format!("start: tagged\ntagged: {open} {body}\n"),
            _ => {
                let times = if repeats { "*" } else { "?" };
                let tail = if repeats { "TEXT" } else { "TEXT?" };
                if is_token {
                    format!("start: (TEXT {open} {body}){times} {tail}\n{text}")
                } else {
                    format!("start: (head {body}){times} {tail}\nhead[lazy]: TEXT {open}\n{text}")
                }
            }
        }
    }

    fn marker(&self, marker: &Marker) -> String {
        if marker.is_token() {
            self.token(marker.text())
        } else {
            lark_string(marker.text())
        }
    }

    /// A control token, by its number.
    fn token(&self, written: &str) -> String {
        match self.tokenizer.token_to_id(written) {
            Some(id) => format!("<[{id}]>"),
            None => lark_string(written),
        }
    }
}
