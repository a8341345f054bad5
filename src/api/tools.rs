//! `tools` and what goes with them: the functions that an answer may call.

use super::error::ApiError;
use super::fields::{Field, Fields};
use super::json::Json;
use super::limits;
use super::output_format::{self, Wanted};
use super::parameters::{self, Ignored};
use crate::generation::{Function, ToolChoice, Tools, check_schema};
use serde_json::{Value, json};

/// What a request says about tools.
#[derive(Debug, Default)]
pub struct Asked {
    /// As the template is given them.
    pub definitions: Vec<Value>,
    /// There if any may be called.
    pub tools: Option<Tools>,
    /// One function was named, so that its call is no decision of the model.
    pub is_named: bool,
}

/// Which of the functions may be called, and whether one must be.
struct Choice {
    /// Absent: any.
    names: Option<Vec<String>>,
    choice: Option<ToolChoice>,
    is_named: bool,
}

/// How an endpoint writes a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `{"type": "function", "function": {"name": …}}`: a chat.
    Nested,
    /// `{"type": "function", "name": …}`: a response.
    Flat,
}

pub fn parse(body: &Fields<'_>, shape: Shape, ignored: &mut Ignored) -> Result<Asked, ApiError> {
    let tools = match body.get("tools").filter(|field| !field.is_empty_array()) {
        Some(field) => field
            .items("tools", limits::MAX_TOOLS)?
            .map(|tool| function(&tool, shape, ignored))
            .collect::<Result<Vec<_>, _>>()?,
        None => Vec::new(),
    };
    if let Some(field) = body.get("tools") {
        let len = tools.iter().map(|tool| tool.definition.to_string().len());
        output_format::within(&field, len.sum(), limits::MAX_SCHEMA_BYTES)?;
    }
    let parallel = body.flag("parallel_tool_calls")?;
    let choice = match body.get("tool_choice") {
        Some(field) => choice(&field, &tools, shape, ignored)?,
        None => Choice::auto(),
    };
    let mut asked = Asked {
        is_named: choice.is_named,
        ..Asked::default()
    };
    let Some(decides) = choice.choice.filter(|_| !tools.is_empty()) else {
        return Ok(asked);
    };
    let mut functions = Vec::new();
    for tool in tools {
        let is_allowed = |names: &Vec<String>| names.contains(&tool.function.name);
        if !choice.names.as_ref().is_none_or(is_allowed) {
            continue;
        }
        if tool.function.strict || decides == ToolChoice::Required {
            check_schema(&tool.function.parameters).map_err(|error| {
                output_format::refusal(&tool.param, Some(&tool.function.name), &error)
            })?;
        }
        asked.definitions.push(tool.definition);
        functions.push(tool.function);
    }
    asked.tools = Some(Tools {
        functions,
        choice: decides,
        parallel: parallel.unwrap_or(true) && !choice.is_named,
    });
    Ok(asked)
}

/// The form that an answer has whose calls must fit, unless another one is asked for.
pub fn form(
    body: &Fields<'_>,
    asked: &Asked,
    dialect: &crate::generation::Dialect,
    wanted: Option<Wanted>,
) -> Result<Option<Wanted>, ApiError> {
    let Some(form) = asked.tools.as_ref().and_then(|tools| tools.form(dialect)) else {
        return Ok(wanted);
    };
    match wanted {
        None => {
            let wanted = Wanted::calls(form);
            output_format::check_end(body, Some(&wanted))?;
            Ok(Some(wanted))
        }
        Some(wanted) => Err(ApiError::invalid(
            wanted.param(),
            format!(
                "`{}` cannot be enforced beside functions whose calls are: leave out `strict` and `tool_choice`, or this.",
                wanted.param()
            ),
        )),
    }
}

struct Tool {
    definition: Value,
    function: Function,
    /// Where its parameters stand.
    param: String,
}

fn function(tool: &Field<'_>, shape: Shape, ignored: &mut Ignored) -> Result<Tool, ApiError> {
    let fields = tool.object()?;
    is_function(&fields)?;
    let (field, fields) = match shape {
        Shape::Flat => {
            parameters::check(parameters::RESPONSE_TOOL, &fields, ignored)?;
            (tool.clone(), fields)
        }
        Shape::Nested => {
            parameters::check(parameters::TOOL, &fields, ignored)?;
            let field = fields.require("function")?;
            let fields = field.object()?;
            parameters::check(parameters::FUNCTION, &fields, ignored)?;
            (field, fields)
        }
    };
    let name = name(&fields.require("name")?)?;
    let description = fields.get("description");
    if let Some(description) = &description {
        description.string()?;
    }
    let strict = fields.flag("strict")?;
    let schema = match fields.get("parameters") {
        Some(field) => {
            let kind = field.object()?.get("type");
            if let Some(kind) =
                kind.filter(|kind| !matches!(kind.value(), Json::String(kind) if kind == "object"))
            {
                return Err(kind.must("be `object`: arguments are one"));
            }
            Some(field.value().to_value())
        }
        None => None,
    };
    let mut definition = json!({"name": name});
    if let Some(description) = description {
        definition["description"] = description.string()?.into();
    }
    if let Some(schema) = &schema {
        definition["parameters"] = schema.clone();
    }
    Ok(Tool {
        definition: json!({"type": "function", "function": definition}),
        param: format!("{}.parameters", field.path()),
        function: {
            let parameters = schema.map_or_else(nothing, as_object);
            Function {
                name,
                strict: strict.unwrap_or_else(|| {
                    // Responses are strict unless they are told not to be.
                    shape == Shape::Flat && check_schema(&parameters).is_ok()
                }),
                parameters,
            }
        },
    })
}

/// Looked at first, since other tools have other properties.
fn is_function(tool: &Fields<'_>) -> Result<(), ApiError> {
    let kind = tool.require("type")?;
    match kind.string()? {
        "function" => Ok(()),
        _ => Err(kind.must("be `function`: this server knows no other tools")),
    }
}

/// The arguments of a function without any.
fn nothing() -> Value {
    json!({"type": "object", "properties": {}, "additionalProperties": false})
}

/// Arguments are an object, whether the schema says so or not.
fn as_object(mut schema: Value) -> Value {
    if let Value::Object(keywords) = &mut schema
        && !keywords.contains_key("type")
    {
        keywords.insert("type".to_owned(), "object".into());
    }
    schema
}

fn name(field: &Field<'_>) -> Result<String, ApiError> {
    let name = field.string()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty()
        || name.len() > limits::MAX_FUNCTION_NAME_CHARS
        || !name.chars().all(is_plain)
    {
        return Err(field.must(format_args!(
            "have 1 to {} characters of a-z, A-Z, 0-9, `_`, `-` and `.`",
            limits::MAX_FUNCTION_NAME_CHARS
        )));
    }
    Ok(name.to_owned())
}

fn choice(
    field: &Field<'_>,
    tools: &[Tool],
    shape: Shape,
    ignored: &mut Ignored,
) -> Result<Choice, ApiError> {
    let must =
        "be `none`, `auto`, `required`, or an object of the type `function` or `allowed_tools`";
    let word = |field: &Field<'_>, word: &str| match word {
        "none" => Ok(None),
        "auto" => Ok(Some(ToolChoice::Auto)),
        "required" => Ok(Some(ToolChoice::Required)),
        _ => Err(field.must(must)),
    };
    if let Json::String(_) = field.value() {
        let choice = word(field, field.string()?)?;
        if choice == Some(ToolChoice::Required) && tools.is_empty() {
            return Err(field.must("not be `required` without `tools`"));
        }
        return Ok(Choice {
            choice,
            ..Choice::auto()
        });
    }
    let fields = field.object()?;
    let kind = fields.require("type")?;
    let table = match shape {
        Shape::Nested => parameters::TOOL_CHOICE,
        Shape::Flat => parameters::RESPONSE_TOOL_CHOICE,
    };
    match kind.string()? {
        "function" => {
            parameters::check(table, &fields, ignored)?;
            Ok(Choice {
                names: Some(vec![named(&fields, tools, shape, ignored)?]),
                choice: Some(ToolChoice::Required),
                is_named: true,
            })
        }
        "allowed_tools" => {
            parameters::check(table, &fields, ignored)?;
            let allowed = match shape {
                Shape::Flat => fields.clone(),
                Shape::Nested => {
                    let allowed = fields.require("allowed_tools")?.object()?;
                    parameters::check(parameters::ALLOWED_TOOLS, &allowed, ignored)?;
                    allowed
                }
            };
            let mode = allowed.require("mode")?;
            let choice = match mode.string()? {
                "auto" => ToolChoice::Auto,
                "required" => ToolChoice::Required,
                _ => return Err(mode.must("be `auto` or `required`")),
            };
            let names = allowed
                .require("tools")?
                .items("tools", limits::MAX_TOOLS)?
                .map(|tool| {
                    let fields = tool.object()?;
                    is_function(&fields)?;
                    let table = match shape {
                        Shape::Nested => parameters::ALLOWED_TOOL,
                        Shape::Flat => parameters::RESPONSE_ALLOWED_TOOL,
                    };
                    parameters::check(table, &fields, ignored)?;
                    named(&fields, tools, shape, ignored)
                })
                .collect::<Result<Vec<_>, _>>()?;
            Ok(Choice {
                names: Some(names),
                choice: Some(choice),
                is_named: false,
            })
        }
        _ => Err(kind.must("be `function` or `allowed_tools`")),
    }
}

/// The name of a function that there is.
fn named(
    fields: &Fields<'_>,
    tools: &[Tool],
    shape: Shape,
    ignored: &mut Ignored,
) -> Result<String, ApiError> {
    let function = match shape {
        Shape::Flat => fields.clone(),
        Shape::Nested => {
            let function = fields.require("function")?.object()?;
            parameters::check(parameters::NAMED_FUNCTION, &function, ignored)?;
            function
        }
    };
    let name = function.require("name")?;
    let text = name.string()?;
    if !tools.iter().any(|tool| tool.function.name == text) {
        return Err(name.must("be the name of a function in `tools`"));
    }
    Ok(text.to_owned())
}

impl Choice {
    fn auto() -> Self {
        Self {
            names: None,
            choice: Some(ToolChoice::Auto),
            is_named: false,
        }
    }
}
