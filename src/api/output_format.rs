//! The form that an answer must have: `response_format` as OpenAI has it, `structured_outputs`
//! and its older names as vLLM has them.

use super::error::{ApiError, shown};
use super::fields::{Field, Fields};
use super::json::Json;
use super::limits;
use super::parameters::{self, Ignored};
use super::state::{ApiState, Served};
use crate::generation::{CallForm, Caller, Format, FormatError, Grammar};
use serde_json::Value;

/// vLLM's older names, and what stands under them in `structured_outputs`.
const OLDER: [(&str, &str); 4] = [
    ("guided_json", "json"),
    ("guided_regex", "regex"),
    ("guided_choice", "choice"),
    ("guided_grammar", "grammar"),
];

/// A form with the field that asks for it.
#[derive(Debug, Clone)]
pub struct Wanted {
    format: Format,
    param: String,
    /// What the client calls it.
    name: Option<String>,
}

impl Wanted {
    /// Calls whose arguments must fit.
    pub fn calls(form: CallForm) -> Self {
        Self {
            format: Format::Calls(form),
            param: "tools".to_owned(),
            name: None,
        }
    }

    /// JSON of a schema that `param` asks for.
    pub fn schema(schema: serde_json::Value, param: &str) -> Self {
        Self {
            format: Format::JsonSchema(schema),
            param: param.to_owned(),
            name: None,
        }
    }

    fn of(field: &Field<'_>, format: Format) -> Self {
        Self {
            format,
            param: field.path().to_owned(),
            name: None,
        }
    }

    /// Whether answers are JSON.
    pub fn is_json(&self) -> bool {
        matches!(self.format, Format::JsonObject | Format::JsonSchema(_))
    }

    /// The field that asks for it.
    pub fn param(&self) -> &str {
        &self.param
    }
}

/// The one form that a request asks for, if any.
pub fn parse(body: &Fields<'_>, ignored: &mut Ignored) -> Result<Option<Wanted>, ApiError> {
    let mut wanted = Vec::new();
    if let Some(field) = body.get("response_format") {
        wanted.extend(response_format(&field, ignored)?);
    }
    if let Some(field) = body.get("structured_outputs") {
        let fields = field.object()?;
        parameters::check(parameters::STRUCTURED_OUTPUTS, &fields, ignored)?;
        for (name, field) in fields.entries() {
            if *field.value() != Json::Null {
                wanted.extend(structured_output(name, &field)?);
            }
        }
    }
    for (older, name) in OLDER {
        if let Some(field) = body.get(older) {
            wanted.extend(structured_output(name, &field)?);
        }
    }
    let mut wanted = wanted.into_iter();
    let (first, second) = (wanted.next(), wanted.next());
    if let (Some(first), Some(second)) = (&first, &second) {
        return Err(ApiError::invalid(
            &second.param,
            format!(
                "`{}` and `{}` both say what the answer must look like; send one.",
                first.param, second.param
            ),
        ));
    }
    check_end(body, first.as_ref())?;
    Ok(first)
}

/// What ends where it is complete cannot go on.
pub fn check_end(body: &Fields<'_>, wanted: Option<&Wanted>) -> Result<(), ApiError> {
    match (wanted, body.get("ignore_eos")) {
        (Some(wanted), Some(field)) if field.boolean()? => Err(field.must(format_args!(
            "be false with `{}`: an answer of that form ends where it is complete",
            wanted.param
        ))),
        _ => Ok(()),
    }
}

/// Compiles what is asked for, one request at a time, the callers in turn.
pub async fn compile(
    state: &ApiState,
    served: &Served,
    caller: Caller,
    wanted: Option<Wanted>,
) -> Result<Option<Grammar>, ApiError> {
    let Some(Wanted {
        format,
        param,
        name,
    }) = wanted
    else {
        return Ok(None);
    };
    let grammars = &served.model.grammars;
    let place = state.compilers.place(caller);
    let compiled = grammars.compile(format, place).await;
    (compiled.map(Some)).map_err(|error| refusal(&param, name.as_deref(), &error))
}

/// `name`: what the client calls it that stands at `param`.
pub fn refusal(param: &str, name: Option<&str>, error: &FormatError) -> ApiError {
    let name = name.map_or_else(String::new, |name| format!(" (`{name}`)"));
    let message = match error {
        FormatError::Schema { pointer, reason } if pointer.is_empty() => {
            format!("`{param}`{name} cannot be enforced: {reason}.")
        }
        FormatError::Schema { pointer, reason } => {
            format!(
                "`{param}`{name} cannot be enforced at `{}`: {reason}.",
                shown(pointer)
            )
        }
        FormatError::Grammar(reason) => {
            format!("`{param}` cannot be enforced: {}", shown(reason))
        }
        FormatError::NoStopToken => {
            format!("`{param}` cannot be enforced: {error}.")
        }
        FormatError::Timeout(waited) => return ApiError::slow_format(param, *waited),
        FormatError::Stopped => return ApiError::internal(error.to_string()),
    };
    ApiError::invalid(param, message)
}

fn response_format(field: &Field<'_>, ignored: &mut Ignored) -> Result<Option<Wanted>, ApiError> {
    let fields = field.object()?;
    parameters::check(parameters::RESPONSE_FORMAT, &fields, ignored)?;
    let kind = fields.require("type")?;
    let json_schema = fields.get("json_schema");
    let wanted = match kind.string()? {
        "text" => None,
        "json_object" => Some(Wanted::of(field, Format::JsonObject)),
        "json_schema" => {
            let field = fields.require("json_schema")?;
            let fields = field.object()?;
            parameters::check(parameters::JSON_SCHEMA, &fields, ignored)?;
            return named_schema(&field, &fields, ignored).map(Some);
        }
        _ => return Err(kind.must("be `text`, `json_object` or `json_schema`")),
    };
    match json_schema {
        Some(field) => Err(field.must("be left out unless `type` is `json_schema`")),
        None => Ok(wanted),
    }
}

/// `text.format` of a response, where the name and the schema stand beside the type.
pub fn of_response(field: &Field<'_>, ignored: &mut Ignored) -> Result<Option<Wanted>, ApiError> {
    let fields = field.object()?;
    parameters::check(parameters::RESPONSE_TEXT_FORMAT, &fields, ignored)?;
    let kind = fields.require("type")?;
    match kind.string()? {
        "json_schema" => {
            fields.require("schema")?;
            named_schema(field, &fields, ignored).map(Some)
        }
        "text" | "json_object" if fields.get("schema").is_some() => {
            Err(kind.must("be `json_schema` where there is a `schema`"))
        }
        "text" => Ok(None),
        "json_object" => Ok(Some(Wanted::of(field, Format::JsonObject))),
        _ => Err(kind.must("be `text`, `json_object` or `json_schema`")),
    }
}

/// A schema with its name. Strict or not, it is enforced.
fn named_schema(
    field: &Field<'_>,
    fields: &Fields<'_>,
    ignored: &mut Ignored,
) -> Result<Wanted, ApiError> {
    let name = fields.require("name")?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let text = name.string()?;
    if text.is_empty() || text.len() > limits::MAX_FORMAT_NAME_CHARS || !text.chars().all(is_plain)
    {
        return Err(name.must(format_args!(
            "have 1 to {} characters of a-z, A-Z, 0-9, `_` and `-`",
            limits::MAX_FORMAT_NAME_CHARS
        )));
    }
    fields
        .get("description")
        .map(|field| field.string())
        .transpose()?;
    if let Some(strict) = fields.get("strict")
        && !strict.boolean()?
    {
        ignored.add(strict.path(), strict.path())?;
    }
    let wanted = match fields.get("schema") {
        Some(schema) => json_schema(&schema)?,
        None => Wanted::of(field, Format::JsonObject),
    };
    Ok(Wanted {
        name: Some(text.to_owned()),
        ..wanted
    })
}

/// A member of `structured_outputs`, or of its older form.
fn structured_output(name: &str, field: &Field<'_>) -> Result<Option<Wanted>, ApiError> {
    let format = match name {
        "json" => return json_schema(field).map(Some),
        "json_object" => {
            if !field.boolean()? {
                return Ok(None);
            }
            Format::JsonObject
        }
        "regex" => Format::Regex(expression(field)?),
        "grammar" => Format::Lark(expression(field)?),
        "choice" => Format::Choice(choices(field)?),
        // The table of the fields has refused it, or found that it asks for nothing.
        _ => return Ok(None),
    };
    Ok(Some(Wanted::of(field, format)))
}

/// A schema, or its text.
fn json_schema(field: &Field<'_>) -> Result<Wanted, ApiError> {
    let schema = match field.value() {
        Json::String(text) => Json::parse(text.as_bytes())
            .map_err(|error| field.must(format_args!("be a JSON schema, but {error}")))?
            .to_value(),
        value => value.to_value(),
    };
    if !schema.is_object() && !schema.is_boolean() {
        return Err(field.must("be a JSON schema: an object, true or false"));
    }
    within(field, schema.to_string().len(), limits::MAX_SCHEMA_BYTES)?;
    Ok(Wanted::of(field, Format::JsonSchema(schema)))
}

fn expression(field: &Field<'_>) -> Result<String, ApiError> {
    let text = field.string()?;
    if text.is_empty() {
        return Err(field.must("not be empty"));
    }
    within(field, text.len(), limits::MAX_GRAMMAR_BYTES)?;
    Ok(text.to_owned())
}

fn choices(field: &Field<'_>) -> Result<Vec<String>, ApiError> {
    let choices = field
        .items("strings", limits::MAX_FORMAT_CHOICES)?
        .map(|item| match item.string()? {
            "" => Err(item.must("not be empty")),
            text => Ok(text.to_owned()),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let len = choices.iter().map(String::len).sum();
    within(field, len, limits::MAX_GRAMMAR_BYTES)?;
    Ok(choices)
}

pub fn within(field: &Field<'_>, len: usize, max: usize) -> Result<(), ApiError> {
    if len > max {
        return Err(field.must(format_args!("have at most {max} bytes, but has {len}")));
    }
    Ok(())
}

impl Json {
    pub fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Integer(value) => (*value).into(),
            Self::Float(value) => (*value).into(),
            Self::String(value) => value.as_str().into(),
            Self::Array(items) => items.iter().map(Self::to_value).collect(),
            Self::Object(entries) => entries
                .iter()
                .map(|(name, value)| (name.clone(), value.to_value()))
                .collect(),
        }
    }
}
