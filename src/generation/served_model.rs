use super::choice::{AnswerText, Choice, Echo};
use super::citation::{Quoting, QuotingConstraint};
use super::logprobs::WaitingTokens;
use super::reasoning_gate::ReasoningGate;
use super::tools::ChatInput;
use super::transcript::{Dialect, Signatures, ToolFormat, Transcript};
use super::{
    CompletionPrompt, Generation, GenerationError, GenerationParams, Grammars, SamplingDefaults,
    TopK,
};
use crate::engine::{Engine, SamplingParams, SequenceRequest, TokenConstraint};
use crate::text::{ChatTemplate, Detokenizer, Ending, StopStrings, Tokenizer};
use std::iter::repeat_n;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// Tags are shorter.
const MAX_TAG_BYTES: usize = 64;

/// A loaded checkpoint with the id that clients use.
pub struct ServedModel {
    pub id: String,
    /// Unix seconds of the checkpoint's newest file.
    pub created: u64,
    pub engine: Engine,
    pub tokenizer: Arc<Tokenizer>,
    /// None: the checkpoint has no chat template, so chat is refused.
    pub chat_template: Option<ChatTemplate>,
    /// How the model marks reasoning and calls.
    pub dialect: Dialect,
    pub defaults: SamplingDefaults,
    /// Ids that end a generation, from generation_config.json and config.json.
    pub stop_token_ids: Arc<[u32]>,
    pub grammars: Grammars,
}

/// How answers are read.
struct Reading {
    dialect: Dialect,
    /// Names of the functions that may be called, if any may.
    tools: Option<Arc<Signatures>>,
    one_call: bool,
    prompt_end: String,
    /// A completion goes on where its prompt ends.
    continues: bool,
}

struct Prompt {
    ids: Arc<[u32]>,
    /// What of it a completion begins with.
    echo: Option<Arc<str>>,
}

impl ServedModel {
    /// Longest prompt plus completion, in tokens.
    pub fn max_model_len(&self) -> usize {
        self.engine.config().max_sequence_len()
    }

    /// Whether a request with these parameters would be admitted now, before any work is
    /// done for its prompt.
    pub fn check_room(&self, params: &GenerationParams) -> Result<(), GenerationError> {
        let origin = params.caller.origin(params.class);
        Ok(self.engine.check_room(origin)?)
    }

    /// Starts the answer to a chat. `clock` is the one time value that the template may print.
    /// Takes time in proportion to the text, so not for an async thread.
    pub fn chat(
        &self,
        input: &ChatInput,
        params: &GenerationParams,
        clock: SystemTime,
    ) -> Result<Generation, GenerationError> {
        let rendered = self.rendered(&input.prompt, clock)?;
        let prompt = Prompt {
            ids: rendered.ids.into(),
            echo: None,
        };
        let (dialect, tools) = (&self.dialect, input.tools.as_ref());
        let reading = Reading {
            dialect: match tools {
                Some(tools) if rendered.is_explained && !tools.is_enforced() => {
                    dialect.with(ToolFormat::Generic)
                }
                Some(tools) => tools.dialect(dialect),
                None => dialect.clone(),
            },
            tools: tools.map(|tools| tools.signatures()),
            one_call: tools.is_some_and(|tools| !tools.parallel),
            prompt_end: end(rendered.text.as_str()).to_owned(),
            continues: input.prompt.ending == Ending::Open,
        };
        let mut generation = self.generate(vec![prompt], params, &reading)?;
        generation.names_ignored = rendered.names_ignored;
        Ok(generation)
    }

    /// Starts the completions of `prompts`. `max_tokens` absent means the rest of the
    /// context here too; the API applies 16.
    pub fn complete(
        &self,
        prompts: Vec<CompletionPrompt>,
        params: &GenerationParams,
    ) -> Result<Generation, GenerationError> {
        let prompts = prompts
            .into_iter()
            .map(|prompt| self.prompt(prompt, params.echo))
            .collect::<Result<Vec<_>, GenerationError>>()?;
        let reading = Reading {
            // A completion is text and nothing else.
            dialect: Dialect::of("", |_| false),
            tools: None,
            one_call: false,
            prompt_end: String::new(),
            continues: true,
        };
        self.generate(prompts, params, &reading)
    }

    /// What is echoed of a text is the text, and of token ids what they decode to.
    fn prompt(&self, prompt: CompletionPrompt, echo: bool) -> Result<Prompt, GenerationError> {
        Ok(match prompt {
            CompletionPrompt::Text(text) => Prompt {
                ids: self.tokenizer.encode_prompt(&text)?.into(),
                echo: echo.then(|| text.into()),
            },
            CompletionPrompt::Tokens(ids) => Prompt {
                echo: echo.then(|| self.tokenizer.decode(&ids).into()),
                ids: ids.into(),
            },
        })
    }

    fn generate(
        &self,
        prompts: Vec<Prompt>,
        params: &GenerationParams,
        reading: &Reading,
    ) -> Result<Generation, GenerationError> {
        let seed = match params.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(|e| GenerationError::Internal(e.to_string()))?,
        };
        let sampling = self.sampling(params, seed);
        let stop_token_ids = self.stop_token_ids(params);
        let quoting = self.quoting(params);
        let mut requests = Vec::with_capacity(prompts.len() * params.n);
        for prompt in &prompts {
            let max_tokens = self.max_tokens(prompt.ids.len(), params)?;
            for _ in 0..params.n {
                requests.push(SequenceRequest {
                    stop_token_ids: stop_token_ids.clone(),
                    min_tokens: params.min_tokens,
                    sampling: SamplingParams {
                        choice: requests.len() as u32,
                        ..sampling.clone()
                    },
                    prompt_logprobs: prompt_logprobs(params, max_tokens),
                    constraint: self.constraint(params, reading, quoting.as_ref()),
                    origin: params.caller.origin(params.class),
                    timeout: params.timeout,
                    ..SequenceRequest::new(prompt.ids.clone(), max_tokens)
                });
            }
        }
        let streams = self.engine.submit(requests)?;
        let choices = streams
            .into_iter()
            .enumerate()
            .zip(prompts.iter().flat_map(|p| repeat_n(p, params.n)))
            .map(|((index, stream), prompt)| {
                let text = AnswerText {
                    tokenizer: Arc::clone(&self.tokenizer),
                    detokenizer: self.detokenizer(reading),
                    stop: StopStrings::new(params.stop.clone()),
                    min_tokens: params.min_tokens,
                    transcript: reading.transcript(),
                    one_call: reading.one_call,
                };
                let (echo, waiting) = (self.echo(prompt, params), self.waiting(prompt, params));
                Choice::new(index, stream, text, echo, waiting)
            })
            .collect();
        let num_prompt_tokens = prompts.iter().map(|prompt| prompt.ids.len()).sum();
        Ok(Generation::new(num_prompt_tokens, params.n, seed, choices))
    }

    fn detokenizer(&self, reading: &Reading) -> Detokenizer {
        let detokenizer = self.tokenizer.detokenizer();
        if reading.continues {
            detokenizer.continuing()
        } else {
            detokenizer
        }
    }

    /// What the choices of a request may quote.
    fn quoting(&self, params: &GenerationParams) -> Option<Arc<Quoting>> {
        let citations = Arc::clone(params.citations.as_ref()?);
        let tokens = (self.grammars).walked(&self.tokenizer, &self.stop_token_ids);
        let vocab_size = self.tokenizer.vocab_size();
        Some(Arc::new(Quoting::new(citations, tokens, vocab_size)))
    }

    /// Each choice goes its own way through the grammar or the documents, once it has thought.
    fn constraint(
        &self,
        params: &GenerationParams,
        reading: &Reading,
        quoting: Option<&Arc<Quoting>>,
    ) -> Option<Arc<dyn TokenConstraint>> {
        let form: Arc<dyn TokenConstraint> = match (params.grammar.as_ref(), quoting) {
            (Some(grammar), _) => grammar.constraint(),
            (None, Some(quoting)) => Arc::new(QuotingConstraint::new(Arc::clone(quoting))),
            (None, None) => return None,
        };
        let Some(tags) = reading.dialect.reasoning_tags() else {
            return Some(form);
        };
        Some(Arc::new(ReasoningGate {
            tokenizer: Arc::clone(&self.tokenizer),
            form,
            is_open: reading.transcript().is_reasoning(),
            passing: self.grammars.passing(&self.tokenizer, &tags.1),
            tags,
            stop_token_ids: self.stop_token_ids(params),
            progress: Mutex::default(),
        }))
    }

    /// What the request asks for over the model's defaults.
    fn sampling(&self, params: &GenerationParams, seed: u64) -> SamplingParams {
        let defaults = &self.defaults;
        SamplingParams {
            logit_bias: params.logit_bias.clone(),
            repetition_penalty: params
                .repetition_penalty
                .unwrap_or(defaults.repetition_penalty),
            frequency_penalty: params.frequency_penalty,
            presence_penalty: params.presence_penalty,
            temperature: params.temperature.unwrap_or(defaults.temperature),
            top_k: match params.top_k {
                None => defaults.top_k,
                Some(TopK::Off) => None,
                Some(TopK::Most(k)) => Some(k),
            },
            top_p: params.top_p.unwrap_or(defaults.top_p),
            min_p: params.min_p.unwrap_or(defaults.min_p),
            seed,
            choice: 0,
            num_top_logprobs: params.logprobs.unwrap_or(0),
        }
    }

    fn stop_token_ids(&self, params: &GenerationParams) -> Arc<[u32]> {
        match (params.ignore_eos, params.stop_token_ids.as_slice()) {
            (false, []) => self.stop_token_ids.clone(),
            (false, more) => [&self.stop_token_ids, more].concat().into(),
            (true, ids) => ids.into(),
        }
    }

    fn echo(&self, prompt: &Prompt, params: &GenerationParams) -> Option<Echo> {
        Some(Echo {
            tokenizer: Arc::clone(&self.tokenizer),
            prompt: prompt.ids.clone(),
            text: prompt.echo.clone()?,
            with_logprobs: params.logprobs.is_some(),
        })
    }

    fn waiting(&self, prompt: &Prompt, params: &GenerationParams) -> Option<WaitingTokens> {
        params.logprobs?;
        let echoed = prompt.echo.as_ref().map_or(0, |text| text.chars().count());
        Some(WaitingTokens::new(Arc::clone(&self.tokenizer), echoed))
    }

    /// The rest of the context where no maximum is asked for. A prompt that leaves no room
    /// is refused with both counts, never cut.
    fn max_tokens(
        &self,
        num_prompt_tokens: usize,
        params: &GenerationParams,
    ) -> Result<usize, GenerationError> {
        if num_prompt_tokens == 0 {
            return Err(GenerationError::EmptyPrompt);
        }
        let max_model_len = self.max_model_len();
        let room = max_model_len.saturating_sub(num_prompt_tokens);
        let max_tokens = params.max_tokens.unwrap_or(room.max(1));
        // A minimum that there is no room for is asked for in vain.
        let needed = max_tokens.max(params.min_tokens);
        if needed > room {
            return Err(GenerationError::ContextLength {
                max_model_len,
                num_prompt_tokens,
                max_tokens: needed,
            });
        }
        Ok(max_tokens)
    }
}

/// As much of a prompt as may hold a tag at its end.
fn end(text: &str) -> &str {
    let text = text.trim_end();
    let start = text.len().saturating_sub(MAX_TAG_BYTES);
    let start = (start..=text.len()).find(|at| text.is_char_boundary(*at));
    &text[start.unwrap_or(text.len())..]
}

impl Reading {
    fn transcript(&self) -> Transcript {
        Transcript::new(&self.dialect, self.tools.clone(), &self.prompt_end)
    }
}

/// How many of the most probable tokens to report at each place of the prompt.
fn prompt_logprobs(params: &GenerationParams, max_tokens: usize) -> Option<usize> {
    match params.logprobs {
        Some(num_top) if params.echo => Some(num_top),
        // The engine takes a sequence that generates nothing only if there is something to
        // compute.
        _ => (max_tokens == 0).then_some(0),
    }
}
