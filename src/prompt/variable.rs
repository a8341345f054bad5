use super::error::RenderError;
use super::front_matter::{TypeName, VariableTable};
use super::limits::{
    DEFAULT_ITEM_CHARS, DEFAULT_LIST_ITEMS, DEFAULT_TEXT_CHARS, MAX_CHOICES, MAX_LIST_ITEMS,
    MAX_NAME_CHARS, MAX_TEXT_CHARS,
};
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The variable that every prompt has: in which of its languages it is written and answered.
pub const LANGUAGE: &str = "language";

/// Names that templates find beside the variables of a file.
const RESERVED: [&str; 7] = [
    LANGUAGE,
    "documents",
    "part",
    "notes",
    "previous",
    "loop",
    "self",
];

/// One variable of a prompt, as a request may set it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Variable {
    pub name: String,
    /// By language.
    pub description: BTreeMap<String, String>,
    pub required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Json>,
    #[serde(flatten)]
    pub kind: VariableType,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum VariableType {
    Text {
        max_chars: usize,
        /// Empty: any text.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        choices: Vec<String>,
    },
    Integer {
        min: i64,
        max: i64,
    },
    Boolean,
    /// Of texts.
    List {
        max_items: usize,
        /// Of each.
        max_chars: usize,
    },
}

impl Variable {
    /// The variable that stands in no file.
    pub(super) fn language(languages: &[String]) -> Self {
        let texts = [
            ("fr", "La langue de la réponse."),
            ("de", "Die Sprache der Antwort."),
            ("en", "The language of the answer."),
        ];
        let known = |language: &String| {
            texts
                .iter()
                .find(|(code, _)| code == language)
                .map_or("The language of the answer.", |(_, text)| text)
        };
        let description = languages
            .iter()
            .map(|code| (code.clone(), known(code).to_owned()));
        Self {
            name: LANGUAGE.to_owned(),
            description: description.collect(),
            required: false,
            default: languages.first().map(|language| language.as_str().into()),
            kind: VariableType::choice(languages),
        }
    }

    /// A table of the front matter; else what is wrong with it, in words.
    pub(super) fn new(name: &str, table: VariableTable) -> Result<Self, String> {
        check_name(name)?;
        let kind = table.kind()?;
        let default = table.default.map(serde_json::to_value);
        let default = default
            .transpose()
            .map_err(|error| format!("`default`: {error}"))?;
        let mut variable = Self {
            name: name.to_owned(),
            description: table.description,
            required: table.required,
            default: None,
            kind,
        };
        if let Some(default) = &default {
            if variable.required {
                return Err("a variable is either `required` or has a `default`".to_owned());
            }
            let default = variable.accept(default);
            variable.default = Some(default.map_err(|error| format!("`default`: {error}"))?);
        }
        Ok(variable)
    }

    /// A request's value in its own type. OpenAI's clients send texts alone, so that a text may
    /// say a number, `true` or `false`, or the items of a list in lines.
    pub(super) fn accept(&self, value: &Json) -> Result<Json, RenderError> {
        let name = || self.name.clone();
        let wrong = |expected| RenderError::WrongType {
            name: name(),
            expected,
        };
        match &self.kind {
            VariableType::Text { max_chars, choices } => {
                let text = value.as_str().ok_or_else(|| wrong("a text"))?;
                if self.required && text.trim().is_empty() {
                    return Err(RenderError::Missing { name: name() });
                }
                if !choices.is_empty() && !choices.iter().any(|choice| choice == text) {
                    return Err(RenderError::NotAChoice {
                        name: name(),
                        choices: choices.clone(),
                    });
                }
                self.check_length(text, *max_chars)?;
                Ok(value.clone())
            }
            VariableType::Integer { min, max } => {
                let number = match value {
                    Json::String(text) => text.trim().parse().ok(),
                    other => other.as_i64(),
                };
                let number: i64 = number.ok_or_else(|| wrong("a whole number"))?;
                if !(*min..=*max).contains(&number) {
                    return Err(RenderError::OutOfRange {
                        name: name(),
                        min: *min,
                        max: *max,
                    });
                }
                Ok(number.into())
            }
            VariableType::Boolean => {
                let boolean = match value.as_str() {
                    Some(text) => text.trim().parse().ok(),
                    None => value.as_bool(),
                };
                Ok(boolean.ok_or_else(|| wrong("true or false"))?.into())
            }
            VariableType::List {
                max_items,
                max_chars,
            } => {
                let items = items(value).ok_or_else(|| wrong("a list of texts"))?;
                if self.required && items.is_empty() {
                    return Err(RenderError::Missing { name: name() });
                }
                if items.len() > *max_items {
                    return Err(RenderError::TooManyItems {
                        name: name(),
                        num_items: items.len(),
                        max_items: *max_items,
                    });
                }
                for item in &items {
                    self.check_length(item, *max_chars)?;
                }
                Ok(items.into())
            }
        }
    }

    fn check_length(&self, text: &str, max_chars: usize) -> Result<(), RenderError> {
        let num_chars = text.chars().count();
        if num_chars <= max_chars {
            return Ok(());
        }
        Err(RenderError::TooLong {
            name: self.name.clone(),
            num_chars,
            max_chars,
        })
    }
}

impl VariableType {
    /// A text that is one of these.
    fn choice(choices: &[String]) -> Self {
        let lengths = choices.iter().map(|choice| choice.chars().count());
        Self::Text {
            max_chars: lengths.max().unwrap_or_default(),
            choices: choices.to_vec(),
        }
    }
}

impl VariableTable {
    fn kind(&self) -> Result<VariableType, String> {
        let given = [
            ("choices", self.choices.is_some()),
            ("max_chars", self.max_chars.is_some()),
            ("max_items", self.max_items.is_some()),
            ("min", self.min.is_some()),
            ("max", self.max.is_some()),
        ];
        let (name, taken): (_, &[&str]) = match self.kind {
            TypeName::Text if self.choices.is_some() => ("text with choices", &["choices"]),
            TypeName::Text => ("text", &["max_chars"]),
            TypeName::Integer => ("integer", &["min", "max"]),
            TypeName::Boolean => ("boolean", &[]),
            TypeName::List => ("list", &["max_items", "max_chars"]),
        };
        if let Some((key, _)) = given
            .iter()
            .find(|(key, given)| *given && !taken.contains(key))
        {
            let taken = match taken {
                [] => "nothing of the kind".to_owned(),
                taken => format!("`{}`", taken.join("` and `")),
            };
            return Err(format!(
                "`{key}` does not go with the type {name}, which takes {taken}"
            ));
        }
        let within = |key: &str, value: Option<usize>, default: usize, most: usize| {
            let value = value.unwrap_or(default);
            let sound = (1..=most).contains(&value);
            sound
                .then_some(value)
                .ok_or_else(|| format!("`{key}` must be from 1 to {most}"))
        };
        Ok(match self.kind {
            TypeName::Text => match &self.choices {
                Some(choices) => checked_choices(choices)?,
                None => VariableType::Text {
                    max_chars: within(
                        "max_chars",
                        self.max_chars,
                        DEFAULT_TEXT_CHARS,
                        MAX_TEXT_CHARS,
                    )?,
                    choices: Vec::new(),
                },
            },
            TypeName::Integer => match (self.min, self.max) {
                (Some(min), Some(max)) if min <= max => VariableType::Integer { min, max },
                (Some(_), Some(_)) => return Err("`min` must not be above `max`".to_owned()),
                _ => return Err("an integer needs `min` and `max`".to_owned()),
            },
            TypeName::Boolean => VariableType::Boolean,
            TypeName::List => VariableType::List {
                max_items: within(
                    "max_items",
                    self.max_items,
                    DEFAULT_LIST_ITEMS,
                    MAX_LIST_ITEMS,
                )?,
                max_chars: within(
                    "max_chars",
                    self.max_chars,
                    DEFAULT_ITEM_CHARS,
                    MAX_TEXT_CHARS,
                )?,
            },
        })
    }
}

fn check_name(name: &str) -> Result<(), String> {
    if RESERVED.contains(&name) {
        return Err(format!(
            "the name is taken; {} are set by the server",
            RESERVED.join(", ")
        ));
    }
    let plain = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.len() <= MAX_NAME_CHARS
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    plain.then_some(()).ok_or_else(|| {
        format!(
            "a name has up to {MAX_NAME_CHARS} letters from a to z, digits and underscores, and begins with a letter"
        )
    })
}

fn checked_choices(choices: &[String]) -> Result<VariableType, String> {
    if !(2..=MAX_CHOICES).contains(&choices.len()) {
        return Err(format!("`choices` must have 2 to {MAX_CHOICES} texts"));
    }
    if choices.iter().any(|choice| choice.trim().is_empty()) {
        return Err("`choices` must not have an empty text".to_owned());
    }
    let mut sorted: Vec<_> = choices.iter().collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("`choices` has {:?} twice", pair[0])),
        None => Ok(VariableType::choice(choices)),
    }
}

/// Without the empty ones.
fn items(value: &Json) -> Option<Vec<String>> {
    let texts: Vec<&str> = match value {
        Json::String(text) => text.lines().collect(),
        Json::Array(items) => items.iter().map(Json::as_str).collect::<Option<_>>()?,
        _ => return None,
    };
    let texts = texts.into_iter().map(str::trim);
    Some(
        texts
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .collect(),
    )
}
