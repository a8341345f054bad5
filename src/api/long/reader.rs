use super::answer::{LongTold, Planned};
use super::plan::{Progress, Run, Task};
use super::progress::Progressing;
use super::work::{Asked, Prepared, Work, read_by};
use crate::api::answer::{Measured, Usage};
use crate::api::error::ApiError;
use crate::api::inputs::{Cited, Conversation, Named, ReadFile, for_prompt, messages_of};
use crate::api::json::Json;
use crate::api::output_format::Wanted;
use crate::api::request::{Ask, Said};
use crate::api::request_id::RequestId;
use crate::api::state::{ApiState, Served};
use crate::generation::{Caller, ChatInput, FinishReason, GenerationParams};
use crate::prompt::{LongDocuments, PromptDocument};
use crate::text::ChatPrompt;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Steps of one request that are computed side by side.
const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// Before a step is tried again for which there was no room.
const BUSY_PAUSE: Duration = Duration::from_millis(500);

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
    /// Reads the rest of the request, which is asked before anything is computed.
    pub parse: &'a (dyn Fn(&Json) -> Result<Parsed, ApiError> + Sync),
}

/// A request whose prompt has been rendered.
pub struct Parsed {
    pub prompt: ChatPrompt,
    /// The message with which the prompt of the library begins.
    pub first: usize,
    pub params: GenerationParams,
    pub has_format: bool,
}

/// What is read, by which prompt, and for which request.
pub struct Subject<'a> {
    pub named: &'a Arc<Named>,
    pub strategy: LongDocuments,
    pub files: &'a [ReadFile],
    /// How many of the body's messages are the prompt's.
    pub num_rendered: usize,
    pub conversation: Conversation,
    /// There if the answer is to quote the documents.
    pub cited: Option<&'a Cited>,
}

/// What came of the steps before the last.
#[derive(Debug, Clone)]
pub struct Read {
    /// By `join`: the answers to all parts but the last.
    pub said: Option<Said>,
    pub told: LongTold,
}

/// What each step takes beside its own text.
struct Shared<'a> {
    named: &'a Arc<Named>,
    documents: Vec<PromptDocument>,
    asked: Asked,
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
            cited,
        } = subject;
        let field = conversation.list;
        let parsed = (self.parse)(body)?;
        let asked = Asked::new(parsed.prompt, parsed.first, num_rendered);
        let model = Arc::clone(&self.served.model);
        let work = Work {
            named: Arc::clone(named),
            strategy,
            documents: files.iter().map(ReadFile::shown_document).collect(),
            shown: for_prompt(files),
            asked: asked.clone(),
            wanted: parsed.params.max_tokens,
            beside: cited.map_or("", Cited::explanation).into(),
        };
        let shown = work.shown.clone();
        let prepared = (self.state)
            .beside_connections(self.caller, move || work.prepared(&model))
            .await?;
        let Some(prepared) = prepared.map_err(|error| error.on(field))? else {
            return Ok(None);
        };
        if let Some(cited) = cited {
            cited.check_format(parsed.has_format)?;
        }
        let max_last = prepared
            .plan
            .steps
            .last()
            .map_or(0, |last| last.output_tokens);
        let refusal = [
            (asked.has_tools(), "tools", "be left out"),
            (parsed.params.n > 1, "n", "be 1"),
            (parsed.params.min_tokens > max_last, "min_tokens", "be less"),
            (
                strategy == LongDocuments::Join && parsed.has_format,
                conversation.formats[0],
                "be left out by a prompt that answers each part",
            ),
            (
                strategy == LongDocuments::Join && cited.is_some(),
                "citations",
                "be left out by a prompt that answers each part",
            ),
        ];
        if let Some((_, param, must)) = refusal.into_iter().find(|(refused, ..)| *refused) {
            let message =
                format!("`{param}` must {must} where documents are longer than the context.");
            return Err(ApiError::invalid(param, message));
        }
        let params = parsed.params;
        let seed = match params.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(|error| ApiError::internal(error.to_string()))?,
        };
        let shared = Shared {
            named,
            documents: shown,
            asked,
            params: GenerationParams {
                min_tokens: 0,
                logprobs: None,
                ..params
            },
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
        let (mut num_cut, mut is_answer_cut) = (0, false);
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
            let Written {
                task,
                text,
                used,
                was_cut,
            } = done?;
            num_cut += usize::from(was_cut && !task.is_answer);
            is_answer_cut |= was_cut && task.is_answer;
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
            said: (!said.is_empty()).then(|| Said {
                text: said.concat(),
                was_cut: is_answer_cut,
            }),
            told: planned.told(usage, num_cut, &run.provenance(), files),
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
            prompt: shared.asked.with(&rendered),
            tools: None,
        };
        let params = GenerationParams {
            max_tokens: Some(task.max_output_tokens),
            seed: Some(task.seed(shared.seed)),
            ..shared.params.clone()
        };
        let mut generation = self.started(input, params, format, shared.field).await?;
        let choices = generation.collect().await;
        let choices = choices.map_err(|error| ApiError::from_generation(&error, shared.field))?;
        Ok(Written {
            was_cut: (choices.iter()).any(|choice| choice.reason == Some(FinishReason::Length)),
            text: choices.into_iter().map(|choice| choice.text).collect(),
            used: generation.usage(),
            task,
        })
    }

    /// Starts a step, when there is room: one busy moment must not throw away what was read.
    async fn started(
        self,
        input: ChatInput,
        params: GenerationParams,
        format: Option<Wanted>,
        field: &'static str,
    ) -> Result<Measured, ApiError> {
        let until = Instant::now() + self.state.request_timeout;
        let clock = SystemTime::now();
        loop {
            let input = input.clone();
            let ask = Ask {
                params: params.clone(),
                format: format.clone(),
                ..Ask::default()
            };
            let started = Measured::start(
                self.state,
                self.served,
                self.request_id.clone(),
                self.caller,
                ask,
                field,
                move |model, params| model.chat(&input, params, clock),
            );
            match started.await {
                Err(error) if error.is_overload() && Instant::now() < until => {
                    tokio::time::sleep(BUSY_PAUSE).await;
                }
                started => return started,
            }
        }
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
            *messages = messages_of(&rendered);
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
    said: Option<Said>,
    told: LongTold,
}

struct Written {
    task: Task,
    text: String,
    used: Usage,
    /// It came to its most tokens.
    was_cut: bool,
}
