//! Strict JSON: what a body says is read once and in one way.
//!
//! Refuses what parsers read differently: a key given twice, half a surrogate pair, more
//! after the end. Bounds depth and size, so that a small body cannot fill the memory.

use super::limits;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::fmt;

/// A JSON value. Objects keep the order of the body; integers beyond 64 bits are floats.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Why a body is not usable JSON, with the place.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(String);

impl Json {
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        let text = std::str::from_utf8(bytes)
            .map_err(|e| JsonError(format!("it is not UTF-8 from byte {} on", e.valid_up_to())))?;
        if text.trim_ascii().is_empty() {
            return Err(JsonError("it is empty".to_owned()));
        }
        let budget = Cell::new(limits::MAX_JSON_VALUES);
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let value = Element {
            budget: &budget,
            depth: 0,
        }
        .deserialize(&mut deserializer)
        .map_err(JsonError::from_serde)?;
        deserializer.end().map_err(JsonError::from_serde)?;
        Ok(value)
    }

    /// Equal as JSON means it: `0` is `0.0`.
    pub fn same_as(&self, other: &Json) -> bool {
        match (self, other) {
            (Json::Integer(_) | Json::Float(_), Json::Integer(_) | Json::Float(_)) => {
                self.as_f64() == other.as_f64()
            }
            (Json::Array(a), Json::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same_as(b))
            }
            (Json::Object(a), Json::Object(b)) => {
                a.len() == b.len()
                    && a.iter().all(|(key, value)| {
                        b.iter().any(|(other, v)| key == other && value.same_as(v))
                    })
            }
            _ => self == other,
        }
    }

    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Json::Integer(i) => Some(i as f64),
            Json::Float(f) => Some(f),
            _ => None,
        }
    }

    /// The value of an object under this name.
    pub fn entry_mut(&mut self, name: &str) -> Option<&mut Json> {
        match self {
            Json::Object(entries) => entries
                .iter_mut()
                .find_map(|(key, value)| (key == name).then_some(value)),
            _ => None,
        }
    }

    /// The same to read it.
    pub fn entry(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(entries) => entries
                .iter()
                .find_map(|(key, value)| (key == name).then_some(value)),
            _ => None,
        }
    }

    /// Sets a property of an object; what is none stays as it is.
    pub fn set(&mut self, name: &str, value: Json) {
        match self.entry_mut(name) {
            Some(entry) => *entry = value,
            None => {
                if let Json::Object(entries) = self {
                    entries.push((name.to_owned(), value));
                }
            }
        }
    }

    /// The same, unless it has a value.
    pub fn set_absent(&mut self, name: &str, value: Json) {
        if matches!(self.entry_mut(name), None | Some(Json::Null)) {
            self.set(name, value);
        }
    }

    /// What it is, in words; never what it says.
    pub fn describe(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Integer(_) | Json::Float(_) => "a number",
            Json::String(_) => "a string",
            Json::Array(_) => "an array",
            Json::Object(_) => "an object",
        }
    }
}

impl From<&serde_json::Value> for Json {
    fn from(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => Json::Integer(integer),
                None => Json::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Json::String(text.clone()),
            Value::Array(items) => Json::Array(items.iter().map(Json::from).collect()),
            Value::Object(entries) => {
                let entries = entries.iter();
                Json::Object(entries.map(|(k, v)| (k.clone(), Json::from(v))).collect())
            }
        }
    }
}

impl JsonError {
    fn from_serde(error: serde_json::Error) -> Self {
        let message = error.to_string();
        if message.contains("hex escape") || message.contains("surrogate") {
            return Self(format!(
                "{message} (half of a surrogate pair, such as \\ud800, is not a character; send both halves or UTF-8)"
            ));
        }
        Self(message)
    }
}

#[derive(Clone, Copy)]
struct Element<'a> {
    budget: &'a Cell<usize>,
    depth: usize,
}

impl Element<'_> {
    fn inside<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        if depth > limits::MAX_JSON_DEPTH {
            return Err(E::custom(format_args!(
                "arrays and objects are nested deeper than {}",
                limits::MAX_JSON_DEPTH
            )));
        }
        Ok(Self { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = Json;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        let Some(left) = self.budget.get().checked_sub(1) else {
            return Err(D::Error::custom(format_args!(
                "it holds more than {} values",
                limits::MAX_JSON_VALUES
            )));
        };
        self.budget.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(i64::try_from(value).map_or(Json::Float(value as f64), Json::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let element = self.inside()?;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(element)? {
            values.push(value);
        }
        Ok(Json::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let element = self.inside()?;
        let mut entries: Vec<(String, Json)> = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            entries.push((key, map.next_value_seed(element)?));
        }
        let mut keys: Vec<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(A::Error::custom(format_args!(
                "the key `{}` is given twice",
                super::error::shown(pair[0])
            )));
        }
        Ok(Json::Object(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(body: &str, reason: &str) {
        let error = Json::parse(body.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }

    #[test]
    fn a_key_given_twice_is_refused_at_any_depth() {
        check_refused(r#"{"a":1,"b":2,"a":3}"#, "`a` is given twice");
        check_refused(r#"{"a":[{"b":2,"b":2}]}"#, "`b` is given twice");
    }

    #[test]
    fn half_a_surrogate_pair_is_refused_and_a_whole_one_is_a_character() {
        check_refused(r#"{"a":"\ud800"}"#, "surrogate pair");
        check_refused(r#"{"a":"\udc00x"}"#, "surrogate pair");
        assert_eq!(
            Json::parse(br#""\ud83d\ude00""#).unwrap(),
            Json::String("😀".to_owned())
        );
    }

    #[test]
    fn depth_and_number_of_values_are_bounded() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Json::parse(nested(limits::MAX_JSON_DEPTH).as_bytes()).is_ok());
        check_refused(&nested(limits::MAX_JSON_DEPTH + 1), "nested deeper");
        let many = format!("[{}0]", "0,".repeat(limits::MAX_JSON_VALUES));
        check_refused(&many, "more than 1000000 values");
    }

    #[test]
    fn what_follows_the_value_is_refused() {
        check_refused("{} {}", "trailing characters");
        check_refused("1e400", "out of range");
        check_refused("", "empty");
    }

    #[test]
    fn numbers_are_compared_by_value() {
        let equal = |a: &str, b: &str| {
            Json::parse(a.as_bytes())
                .unwrap()
                .same_as(&Json::parse(b.as_bytes()).unwrap())
        };
        assert!(equal("0", "0.0"));
        assert!(equal("0", "-0.0"));
        assert!(equal(r#"{"a":[1]}"#, r#"{"a":[1.0]}"#));
        assert!(!equal("0", "false"));
        assert!(!equal("[]", "[1]"));
    }
}
