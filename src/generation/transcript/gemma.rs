//! Calls of FunctionGemma: `call:name{key:<escape>text<escape>,other:3}`.

use super::Sink;
use super::calls::Read;
use serde_json::Value;

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
        let mut json = String::new();
        if name.is_empty() || rest.members(0, &mut json).is_none() {
            return Read::Refused;
        }
        let index = sink.call(name);
        sink.arguments(index, &json);
        self.has_begun = true;
        Read::Last
    }
}

/// What is still to be read of the arguments, which are written as JSON.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    /// What follows an opening brace, its closing one included.
    fn members(&mut self, depth: usize, json: &mut String) -> Option<()> {
        json.push('{');
        let mut is_first = true;
        while !self.skip("}") {
            if !is_first {
                self.skip(",").then(|| json.push(','))?;
            }
            is_first = false;
            let (key, _) = self.0.split_once(':')?;
            let len = key.len() + 1;
            json.push_str(&quoted(key.trim()));
            json.push(':');
            self.0 = self.0.get(len..)?;
            self.value(depth + 1, json)?;
        }
        json.push('}');
        Some(())
    }

    /// What follows an opening bracket, its closing one included.
    fn items(&mut self, depth: usize, json: &mut String) -> Option<()> {
        json.push('[');
        let mut is_first = true;
        while !self.skip("]") {
            if !is_first {
                self.skip(",").then(|| json.push(','))?;
            }
            is_first = false;
            self.value(depth + 1, json)?;
        }
        json.push(']');
        Some(())
    }

    fn value(&mut self, depth: usize, json: &mut String) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        if self.skip("{") {
            return self.members(depth, json);
        }
        if self.skip("[") {
            return self.items(depth, json);
        }
        if self.skip(ESCAPE) {
            let (text, rest) = self.0.split_once(ESCAPE)?;
            self.0 = rest;
            json.push_str(&quoted(text));
            return Some(());
        }
        let end = self.0.find([',', '}', ']'])?;
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        let word = word.trim();
        if matches!(word, "true" | "false" | "null") || is_number(word) {
            json.push_str(word);
        } else {
            json.push_str(&quoted(word));
        }
        Some(())
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

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Whether it is one in JSON, however large: its digits are not for us to round.
fn is_number(word: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = word.strip_prefix('-').unwrap_or(word);
    let (number, exponent) = match number.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (number, None),
    };
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (number, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|text| digits(text.strip_prefix(['+', '-']).unwrap_or(text)))
}
