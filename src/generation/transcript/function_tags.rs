//! Calls of Qwen3-Coder: `<function=name><parameter=key>value</parameter></function>`, after its
//! chat template.

use super::Sink;
use super::calls::Read;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::collections::BTreeMap;
use std::mem::take;
use std::sync::Arc;

/// The functions that may be called, and the JSON schema of each one's arguments.
pub type Signatures = BTreeMap<String, Value>;

const FUNCTION: &str = "<function=";
const FUNCTION_END: &str = "</function>";
const PARAMETER: &str = "<parameter=";
const PARAMETER_END: &str = "</parameter>";
/// Names are identifiers; what is longer is none.
const MAX_NAME_BYTES: usize = 256;
/// Schemas in schemas that say which types a value has; no program writes more.
const MAX_DEPTH: usize = 8;

/// Reads one call. A value is shown when it is complete: only then is known whether it is a
/// number or a text that looks like one.
pub struct FunctionTagReader {
    signatures: Arc<Signatures>,
    at: At,
    /// The tag, the name or the value that is being read.
    text: String,
    name: String,
    key: String,
    /// Of the call, once its name was shown.
    index: Option<usize>,
    has_arguments: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Function,
    Name,
    /// Before a parameter, or the end of the call.
    Parameter,
    Key,
    Value,
}

impl FunctionTagReader {
    pub fn new(signatures: Arc<Signatures>) -> Self {
        Self {
            signatures,
            at: At::Function,
            text: String::new(),
            name: String::new(),
            key: String::new(),
            index: None,
            has_arguments: false,
        }
    }

    /// Whether something of the call was shown, which cannot be taken back.
    pub fn has_begun(&self) -> bool {
        self.index.is_some()
    }

    pub fn push(&mut self, character: char, sink: &mut Sink<'_>) -> Read {
        let is_between = matches!(self.at, At::Function | At::Parameter);
        if is_between && self.text.is_empty() && character.is_whitespace() {
            return Read::More;
        }
        self.text.push(character);
        match self.at {
            At::Function if self.text == FUNCTION => self.go_on(At::Name),
            At::Function if FUNCTION.starts_with(&self.text) => {}
            At::Function => return Read::Refused,
            At::Name | At::Key if character == '>' => {
                self.text.pop();
                let name = take(&mut self.text);
                if name.trim().is_empty() {
                    return self.broken(sink);
                }
                if self.at == At::Key {
                    self.key = name;
                    self.at = At::Value;
                } else {
                    self.index = Some(sink.call(&name));
                    self.name = name;
                    self.at = At::Parameter;
                }
            }
            At::Name | At::Key if self.text.len() > MAX_NAME_BYTES => {
                self.text.pop();
                return self.broken(sink);
            }
            At::Name | At::Key => {}
            At::Parameter if self.text == PARAMETER => self.go_on(At::Key),
            At::Parameter if self.text == FUNCTION_END => {
                self.close(sink);
                return Read::Last;
            }
            At::Parameter
                if PARAMETER.starts_with(&self.text) || FUNCTION_END.starts_with(&self.text) => {}
            At::Parameter => {
                // The character itself is looked at again.
                self.text.pop();
                return self.broken(sink);
            }
            At::Value => {
                if let Some(value) = self.text.strip_suffix(PARAMETER_END) {
                    let value = self.value(without_line_ends(value));
                    self.show(&value, sink);
                    self.go_on(At::Parameter);
                }
            }
        }
        Read::More
    }

    /// The answer ends here, perhaps within a value: of what can only be a text, so far as it came.
    pub fn finish(&mut self, sink: &mut Sink<'_>) {
        if self.at == At::Value && self.types() == ["string"] {
            let value = self.text.strip_prefix('\n').unwrap_or(&self.text);
            let mut quoted = Value::from(without_beginning_of_end(value)).to_string();
            quoted.pop();
            self.show(&quoted, sink);
        }
    }

    fn go_on(&mut self, at: At) {
        self.text.clear();
        self.at = at;
    }

    /// What was read last belongs to no call; what was shown stays one.
    fn broken(&mut self, sink: &mut Sink<'_>) -> Read {
        if self.index.is_none() {
            return Read::Refused;
        }
        self.close(sink);
        let prefix = match self.at {
            At::Key => PARAMETER,
            _ => "",
        };
        sink.content(prefix);
        sink.content(&take(&mut self.text));
        Read::After
    }

    fn show(&mut self, value: &str, sink: &mut Sink<'_>) {
        if let Some(index) = self.index {
            let before = if self.has_arguments { ", " } else { "{" };
            let key = Value::from(self.key.as_str());
            sink.arguments(index, &format!("{before}{key}: {value}"));
            self.has_arguments = true;
        }
    }

    fn close(&mut self, sink: &mut Sink<'_>) {
        if let Some(index) = self.index {
            sink.arguments(index, if self.has_arguments { "}" } else { "{}" });
        }
    }

    /// A value as JSON. Texts are written without quotes, so its type decides; where the schema
    /// says nothing, what is JSON and no text is taken for what it is.
    fn value(&self, text: &str) -> String {
        let types = self.types();
        let json = text.trim();
        let json = match json {
            "True" | "False" | "None" if types.contains(&json_type(&python(json))) => python(json),
            _ => json.to_owned(),
        };
        let is_json = serde_json::from_str::<IgnoredAny>(&json).is_ok();
        let found = json_type(&json);
        let fits = match found {
            "string" => false,
            "number" => types.contains(&"number") || types.contains(&"integer"),
            _ => types.contains(&found),
        };
        match is_json && (fits || types.is_empty() && found != "string") {
            true => json,
            false => Value::from(text).to_string(),
        }
    }

    /// The types that the schema gives to the parameter; empty where it says none.
    fn types(&self) -> Vec<&str> {
        let mut types = Vec::new();
        let schema = self.signatures.get(&self.name);
        let schema = schema.and_then(|schema| schema.get("properties")?.get(&self.key));
        if let Some(schema) = schema {
            add_types(schema, 0, &mut types);
        }
        types.dedup();
        types
    }
}

fn add_types<'a>(schema: &'a Value, depth: usize, types: &mut Vec<&'a str>) {
    if depth > MAX_DEPTH {
        return;
    }
    match &schema["type"] {
        Value::String(one) => types.push(one),
        Value::Array(several) => types.extend(several.iter().filter_map(Value::as_str)),
        _ => {
            let values = schema["enum"].as_array().into_iter().flatten();
            for value in values.chain(schema.get("const")) {
                types.push(type_of(value));
            }
            for key in ["anyOf", "oneOf", "allOf"] {
                for schema in schema[key].as_array().into_iter().flatten() {
                    add_types(schema, depth + 1, types);
                }
            }
        }
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Of what is JSON, by how it begins.
fn json_type(json: &str) -> &'static str {
    match json.bytes().next() {
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b'"') => "string",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        _ => "number",
    }
}

/// A word of Python as JSON has it.
fn python(word: &str) -> String {
    match word {
        "None" => "null".to_owned(),
        word => word.to_ascii_lowercase(),
    }
}

/// The template writes a value on lines of its own.
fn without_line_ends(value: &str) -> &str {
    let value = value.strip_prefix('\n').unwrap_or(value);
    value.strip_suffix('\n').unwrap_or(value)
}

/// Without what may be the beginning of the tag behind a value.
fn without_beginning_of_end(value: &str) -> &str {
    let end = format!("\n{PARAMETER_END}");
    let cut = (1..end.len()).rev().find_map(|len| {
        let on_its_own_line = value.strip_suffix(&end[..len]);
        on_its_own_line.or_else(|| value.strip_suffix(&end[1..len]).filter(|_| len > 1))
    });
    cut.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::super::Part;
    use super::*;
    use serde_json::json;

    fn arguments(properties: Value, says: &str) -> String {
        let schema = json!({"type": "object", "properties": properties});
        let signatures = Signatures::from([("f".to_owned(), schema)]);
        let mut reader = FunctionTagReader::new(Arc::new(signatures));
        let (mut num_calls, mut parts) = (0, Vec::new());
        let mut sink = Sink::new(&mut num_calls, &mut parts);
        for character in says.chars() {
            reader.push(character, &mut sink);
        }
        reader.finish(&mut sink);
        let texts = parts.into_iter().filter_map(|part| match part {
            Part::Arguments { text, .. } => Some(text),
            _ => None,
        });
        texts.collect()
    }

    fn of_type(schema: Value, value: &str) -> String {
        let says = format!("<function=f>\n<parameter=x>\n{value}\n</parameter>\n</function>");
        let arguments = arguments(json!({"x": schema}), &says);
        let inner = arguments.strip_prefix("{\"x\": ").unwrap();
        inner.strip_suffix('}').unwrap().to_owned()
    }

    #[test]
    fn a_value_is_what_its_schema_says() {
        for (schema, value, expected) in [
            (json!({"type": "string"}), "0501", r#""0501""#),
            (json!({"type": "string"}), "[1, 2]", r#""[1, 2]""#),
            (json!({"type": "string"}), "null", r#""null""#),
            (json!({"type": "string"}), "\"a\"", r#""\"a\"""#),
            (json!({"type": "integer"}), "12", "12"),
            (json!({"type": "integer"}), "0501", r#""0501""#),
            (json!({"type": "integer"}), "zwölf", r#""zwölf""#),
            (json!({"type": "number"}), "1.50", "1.50"),
            (json!({"type": "boolean"}), "True", "true"),
            (json!({"type": "string"}), "True", r#""True""#),
            (json!({"type": ["string", "null"]}), "None", "null"),
            (
                json!({"type": "array"}),
                "[1, {\"a\": []}]",
                "[1, {\"a\": []}]",
            ),
            (json!({"type": "object"}), "{}", "{}"),
            (json!({"type": "object"}), "{1}", r#""{1}""#),
            (
                json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
                "5",
                r#""5""#,
            ),
            (
                json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}),
                "5",
                "5",
            ),
            (json!({"enum": ["1", "2"]}), "1", r#""1""#),
            (json!({"enum": [1, 2]}), "1", "1"),
            (json!({"const": "1"}), "1", r#""1""#),
            (json!({}), "5", "5"),
            (json!({}), "\"5\"", r#""\"5\"""#),
            (json!({}), "heute", r#""heute""#),
        ] {
            assert_eq!(
                of_type(schema.clone(), value),
                expected,
                "{schema} of {value}"
            );
        }
    }

    #[test]
    fn of_a_text_that_is_cut_off_what_came_is_shown() {
        let properties = json!({"x": {"type": "string"}, "y": {"type": "integer"}});
        let whole = "<function=f>\n<parameter=x>\na < b\n</para\n</parameter>\n<parameter=y>\n12\n</parameter>\n</function>";
        let expected = "{\"x\": \"a < b\\n</para\", \"y\": 12}";
        assert_eq!(arguments(properties.clone(), whole), expected);
        for (len, _) in whole.char_indices() {
            let begun = arguments(properties.clone(), &whole[..len]);
            assert!(expected.starts_with(&begun), "{begun} of {}", &whole[..len]);
        }
        let cut = arguments(properties, &whole[..34]);
        assert_eq!(cut, "{\"x\": \"a < b");
    }
}
