//! Reads one field of a body and says which one was wrong and what is allowed.

use super::error::{ApiError, shown};
use super::json::Json;
use super::limits::Range;
use std::fmt::Write as _;
use std::ops::RangeInclusive;

/// An object of the body, with the path that an error gives it.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    path: String,
    entries: &'a [(String, Json)],
}

/// A value of the body, with its path.
#[derive(Debug, Clone)]
pub struct Field<'a> {
    path: String,
    value: &'a Json,
}

impl<'a> Fields<'a> {
    /// The body itself.
    pub fn root(body: &'a Json) -> Result<Self, ApiError> {
        match body {
            Json::Object(entries) => Ok(Self {
                path: String::new(),
                entries,
            }),
            other => Err(ApiError::bad_body(format!(
                "The body must be a JSON object, but is {}.",
                other.describe()
            ))),
        }
    }

    /// A field that may be absent; null counts as absent.
    pub fn get(&self, name: &str) -> Option<Field<'a>> {
        let (_, value) = self.entries.iter().find(|(key, _)| key == name)?;
        (*value != Json::Null).then(|| Field {
            path: self.path_of(name),
            value,
        })
    }

    pub fn require(&self, name: &str) -> Result<Field<'a>, ApiError> {
        self.get(name).ok_or_else(|| self.lacks(name, ""))
    }

    /// `or` names what would do instead.
    pub fn lacks(&self, name: &str, or: &str) -> ApiError {
        let path = self.path_of(name);
        let message = format!("`{path}`{or} is required.");
        ApiError::invalid(path, message)
    }

    /// A boolean that may be absent.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        self.get(name).map(|field| field.boolean()).transpose()
    }

    /// The names given, in the order of the body, with their values.
    pub fn entries(&self) -> impl Iterator<Item = (&'a str, Field<'a>)> {
        self.entries.iter().map(|(name, value)| {
            (
                name.as_str(),
                Field {
                    path: self.path_of(&shown(name)),
                    value,
                },
            )
        })
    }

    pub fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }
}

impl<'a> Field<'a> {
    /// What a field of the request stands for.
    pub fn of_stored(path: &str, value: &'a Json) -> Self {
        Self {
            path: path.to_owned(),
            value,
        }
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn value(&self) -> &'a Json {
        self.value
    }

    /// An error on this field; `must` completes the sentence "`field` must …".
    pub fn must(&self, must: impl std::fmt::Display) -> ApiError {
        ApiError::invalid(&self.path, format!("`{}` must {must}.", self.path))
    }

    pub fn boolean(&self) -> Result<bool, ApiError> {
        match self.value {
            Json::Bool(value) => Ok(*value),
            other => Err(self.must(format_args!(
                "be true or false, but is {}",
                other.describe()
            ))),
        }
    }

    pub fn string(&self) -> Result<&'a str, ApiError> {
        match self.value {
            Json::String(value) => self.without_nul(value),
            other => Err(self.must(format_args!("be a string, but is {}", other.describe()))),
        }
    }

    pub fn integer(&self, range: RangeInclusive<i64>) -> Result<i64, ApiError> {
        let (min, max) = (range.start(), range.end());
        match self.value {
            Json::Integer(value) if range.contains(value) => Ok(*value),
            Json::Integer(value) => Err(self.must(format_args!(
                "be an integer from {min} to {max}, but is {value}"
            ))),
            other => Err(self.must(format_args!(
                "be an integer from {min} to {max}, but is {}",
                describe(other)
            ))),
        }
    }

    /// A count from 1 to `max`.
    pub fn count(&self, max: usize) -> Result<usize, ApiError> {
        self.count_from(1, max)
    }

    /// A count from `min` to `max`.
    pub fn count_from(&self, min: usize, max: usize) -> Result<usize, ApiError> {
        let bound = |count| i64::try_from(count).unwrap_or(i64::MAX);
        let value = self.integer(bound(min)..=bound(max))?;
        usize::try_from(value)
            .map_err(|_| self.must(format_args!("be an integer from {min} to {max}")))
    }

    pub fn number(&self, range: Range) -> Result<f64, ApiError> {
        let Range { min, max } = range;
        match self.value.as_f64() {
            Some(value) if range.contains(value) => Ok(value),
            Some(value) => Err(self.must(format_args!(
                "be a number from {min} to {max}, but is {value}"
            ))),
            None => Err(self.must(format_args!(
                "be a number from {min} to {max}, but is {}",
                self.value.describe()
            ))),
        }
    }

    pub fn object(&self) -> Result<Fields<'a>, ApiError> {
        match self.value {
            Json::Object(entries) => Ok(Fields {
                path: self.path.clone(),
                entries,
            }),
            other => Err(self.must(format_args!("be an object, but is {}", other.describe()))),
        }
    }

    /// The items of an array of any length; what is no array has none.
    pub fn elements(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        let items: &'a [Json] = match self.value {
            Json::Array(items) => items,
            _ => &[],
        };
        let path = self.path.clone();
        items.iter().enumerate().map(move |(i, value)| Field {
            path: format!("{path}[{i}]"),
            value,
        })
    }

    /// Where an empty array asks for nothing.
    pub fn is_empty_array(&self) -> bool {
        matches!(self.value, Json::Array(items) if items.is_empty())
    }

    /// The items of an array of 1 to `max`; `of` says in words what they are.
    pub fn items(&self, of: &str, max: usize) -> Result<impl Iterator<Item = Field<'a>>, ApiError> {
        let Json::Array(items) = self.value else {
            return Err(self.must(format_args!(
                "be an array of {of}, but is {}",
                self.value.describe()
            )));
        };
        if items.is_empty() || items.len() > max {
            return Err(self.must(format_args!(
                "hold 1 to {max} {of}, but holds {}",
                items.len()
            )));
        }
        let path = self.path.clone();
        Ok(items.iter().enumerate().map(move |(i, value)| {
            let mut item = path.clone();
            // Writing to a string cannot fail.
            let _ = write!(item, "[{i}]");
            Field { path: item, value }
        }))
    }

    /// Tokenizers and log readers disagree about NUL, and no document holds it.
    fn without_nul(&self, value: &'a str) -> Result<&'a str, ApiError> {
        match value.find('\0') {
            None => Ok(value),
            Some(at) => {
                Err(self.must(format_args!("not hold the character U+0000 (at byte {at})")))
            }
        }
    }
}

fn describe(value: &Json) -> String {
    match value {
        Json::Float(value) => value.to_string(),
        other => other.describe().to_owned(),
    }
}
