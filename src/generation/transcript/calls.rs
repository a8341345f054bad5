use super::json_value::{Place, ValueScan, ended};
use super::{Signatures, Sink};
use std::mem::take;
use std::sync::Arc;

/// Names are identifiers; what is longer is none.
const MAX_NAME_BYTES: usize = 256;

/// Reads calls as they are written: `{"name": …, "arguments": {…}}`, one or an array of them,
/// and what families made of that.
pub struct CallReader {
    style: Style,
    /// Only these are calls, where no tag says so.
    known: Option<Arc<Signatures>>,
    at: At,
    in_array: bool,
    /// Inside of `"function": {…}`.
    is_nested: bool,
    name: Option<String>,
    /// Of the call that is being read, once it is known to be one.
    index: Option<usize>,
    arguments: Arguments,
    /// Something was shown, which cannot be taken back.
    has_begun: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// The name and the arguments are members of an object.
    Members,
    /// The name is the key and the arguments are its value.
    Keyed,
    /// The name stands before the arguments; or [`Style::Members`] in brackets.
    Prefixed,
}

/// What became of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    More,
    /// The calls end with this character.
    Last,
    /// The calls ended before this character.
    After,
    /// This is no call, and nothing was shown.
    Refused,
}

#[derive(Debug, PartialEq, Eq)]
enum Arguments {
    Missing,
    /// Complete before the name.
    Waiting(String),
    Shown,
}

enum At {
    /// Before the first call, or between two.
    Outside,
    /// In a name that stands before its arguments.
    Prefix(String),
    /// Behind it, in an id that stands before the arguments.
    Id,
    /// Before a member of a call, or its end.
    Member,
    Key(ValueScan, String),
    Colon(Key),
    Value(Key),
    InValue(Key, ValueScan, Keep),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Name,
    Arguments,
    Function,
    Other,
}

/// What becomes of a value while it is read.
enum Keep {
    Text(String),
    /// It is shown as it comes.
    Nothing,
}

impl CallReader {
    pub fn new(style: Style, known: Option<Arc<Signatures>>) -> Self {
        Self {
            style,
            known,
            at: At::Outside,
            in_array: false,
            is_nested: false,
            name: None,
            index: None,
            arguments: Arguments::Missing,
            has_begun: false,
        }
    }

    /// What is read now belongs to a call that was shown.
    pub fn is_certain(&self) -> bool {
        self.index.is_some()
    }

    /// Whether something of a call was shown.
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    pub fn push(&mut self, character: char, sink: &mut Sink<'_>) -> Read {
        match self.read(character, sink) {
            Read::Refused if self.has_begun => {
                self.finish(sink);
                Read::After
            }
            read => read,
        }
    }

    /// A control token between a name and its arguments; `arguments` follow it, or else an id.
    pub fn separator(&mut self, arguments: bool, sink: &mut Sink<'_>) -> Read {
        let read = match &mut self.at {
            At::Prefix(name) => {
                let name = name.trim_end().to_owned();
                self.named(name, sink)
            }
            At::Id => Read::More,
            _ if self.has_begun => return Read::After,
            _ => return Read::Refused,
        };
        self.at = if arguments {
            At::Value(Key::Arguments)
        } else {
            At::Id
        };
        read
    }

    /// The answer ends here, perhaps within a call.
    pub fn finish(&mut self, sink: &mut Sink<'_>) {
        let at = std::mem::replace(&mut self.at, At::Outside);
        if let At::InValue(Key::Arguments, _, Keep::Text(text)) = at {
            match text.as_str() {
                "n" | "nu" | "nul" => {}
                _ if text.starts_with('"') => self.show(ended(&text), sink),
                _ => self.show(text, sink),
            }
        }
    }

    fn read(&mut self, character: char, sink: &mut Sink<'_>) -> Read {
        if character.is_ascii_whitespace()
            && !matches!(self.at, At::Prefix(_) | At::Key(..) | At::InValue(..))
        {
            return Read::More;
        }
        match &mut self.at {
            At::Outside => return self.outside(character, sink),
            At::Prefix(name) => match character {
                '{' | '[' => {
                    let name = name.trim_end().to_owned();
                    if self.named(name, sink) == Read::Refused {
                        return Read::Refused;
                    }
                    return self.value(Key::Arguments, character, sink);
                }
                _ if character.is_ascii_whitespace() => name.push(character),
                _ if name.ends_with(char::is_whitespace) || name.len() >= MAX_NAME_BYTES => {
                    return Read::Refused;
                }
                _ => name.push(character),
            },
            At::Id => {}
            At::Member => match character {
                ',' => {}
                '"' => {
                    let mut scan = ValueScan::default();
                    scan.push(character);
                    self.at = At::Key(scan, character.to_string());
                }
                '}' if self.is_nested => self.is_nested = false,
                '}' => return self.end_call(sink),
                _ => return Read::Refused,
            },
            At::Key(scan, text) => {
                let place = scan.push(character);
                text.push(character);
                if place == Place::Last {
                    return match serde_json::from_str(text) {
                        Ok(key) => self.key(key, sink),
                        Err(_) => Read::Refused,
                    };
                }
                if text.len() > MAX_NAME_BYTES {
                    return Read::Refused;
                }
            }
            At::Colon(key) => match character {
                ':' => self.at = At::Value(*key),
                _ => return Read::Refused,
            },
            At::Value(key) => match (*key, character) {
                (Key::Function, '{') if !self.is_nested => {
                    self.is_nested = true;
                    self.at = At::Member;
                }
                (Key::Name, c) if c != '"' => return Read::Refused,
                (key, _) => return self.value(key, character, sink),
            },
            At::InValue(..) => return self.in_value(character, sink),
        }
        Read::More
    }

    fn outside(&mut self, character: char, sink: &mut Sink<'_>) -> Read {
        match character {
            '[' if !self.in_array && !self.has_begun => self.in_array = true,
            ',' if self.in_array && self.has_begun => {}
            ']' if self.in_array && self.has_begun => return Read::Last,
            '{' if self.in_array || self.style != Style::Prefixed => {
                self.name = None;
                self.index = None;
                self.arguments = Arguments::Missing;
                self.at = At::Member;
            }
            _ if self.style == Style::Prefixed && !self.in_array => {
                self.at = At::Prefix(String::new());
                return self.read(character, sink);
            }
            _ => return Read::Refused,
        }
        Read::More
    }

    fn key(&mut self, key: String, sink: &mut Sink<'_>) -> Read {
        let mut read = Read::More;
        let key = match key.as_str() {
            _ if self.style == Style::Keyed && self.name.is_none() => {
                read = self.named(key, sink);
                Key::Arguments
            }
            _ if self.style == Style::Keyed => Key::Other,
            "name" if self.name.is_none() => Key::Name,
            "arguments" | "parameters" if self.arguments == Arguments::Missing => Key::Arguments,
            "function" => Key::Function,
            _ => Key::Other,
        };
        self.at = At::Colon(key);
        read
    }

    /// A value begins with this character.
    fn value(&mut self, key: Key, character: char, sink: &mut Sink<'_>) -> Read {
        let mut keep = Keep::Text(String::new());
        if key == Key::Arguments && self.name.is_some() {
            self.begin(sink);
            // A string may hold the object, and null stands for an empty one.
            if matches!(character, '{' | '[') {
                self.arguments = Arguments::Shown;
                keep = Keep::Nothing;
            }
        }
        self.at = At::InValue(key, ValueScan::default(), keep);
        self.in_value(character, sink)
    }

    fn in_value(&mut self, character: char, sink: &mut Sink<'_>) -> Read {
        let At::InValue(key, scan, keep) = &mut self.at else {
            return Read::Refused;
        };
        let (key, place) = (*key, scan.push(character));
        if place != Place::After {
            match keep {
                Keep::Text(text) if key == Key::Name && text.len() > MAX_NAME_BYTES => {
                    return Read::Refused;
                }
                Keep::Text(text) => text.push(character),
                Keep::Nothing => {
                    if let Some(index) = self.index {
                        sink.argument(index, character);
                    }
                }
            }
        }
        if place == Place::Inside {
            return Read::More;
        }
        if let Keep::Text(text) = std::mem::replace(keep, Keep::Nothing) {
            let read = match key {
                Key::Name => match serde_json::from_str(&text) {
                    Ok(name) => self.named(name, sink),
                    Err(_) => Read::Refused,
                },
                Key::Arguments => {
                    self.show(text, sink);
                    Read::More
                }
                Key::Function | Key::Other => Read::More,
            };
            if read == Read::Refused {
                return read;
            }
        }
        if self.style == Style::Prefixed && !self.in_array {
            self.at = At::Outside;
            self.index = None;
            return match place {
                Place::Last => Read::Last,
                _ => Read::After,
            };
        }
        self.at = At::Member;
        match place {
            Place::Last => Read::More,
            _ => self.read(character, sink),
        }
    }

    fn named(&mut self, name: String, sink: &mut Sink<'_>) -> Read {
        let is_known = self
            .known
            .as_ref()
            .is_none_or(|known| known.contains_key(&name));
        if name.is_empty() || !is_known {
            return Read::Refused;
        }
        self.name = Some(name);
        if let Arguments::Waiting(text) = &mut self.arguments {
            let text = take(text);
            self.begin(sink);
            self.show(text, sink);
        } else if self.known.is_none() {
            self.begin(sink);
        }
        Read::More
    }

    /// It is a call: its name is known, and where no tag says so, that it has arguments.
    fn begin(&mut self, sink: &mut Sink<'_>) {
        if let (Some(name), None) = (&self.name, self.index) {
            self.index = Some(sink.call(name));
            self.has_begun = true;
        }
    }

    /// Arguments that were read whole.
    fn show(&mut self, text: String, sink: &mut Sink<'_>) {
        let Some(index) = self.index else {
            self.arguments = Arguments::Waiting(text);
            return;
        };
        let text = match text.as_str() {
            "null" => "{}".to_owned(),
            _ if text.starts_with('"') => serde_json::from_str(&text).unwrap_or(text),
            _ => text,
        };
        sink.arguments(index, &text);
        self.arguments = Arguments::Shown;
    }

    fn end_call(&mut self, sink: &mut Sink<'_>) -> Read {
        match self.index {
            None => return Read::Refused,
            Some(index) if self.arguments == Arguments::Missing => sink.arguments(index, "{}"),
            Some(_) => {}
        }
        self.at = At::Outside;
        self.index = None;
        if self.in_array {
            Read::More
        } else {
            Read::Last
        }
    }
}
