use super::answer::{LongTold, Planned};
use super::plan::{Lengths, Overhead, Plan, PlanError, Progress, Room, Run, Source, Task};
use super::progress::Progressing;
use crate::api::answer::{Measured, Usage};
use crate::api::error::ApiError;
use crate::api::fields::Fields;
use crate::api::inputs::{Conversation, Named, ReadFile};
use crate::api::json::Json;
use crate::api::limits;
use crate::api::output_format::Wanted;
use crate::api::request::Ask;
use crate::api::request_id::RequestId;
use crate::api::sampling_fields;
use crate::api::state::{ApiState, Served};
use crate::document::Document;
use crate::document::parts::{Part, split};
use crate::generation::{Caller, ChatInput, GenerationError, GenerationParams, ServedModel};
use crate::prompt::{LongDocuments, PromptDocument, Rendered};
use crate::text::{ChatMessage, ChatPrompt, Ending};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::SystemTime;

/// Steps of one request that are computed side by side.
const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// Between the answers to two parts that are joined.
const JOINT: &str = "\n\n";

/// Who reads long documents for a request.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    pub state: &'a ApiState,
    pub served: &'a Served,
    pub caller: Caller,
    pub request_id: &'a RequestId,
    /// Where it is told how far the reading is.
    pub progress: Option<&'a Progressing>,
    /// Whether the rest of the request is as it must be, which is asked before anything is
    /// computed.
    pub check: &'a (dyn Fn(&Json) -> Result<(), ApiError> + Sync),
}

/// What is read, by which prompt, and for which request.
pub struct Subject<'a> {
    pub named: &'a Arc<Named>,
    pub strategy: LongDocuments,
    pub files: &'a [ReadFile],
    /// How many of the body's messages are the prompt's.
    pub num_rendered: usize,
    pub conversation: Conversation,
}

/// What came of the steps before the last.
#[derive(Debug, Clone)]
pub struct Read {
    /// By `join`: the answers to all parts but the last.
    pub said: Option<String>,
    pub told: LongTold,
}

/// A plan, and what its steps are made of.
struct Prepared {
    plan: Plan,
    /// As the sources, each with the document that it is of.
    parts: Vec<(usize, Part)>,
    documents: Vec<Document>,
}

/// What each step takes beside its own text.
struct Shared<'a> {
    named: &'a Arc<Named>,
    documents: Vec<PromptDocument>,
    /// What the request says beside the prompt.
    given: Vec<ChatMessage>,
    params: GenerationParams,
    seed: u64,
    strategy: LongDocuments,
    field: &'static str,
}

impl Reader<'_> {
    /// Reads what does not fit the context, and leaves in the body the messages of the last step.
    /// Changes nothing where all fits.
    ///
    /// # Errors
    ///
    /// Before anything is computed, if the documents cannot be read so; else those of a step.
    pub async fn read(
        self,
        body: &mut Json,
        subject: Subject<'_>,
    ) -> Result<Option<Read>, ApiError> {
        let Subject {
            named,
            strategy,
            files,
            num_rendered,
            conversation,
        } = subject;
        let field = conversation.list;
        let given = given(body, conversation, num_rendered)?;
        let params = sampling_fields::parse(&Fields::root(body)?, self.served)?;
        let wanted = max_tokens(body, conversation);
        let model = Arc::clone(&self.served.model);
        let documents: Vec<Document> = files.iter().map(ReadFile::shown_document).collect();
        let shown = crate::api::inputs::for_prompt(files);
        let prepare = {
            let (named, given, shown) = (Arc::clone(named), given.clone(), shown.clone());
            move || prepared(&model, &named, strategy, documents, &shown, &given, wanted)
        };
        let prepared = self.state.beside_connections(self.caller, prepare).await?;
        let Some(prepared) = prepared.map_err(|error| error.on(field))? else {
            return Ok(None);
        };
        (self.check)(body)?;
        if has_tools(body) {
            let message = "Functions cannot be called where the documents are longer than the context; leave `tools` out.";
            return Err(ApiError::invalid("tools", message));
        }
        if params.n > 1 {
            let message = "`n` must be 1 where the documents are longer than the context.";
            return Err(ApiError::invalid("n", message));
        }
        let seed = match params.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(|error| ApiError::internal(error.to_string()))?,
        };
        let shared = Shared {
            named,
            documents: shown,
            given,
            params,
            seed,
            strategy,
            field,
        };
        let read = self.steps(prepared, &shared, files).await?;
        self.leave(body, conversation, num_rendered, &shared, read.last)?;
        Ok(Some(Read {
            said: read.said,
            told: read.told,
        }))
    }

    /// All steps but the one that answers.
    async fn steps(
        self,
        prepared: Prepared,
        shared: &Shared<'_>,
        files: &[ReadFile],
    ) -> Result<Steps, ApiError> {
        let Prepared {
            plan,
            parts,
            documents,
        } = prepared;
        let planned = Planned::new(&plan);
        let last = plan.steps.len().saturating_sub(1);
        let tokenizer = &self.served.model.tokenizer;
        let mut count = |text: &str| {
            tokenizer
                .encode_bare(text)
                .map_or(text.len(), |ids| ids.len())
        };
        self.tell(Progress {
            done: 0,
            total: plan.steps.len(),
            level: 0,
            pages: None,
            document: 0,
        });
        let mut run = Run::new(plan, CONCURRENCY);
        let mut running = FuturesUnordered::new();
        let (mut answering, mut said, mut usage) = (None, Vec::new(), Usage::default());
        loop {
            for task in run.begin() {
                let documents = read_by(&task, &parts, &documents, &shared.documents);
                if task.step == last {
                    answering = Some((task, documents));
                } else {
                    running.push(self.step(task, documents, shared));
                }
            }
            let Some(done) = running.next().await else {
                break;
            };
            let Written { task, text, used } = done?;
            usage.prompt_tokens += used.prompt_tokens;
            usage.completion_tokens += used.completion_tokens;
            if task.is_answer {
                said.push((task.step, text.clone()));
            }
            let progress = run.end(task.step, text, &mut count);
            self.tell(progress.map_err(|error| ApiError::internal(error.to_string()))?);
        }
        let Some(last) = answering else {
            return Err(ApiError::internal("a long document's last step never came"));
        };
        said.sort_by_key(|(step, _)| *step);
        let said: Vec<String> = said.into_iter().map(|(_, text)| text + JOINT).collect();
        Ok(Steps {
            last,
            said: (!said.is_empty()).then(|| said.concat()),
            told: planned.told(usage, &run.provenance(), files),
        })
    }

    async fn step(
        self,
        task: Task,
        documents: Vec<PromptDocument>,
        shared: &Shared<'_>,
    ) -> Result<Written, ApiError> {
        let rendered = shared.named.render_step(task.ask.as_step(), &documents)?;
        // Notes are for the next step alone, and their form is their own.
        let format = (rendered.schema.clone())
            .filter(|_| task.is_answer || shared.strategy == LongDocuments::Refine)
            .map(|schema| Wanted::schema(schema, "prompt"));
        let input = ChatInput {
            prompt: prompt_of(&rendered, &shared.given),
            tools: None,
        };
        let ask = Ask {
            params: GenerationParams {
                max_tokens: Some(task.max_output_tokens),
                seed: Some(task.seed(shared.seed)),
                ..shared.params.clone()
            },
            format,
            ..Ask::default()
        };
        let clock = SystemTime::now();
        let mut generation = Measured::start(
            self.state,
            self.served,
            self.request_id.clone(),
            self.caller,
            ask,
            shared.field,
            move |model, params| model.chat(&input, params, clock),
        )
        .await?;
        let choices = generation.collect().await;
        let choices = choices.map_err(|error| ApiError::from_generation(&error, shared.field))?;
        Ok(Written {
            task,
            text: choices.into_iter().map(|choice| choice.text).collect(),
            used: generation.usage(),
        })
    }

    /// Puts the last step in the place of the prompt's messages.
    fn leave(
        self,
        body: &mut Json,
        conversation: Conversation,
        num_rendered: usize,
        shared: &Shared<'_>,
        (task, documents): (Task, Vec<PromptDocument>),
    ) -> Result<(), ApiError> {
        let rendered = shared.named.render_step(task.ask.as_step(), &documents)?;
        if let Some(Json::Array(messages)) = body.entry_mut(conversation.list) {
            let given = messages.split_off(num_rendered.min(messages.len()));
            *messages = crate::api::inputs::messages_of(&rendered);
            messages.extend(given);
        }
        let integer = |value: u64| Json::Integer(i64::try_from(value).unwrap_or(i64::MAX));
        let max = task.max_output_tokens as u64;
        for name in conversation.max_tokens {
            body.set(name, Json::Null);
        }
        body.set(conversation.max_tokens[0], integer(max));
        body.set("seed", Json::Integer(task.seed(shared.seed).cast_signed()));
        Ok(())
    }

    fn tell(self, progress: Progress) {
        if let Some(told) = self.progress {
            // Whoever left misses nothing.
            let _ = told.send(progress);
        }
    }
}

struct Steps {
    last: (Task, Vec<PromptDocument>),
    said: Option<String>,
    told: LongTold,
}

struct Written {
    task: Task,
    text: String,
    used: Usage,
}

/// Why documents cannot be read in steps.
enum Unreadable {
    Plan(PlanError),
    Generation(GenerationError),
    Api(ApiError),
}

impl Unreadable {
    fn on(self, field: &'static str) -> ApiError {
        match self {
            Self::Plan(error) => {
                let message = error.to_string();
                let (first, rest) =
                    message.split_at(message.chars().next().map_or(0, char::len_utf8));
                ApiError::invalid(field, format!("{}{rest}.", first.to_uppercase()))
            }
            Self::Generation(error) => ApiError::from_generation(&error, field),
            Self::Api(error) => error,
        }
    }
}

impl From<PlanError> for Unreadable {
    fn from(error: PlanError) -> Self {
        Self::Plan(error)
    }
}

impl From<GenerationError> for Unreadable {
    fn from(error: GenerationError) -> Self {
        Self::Generation(error)
    }
}

impl From<ApiError> for Unreadable {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

/// The plan, or nothing where the documents fit with the answer. Takes time in proportion to the
/// text.
fn prepared(
    model: &ServedModel,
    named: &Named,
    strategy: LongDocuments,
    documents: Vec<Document>,
    shown: &[PromptDocument],
    given: &[ChatMessage],
    wanted: Option<usize>,
) -> Result<Option<Prepared>, Unreadable> {
    let context = model.max_model_len();
    let clock = SystemTime::now();
    let tokens = |rendered: &Rendered| -> Result<usize, Unreadable> {
        Ok(model
            .rendered(&prompt_of(rendered, given), clock)?
            .ids
            .len())
    };
    let wanted = wanted.unwrap_or(context / 4);
    let whole = named.render_step(crate::prompt::Step::Whole, shown)?;
    if tokens(&whole)? + wanted.min(context / 2) <= context {
        return Ok(None);
    }
    let empty: Vec<PromptDocument> = shown
        .iter()
        .map(|document| PromptDocument {
            text: String::new(),
            ..document.clone()
        })
        .collect();
    let overhead = Overhead::measured(strategy, |step| {
        let documents = match step {
            crate::prompt::Step::Merge { .. } => &[],
            crate::prompt::Step::Whole => empty.as_slice(),
            _ => &empty[..empty.len().min(1)],
        };
        tokens(&named.render_step(step, documents)?)
    })?;
    let room = Room {
        context,
        overhead,
        lengths: Lengths::within(strategy, context, wanted),
    };
    let budget = room.part_budget(strategy)?;
    let mut count =
        |text: &str| (model.tokenizer.encode_bare(text)).map_or(text.len(), |ids| ids.len());
    let mut parts = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        let split = split(document, budget, &mut count);
        parts.extend(split.into_iter().map(|part| (index, part)));
    }
    let sources = parts.iter();
    let sources = sources.map(|(document, part)| Source::new(*document, part));
    Ok(Some(Prepared {
        plan: Plan::new(strategy, sources.collect(), &room)?
            .within(limits::MAX_LONG_TOKENS as u64)?,
        parts,
        documents,
    }))
}

/// What a step is shown of the documents.
fn read_by(
    task: &Task,
    parts: &[(usize, Part)],
    documents: &[Document],
    shown: &[PromptDocument],
) -> Vec<PromptDocument> {
    let read = parts.get(task.reads.clone()).unwrap_or_default().iter();
    let read = read.filter_map(|(index, part)| {
        Some(PromptDocument {
            text: part.shown(documents.get(*index)?),
            ..shown.get(*index)?.clone()
        })
    });
    read.collect()
}

fn prompt_of(rendered: &Rendered, given: &[ChatMessage]) -> ChatPrompt {
    let messages = rendered.messages.iter().map(|(role, content)| ChatMessage {
        role: role.as_str().to_owned(),
        content: content.clone(),
        ..ChatMessage::default()
    });
    ChatPrompt {
        messages: messages.chain(given.iter().cloned()).collect(),
        ending: Ending::Answer,
        ..ChatPrompt::default()
    }
}

/// What the body says beside the prompt's messages, which must be plain text: every step reads it.
fn given(
    body: &Json,
    conversation: Conversation,
    num_rendered: usize,
) -> Result<Vec<ChatMessage>, ApiError> {
    let Some(Json::Array(messages)) = body.entry(conversation.list) else {
        return Ok(Vec::new());
    };
    let given = messages.iter().skip(num_rendered);
    given
        .map(|message| match (message.entry("role"), message.entry("content")) {
            (Some(Json::String(role)), Some(content)) if ["user", "system", "developer", "assistant"].contains(&role.as_str()) => {
                Ok(ChatMessage {
                    role: if role == "developer" { "system".to_owned() } else { role.clone() },
                    content: text_of(content),
                    ..ChatMessage::default()
                })
            }
            _ => Err(ApiError::invalid(
                conversation.list,
                format!(
                    "`{}` must hold nothing but texts beside documents that are longer than the context.",
                    conversation.list
                ),
            )),
        })
        .collect()
}

fn text_of(content: &Json) -> String {
    match content {
        Json::String(text) => text.clone(),
        Json::Array(parts) => {
            let texts = parts.iter().filter_map(|part| match part.entry("text") {
                Some(Json::String(text)) => Some(text.as_str()),
                _ => None,
            });
            texts
                .collect::<Vec<_>>()
                .join(crate::api::messages::PART_SEPARATOR)
        }
        _ => String::new(),
    }
}

/// As the request or its prompt asks; what is no such number is refused where it is read.
fn max_tokens(body: &Json, conversation: Conversation) -> Option<usize> {
    conversation
        .max_tokens
        .iter()
        .find_map(|name| match body.entry(name) {
            Some(Json::Integer(max)) => usize::try_from(*max).ok().filter(|max| *max > 0),
            _ => None,
        })
}

fn has_tools(body: &Json) -> bool {
    matches!(body.entry("tools"), Some(Json::Array(tools)) if !tools.is_empty())
}
