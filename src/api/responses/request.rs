use super::input::Conversation;
use crate::api::error::ApiError;
use crate::api::fields::{Field, Fields};
use crate::api::json::Json;
use crate::api::limits;
use crate::api::output_format;
use crate::api::parameters::{self, Ignored, RESPONSE_REASONING_OPTIONS, RESPONSE_TEXT, RESPONSES};
use crate::api::request::Ask;
use crate::api::sampling_fields;
use crate::api::service_tier::ServiceTier;
use crate::api::state::Served;
use crate::api::template_fields;
use crate::api::tools::{self, Shape};
use crate::generation::{ChatInput, GenerationParams, ToolFormat};
use crate::text::{ChatPrompt, Ending};
use serde_json::{Map, Value, json};

const LOGPROBS: &str = "message.output_text.logprobs";

/// A request, validated.
pub struct ResponseRequest {
    pub input: ChatInput,
    pub ask: Ask,
    /// The items so far, those of the earlier response first.
    pub items: Vec<Value>,
    /// What of the request stands in the answer again.
    pub echo: Map<String, Value>,
    pub with_logprobs: bool,
    /// The template takes identifiers of nine characters alone.
    pub short_ids: bool,
}

/// How it is answered, which is known before the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Mode {
    pub stream: bool,
    pub store: bool,
    pub background: bool,
    pub previous: Option<String>,
}

impl Mode {
    /// `stores`: whether this server does.
    pub fn parse(body: &Fields<'_>, stores: bool, ignored: &mut Ignored) -> Result<Self, ApiError> {
        parameters::check(RESPONSES, body, ignored)?;
        let asked = body.flag("store")?;
        if let (Some(true), false, Some(field)) = (asked, stores, body.get("store")) {
            return Err(field.must("not be true: this server stores nothing"));
        }
        let mode = Self {
            stream: body.flag("stream")?.unwrap_or(false),
            store: asked.unwrap_or(true) && stores,
            background: body.flag("background")?.unwrap_or(false),
            previous: match body.get("previous_response_id") {
                Some(field) => Some(field.string()?.to_owned()),
                None => None,
            },
        };
        if let (true, Some(field)) = (mode.background, body.get("background")) {
            if !mode.store {
                return Err(field.must("be left out where the response is not stored"));
            }
            if mode.stream {
                return Err(field.must("be left out beside `stream`"));
            }
        }
        Ok(mode)
    }
}

impl ResponseRequest {
    /// `earlier` holds the items of the response that this one goes on from.
    pub fn parse(
        body: &Fields<'_>,
        served: &Served,
        mode: &Mode,
        earlier: Option<&Json>,
        ignored: &mut Ignored,
    ) -> Result<Self, ApiError> {
        let input = body.require("input")?;
        let mut conversation = Conversation::default();
        if let Some(field) = body.get("instructions") {
            conversation.push("system", field.string()?.into());
        }
        let mut items = Vec::new();
        if let Some(earlier) = earlier {
            // It is ours: what is ignored of it is no news.
            let field = Field::of_stored("previous_response_id", earlier);
            conversation.add(&field, &mut Ignored::default())?;
            items.extend(earlier.to_value().as_array().cloned().unwrap_or_default());
        }
        conversation.add(&input, ignored)?;
        match input.value() {
            Json::Array(new) => items.extend(new.iter().map(Json::to_value)),
            text => {
                items.push(json!({"type": "message", "role": "user", "content": text.to_value()}))
            }
        }
        let messages = conversation.finish(&input)?;
        let asked = tools::parse(body, Shape::Flat, ignored)?;
        let effort = effort(body, ignored)?;
        let source = template_fields::source(served, None, !asked.definitions.is_empty());
        let arguments = template_fields::parse(body, effort.as_ref(), source, ignored)?;
        let max_tokens = (body.get("max_output_tokens"))
            .map(|field| sampling_fields::max_tokens(&field))
            .transpose()?;
        let service_tier = ServiceTier::parse(body)?;
        let logprobs = logprobs(body)?;
        let params = GenerationParams {
            max_tokens,
            logprobs,
            class: service_tier.map(ServiceTier::class).unwrap_or_default(),
            ..sampling_fields::parse(body, served)?
        };
        let dialect = &served.model.dialect;
        let format = match body.get("text") {
            Some(field) => {
                let fields = field.object()?;
                parameters::check(RESPONSE_TEXT, &fields, ignored)?;
                (fields.get("format"))
                    .map(|field| output_format::of_response(&field, ignored))
                    .transpose()?
                    .flatten()
            }
            None => None,
        };
        let format = tools::form(body, &asked, dialect, format)?;
        Ok(Self {
            echo: echo(body, served, mode, &params, service_tier)?,
            with_logprobs: logprobs.is_some(),
            short_ids: dialect.tools() == ToolFormat::Mistral,
            input: ChatInput {
                prompt: ChatPrompt {
                    messages,
                    tools: asked.definitions,
                    arguments,
                    ending: Ending::Answer,
                    template: None,
                },
                tools: asked.tools,
            },
            ask: Ask {
                params,
                format,
                ..Ask::default()
            },
            items,
        })
    }
}

fn effort<'a>(body: &Fields<'a>, ignored: &mut Ignored) -> Result<Option<Field<'a>>, ApiError> {
    let Some(field) = body.get("reasoning") else {
        return Ok(None);
    };
    let fields = field.object()?;
    parameters::check(RESPONSE_REASONING_OPTIONS, &fields, ignored)?;
    Ok(fields.get("effort"))
}

/// `include` asks for log-probabilities, `top_logprobs` says how many.
fn logprobs(body: &Fields<'_>) -> Result<Option<usize>, ApiError> {
    let mut is_asked = false;
    if let Some(field) = body.get("include").filter(|field| !field.is_empty_array()) {
        for item in field.items("names", limits::MAX_INCLUDE)? {
            if item.string()? != LOGPROBS {
                return Err(item.must(format_args!("be `{LOGPROBS}`, which is all there is")));
            }
            is_asked = true;
        }
    }
    let Some(field) = body.get("top_logprobs") else {
        return Ok(is_asked.then_some(0));
    };
    let num_top = field.count_from(0, limits::MAX_TOP_LOGPROBS)?;
    if num_top > 0 && !is_asked {
        return Err(field.must(format_args!(
            "be left out unless `include` holds `{LOGPROBS}`"
        )));
    }
    Ok(is_asked.then_some(num_top))
}

/// What OpenAI's response object repeats of its request, with the defaults that held.
fn echo(
    body: &Fields<'_>,
    served: &Served,
    mode: &Mode,
    params: &GenerationParams,
    service_tier: Option<ServiceTier>,
) -> Result<Map<String, Value>, ApiError> {
    let given = |name: &str, absent: Value| match body.get(name) {
        Some(field) => field.value().to_value(),
        None => absent,
    };
    let defaults = &served.model.defaults;
    let text = match body.get("text") {
        Some(field) => match field.object()?.get("format") {
            Some(format) => json!({"format": format.value().to_value()}),
            None => json!({"format": {"type": "text"}}),
        },
        None => json!({"format": {"type": "text"}}),
    };
    let effort = match body.get("reasoning") {
        Some(field) => field.object()?.get("effort").map(|e| e.value().to_value()),
        None => None,
    };
    let Value::Object(echo) = json!({
        "background": mode.background,
        "instructions": given("instructions", Value::Null),
        "max_output_tokens": given("max_output_tokens", Value::Null),
        "metadata": metadata(body)?,
        "parallel_tool_calls": given("parallel_tool_calls", true.into()),
        "previous_response_id": mode.previous,
        "prompt": given("prompt", Value::Null),
        "reasoning": {"effort": effort, "summary": null},
        "service_tier": service_tier.map_or("default", ServiceTier::name),
        "store": mode.store,
        "temperature": params.temperature.unwrap_or(defaults.temperature),
        "text": text,
        "tool_choice": given("tool_choice", "auto".into()),
        "tools": tools(body),
        "top_logprobs": params.logprobs.unwrap_or(0),
        "top_p": params.top_p.unwrap_or(defaults.top_p),
        "truncation": "disabled",
    }) else {
        return Ok(Map::new());
    };
    Ok(echo)
}

/// As they were given, with every field that OpenAI's has.
fn tools(body: &Fields<'_>) -> Value {
    let given = body.get("tools").map(|field| field.value().to_value());
    let Some(Value::Array(mut tools)) = given else {
        return json!([]);
    };
    for tool in tools.iter_mut().filter_map(Value::as_object_mut) {
        for name in ["parameters", "strict"] {
            tool.entry(name).or_insert(Value::Null);
        }
    }
    tools.into()
}

fn metadata(body: &Fields<'_>) -> Result<Value, ApiError> {
    let Some(field) = body.get("metadata") else {
        return Ok(json!({}));
    };
    let fields = field.object()?;
    let (max, max_key, max_value) = (
        limits::MAX_METADATA,
        limits::MAX_METADATA_KEY_CHARS,
        limits::MAX_METADATA_VALUE_CHARS,
    );
    if fields.entries().count() > max {
        return Err(field.must(format_args!("hold at most {max} entries")));
    }
    for (name, value) in fields.entries() {
        if name.chars().count() > max_key || value.string()?.chars().count() > max_value {
            return Err(value.must(format_args!(
                "be a string of at most {max_value} characters under a name of at most {max_key}"
            )));
        }
    }
    Ok(field.value().to_value())
}
