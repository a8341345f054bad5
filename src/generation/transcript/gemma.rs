//! Calls of FunctionGemma: `call:name{key:<escape>text<escape>,other:3}`.

use super::Sink;
use super::calls::Read;
use serde_json::{Map, Number, Value};

const PREFIX: &str = "call:";
/// Around a text.
const ESCAPE: &str = "<escape>";
/// Arguments are no deeper.
const MAX_DEPTH: usize = 64;

/// Reads one call. Its arguments are no JSON and are shown when they are complete.
#[derive(Default)]
pub struct GemmaReader {
    text: String,
    depth: usize,
    in_escape: bool,
    has_begun: bool,
}

impl GemmaReader {
    pub fn reads(control: &str) -> bool {
        control == ESCAPE
    }

    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    pub fn push(&mut self, character: char, sink: &mut Sink<'_>) -> Read {
        self.text.push(character);
        if self.text.ends_with(ESCAPE) {
            self.in_escape = !self.in_escape;
        }
        let start = self.text.trim_start();
        if !start.starts_with(PREFIX) && !PREFIX.starts_with(start) {
            return Read::Refused;
        }
        if self.in_escape {
            return Read::More;
        }
        match character {
            '{' => self.depth += 1,
            '}' if self.depth == 0 => return Read::Refused,
            '}' => {
                self.depth -= 1;
                if self.depth == 0 {
                    return self.call(sink);
                }
            }
            _ if self.depth == 0 && character.is_whitespace() && start.len() > PREFIX.len() => {
                return Read::Refused;
            }
            _ => {}
        }
        Read::More
    }

    /// The control token around a text.
    pub fn escape(&mut self) {
        self.text.push_str(ESCAPE);
        self.in_escape = !self.in_escape;
    }

    fn call(&mut self, sink: &mut Sink<'_>) -> Read {
        let call = self.text.trim_start().strip_prefix(PREFIX);
        let Some((name, arguments)) = call.and_then(|call| call.split_once('{')) else {
            return Read::Refused;
        };
        let mut rest = Rest(arguments);
        let Some(arguments) = rest.members(0).filter(|_| !name.is_empty()) else {
            return Read::Refused;
        };
        let index = sink.call(name);
        sink.arguments(index, &Value::Object(arguments).to_string());
        self.has_begun = true;
        Read::Last
    }
}

/// What is still to be read of the arguments.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    /// What follows an opening brace, its closing one included.
    fn members(&mut self, depth: usize) -> Option<Map<String, Value>> {
        let mut members = Map::new();
        if self.skip("}") {
            return Some(members);
        }
        loop {
            let (key, _) = self.0.split_once(':')?;
            let len = key.len() + 1;
            let key = key.trim().to_owned();
            self.0 = self.0.get(len..)?;
            members.insert(key, self.value(depth + 1)?);
            if self.skip("}") {
                return Some(members);
            }
            self.skip(",").then_some(())?;
        }
    }

    fn items(&mut self, depth: usize) -> Option<Vec<Value>> {
        let mut items = Vec::new();
        if self.skip("]") {
            return Some(items);
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.skip("]") {
                return Some(items);
            }
            self.skip(",").then_some(())?;
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > MAX_DEPTH {
            return None;
        }
        if self.skip("{") {
            return self.members(depth).map(Value::Object);
        }
        if self.skip("[") {
            return self.items(depth).map(Value::Array);
        }
        if self.skip(ESCAPE) {
            let (text, rest) = self.0.split_once(ESCAPE)?;
            self.0 = rest;
            return Some(text.into());
        }
        let end = self.0.find([',', '}', ']'])?;
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(match word.trim() {
            "true" => true.into(),
            "false" => false.into(),
            "null" => Value::Null,
            word => match word.parse::<Number>() {
                Ok(number) => Value::Number(number),
                Err(_) => word.into(),
            },
        })
    }

    fn skip(&mut self, what: &str) -> bool {
        match self.0.trim_start().strip_prefix(what) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }
}
